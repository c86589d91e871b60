//! Credential look-ups and rate limits: both run on every request, and neither may fail it.
//!
//! The truth about a credential is in the database. The cache may lose an entry but never invents one: when Redis is
//! away a look-up is a miss, and the caller reads the database. A missing answer never counts as "allowed".
//!
//! - A layer in this process, with entries at most half a second old, sits in front: a revocation is effective everywhere
//!   within a second, and a busy token costs Redis two `GET`s a second from each process.
//! - Redis keeps an entry for up to a minute. A revocation leaves a tombstone there that writers cannot replace, so a
//!   reader that raced with it cannot bring the token back. Every entry is sealed with a key that Redis does not know
//!   (`seal`); one that is not genuine counts as a miss.
//! - An address over the limit of failed authentications reaches Redis and the database with one unknown secret at a
//!   time ([`Cache::credential`]).
//! - A rate limit is one GCRA cell in Redis per key, or in this process while Redis is away. A busy process reserves a
//!   few rate tokens at a time (see [`Cache::rate_limit`]).
//!
//! In steady state a request costs at most one round trip to Redis, for the rate limit, and far less than one under
//! load. Each token adds one `GET` twice a second.

mod gcra;
mod guesses;
mod health;
mod redis_arm;
mod reserve;
mod revocation;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use gcra::LocalLimits;
use guesses::Guesses;
use redis_arm::{Found, RedisArm};
use revocation::LocalLayer;

pub use gcra::{Rate, RateDecision};
pub use guesses::Caller;
pub use redis_arm::CacheConfig;
pub use seal::SealKey;

/// SHA-256 of a bearer token or key.
pub type CredentialDigest = [u8; 32];

/// Life of an entry in Redis for an unknown credential.
const ABSENT_TTL: Duration = Duration::from_secs(5);

/// A cached answer about a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedCredential {
    /// The caller's value, verbatim.
    Present(Arc<str>),
    /// The credential does not exist or was revoked: answer 401 without reading the database.
    Absent,
}

/// Result of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUp<T = Arc<str>> {
    /// The value of the credential, from the database.
    Present(T),
    /// There is no such credential.
    Absent,
    /// The address is over its limit; neither Redis nor the database was read.
    TooMany {
        /// Wait before the next try.
        retry_after: Duration,
    },
}

