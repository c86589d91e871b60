//! Contract of the cache that ingest relies on, for both arms.

use std::time::{Duration, Instant};

use rollcall_core::clock::Clock;
use rollcall_runtime::Metrics;
use rollcall_runtime::cache::{Cache, CacheConfig, CachedCredential, Caller, LookedUp, Rate, SealKey};

use crate::servers::{redis_url, unique_prefix};
use crate::waiting::until_async;

/// Makes processes that share one cache: one `Cache` each.
pub(crate) enum Arm {
    InProcess,
    Redis(CacheConfig),
}

impl Arm {
    pub(crate) fn redis(url: String) -> Self {
        Self::Redis(CacheConfig { prefix: unique_prefix(), ..CacheConfig::new(url, seal_key()) })
    }

    pub(crate) fn process(&self) -> Cache {
        match self {
            Self::InProcess => Cache::in_process(),
            Self::Redis(config) => Cache::redis(config, Metrics::new().unwrap()).unwrap(),
        }
    }
}

const TOKEN: [u8; 32] = [7; 32];

/// The key that hubs of one database share.
pub(crate) fn seal_key() -> SealKey {
    SealKey::new([42; 32])
}
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn present(text: &str) -> Option<CachedCredential> {
    Some(CachedCredential::Present(text.into()))
}

macro_rules! on_both_arms {
    ($($case:ident),+ $(,)?) => {
        mod in_process {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Arm::InProcess).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $case() {
                if let Some(url) = super::redis_url() {
                    super::$case(super::Arm::redis(url)).await;
                }
            })+
        }
    };
}

on_both_arms!(
    what_was_put_is_found,
    an_unknown_credential_is_remembered_as_absent,
    a_revoked_credential_stays_revoked_whatever_a_racing_reader_puts,
    a_refresh_asks_the_database_again_but_lifts_no_revocation,
    a_rate_allows_its_burst_and_says_when_to_come_back,
    a_busy_key_gets_its_burst_and_no_more,
    what_is_taken_whole_needs_one_place_and_is_paid_for,
    who_guesses_too_often_is_looked_up_one_at_a_time_and_slows_no_good_token,
);

