//! Outages of RabbitMQ and Redis: SCIM keeps answering, and the sweep finds changes whose wake-up was lost
//! (docs/design.md#the-idea).
//!
//! A relay between the hub and the real service makes the outage, so other tests keep their connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, eventually, person, within};

pub(crate) fn cases() -> Vec<Case> {
    let outages = cases![
        writes_during_a_broker_outage_arrive_by_the_sweep,
        a_hub_started_without_its_broker_serves_and_reconciles,
        a_cache_outage_slows_nobody_out,
        a_database_outage_is_a_scim_503_and_ends_by_itself,
        rc22_hubs_that_take_each_others_wake_ups_say_so,
    ];
    outages.into_iter().map(|case| case.only_on(Combination::Full)).collect()
}

/// A TCP relay on a port of its own that can be cut and restored.
pub(crate) struct Relay {
    here: SocketAddr,
    there: SocketAddr,
    running: Option<JoinHandle<()>>,
    /// Passes the startup message of Postgres on without `options`, as poolers do.
    drops_options: bool,
}

impl Relay {
    /// A relay to the host and port of `url`, and the URL that leads through it.
    async fn before(url: &str, usual_port: u16) -> (Self, String) {
        let mut url = Url::parse(url).unwrap();
        let host = url.host_str().unwrap_or("127.0.0.1").to_owned();
        let port = url.port().unwrap_or(usual_port);
        let there = tokio::net::lookup_host((host.as_str(), port)).await.unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(here.port())).unwrap();
        let mut relay = Self { here, there, running: None, drops_options: false };
        relay.serve(listener);
        (relay, url.to_string())
    }

    fn serve(&mut self, listener: TcpListener) {
        let (there, drops_options) = (self.there, self.drops_options);
        self.running = Some(tokio::spawn(async move {
            // Dropped with the task, so every open connection breaks when the relay is cut.
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(there).await {
                        if drops_options && without_options(&mut near, &mut far).await.is_err() {
                            return;
                        }
                        tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                    }
                });
            }
        }));
    }

    /// The port of a pooler in front of Postgres that drops the startup options.
    pub(crate) async fn pooler_before(url: &str) -> (Self, u16) {
        let (mut relay, _) = Self::before(url, 5432).await;
        relay.cut().await;
        relay.drops_options = true;
        relay.mend().await;
        let port = relay.here.port();
        (relay, port)
    }

    /// Breaks every connection and refuses new ones.
    async fn cut(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            running.await.ok();
        }
    }

    async fn mend(&mut self) {
        let listener = eventually("the relay's port is free again", async || {
            TcpListener::bind(self.here).await.map_err(|error| error.to_string())
        })
        .await;
        self.serve(listener);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}

/// Reads the first message of a client of Postgres, and sends it on without its options.
async fn without_options(near: &mut TcpStream, far: &mut TcpStream) -> std::io::Result<()> {
    const ASKS_FOR_TLS: [u8; 4] = [4, 210, 22, 47];
    let message = loop {
        let mut message = vec![0; near.read_u32().await? as usize - 4];
        near.read_exact(&mut message).await?;
        if message != ASKS_FOR_TLS {
            break message;
        }
        near.write_all(b"N").await?;
    };
    let (version, rest) = message.split_at(4);
    let words: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let mut kept = version.to_vec();
    for pair in words.chunks_exact(2).filter(|pair| !pair[0].is_empty() && pair[0] != b"options") {
        kept.extend([pair[0], &[0], pair[1], &[0]].concat());
    }
    kept.push(0);
    far.write_u32(u32::try_from(kept.len()).unwrap() + 4).await?;
    far.write_all(&kept).await
}

async fn writes_during_a_broker_outage_arrive_by_the_sweep(hub: Hub) {
    let (mut relay, url) = Relay::before(hub.deployment().setting("AMQP_URL").unwrap(), 5672).await;
    let hub = hub.another().setting("AMQP_URL", &url).setting("ROLLCALL_WORKER_SWEEP_SECONDS", "2").start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("before").await;
    tenant.eventually_status(&email("before"), "invited").await;
    relay.cut().await;
    let begun = Instant::now();
    for name in ["ann", "bea", "cem"] {
        source.post("/Users", &person(name)).await.expect(201);
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "three writes took {:?}", begun.elapsed());
    for name in ["ann", "bea", "cem"] {
        tenant.eventually_status(&email(name), "invited").await;
    }
    relay.mend().await;
    // Wake-ups work again: a few people in a row appear faster than the sweep alone would allow.
    eventually("wake-ups arrive again", async || {
        let name = format!("after{}", begun.elapsed().as_millis());
        let sent = Instant::now();
        source.user(&name).await;
        tenant.eventually_status(&email(&name), "invited").await;
        if sent.elapsed() < Duration::from_millis(700) { Ok(()) } else { Err(format!("{:?}", sent.elapsed())) }
    })
    .await;
}