/// Invalid configuration of the cache. No message holds the password of the URL.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The URL is not a Redis URL.
    #[error("REDIS_URL is not of the form redis://user:password@host:port/database")]
    Url,
    /// The connection cannot be prepared.
    #[error("Redis at {address}: {reason}")]
    Client {
        /// Host and port.
        address: String,
        /// The client's error message.
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
    /// Redis behind the layer of this process. It connects in the background and keeps trying: a Redis that is away at
    /// start is not an error here, and [`Cache::check`] reports it. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`CacheError`] when the URL cannot work.
    pub fn redis(config: &CacheConfig, metrics: Metrics) -> Result<Self, CacheError> {
        let redis = Some(Arc::new(RedisArm::start(config, metrics)?));
        Ok(Self { redis, ..Self::in_process() })
    }

    /// The layer of this process alone: the arm for a hub of one process.
    pub fn in_process() -> Self {
        Self { local: Arc::default(), limits: Arc::default(), guesses: Arc::default(), redis: None }
    }

    /// Looks a credential up by the digest of its secret: in this process, in Redis, and then by `ask_database`, whose answer
    /// is kept for `ttl` (see [`Cache::put_credential`]).
    ///
    /// An address over the limit of [`Cache::failed_authentication`] may have one unknown secret looked up at a time. A secret
    /// that was valid at its last look-up passes as usual, so guesses of others do not slow it.
    ///
    /// # Errors
    /// The errors of `ask_database`.
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
        // Boxed, so that the common path, which ends above, does not carry the state of this future.
        let look_up = Box::pin(async {
            let _permit = match self.guesses.admit(digest, caller) {
                Ok(permit) => permit,
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

    /// Looks a secret up whose answer is not kept, under the limit of guesses of [`Cache::credential`].
    ///
    /// # Errors
    /// The errors of `ask_database`.
    pub async fn unkept<T, E>(
        &self,
        digest: &CredentialDigest,
        caller: &Caller,
        ask_database: impl AsyncFnOnce() -> Result<Option<T>, E>,
    ) -> Result<LookedUp<T>, E> {
        let _permit = match self.guesses.admit(digest, caller) {
            Ok(permit) => permit,
            Err(retry_after) => return Ok(LookedUp::TooMany { retry_after }),
        };
        let found = ask_database().await?;
        self.guesses.learn(digest, found.is_some());
        Ok(found.map_or(LookedUp::Absent, LookedUp::Present))
    }

    /// Takes a rate token from the failed-authentication limit of an address. An address over the limit costs Redis nothing
    /// until its next token is free.
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

    /// Looks a credential up by the digest of its secret. After `None`, read the database and call
    /// [`Cache::put_credential`] or [`Cache::put_absent`].
    pub async fn get_credential(&self, digest: &CredentialDigest) -> Option<CachedCredential> {
        // The time before Redis answers, because an entry is as old as its question.
        let asked = LocalLayer::now();
        if let Some(known) = self.local.get(digest, asked) {
            return Some(known);
        }
        let found = self.redis.as_ref()?.get_credential(digest).await?;
        Some(self.learn(digest, found, asked))
    }

    /// Notes what Redis says. A revocation is remembered for as long as its tombstone lives, so that an older entry that
    /// somebody puts in its place is not read.
    fn learn(&self, digest: &CredentialDigest, found: Found, asked: tokio::time::Instant) -> CachedCredential {
        match found {
            Found::Revoked => {
                self.local.revoke(digest);
                CachedCredential::Absent
            }
            Found::Answer(value) => {
                self.local.put(digest, value.clone(), asked);
                value
            }
        }
    }

    /// Caches the database's answer, in Redis for `ttl`. More than 60 s is of no use: that bounds the trust of a
    /// process that misses a revocation. Never replaces a tombstone.
    pub async fn put_credential(&self, digest: &CredentialDigest, value: String, ttl: Duration) {
        self.put(digest, CachedCredential::Present(value.into()), ttl).await;
    }

    /// Caches for five seconds that the database has no such credential.
    pub async fn put_absent(&self, digest: &CredentialDigest) {
        self.put(digest, CachedCredential::Absent, ABSENT_TTL).await;
    }

    async fn put(&self, digest: &CredentialDigest, value: CachedCredential, ttl: Duration) {
        let asked = LocalLayer::now();
        let agreed = match &self.redis {
            Some(redis) => redis.put_credential(digest, value, ttl).await,
            None => Found::Answer(value),
        };
        self.learn(digest, agreed, asked);
    }

    /// Makes a credential unusable: at once in this process, within a second in the others. Call it after the commit
    /// that revoked it. Returns false when Redis cannot be written now. A background task then repeats the write, and
    /// other processes may trust their entry in Redis until it succeeds or the entry ends (a minute at most).
    pub async fn revoke_credential(&self, digest: &CredentialDigest) -> bool {
        self.local.revoke(digest);
        match &self.redis {
            Some(redis) => redis.revoke_credential(digest).await,
            None => true,
        }
    }

    /// Notes credentials of which the database says that they have ended, so that they have in this process whatever Redis says.
    pub fn note_ended(&self, digests: &[CredentialDigest]) {
        digests.iter().for_each(|digest| self.local.revoke(digest));
    }

    /// Makes every process read the database about a credential again within a second, after a commit that changed its
    /// entry (source switched off, tenant suspended). Same result as [`Cache::revoke_credential`].
    pub async fn refresh_credential(&self, digest: &CredentialDigest) -> bool {
        self.local.forget(digest);
        match &self.redis {
            Some(redis) => redis.refresh_credential(digest).await,
            None => true,
        }
    }

    /// Takes one rate token of `key` (GCRA: `burst` at once, then `per_second` sustained).
    ///
    /// A process that uses one key often reserves up to a twentieth of the burst from Redis and hands it out from
    /// memory for a tenth of a second. The limit over all processes is never exceeded; a process may be refused early
    /// because of the unused reserves of others, 5 % of the burst each. Below 20 requests a second each request goes to
    /// Redis. While Redis is away each process limits on its own.
    pub async fn rate_limit(&self, key: &str, rate: Rate) -> RateDecision {
        let rate = rate.bounded();
        if let Some(redis) = &self.redis
            && let Some(decision) = redis.rate_limit(key, rate).await
        {
            return decision;
        }
        self.limits.take(key, rate, 1)
    }

    /// Takes `tokens` rate tokens of `key` when at least one is free. A request that counts as many is thus admitted whole,
    /// and its sender waits until the overdrawn tokens are free again.
    pub async fn rate_limit_whole(&self, key: &str, rate: Rate, tokens: u32) -> RateDecision {
        let rate = rate.bounded();
        if let Some(redis) = &self.redis
            && let Some(decision) = redis.rate_limit_whole(key, rate, tokens).await
        {
            return decision;
        }
        self.limits.take(key, rate, tokens)
    }

    /// Takes rate tokens for work that is done already. They may be overdrawn by another burst, and no more: a debt ends in bounded
    /// time.
    pub async fn overdraw(&self, key: &str, rate: Rate, tokens: u32) {
        let rate = rate.bounded();
        let tokens = tokens.min(rate.burst);
        self.rate_limit_whole(key, Rate { burst: rate.burst.saturating_mul(2), ..rate }, tokens).await;
    }

    /// Readiness of the cache.
    ///
    /// # Errors
    /// A message for the operator when Redis is away. The hub works without it: a warning rather than a
    /// failure.
    pub async fn check(&self) -> Result<(), String> {
        match &self.redis {
            Some(redis) => redis.check().await,
            None => Ok(()),
        }
    }
}
