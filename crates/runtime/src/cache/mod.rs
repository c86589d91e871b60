//! Credential lookups and rate limits: what every request asks, and what must never fail it.
//!
//! The truth about a credential is in the database. The cache may forget, never invent: when Redis is away a lookup is
//! a miss and the caller asks the database; nothing is ever answered "allowed" for want of an answer.
//!
//! - A layer in this process, at most one second old, sits in front: a revocation is effective everywhere within a
//!   second, and a busy token costs Redis one `GET` a second from each process.
//! - Redis keeps an entry for up to a minute. A revocation leaves a tombstone there that writers cannot replace, so a
//!   reader that raced with it cannot bring the token back.
//! - A rate limit is one GCRA cell in Redis per key, or in this process while Redis is away. A busy process takes a few
//!   places at a time (see [`Cache::rate_limit`]).
//!
//! Cost of a request in steady state: at most one round trip to Redis, for the rate limit, and far less than one under
//! load; once a second for each token one more, for its `GET`.

mod gcra;
mod health;
mod local;
mod redis_arm;
mod reserve;

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use gcra::LocalLimits;
use local::LocalLayer;
use redis_arm::RedisArm;

pub use gcra::{Rate, RateDecision};
pub use redis_arm::CacheConfig;

/// SHA-256 of a bearer token or key.
pub type CredentialDigest = [u8; 32];

/// How long a lookup of an unknown credential is remembered in Redis.
const ABSENT_TTL: Duration = Duration::from_secs(5);

/// What the cache knows about a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedCredential {
    /// What the caller put, verbatim.
    Present(Arc<str>),
    /// There is no such credential, or it was revoked: answer 401 without asking the database.
    Absent,
}

/// What went wrong with the cache's configuration. No message holds the password of the URL.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The URL is not one of Redis.
    #[error("REDIS_URL is not of the form redis://user:password@host:port/database")]
    Url,
    /// The connection cannot be prepared.
    #[error("Redis at {address}: {reason}")]
    Client {
        /// Host and port.
        address: String,
        /// What the client says.
        reason: String,
    },
}

/// The cache of a process. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Cache {
    local: Arc<LocalLayer>,
    limits: Arc<LocalLimits>,
    redis: Option<Arc<RedisArm>>,
}

impl Cache {
    /// Redis behind the process's own layer. Connects in the background and keeps trying: a Redis that is away at
    /// start is no error here, [`Cache::check`] says so. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`CacheError`] when the URL cannot work.
    pub fn redis(config: &CacheConfig, metrics: Metrics) -> Result<Self, CacheError> {
        let redis = Some(Arc::new(RedisArm::start(config, metrics)?));
        Ok(Self { redis, ..Self::in_process() })
    }

    /// Only the process's own layer: the arm for a hub of one process.
    pub fn in_process() -> Self {
        Self { local: Arc::default(), limits: Arc::default(), redis: None }
    }

    /// Looks a credential up by the digest of its secret. `None` means: ask the database, then
    /// [`Cache::put_credential`] or [`Cache::put_absent`].
    pub async fn get_credential(&self, digest: &CredentialDigest) -> Option<CachedCredential> {
        // Taken before Redis is asked: the answer is as old as the question.
        let asked = LocalLayer::now();
        if let Some(known) = self.local.get(digest, asked) {
            return Some(known);
        }
        let found = self.redis.as_ref()?.get_credential(digest).await?;
        self.local.put(digest, found.clone(), asked);
        Some(found)
    }

    /// Remembers what the database said, in Redis for `ttl` (60 s is the longest useful: that is how long a process
    /// that cannot be told of a revocation may trust it). Never replaces a tombstone.
    pub async fn put_credential(&self, digest: &CredentialDigest, value: String, ttl: Duration) {
        self.put(digest, CachedCredential::Present(value.into()), ttl).await;
    }

    /// Remembers for five seconds that the database knows no such credential.
    pub async fn put_absent(&self, digest: &CredentialDigest) {
        self.put(digest, CachedCredential::Absent, ABSENT_TTL).await;
    }

    async fn put(&self, digest: &CredentialDigest, value: CachedCredential, ttl: Duration) {
        let asked = LocalLayer::now();
        let agreed = match &self.redis {
            Some(redis) => redis.put_credential(digest, value, ttl).await,
            None => value,
        };
        self.local.put(digest, agreed, asked);
    }

    /// Makes a credential unusable: at once in this process, within a second in the others. Call it after the commit
    /// that revoked it. Returns false when Redis could not be told; it is then told in the background, and other
    /// processes may trust their entry in Redis until that succeeds or the entry ends (a minute at most).
    pub async fn revoke_credential(&self, digest: &CredentialDigest) -> bool {
        self.local.revoke(digest);
        match &self.redis {
            Some(redis) => redis.revoke_credential(digest).await,
            None => true,
        }
    }

    /// Makes every process ask the database about a credential again within a second, after a commit that changed
    /// what its entry says (its source was switched off, its tenant suspended). Same result as
    /// [`Cache::revoke_credential`].
    pub async fn refresh_credential(&self, digest: &CredentialDigest) -> bool {
        self.local.forget(digest);
        match &self.redis {
            Some(redis) => redis.refresh_credential(digest).await,
            None => true,
        }
    }

    /// Takes one place from the rate of `key` (GCRA: `burst` at once, then `per_second` sustained).
    ///
    /// A process that asks often for one key takes up to a twentieth of the burst from Redis at once and hands it out
    /// from memory for a tenth of a second: the limit over all processes stays exact from above, and a process may be
    /// refused early by what the others hold unused, 5 % of the burst each. Below 20 requests a second each request
    /// asks Redis. While Redis is away each process limits by itself.
    pub async fn rate_limit(&self, key: &str, rate: Rate) -> RateDecision {
        let rate = rate.bounded();
        if let Some(redis) = &self.redis
            && let Some(decision) = redis.rate_limit(key, rate).await
        {
            return decision;
        }
        self.limits.take(key, rate)
    }

    /// For readiness.
    ///
    /// # Errors
    /// That Redis is away, in words for an operator. The hub works without it: a warning rather than a failure.
    pub async fn check(&self) -> Result<(), String> {
        match &self.redis {
            Some(redis) => redis.check().await,
            None => Ok(()),
        }
    }
}