async fn what_was_put_is_found(arm: Arm) {
    let cache = arm.process();
    assert_eq!(cache.get_credential(&TOKEN).await, None);
    cache.put_credential(&TOKEN, r#"{"tenant":1}"#.to_owned(), MINUTE).await;
    assert_eq!(cache.get_credential(&TOKEN).await, present(r#"{"tenant":1}"#));
    assert_eq!(cache.get_credential(&[8; 32]).await, None);
    cache.check().await.unwrap();
}

async fn an_unknown_credential_is_remembered_as_absent(arm: Arm) {
    let cache = arm.process();
    cache.put_absent(&TOKEN).await;
    assert_eq!(cache.get_credential(&TOKEN).await, Some(CachedCredential::Absent));
}

async fn a_revoked_credential_stays_revoked_whatever_a_racing_reader_puts(arm: Arm) {
    let cache = arm.process();
    cache.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    assert!(cache.revoke_credential(&TOKEN).await);
    assert_eq!(cache.get_credential(&TOKEN).await, Some(CachedCredential::Absent));
    cache.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    assert_eq!(cache.get_credential(&TOKEN).await, Some(CachedCredential::Absent));
}

async fn a_refresh_asks_the_database_again_but_lifts_no_revocation(arm: Arm) {
    let cache = arm.process();
    cache.put_credential(&TOKEN, "live".to_owned(), MINUTE).await;
    assert!(cache.refresh_credential(&TOKEN).await);
    assert_eq!(cache.get_credential(&TOKEN).await, None);
    cache.put_credential(&TOKEN, "off".to_owned(), MINUTE).await;
    assert_eq!(cache.get_credential(&TOKEN).await, present("off"));
    cache.revoke_credential(&TOKEN).await;
    cache.refresh_credential(&TOKEN).await;
    assert_eq!(cache.get_credential(&TOKEN).await, Some(CachedCredential::Absent));
}

async fn a_rate_allows_its_burst_and_says_when_to_come_back(arm: Arm) {
    let cache = arm.process();
    let slow = Rate { per_second: 0.01, burst: 5 };
    for left in (0..5).rev() {
        let decision = cache.rate_limit("source", slow).await;
        assert_eq!((decision.allowed, decision.remaining), (true, left));
    }
    let refused = cache.rate_limit("source", slow).await;
    assert!(!refused.allowed && refused.remaining == 0);
    let seconds = refused.retry_after.as_secs_f64();
    assert!((60.0..=100.0).contains(&seconds), "one token every 100 s, so some 100 s: {seconds}");
    assert!(cache.rate_limit("other source", slow).await.allowed);

    let quick = Rate { per_second: 50.0, burst: 1 };
    assert!(cache.rate_limit("quick", quick).await.allowed);
    until_async("a token is free again", async || cache.rate_limit("quick", quick).await.allowed).await;
}

/// Two processes at once, many requests each.
async fn a_busy_key_gets_its_burst_and_no_more(arm: Arm) {
    let rate = Rate { per_second: 10.0, burst: 400 };
    let shared = matches!(arm, Arm::Redis(_));
    let begun = Instant::now();
    let process = async |cache: Cache| {
        let mut allowed = 0;
        let mut refused = 0;
        while refused < 20 {
            let answers = (0..16).map(|_| cache.rate_limit("busy", rate));
            for decision in futures_util::future::join_all(answers).await {
                if decision.allowed { allowed += 1 } else { refused += 1 }
            }
        }
        allowed
    };
    let (one, other) = tokio::join!(process(arm.process()), process(arm.process()));
    let refilled = (begun.elapsed().as_secs_f64() * rate.per_second) as u32 + 1;
    let whole = if shared { one + other } else { one.max(other) };
    assert!(whole <= rate.burst + refilled, "{one} + {other} of {} + {refilled}", rate.burst);
    assert!(whole >= rate.burst * 9 / 10, "{one} + {other} of {}: at most 5 % held unused by each", rate.burst);
}

async fn what_is_taken_whole_needs_one_place_and_is_paid_for(arm: Arm) {
    let cache = arm.process();
    let slow = Rate { per_second: 0.01, burst: 5 };
    assert_eq!(cache.rate_limit("source", slow).await.remaining, 4);
    let whole = cache.rate_limit_whole("source", slow, 20).await;
    assert_eq!((whole.allowed, whole.remaining), (true, 0));
    for refused in [cache.rate_limit("source", slow).await, cache.rate_limit_whole("source", slow, 1).await] {
        let seconds = refused.retry_after.as_secs_f64();
        assert!(
            !refused.allowed && (1600.0..=1700.0).contains(&seconds),
            "22 tokens of 100 s, 5 of them free: {seconds}"
        );
    }
}

async fn who_guesses_too_often_is_looked_up_one_at_a_time_and_slows_no_good_token(arm: Arm) {
    let (cache, caller) = (arm.process(), Caller::at("192.0.2.1".parse().ok()));
    let (known, unknown) = (LookedUp::Present("valid".into()), LookedUp::Absent);
    let look_up = async |digest: u8, from: &Caller, said: Option<&str>| {
        let mut asked = false;
        let database = async || {
            asked = true;
            Ok::<_, ()>(said.map(str::to_owned))
        };
        let found = cache.credential(&[digest; 32], from, MINUTE, database).await.unwrap();
        (found, asked)
    };
    assert_eq!(look_up(1, &caller, Some("valid")).await, (known.clone(), true));
    assert_eq!(look_up(1, &caller, Some("valid")).await, (known.clone(), false));
    let rate = Rate { per_second: 0.01, burst: 2 };
    for allowed in [true, true, false, false] {
        assert_eq!(cache.failed_authentication(&caller, rate).await.allowed, allowed);
    }
    let first = async || {
        // One unknown secret is looked up at a time; a token that was valid is looked up regardless of its neighbours.
        assert!(
            matches!(look_up(3, &caller, None).await, (LookedUp::TooMany { retry_after }, false) if retry_after > MINUTE)
        );
        cache.refresh_credential(&[1; 32]).await;
        assert_eq!(look_up(1, &caller, Some("valid")).await, (known.clone(), true));
        assert_eq!(look_up(4, &Caller::at("192.0.2.2".parse().ok()), None).await, (unknown.clone(), true));
        Ok::<_, ()>(None)
    };
    assert_eq!(cache.credential(&[2; 32], &caller, MINUTE, first).await, Ok(unknown.clone()));
    assert_eq!(look_up(3, &caller, None).await, (unknown, true), "the look-up permit is free again");
}

#[tokio::test]
async fn a_revocation_is_felt_by_every_process_within_a_second() {
    let Some(url) = redis_url() else { return };
    let arm = Arm::redis(url);
    let (here, there) = (arm.process(), arm.process());
    here.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    assert_eq!(there.get_credential(&TOKEN).await, present("valid"), "shared");
    let begun = Instant::now();
    assert!(here.revoke_credential(&TOKEN).await);
    // A reader that read the database before the revocation and writes late.
    there.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    until_async("refused there too", async || there.get_credential(&TOKEN).await == Some(CachedCredential::Absent))
        .await;
    let felt = begun.elapsed();
    assert!(felt < Duration::from_secs(1), "felt after {felt:?}");
    there.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    assert_eq!(arm.process().get_credential(&TOKEN).await, Some(CachedCredential::Absent), "and by a new process");
}

#[tokio::test]
async fn a_bad_url_is_refused_without_its_password() {
    let error =
        Cache::redis(&CacheConfig::new("amqp://user:hunter2@host", seal_key()), Metrics::new().unwrap()).err().unwrap();
    assert!(error.to_string().contains("REDIS_URL") && !error.to_string().contains("hunter2"), "{error}");
}

/// Somebody with write access to Redis.
struct Intruder {
    redis: ::redis::Client,
    prefix: String,
}

impl Intruder {
    fn key(&self, digest: &[u8; 32]) -> String {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}cred:{hex}", self.prefix)
    }

    async fn read(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        let mut connection = self.redis.get_multiplexed_async_connection().await.unwrap();
        ::redis::cmd("GET").arg(self.key(digest)).query_async(&mut connection).await.unwrap()
    }

    async fn write(&self, digest: &[u8; 32], entry: &[u8]) {
        let mut connection = self.redis.get_multiplexed_async_connection().await.unwrap();
        ::redis::cmd("SET").arg(self.key(digest)).arg(entry).query_async::<()>(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn s4_an_entry_that_no_hub_wrote_is_a_miss_and_is_counted() {
    let Some(url) = redis_url() else { return };
    let clock = Clock::manual(Clock::System.now());
    let config =
        CacheConfig { prefix: unique_prefix(), clock: clock.clone(), ..CacheConfig::new(url.clone(), seal_key()) };
    let intruder = Intruder { redis: ::redis::Client::open(url).unwrap(), prefix: config.prefix.clone() };
    let metrics = Metrics::new().unwrap();
    // A process without the half second of its own memory, for each look.
    let process = || Cache::redis(&config, metrics.clone()).unwrap();
    let refused = |reason: &str| {
        let line = format!("rollcall_cache_entries_refused_total{{reason=\"{reason}\"}} ");
        let rendered = metrics.render();
        let found = rendered.lines().find_map(|text| text.strip_prefix(line.as_str()));
        found.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let other: [u8; 32] = [8; 32];
    process().put_credential(&TOKEN, "a member's".to_owned(), MINUTE).await;
    let genuine = intruder.read(&TOKEN).await.unwrap();
    assert_eq!(process().get_credential(&TOKEN).await, present("a member's"));

    let of_other_database = CacheConfig { seal: SealKey::new([43; 32]), ..config.clone() };
    Cache::redis(&of_other_database, metrics.clone())
        .unwrap()
        .put_credential(&other, "an owner's".to_owned(), MINUTE)
        .await;
    let forged = [intruder.read(&other).await.unwrap(), b"P{\"role\":\"owner\"}".to_vec(), b"R".to_vec(), Vec::new()];
    let mut flipped = genuine.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for entry in forged.iter().chain([&genuine, &flipped]) {
        let before = refused("forged");
        intruder.write(&other, entry).await;
        assert_eq!(process().get_credential(&other).await, None, "the database is asked");
        assert_eq!(refused("forged"), before + 1);
        assert_eq!(intruder.read(&other).await, None, "it does not keep the true one out");
    }

    // A process that saw the revocation does not read an older entry in the place of the tombstone.
    let watching = process();
    assert!(process().revoke_credential(&TOKEN).await);
    until_async("the revocation is seen", async || {
        watching.get_credential(&TOKEN).await == Some(CachedCredential::Absent)
    })
    .await;
    intruder.write(&TOKEN, &genuine).await;
    let seen = Instant::now();
    while seen.elapsed() < Duration::from_millis(700) {
        assert_eq!(watching.get_credential(&TOKEN).await, Some(CachedCredential::Absent));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Any other process believes it for a minute at most, as when Redis could not be told.
    clock.advance(chrono::TimeDelta::seconds(60));
    let before = refused("outdated");
    assert_eq!(process().get_credential(&TOKEN).await, None, "the database is asked");
    assert_eq!(refused("outdated"), before + 1);
}
