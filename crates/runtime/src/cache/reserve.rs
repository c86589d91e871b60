//! Rate tokens reserved ahead of their use, so that a busy source does not cost a round trip for each request.
//!
//! The demand of the last tenth of a second decides the number: half of it, at most a twentieth of the burst. A quiet
//! key reserves nothing. Tokens not used within a tenth of a second are dropped; the limit has counted them, so the sum
//! over all processes never exceeds it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use tokio::time::Instant;

use super::gcra::{Rate, RateDecision};

/// Period over which demand is measured and for which tokens are held.
const WINDOW: Duration = Duration::from_millis(100);
/// Divisor for the largest share of a burst that one process reserves.
const SHARE: u32 = 20;
/// Most keys with a reserve; the least recently used loses its tokens.
const CAPACITY: usize = 20_000;

struct Reserve {
    tokens: u32,
    /// Tokens that remained in the limit itself when these were taken.
    remaining: u32,
    taken: Instant,
    /// End of the period in which one request is trusted to fetch more, while the others fetch only their own token.
    fetching_until: Instant,
    /// Requests in the window that began at `window`, and in the one before.
    demand: u32,
    before: u32,
    window: Instant,
}

pub(super) struct Reserves {
    keys: Mutex<LruCache<String, Reserve>>,
}

impl Default for Reserves {
    fn default() -> Self {
        Self { keys: Mutex::new(LruCache::new(CAPACITY)) }
    }
}

impl Reserves {
    fn lock(&self) -> MutexGuard<'_, LruCache<String, Reserve>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A decision from memory, or the number of tokens to take from the limit for this request and the next ones.
    pub(super) fn take(&self, key: &str, rate: Rate) -> Result<RateDecision, u32> {
        let now = Instant::now();
        let mut keys = self.lock();
        let Some(reserve) = keys.get_mut(key) else {
            let first =
                Reserve { tokens: 0, remaining: 0, taken: now, fetching_until: now, demand: 1, before: 0, window: now };
            keys.insert(key.to_owned(), first);
            return Err(1);
        };
        reserve.note_demand(now);
        if reserve.tokens > 0 && now.saturating_duration_since(reserve.taken) < WINDOW {
            reserve.tokens -= 1;
            let remaining = reserve.remaining.saturating_add(reserve.tokens);
            return Ok(RateDecision { allowed: true, remaining, retry_after: Duration::ZERO });
        }
        let wanted = (reserve.before.max(reserve.demand) / 2).min(rate.burst / SHARE);
        if wanted <= 1 || now < reserve.fetching_until {
            return Err(1);
        }
        reserve.fetching_until = now + WINDOW;
        Err(wanted)
    }

    /// Adds the tokens that a request fetched beyond its own.
    pub(super) fn add(&self, key: &str, tokens: u32, remaining: u32) {
        if tokens == 0 {
            return;
        }
        if let Some(reserve) = self.lock().get_mut(key) {
            let now = Instant::now();
            reserve.fetching_until = now;
            let stale = now.saturating_duration_since(reserve.taken) >= WINDOW;
            reserve.tokens = if stale { tokens } else { reserve.tokens.saturating_add(tokens) };
            reserve.taken = now;
            reserve.remaining = remaining;
        }
    }
}

impl Reserve {
    fn note_demand(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.window);
        if age >= WINDOW {
            self.before = if age < 2 * WINDOW { self.demand } else { 0 };
            self.demand = 0;
            self.window = now;
        }
        self.demand = self.demand.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 100.0, burst: 1000 };

    impl Reserves {
        /// As if the request that fetched tokens had been refused them.
        fn fetched(&self, key: &str) {
            if let Some(reserve) = self.lock().get_mut(key) {
                reserve.fetching_until = Instant::now();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_key_takes_one_place_at_a_time() {
        let reserves = Reserves::default();
        for _ in 0..20 {
            assert_eq!(reserves.take("quiet", RATE), Err(1));
            tokio::time::advance(Duration::from_millis(60)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_key_takes_half_of_its_demand_and_no_more_than_its_share() {
        let reserves = Reserves::default();
        let wanted: Vec<_> = (0..30)
            .map(|_| {
                reserves.fetched("busy");
                reserves.take("busy", RATE).unwrap_err()
            })
            .collect();
        assert_eq!(wanted.last(), Some(&15), "half of the demand so far: {wanted:?}");
        for _ in 0..300 {
            reserves.fetched("busy");
            let _ = reserves.take("busy", RATE);
        }
        reserves.fetched("busy");
        assert_eq!(reserves.take("busy", RATE), Err(50), "a twentieth of the burst");
        assert_eq!(reserves.take("busy", RATE), Err(1), "one request fetches for all");
        reserves.add("busy", 2, 7);
        assert_eq!(reserves.take("busy", RATE).unwrap().remaining, 8);
        tokio::time::advance(WINDOW).await;
        assert!(reserves.take("busy", RATE).is_err(), "unused tokens are let go");
    }
}
