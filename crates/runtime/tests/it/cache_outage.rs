//! A Redis that is away, hangs or comes back: each call is a miss, without a wait and never "allowed" for want of an
//! answer.

use std::time::{Duration, Instant};

use rollcall_runtime::Metrics;
use rollcall_runtime::cache::{Cache, CacheConfig, CachedCredential, Rate};

use crate::cache_contract::{present, seal_key};
use crate::servers::{PrivateServer, redis_url};
use crate::waiting::until_async;

const TOKEN: [u8; 32] = [9; 32];
const MINUTE: Duration = Duration::from_secs(60);
const RATE: Rate = Rate { per_second: 0.01, burst: 3 };

/// A thousand lookups and decisions must cost next to nothing once the outage is known.
async fn answers_at_once(cache: &Cache) {
    let begun = Instant::now();
    for number in 0..1000_u32 {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_le_bytes());
        assert_eq!(cache.get_credential(&digest).await, None, "a miss");
        cache.rate_limit("somebody", RATE).await;
    }
    let each = begun.elapsed() / 1000;
    assert!(each < Duration::from_millis(2), "a request waited {each:?} for a Redis known to be away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_redis_costs_lookups_only() {
    if redis_url().is_none() {
        return;
    }
    let Some(redis) = tokio::task::spawn_blocking(|| PrivateServer::start("redis")).await.unwrap() else {
        return;
    };
    let metrics = Metrics::new().unwrap();
    let config = CacheConfig::new(redis.url.clone(), seal_key());
    let cache = Cache::redis(&config, metrics.clone()).unwrap();
    let other = Cache::redis(&config, Metrics::new().unwrap()).unwrap();
    cache.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    assert_eq!(other.get_credential(&TOKEN).await, present("valid"));

    for crash in [true, false] {
        if crash {
            redis.kill()
        } else {
            redis.freeze()
        }
        until_async("the outage is noticed", async || cache.check().await.is_err()).await;
        answers_at_once(&cache).await;
        let decisions = [(); 4].map(|()| cache.rate_limit("limited", RATE));
        let allowed: Vec<bool> =
            futures_util::future::join_all(decisions).await.iter().map(|decision| decision.allowed).collect();
        if crash {
            assert_eq!(allowed, [true, true, true, false], "this process limits by itself");
        }
        assert!(!cache.revoke_credential(&[1; 32]).await, "Redis could not be told");
        if crash {
            redis.start_again()
        } else {
            redis.thaw()
        }
        until_async("Redis is back", async || cache.check().await.is_ok()).await;
        until_async("it has been told since", async || {
            other.get_credential(&[1; 32]).await == Some(CachedCredential::Absent)
        })
        .await;
        cache.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
        assert_eq!(cache.get_credential(&TOKEN).await, present("valid"));
    }
    assert!(metrics.render().contains("rollcall_cache_errors_total"));
}

#[tokio::test]
async fn a_redis_that_is_away_at_start_is_no_error() {
    // Bound and dropped, so that nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = CacheConfig::new(format!("redis://user:hunter2@127.0.0.1:{port}/0"), seal_key());
    let cache = Cache::redis(&config, Metrics::new().unwrap()).unwrap();
    until_async("noticed", async || cache.check().await.is_err()).await;
    let problem = cache.check().await.unwrap_err();
    assert!(problem.contains(&port.to_string()) && !problem.contains("hunter2"), "{problem}");
    answers_at_once(&cache).await;
    cache.put_credential(&TOKEN, "valid".to_owned(), MINUTE).await;
    assert_eq!(cache.get_credential(&TOKEN).await, present("valid"), "for its second, in this process");
    cache.revoke_credential(&TOKEN).await;
    assert_eq!(cache.get_credential(&TOKEN).await, Some(CachedCredential::Absent));
}
