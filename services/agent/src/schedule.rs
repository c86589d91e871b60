//! Times of the service: the daily full read, and pauses that grow after failures.

use crate::exit::Failure;
use crate::identity::random;
use chrono::{DateTime, Days, Local, NaiveTime, TimeZone, Utc};
use std::time::Duration;

/// A local time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeOfDay(NaiveTime);

impl TimeOfDay {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        NaiveTime::parse_from_str(text, "%H:%M").ok().map(Self)
    }

    /// The time from `now` to its next occurrence.
    pub(crate) fn until_next(self, now: DateTime<Utc>) -> Duration {
        self.until_next_in(&Local, now)
    }

    /// An hour that a change of the clock leaves out is taken at its end, and one that comes twice at its first time.
    fn until_next_in<Z: TimeZone>(self, zone: &Z, now: DateTime<Utc>) -> Duration {
        let today = now.with_timezone(zone).date_naive();
        let later = (0..3).filter_map(|day| today.checked_add_days(Days::new(day))).find_map(|day| {
            let at = day.and_time(self.0);
            let at = zone.from_local_datetime(&at).earliest().map_or_else(|| at.and_utc(), |at| at.to_utc());
            (at > now).then(|| at - now)
        });
        later.and_then(|wait| wait.to_std().ok()).unwrap_or(Duration::from_secs(24 * 60 * 60))
    }
}

/// Pauses that double, each drawn from its upper half.
#[derive(Debug)]
pub(crate) struct BackOff {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl BackOff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, first, longest }
    }

    pub(crate) fn pause(&mut self) -> Result<Duration, Failure> {
        let [jitter] = random::<1>()?;
        let pause = self.next / 2 + (self.next / 2).mul_f64(f64::from(jitter) / 255.0);
        self.next = (self.next * 2).min(self.longest);
        Ok(pause)
    }

    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    #[test]
    fn da6_dx11_the_full_read_comes_once_a_day_at_its_time() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let zone = FixedOffset::east_opt(3_600).expect("an offset");
        let two = TimeOfDay::parse("02:00").expect("a time of day");
        let hours = |now: &str| two.until_next_in(&zone, at(now)).as_secs() / 3_600;
        assert_eq!(hours("2026-12-01T00:00:00Z"), 1);
        assert_eq!(hours("2026-12-01T01:00:00Z"), 24, "not at once again");
        assert_eq!(hours("2026-12-01T23:00:00Z"), 2);
        assert_eq!(TimeOfDay::parse("25:00"), None);
    }

    #[test]
    fn pauses_double_to_the_longest_and_begin_anew() {
        let mut pauses = BackOff::new(Duration::from_secs(4), Duration::from_secs(10));
        for longest in [4, 8, 10, 10] {
            let pause = pauses.pause().expect("a pause").as_secs_f64();
            assert!(pause >= f64::from(longest) / 2.0 && pause <= f64::from(longest), "{pause} of {longest}");
        }
        pauses.reset();
        assert!(pauses.pause().expect("a pause") <= Duration::from_secs(4));
    }
}
