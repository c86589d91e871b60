//! Credential lookups and rate limits: what every request asks, and what must never fail it.
//!
//! The truth about a credential is in the database. The cache may forget, never invent: when Redis is away a lookup is
//! a miss and the caller asks the database; nothing is ever answered "allowed" for want of an answer.
//!
//! - A layer in this process, at most one second old, sits in front: a revocation is effective everywhere within a
//!   second, and a busy token costs Redis two `GET`s a second from each process.
//! - Redis keeps an entry for up to a minute. A revocation leaves a tombstone there that writers cannot replace, so a
//!   reader that raced with it cannot bring the token back.
//! - Who guesses at secrets reaches neither Redis nor the database once the limit of failed authentications is used up,
//!   but for one guess at a time ([`Cache::credential`]).
//! - A rate limit is one GCRA cell in Redis per key, or in this process while Redis is away. A busy process takes a few
//!   places at a time (see [`Cache::rate_limit`]).
//!
//! Cost of a request in steady state: at most one round trip to Redis, for the rate limit, and far less than one under
//! load; twice a second for each token one more, for its `GET`.

mod gcra;
mod guesses;
mod health;
mod local;
mod redis_arm;
mod reserve;

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use gcra::LocalLimits;
use guesses::Guesses;
use local::LocalLayer;
use redis_arm::RedisArm;

pub use gcra::{Rate, RateDecision};
pub use guesses::Caller;
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

/// What came of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUp {
    /// What the credential stands for, as the database said it.
    Present(Arc<str>),
    /// There is no such credential.
    Absent,
    /// Its address guessed too often; nobody was asked.
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
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

impl From<CachedCredential> for LookedUp {
    fn from(known: CachedCredential) -> Self {
        match known {
            CachedCredential::Present(value) => Self::Present(value),
            CachedCredential::Absent => Self::Absent,
        }
    }
}

/// The cache of a process. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Cache {
    local: Arc<LocalLayer>,
    limits: Arc<LocalLimits>,
    guesses: Arc<Guesses>,
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
        Self { local: Arc::default(), limits: Arc::default(), guesses: Arc::default(), redis: None }
    }

    /// Looks a credential up by the digest of its secret: here, in Redis, and then by `ask_database`, whose answer is kept for
    /// `ttl` (see [`Cache::put_credential`]).
    ///
    /// From an address over the limit of [`Cache::failed_authentication`] a secret that nobody here has seen good is looked up
    /// only while no other such is. One that was good is looked up as ever: others' guesses do not slow it.
    ///
    /// # Errors
    /// Those of `ask_database`.
    pub async fn credential<E>(
        &self,
        digest: &CredentialDigest,
        caller: &Caller,
        ttl: Duration,
        ask_database: impl AsyncFnOnce() -> Result<Option<String>, E>,
    ) -> Result<LookedUp, E> {
        if let Some(known) = self.local.get(digest, LocalLayer::now()) {
            return Ok(known.into());
        }
        // In a box: the usual way, which ends above, does not carry it.
        let look_up = Box::pin(async {
            let _door = match self.guesses.admit(digest, caller) {
                Ok(door) => door,
                Err(retry_after) => return Ok(LookedUp::TooMany { retry_after }),
            };
            let found = match self.get_credential(digest).await {
                Some(found) => found,
                None => {
                    let (found, ttl) = match ask_database().await? {
                        Some(value) => (CachedCredential::Present(value.into()), ttl),
                        None => (CachedCredential::Absent, ABSENT_TTL),
                    };
                    self.put(digest, found.clone(), ttl).await;
                    found
                }
            };
            self.guesses.learn(digest, found != CachedCredential::Absent);
            Ok(found.into())
        });
        look_up.await
    }

    /// Takes a place from the rate of failed authentications of an address. One that is over it costs Redis nothing until its
    /// next place is free.
    pub async fn failed_authentication(&self, caller: &Caller, rate: Rate) -> RateDecision {
        if let Some(retry_after) = self.guesses.refused_for(caller) {
            return RateDecision { allowed: false, remaining: 0, retry_after };
        }
        let decision = self.rate_limit(&caller.key(), rate).await;
        if !decision.allowed {
            self.guesses.refuse(caller, decision.retry_after);
        }
        decision
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
        self.limits.take(key, rate, 1)
    }

    /// Takes `places` from the rate of `key` when one is free: what is one request to the protocol and many to us is let in
    /// whole, and who sent it waits until the places it took too many are free again.
    pub async fn rate_limit_whole(&self, key: &str, rate: Rate, places: u32) -> RateDecision {
        let rate = rate.bounded();
        if let Some(redis) = &self.redis
            && let Some(decision) = redis.rate_limit_whole(key, rate, places).await
        {
            return decision;
        }
        self.limits.take(key, rate, places)
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
