//! The Redis arm: entries that all processes share, tombstones that outlive races, and limits over all processes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo, RedisError, Script};
use rollcall_core::clock::Clock;

use super::gcra::{Rate, RateDecision};
use super::health::Health;
use super::reserve::Reserves;
use super::seal::{Kind, LIFE_MAX, Refused, SealKey, Seals};
use super::{CacheError, CachedCredential, CredentialDigest};
use crate::metrics::Metrics;

/// Life of a tombstone: longer than any reader may take between its read of the database and its write here.
const TOMBSTONE_TTL: Duration = Duration::from_secs(120);
/// Life of a refresh mark, in which no reader may cache an answer from before the change.
const REFRESH_TTL: Duration = Duration::from_secs(5);
/// Pause between two probes of a Redis that is away, and between two tries to write a tombstone.
const PROBE_PAUSE: Duration = Duration::from_millis(250);
/// Longest time to retry a tombstone; by then the entry that it replaces has expired.
const INVALIDATE_LIMIT: Duration = Duration::from_secs(65);

/// GCRA. KEYS: the cell. ARGV: emission interval in microseconds, burst, tokens wanted, and 1 for "whole". Returns
/// {tokens granted, remaining, microseconds until one token is free}. Without "whole" it grants all wanted tokens if
/// all are free, else a single one if that is free, else none; with "whole" it grants all when one is free. Numbers
/// stay below 2^53, so they are exact.
const GCRA: &str = r"
local interval, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local whole = ARGV[4] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
if tat < now then tat = now end
local tolerance = interval * burst
if tat + interval - now > tolerance then
  return {0, 0, math.ceil(tat + interval - now - tolerance)}
end
local granted = wanted
if not whole and tat + interval * granted - now > tolerance then granted = 1 end
local advanced = tat + interval * granted
redis.call('SET', KEYS[1], string.format('%.0f', advanced), 'PX', math.ceil((advanced - now) / 1000) + 1)
return {granted, math.max(0, math.floor((tolerance - (advanced - now)) / interval)), 0}
";

/// Marks an entry as outdated, unless its second byte says that it is a tombstone. KEYS: the entry. ARGV: life of the mark
/// in milliseconds, the mark, the byte.
const MARK_REFRESH: &str = r"
local entry = redis.call('GET', KEYS[1])
if not entry or string.sub(entry, 2, 2) ~= ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1]) end
return 1
";

/// Removes an entry that is not believed, unless another one has come in its place. KEYS: the entry. ARGV: its bytes.
const REMOVE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
";

/// Probe for a usable Redis: a read-only, full or script-less one counts as away. KEYS: a key.
const PROBE: &str = "return redis.call('SET', KEYS[1], '1', 'PX', 1000)";

/// Connection settings of Redis.
#[derive(Clone)]
pub struct CacheConfig {
    /// `redis://user:password@host:port/database` or `rediss://…`.
    pub url: String,
    /// Prefix of every key; tests use one of their own.
    pub prefix: String,
    /// The key of the seals, from the database.
    pub seal: SealKey,
    /// The clock by which entries age.
    pub clock: Clock,
    /// Longest time for one attempt to connect.
    pub connection_timeout: Duration,
    /// Longest wait of a request for an answer; after that Redis counts as away.
    pub response_timeout: Duration,
}

impl CacheConfig {
    /// Defaults: prefix `rollcall:`, connection timeout 2 s, response timeout 500 ms.
    pub fn new(url: impl Into<String>, seal: SealKey) -> Self {
        Self {
            url: url.into(),
            prefix: "rollcall:".to_owned(),
            seal,
            clock: Clock::System,
            connection_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_millis(500),
        }
    }
}

/// The answer of Redis about a credential.
pub(super) enum Found {
    Answer(CachedCredential),
    Revoked,
}

pub(super) struct RedisArm {
    shared: Arc<Shared>,
    gcra: Script,
    reserves: Reserves,
}

/// State for the background probe.
struct Shared {
    connection: ConnectionManager,
    address: String,
    prefix: String,
    response_timeout: Duration,
    health: Health,
    metrics: Metrics,
    seals: Seals,
}

