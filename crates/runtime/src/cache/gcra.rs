//! The generic cell rate algorithm: a limit that needs one number a key, the theoretical arrival time (TAT).
//!
//! A request at time `t` advances the TAT by one emission interval, `1 / per_second`, from the later of TAT and `t`. It
//! is refused when that would put the TAT further ahead of `t` than `burst` intervals. The same arithmetic runs in
//! Redis as Lua (`redis_arm`); `tests/it/cache_contract.rs` holds both to one behaviour.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use tokio::time::Instant;

/// Most keys limited at once in this process. The least recently used is evicted first, which allows it a new burst.
const CAPACITY: usize = 100_000;

/// A limit: `burst` requests at once, then `per_second` sustained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Sustained requests a second. Bounded to 0.001 … 1,000,000.
    pub per_second: f64,
    /// Requests that may come at once after a pause. At least 1.
    pub burst: u32,
}

impl Rate {
    /// The rate within the bounds in which the arithmetic is exact.
    pub(super) fn bounded(self) -> Self {
        let per_second = if self.per_second.is_nan() { 0.001 } else { self.per_second.clamp(0.001, 1_000_000.0) };
        Self { per_second, burst: self.burst.clamp(1, 1_000_000) }
    }

    /// Time between two requests at the sustained rate.
    pub(super) fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second)
    }
}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateDecision {
    /// False means 429.
    pub allowed: bool,
    /// Further requests that would be allowed right now.
    pub remaining: u32,
    /// Wait after a refusal; round up to whole seconds for `Retry-After`. Zero when allowed.
    pub retry_after: Duration,
}

/// Limits kept by this process alone.
pub(super) struct LocalLimits {
    cells: Mutex<LruCache<String, Instant>>,
}

impl Default for LocalLimits {
    fn default() -> Self {
        Self { cells: Mutex::new(LruCache::new(CAPACITY)) }
    }
}

impl LocalLimits {
    /// Takes `tokens` rate tokens when at least one is free.
    pub(super) fn take(&self, key: &str, rate: Rate, tokens: u32) -> RateDecision {
        let now = Instant::now();
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = match cells.get_mut(key) {
            Some(cell) => cell,
            None => {
                cells.insert(key.to_owned(), now);
                match cells.get_mut(key) {
                    Some(cell) => cell,
                    // Unreachable with a capacity above zero; refusing would be worse than one request too many.
                    None => {
                        return RateDecision { allowed: true, remaining: 0, retry_after: Duration::ZERO };
                    }
                }
            }
        };
        let (decision, advanced) = decide(ahead(*cell, now), rate, tokens);
        *cell = now + advanced;
        decision
    }
}

fn ahead(cell: Instant, now: Instant) -> Duration {
    cell.saturating_duration_since(now)
}

/// Maps the lead of the TAT over now to the decision and the lead afterwards. One free token admits a request for several.
fn decide(ahead: Duration, rate: Rate, tokens: u32) -> (RateDecision, Duration) {
    let interval = rate.interval();
    let tolerance = interval * rate.burst;
    if ahead + interval > tolerance {
        let retry_after = ahead + interval - tolerance;
        return (RateDecision { allowed: false, remaining: 0, retry_after }, ahead);
    }
    let advanced = ahead + interval * tokens;
    let remaining = tolerance.saturating_sub(advanced).as_nanos() / interval.as_nanos().max(1);
    let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
    (RateDecision { allowed: true, remaining, retry_after: Duration::ZERO }, advanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10.0, burst: 3 };

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_sustained_rate_then_refill() {
        let limits = LocalLimits::default();
        let take = || {
            let decision = limits.take("source", RATE, 1);
            (decision.allowed, decision.remaining, decision.retry_after.as_millis())
        };
        assert_eq!([take(), take(), take()], [(true, 2, 0), (true, 1, 0), (true, 0, 0)]);
        assert_eq!([take(), take()], [(false, 0, 100), (false, 0, 100)], "a refusal costs nothing");
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!([take(), take()], [(true, 0, 0), (false, 0, 100)]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(take(), (true, 2, 0), "no more than the burst is saved up");
    }

    #[tokio::test]
    async fn keys_do_not_share_a_limit() {
        let limits = LocalLimits::default();
        while limits.take("busy", RATE, 1).allowed {}
        assert!(limits.take("quiet", RATE, 1).allowed);
    }

    #[test]
    fn nonsense_is_bounded() {
        for per_second in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
            let rate = Rate { per_second, burst: 0 }.bounded();
            assert!(rate.per_second >= 0.001 && rate.per_second <= 1e6 && rate.burst == 1, "{rate:?}");
        }
    }
}
