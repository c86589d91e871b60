//! Webhooks: the state of an endpoint, and the waits between attempts (decision 0095).

use crate::text_enum::text_enum;
use chrono::{DateTime, TimeDelta, Utc};

text_enum! {
    /// Whether events go to an endpoint.
    WebhookStatus {
        Active = "active",
        /// An admin stopped it. Events wait, as long as they are kept.
        Paused = "paused",
        /// The hub stopped it.
        Disabled = "disabled",
    }
}

text_enum! {
    /// Why the hub stopped an endpoint.
    WebhookDisabledReason {
        /// No attempt succeeded for as long as attempts are made.
        Failing = "failing",
        /// The endpoint answered that it is gone (410).
        Gone = "gone",
        /// The next event is older than events are kept.
        ResyncRequired = "resync_required",
    }
}

text_enum! {
    /// Why a message was sent.
    DeliveryPurpose {
        Event = "event",
        /// An admin asked for an event of before.
        Replay = "replay",
        /// An admin tried the endpoint.
        Test = "test",
    }
}

text_enum! {
    /// The result of an attempt.
    DeliveryOutcome {
        Delivered = "delivered",
        Failed = "failed",
    }
}

/// Waits after the first failures in a row, in seconds; later ones are as long as the last.
const WAITS: [i64; 9] = [5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400];
/// The longest wait that an endpoint can ask for (`Retry-After`).
const ASKED_MAX: TimeDelta = TimeDelta::hours(1);
/// A wait is up to this share longer, so that the endpoints of one host do not come back together.
const JITTER: f64 = 0.2;

/// The wait after the `failures`-th failure in a row; `random` is from 0 to 1.
pub fn retry_wait(failures: u32, random: f64, asked: Option<TimeDelta>) -> TimeDelta {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let seconds = WAITS[place];
    let jitter = (seconds as f64 * 1_000.0 * JITTER * random.clamp(0.0, 1.0)) as i64;
    let wait = TimeDelta::seconds(seconds) + TimeDelta::milliseconds(jitter);
    asked.map_or(wait, |asked| wait.max(asked.min(ASKED_MAX)))
}

/// True when an endpoint failed for so long that no further attempt is made.
pub fn gives_up(failing_since: DateTime<Utc>, now: DateTime<Utc>, patience: TimeDelta) -> bool {
    now - failing_since >= patience
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pe16_waits_grow_and_are_bounded() {
        let waits: Vec<i64> = (1..14).map(|failures| retry_wait(failures, 0.0, None).num_seconds()).collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!((waits[0], waits[12]), (5, 14_400));
        assert_eq!(retry_wait(0, 0.0, None), retry_wait(1, 0.0, None));
        assert_eq!(retry_wait(u32::MAX, 1.0, None), TimeDelta::seconds(17_280));
        for random in [-1.0, 0.0, 0.3, 1.0, 9.0] {
            let wait = retry_wait(3, random, None);
            assert!(wait >= TimeDelta::seconds(60) && wait <= TimeDelta::seconds(72), "{wait}");
        }
    }

    #[test]
    fn pe16_an_endpoint_can_ask_for_a_longer_wait_and_for_no_endless_one() {
        assert_eq!(retry_wait(1, 0.0, Some(TimeDelta::seconds(1))), TimeDelta::seconds(5));
        assert_eq!(retry_wait(1, 0.0, Some(TimeDelta::seconds(90))), TimeDelta::seconds(90));
        assert_eq!(retry_wait(1, 0.0, Some(TimeDelta::days(900))), TimeDelta::hours(1));
    }

    #[test]
    fn pe16_attempts_go_on_for_days_and_have_an_end() {
        let (begun, patience) = (DateTime::UNIX_EPOCH, TimeDelta::days(5));
        let (mut now, mut attempts) = (begun, 0);
        while !gives_up(begun, now, patience) {
            attempts += 1;
            now += retry_wait(attempts, 0.5, None);
        }
        assert!((30..60).contains(&attempts), "{attempts}");
    }
}