impl RedisArm {
    pub(super) fn start(config: &CacheConfig, metrics: Metrics) -> Result<Self, CacheError> {
        // The parser's message may repeat the URL, and with it a password.
        let info = config.url.as_str().into_connection_info().map_err(|_| CacheError::Url)?;
        let address = info.addr().to_string();
        let client_error =
            |error: RedisError| CacheError::Client { address: address.clone(), reason: error.to_string() };
        let client = Client::open(info).map_err(client_error)?;
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(config.connection_timeout))
            .set_response_timeout(Some(config.response_timeout))
            .set_number_of_retries(3);
        let connection = ConnectionManager::new_lazy_with_config(client, settings).map_err(client_error)?;
        let shared = Arc::new(Shared {
            connection,
            address,
            prefix: config.prefix.clone(),
            response_timeout: config.response_timeout,
            health: Health::default(),
            metrics,
            seals: Seals::new(&config.seal, config.clock.clone()),
        });
        // Connects now, so that a Redis that is away is reported before the first request.
        let first = Arc::clone(&shared);
        tokio::spawn(async move { first.ask::<redis::Value>("connect", &first.probe_command()).await });
        Ok(Self { shared, gcra: Script::new(GCRA), reserves: Reserves::default() })
    }

    pub(super) async fn get_credential(&self, digest: &CredentialDigest) -> Option<Found> {
        let key = self.shared.credential_key(digest);
        let entry: Option<Vec<u8>> = self.shared.ask("get_credential", redis::cmd("GET").arg(&key)).await?;
        let entry = entry?;
        match self.shared.opened(digest, &entry) {
            Ok(found) => found,
            Err(_) => {
                // Otherwise it would keep the true one out until it ends.
                let mut remove = redis::cmd("EVAL");
                remove.arg(REMOVE).arg(1).arg(key).arg(entry);
                self.shared.ask::<redis::Value>("remove", &remove).await;
                None
            }
        }
    }

    /// Writes unless there is an entry already, and returns the value that this process may cache.
    pub(super) async fn put_credential(
        &self,
        digest: &CredentialDigest,
        value: CachedCredential,
        ttl: Duration,
    ) -> Found {
        let key = self.shared.credential_key(digest);
        let life = ttl.min(LIFE_MAX).max(Duration::from_millis(1));
        let entry = match &value {
            CachedCredential::Present(text) => self.shared.seals.seal(digest, Kind::Present, text.as_bytes(), life),
            CachedCredential::Absent => self.shared.seals.seal(digest, Kind::Absent, &[], life),
        };
        let mut both = redis::pipe();
        both.cmd("SET").arg(&key).arg(entry).arg("NX").arg("PX").arg(life.as_millis() as u64).ignore();
        both.cmd("GET").arg(&key);
        let answer: Option<(Option<Vec<u8>>,)> = self.shared.ask_all("put_credential", &both).await;
        // An entry of another process wins: it may be a revocation. The value itself wins when Redis is away, during a
        // refresh, and over an entry that is not believed.
        let theirs = answer.and_then(|(found,)| self.shared.opened(digest, &found?).ok()?);
        theirs.unwrap_or(Found::Answer(value))
    }

    pub(super) async fn revoke_credential(&self, digest: &CredentialDigest) -> bool {
        let tombstone = self.shared.seals.seal(digest, Kind::Revoked, &[], TOMBSTONE_TTL);
        let mut set = redis::cmd("SET");
        let ttl = TOMBSTONE_TTL.as_millis() as u64;
        set.arg(self.shared.credential_key(digest)).arg(tombstone).arg("PX").arg(ttl);
        self.write_for_sure(set).await
    }

    pub(super) async fn refresh_credential(&self, digest: &CredentialDigest) -> bool {
        let mark = self.shared.seals.seal(digest, Kind::Refresh, &[], REFRESH_TTL);
        let mut set = redis::cmd("EVAL");
        let ttl = REFRESH_TTL.as_millis() as u64;
        let key = self.shared.credential_key(digest);
        set.arg(MARK_REFRESH).arg(1).arg(key).arg(ttl).arg(mark).arg(&[Kind::Revoked.byte()][..]);
        self.write_for_sure(set).await
    }

    /// Writes now or, when that fails, in the background until it succeeds or no longer matters.
    async fn write_for_sure(&self, command: redis::Cmd) -> bool {
        if self.shared.ask::<redis::Value>("invalidate", &command).await.is_some() {
            return true;
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let retried = tokio::time::timeout(INVALIDATE_LIMIT, async {
                while shared.ask::<redis::Value>("invalidate", &command).await.is_none() {
                    tokio::time::sleep(PROBE_PAUSE).await;
                }
            });
            if retried.await.is_err() {
                tracing::warn!("Redis was not told of a changed credential; its entry has ended by itself");
            }
        });
        false
    }

    /// `None` when Redis is away.
    pub(super) async fn rate_limit(&self, key: &str, rate: Rate) -> Option<RateDecision> {
        if !self.shared.health.is_up() {
            return None;
        }
        let wanted = match self.reserves.take(key, rate) {
            Ok(decision) => return Some(decision),
            Err(wanted) => wanted,
        };
        let (granted, remaining, wait) = Box::pin(self.gcra(key, rate, wanted, false)).await?;
        if granted == 0 {
            return Some(RateDecision { allowed: false, remaining: 0, retry_after: Duration::from_micros(wait) });
        }
        self.reserves.add(key, granted - 1, remaining);
        let remaining = remaining.saturating_add(granted - 1);
        Some(RateDecision { allowed: true, remaining, retry_after: Duration::ZERO })
    }

    /// `None` when Redis is away.
    pub(super) async fn rate_limit_whole(&self, key: &str, rate: Rate, tokens: u32) -> Option<RateDecision> {
        let (granted, remaining, wait) = self.gcra(key, rate, tokens, true).await?;
        Some(RateDecision { allowed: granted > 0, remaining, retry_after: Duration::from_micros(wait) })
    }

    /// Tokens granted, tokens that remain, microseconds until one is free.
    async fn gcra(&self, key: &str, rate: Rate, wanted: u32, whole: bool) -> Option<(u32, u32, u64)> {
        let interval = rate.interval().as_micros().max(1) as u64;
        let mut call = self.gcra.prepare_invoke();
        call.key(format!("{}rate:{key}", self.shared.prefix)).arg(interval).arg(rate.burst).arg(wanted);
        call.arg(u8::from(whole));
        let answer = self.shared.guarded("rate_limit", async {
            let mut connection = self.shared.connection.clone();
            call.invoke_async(&mut connection).await
        });
        answer.await
    }

    pub(super) async fn check(&self) -> Result<(), String> {
        let answer: Option<redis::Value> = self.shared.ask("check", &self.shared.probe_command()).await;
        answer.map(drop).ok_or_else(|| {
            let address = &self.shared.address;
            format!("Redis at {address} does not answer; lookups go to the database and limits hold per process")
        })
    }
}

