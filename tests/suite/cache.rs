//! Redis is not believed: who can write it becomes nobody, and brings no revoked token back (S4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join;
use redis::aio::MultiplexedConnection;
use reqwest::Method;
use serde_json::json;

use crate::deployment::Combination;
use crate::hub::{Hub, HubBuilder};
use crate::registry::{Case, cases};
use crate::verbs::{ScimSource, within};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc22_s4_a_foreign_entry_makes_nobody_an_owner_and_is_counted,
        rc22_s4_a_revoked_token_stays_out_while_its_old_entry_is_written_back,
    ]
    .into_iter()
    .map(|case| case.only_on(Combination::Full))
    .collect()
}

/// Bytes of an entry before its code, and of the code; the value follows.
const HEAD: usize = 14;
const CODE: usize = 32;

/// A hub without the limit of failed authentications, which would answer instead of the cache.
fn hub_that_asks(hub: &Hub) -> HubBuilder {
    ["PER_SECOND", "BURST"]
        .iter()
        .fold(hub.another(), |hub, what| hub.setting(&format!("ROLLCALL_INGEST_FAILED_AUTH_{what}"), "10000"))
}

/// Somebody with write access to the hub's Redis.
#[derive(Clone)]
struct Intruder {
    redis: MultiplexedConnection,
    prefix: String,
}

impl Intruder {
    async fn enter(hub: &Hub) -> Self {
        let setting = |key: &str| hub.deployment().setting(key).unwrap().to_owned();
        let client = redis::Client::open(setting("REDIS_URL")).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        Self { redis, prefix: setting("ROLLCALL_CACHE_PREFIX") }
    }

    /// The keys of all entries about credentials.
    async fn keys(&self) -> Vec<String> {
        let mut keys = redis::cmd("KEYS");
        keys.arg(format!("{}cred:*", self.prefix));
        keys.query_async(&mut self.redis.clone()).await.unwrap()
    }

    async fn read(&self, key: &str) -> Option<Vec<u8>> {
        redis::cmd("GET").arg(key).query_async(&mut self.redis.clone()).await.unwrap()
    }

    async fn write(&self, key: &str, entry: &[u8]) {
        redis::cmd("SET").arg(key).arg(entry).query_async::<()>(&mut self.redis.clone()).await.unwrap();
    }

    /// The key that came while `look_up` ran.
    async fn key_of(&self, look_up: impl AsyncFnOnce()) -> String {
        let before = self.keys().await;
        look_up().await;
        let new = self.keys().await.into_iter().find(|key| !before.contains(key));
        new.expect("the entry of a look-up")
    }
}

async fn refused_entries(hub: &Hub) -> u64 {
    let metrics = hub.get(&hub.metrics_url()).await.expect(200).text;
    let line = "rollcall_cache_entries_refused_total{reason=\"forged\"} ";
    metrics.lines().find_map(|found| found.strip_prefix(line)).map_or(0, |count| count.parse().unwrap())
}

async fn rc22_s4_a_foreign_entry_makes_nobody_an_owner_and_is_counted(hub: Hub) {
    let hub = hub_that_asks(&hub).start().await;
    let intruder = Intruder::enter(&hub).await;
    let (victim, other) = (hub.tenant().create(), hub.tenant().create());
    let owners = intruder.key_of(async || drop(victim.get("/api/v1/members").await.expect(200))).await;
    let genuine = intruder.read(&owners).await.unwrap();
    let members = format!("{}/api/v1/members", hub.people_url());
    // An entry for another tenant's owner, sealed by nobody, and in the form of the version before seals.
    let (head, value) = (&genuine[..HEAD], &genuine[HEAD + CODE..]);
    let earlier = [b"P".as_slice(), value].concat();
    let unsealed = [head, &[0; CODE], value].concat();
    let mut kind = genuine.clone();
    kind[1] = b'R';
    let token_entry = {
        let source = other.scim_source();
        let key = intruder.key_of(async || drop(source.get("/Users").await.expect(200))).await;
        intruder.read(&key).await.unwrap()
    };
    for (number, entry) in [genuine.clone(), earlier, unsealed, value.to_vec(), token_entry].into_iter().enumerate() {
        // A secret that the hub does not know, of the right form.
        let stranger = format!("rck_{number}{}", "A".repeat(42));
        let ask = async || crate::answer::Answer::of(hub.http().get(&members).bearer_auth(&stranger)).await;
        let key = intruder.key_of(async || drop(ask().await.expect_problem(401))).await;
        let before = refused_entries(&hub).await;
        intruder.write(&key, &entry).await;
        // The process remembers its own answer for half a second.
        within(Duration::from_secs(10), "the entry is read and not believed", async || {
            ask().await.expect_problem(401);
            if refused_entries(&hub).await > before { Ok(()) } else { Err(format!("entry {number} was not read")) }
        })
        .await;
        assert_ne!(intruder.read(&key).await, Some(entry), "it does not keep the true one out");
    }
    // A valid key is not kept out by a tombstone that no hub sealed.
    intruder.write(&owners, &kind).await;
    within(Duration::from_secs(10), "the database is asked", async || {
        victim.get("/api/v1/members").await.expect(200);
        match intruder.read(&owners).await {
            Some(entry) if entry == kind => Err("it is not read yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
}

/// Two processes have the token in their caches, a third one revokes it, and the intruder never lets the tombstone stand.
async fn rc22_s4_a_revoked_token_stays_out_while_its_old_entry_is_written_back(hub: Hub) {
    let hub = hub_that_asks(&hub).apart(0).start().await;
    let other = hub.add_ingest().await;
    let intruder = Intruder::enter(&hub).await;
    let tenant = hub.tenant().create();
    let near = tenant.scim_source();
    let far = ScimSource { base: format!("{other}/scim/v2/{}", near.id), ..near.clone() };
    let key = intruder.key_of(async || drop(near.get("/Users").await.expect(200))).await;
    far.get("/Users").await.expect(200);
    let genuine = intruder.read(&key).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (stop, intruder) = (Arc::clone(&stop), intruder.clone());
        tokio::spawn(async move {
            let mut written = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                intruder.write(&key, &genuine).await;
                written += 1;
            }
            written
        })
    };
    let path = format!("/api/v1/sources/{}/tokens/{}", near.id, near.token_id.as_deref().unwrap());
    tenant.send(Method::DELETE, &path, None).await.expect(204);
    let refused = async |door: &ScimSource| {
        within(Duration::from_secs(3), "the token is refused", async || match door.get("/Users").await {
            answer if answer.status == 401 => Ok(()),
            answer => Err(answer.describe()),
        })
        .await;
        // And stays so, however often the caches of the process end.
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(2) {
            door.post("/Users", &json!({ "userName": "mallory" })).await.expect_scim_error(401, None);
        }
    };
    join(refused(&near), refused(&far)).await;
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 100, "the intruder wrote");
}
