//! A broker that stops, crashes, hangs and comes back: no caller waits for it, and work continues when it is back.

use std::time::{Duration, Instant};

use rollcall_runtime::Metrics;
use rollcall_runtime::queue::{Lane, Queue, QueueConfig};

use crate::queue_contract::{Bench, Seen, tenant};
use crate::servers::{PrivateServer, amqp_url, unique_prefix};
use crate::waiting::{ends, until, until_async};

/// Number of tenants to wake; the test fails when the caller is held up.
const WOKEN: usize = 1000;

fn wake_many(bench: &Bench, first: usize) {
    let begun = Instant::now();
    for number in first..first + WOKEN {
        bench.queue.wake(tenant(number), Lane::Push);
    }
    let each = begun.elapsed() / WOKEN as u32;
    println!("wake() took {each:?}");
    assert!(each < Duration::from_millis(1), "wake() took {each:?}");
}

/// Wakes a tenant until it is served: one wake-up may be lost while the connection is being made.
async fn served(bench: &Bench, seen: &Seen, number: usize) {
    let begun = Instant::now();
    until("the consumer serves again", || {
        bench.queue.wake(tenant(number), Lane::Push);
        seen.tenants().contains(&tenant(number))
    })
    .await;
    println!("served again after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_broker_costs_latency_only() {
    if amqp_url().is_none() {
        return;
    }
    let Some(broker) = tokio::task::spawn_blocking(|| PrivateServer::start("rabbitmq")).await.unwrap() else {
        return;
    };
    let metrics = Metrics::new().unwrap();
    let config = QueueConfig {
        prefix: unique_prefix(),
        publish_timeout: Duration::from_millis(500),
        heartbeat: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        ..QueueConfig::new(broker.url.clone())
    };
    let bench = Bench { queue: Queue::rabbitmq(config, metrics.clone()).unwrap(), metrics };
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 4, seen.handler());
    served(&bench, &seen, 0).await;

    for (round, crash) in [(1, false), (2, true)] {
        // Stored and not consumed yet, so it must survive.
        bench.queue.wake(tenant(round), Lane::Bulk);
        bench.flush().await;
        if crash {
            broker.kill()
        } else {
            broker.stop()
        }
        wake_many(&bench, 10_000 * round);
        bench.flush().await;
        until_async("readiness says so", async || bench.queue.check().await.is_err()).await;
        assert!(ends("depth()", bench.queue.depth()).await.is_err());
        broker.start_again();
        served(&bench, &seen, 100 + round).await;
        until_async("readiness is back", async || bench.queue.check().await.is_ok()).await;
        until_async("what was confirmed has survived", async || {
            bench.queue.depth().await.is_ok_and(|depth| depth.bulk == round as u64)
        })
        .await;
    }

    broker.freeze();
    wake_many(&bench, 50_000);
    bench.flush().await;
    until_async("a silent broker is noticed", async || bench.queue.check().await.is_err()).await;
    until("some attempts to connect were given up", || broker.sockets().1 >= 6).await;
    assert!(broker.sockets().0 <= 3, "an attempt given up keeps no socket: {:?}", broker.sockets());
    broker.thaw();
    served(&bench, &seen, 200).await;

    let lost: u64 = ["timeout", "disconnected"]
        .map(|reason| bench.count(&format!(r#"rollcall_wakeups_lost_total{{lane="push",reason="{reason}"}}"#)))
        .iter()
        .sum();
    assert!(lost >= WOKEN as u64, "what an outage cost is counted: {lost}");
    bench.finish([consumer]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_stops_while_the_broker_hangs() {
    if amqp_url().is_none() {
        return;
    }
    let Some(broker) = tokio::task::spawn_blocking(|| PrivateServer::start("rabbitmq")).await.unwrap() else {
        return;
    };
    let metrics = Metrics::new().unwrap();
    let config = QueueConfig { prefix: unique_prefix(), ..QueueConfig::new(broker.url.clone()) };
    let bench = Bench { queue: Queue::rabbitmq(config, metrics.clone()).unwrap(), metrics };
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 4, seen.handler());
    served(&bench, &seen, 0).await;
    broker.freeze();
    let begun = Instant::now();
    consumer.stop().await;
    bench.queue.shutdown(Duration::from_millis(500)).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "stopping took {:?}", begun.elapsed());
    broker.thaw();
}