impl Shared {
    /// The meaning of an entry; `None` for a refresh mark. One that is not believed is counted.
    fn opened(&self, digest: &CredentialDigest, entry: &[u8]) -> Result<Option<Found>, Refused> {
        let opened = self.seals.open(digest, entry).and_then(|(kind, value)| match kind {
            Kind::Present => {
                let text = std::str::from_utf8(value).map_err(|_| Refused::Forged)?;
                Ok(Some(Found::Answer(CachedCredential::Present(text.into()))))
            }
            Kind::Absent => Ok(Some(Found::Answer(CachedCredential::Absent))),
            Kind::Revoked => Ok(Some(Found::Revoked)),
            Kind::Refresh => Ok(None),
        });
        opened.inspect_err(|refused| self.metrics.cache_entry_refused(refused.as_str()))
    }

    fn credential_key(&self, digest: &CredentialDigest) -> String {
        let mut key = String::with_capacity(self.prefix.len() + 5 + 64);
        key.push_str(&self.prefix);
        key.push_str("cred:");
        for byte in digest {
            for half in [byte >> 4, byte & 0x0f] {
                key.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
        key
    }

    /// One command; `None` when Redis is away.
    async fn ask<T: redis::FromRedisValue>(
        self: &Arc<Self>,
        operation: &'static str,
        command: &redis::Cmd,
    ) -> Option<T> {
        let mut connection = self.connection.clone();
        self.guarded(operation, async { command.query_async(&mut connection).await }).await
    }

    /// One pipeline, one round trip; `None` when Redis is away.
    async fn ask_all<T: redis::FromRedisValue>(
        self: &Arc<Self>,
        operation: &'static str,
        pipeline: &redis::Pipeline,
    ) -> Option<T> {
        let mut connection = self.connection.clone();
        self.guarded(operation, async { pipeline.query_async(&mut connection).await }).await
    }

    /// Runs a call unless Redis is known to be away. A failure is counted; the first one of an outage is reported and
    /// starts the probe.
    async fn guarded<T>(
        self: &Arc<Self>,
        operation: &'static str,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Option<T> {
        if !self.health.is_up() {
            return None;
        }
        let reason = match tokio::time::timeout(self.response_timeout, call).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.response_timeout),
        };
        self.metrics.cache_error(operation);
        if self.health.went_down() {
            let address = &self.address;
            tracing::warn!(address, operation, reason, "Redis is away; lookups go to the database until it is back");
            tokio::spawn(Arc::clone(self).probe());
        }
        None
    }

    fn probe_command(&self) -> redis::Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(PROBE).arg(1).arg(format!("{}probe", self.prefix));
        command
    }

    async fn probe(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PROBE_PAUSE).await;
            let mut connection = self.connection.clone();
            // The connection manager limits the attempt to connect, and the response timeout limits the answer.
            if self.probe_command().query_async::<redis::Value>(&mut connection).await.is_ok() {
                break;
            }
        }
        self.health.came_up();
        tracing::info!(address = &self.address, "Redis is back");
    }
}