async fn a_hub_started_without_its_broker_serves_and_reconciles(hub: Hub) {
    let (mut relay, url) = Relay::before(hub.deployment().setting("AMQP_URL").unwrap(), 5672).await;
    let hub = hub.another().setting("AMQP_URL", &url).setting("ROLLCALL_WORKER_SWEEP_SECONDS", "2").start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    hub.stop();
    relay.cut().await;
    hub.start_again().await;
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
}

async fn a_cache_outage_slows_nobody_out(hub: Hub) {
    let (mut relay, url) = Relay::before(hub.deployment().setting("REDIS_URL").unwrap(), 6379).await;
    let hub = hub.another().setting("REDIS_URL", &url).start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("before").await;
    relay.cut().await;
    source.user("during").await;
    // A token that is in no cache.
    let fresh = hub.tenant().create().scim_source();
    fresh.get("/Users").await.expect(200);
    let thief = crate::verbs::ScimSource { token: "nonsense".to_owned(), ..source.clone() };
    thief.get("/Users").await.expect_scim_error(401, None);
    relay.mend().await;
    source.user("after").await;
    for name in ["before", "during", "after"] {
        tenant.eventually_status(&email(name), "invited").await;
    }
}

async fn a_database_outage_is_a_scim_503_and_ends_by_itself(hub: Hub) {
    // The relay leads to the server; the new hub's database is named when it is created.
    let (mut relay, through) = Relay::before(hub.deployment().setting("DATABASE_URL").unwrap(), 5432).await;
    let port = Url::parse(&through).unwrap().port().unwrap();
    let hub = hub.another().database_port(port).start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("before").await;
    relay.cut().await;
    source.post("/Users", &person("during")).await.expect_scim_error(503, None);
    eventually("it is not ready without a database", async || {
        let ready = hub.get(&format!("{}/readyz", hub.machines_url())).await;
        assert!(!ready.text.contains(&port.to_string()), "an address for anybody to read: {}", ready.describe());
        if ready.status == 503 && ready.at("/database") == "failed" { Ok(()) } else { Err(ready.describe()) }
    })
    .await;
    relay.mend().await;
    eventually("the hub recovers by itself", async || match source.post("/Users", &person("after")).await {
        answer if matches!(answer.status, 201 | 409) => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
    tenant.eventually_status(&email("after"), "invited").await;
}

/// Two hubs with a database each, and one prefix: a copied settings file.
async fn rc22_hubs_that_take_each_others_wake_ups_say_so(hub: Hub) {
    let first = hub.another().start().await;
    is_shared(&first, 0).await;
    assert!(first.run_command(&["doctor"]).expect_success().stdout.contains("ok     RabbitMQ"));
    let prefix = first.deployment().setting("ROLLCALL_QUEUE_PREFIX").unwrap();
    let second = hub.another().setting("ROLLCALL_QUEUE_PREFIX", prefix).start().await;
    is_shared(&second, 1).await;
    is_shared(&first, 1).await;
    let doctor = second.run_command(&["doctor"]);
    assert!(
        doctor.stdout.contains("another hub") && doctor.stdout.contains("ROLLCALL_QUEUE_PREFIX"),
        "{}",
        doctor.stdout
    );
    second.stop();
    is_shared(&first, 0).await;
}

async fn is_shared(hub: &Hub, expected: u8) {
    within(Duration::from_secs(60), "the hub says whether its queues are shared", async || {
        let metrics = hub.get(&hub.metrics_url()).await.text;
        let line = format!("rollcall_queue_shared {expected}\n");
        if metrics.contains(&line) { Ok(()) } else { Err(format!("no {line}")) }
    })
    .await;
}
