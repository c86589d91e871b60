//! Limits concurrent look-ups of unknown secrets from addresses that fail authentication too often.
//!
//! Behind a proxy all callers share one address, so an address over its limit is not blocked. A secret that was valid at its
//! last look-up passes as usual; unknown secrets from such addresses are looked up one at a time.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::CredentialDigest;

/// Most secrets and addresses remembered; the least recently used are evicted first.
const CAPACITY: usize = 20_000;

/// Client address as the key of the failed-authentication limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// An IPv6 address counts as its /64 network, because one subscriber has 2^64 addresses.
    pub fn at(address: Option<IpAddr>) -> Self {
        Self(match address {
            Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::")
            }
            Some(address) => address.to_canonical().to_string(),
            None => String::new(),
        })
    }

    pub(super) fn key(&self) -> String {
        format!("auth:{}", self.0)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unknown" } else { &self.0 })
    }
}

pub(super) struct Guesses {
    /// Secrets that were valid at their last look-up.
    proven: Mutex<LruCache<CredentialDigest, ()>>,
    /// The end of the refusal for each address over its limit.
    refused: Mutex<LruCache<String, Instant>>,
    unknown_lookup: Semaphore,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            proven: Mutex::new(LruCache::new(CAPACITY)),
            refused: Mutex::new(LruCache::new(CAPACITY)),
            unknown_lookup: Semaphore::new(1),
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guesses {
    /// Admits a look-up, with a permit to hold during it if the address is over its limit; otherwise returns the wait.
    pub(super) fn admit(
        &self,
        digest: &CredentialDigest,
        caller: &Caller,
    ) -> Result<Option<SemaphorePermit<'_>>, Duration> {
        let Some(wait) = self.refused_for(caller) else { return Ok(None) };
        if lock(&self.proven).get(digest).is_some() {
            return Ok(None);
        }
        self.unknown_lookup.try_acquire().map(Some).map_err(|_| wait)
    }

    /// Remaining wait of an address over its limit.
    pub(super) fn refused_for(&self, caller: &Caller) -> Option<Duration> {
        let until = lock(&self.refused).get(&caller.0).copied()?;
        Some(until.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    pub(super) fn refuse(&self, caller: &Caller, wait: Duration) {
        lock(&self.refused).insert(caller.0.clone(), Instant::now() + wait);
    }

    pub(super) fn learn(&self, digest: &CredentialDigest, stands_for_something: bool) {
        let mut proven = lock(&self.proven);
        if stands_for_something {
            proven.insert(*digest, ());
        } else {
            proven.remove(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_caller_and_a_mapped_address_is_ipv4() {
        let at = |address: &str| Caller::at(address.parse().ok());
        assert_eq!(at("2001:db8:1:2::3"), at("2001:db8:1:2:ffff::1"));
        assert_ne!(at("2001:db8:1:2::3"), at("2001:db8:1:3::3"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.2"), at("192.0.2.1"));
    }
}
