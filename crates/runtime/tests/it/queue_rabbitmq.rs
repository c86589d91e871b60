//! Behaviour of a broker alone: it refuses, returns, dead-letters malformed messages, and is away.

use std::time::{Duration, Instant};

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use rollcall_runtime::Metrics;
use rollcall_runtime::queue::{Lane, Queue, QueueConfig, QueueLimits};

use crate::queue_contract::{Bench, Seen, tenant};
use crate::servers::{amqp_url, unique_prefix};
use crate::waiting::{ends, until, until_async};

fn start(config: QueueConfig) -> Bench {
    let metrics = Metrics::new().unwrap();
    Bench { queue: Queue::rabbitmq(config, metrics.clone()).unwrap(), metrics }
}

fn config(url: &str) -> QueueConfig {
    QueueConfig { prefix: unique_prefix(), ..QueueConfig::new(url) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_message_is_dead_lettered_at_once() {
    let Some(url) = amqp_url() else { return };
    let config = config(&url);
    let queue_name = format!("{}push", config.prefix);
    let bench = start(config);
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 1, seen.handler());
    until_async("connected", async || bench.queue.check().await.is_ok()).await;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for body in [&b"not json"[..], br#"{"v":9}"#] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish("".into(), queue_name.as_str().into(), options, body, properties).await.unwrap();
    }
    until_async("both are dead", async || bench.queue.depth().await.unwrap().dead == 2).await;
    assert_eq!(bench.count(r#"rollcall_wakeups_received_total{lane="push",outcome="malformed"}"#), 2);
    bench.queue.wake(tenant(1), Lane::Push);
    until("the consumer lives on", || seen.len() == 1).await;
    bench.finish([consumer]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_the_refusals_are_counted() {
    let Some(url) = amqp_url() else { return };
    let limits = QueueLimits { max_length: 10, ..QueueLimits::default() };
    let bench = start(QueueConfig { limits, publish_window: 1, ..config(&url) });
    for number in 0..60 {
        bench.queue.wake(tenant(number), Lane::Push);
    }
    bench.flush().await;
    let published = bench.count(r#"rollcall_wakeups_published_total{lane="push"}"#);
    let refused = bench.count(r#"rollcall_wakeups_lost_total{lane="push",reason="refused"}"#);
    assert_eq!(published + refused, 60);
    assert!((10..40).contains(&published), "the limit of a quorum queue is approximate: {published}");
    let depth = bench.queue.depth().await.unwrap();
    assert_eq!((depth.push, depth.dead), (published, 0), "refused, not dead-lettered");
    assert_eq!(bench.count(r#"rollcall_queue_depth{queue="push"}"#), published);
    bench.finish([]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_queues_are_declared_again() {
    let Some(url) = amqp_url() else { return };
    let bench = start(config(&url));
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 1, seen.handler());
    bench.queue.wake(tenant(1), Lane::Push);
    until("served", || seen.len() == 1).await;
    bench.queue.delete_queues().await.unwrap();
    until("served again", || {
        bench.queue.wake(tenant(2), Lane::Push);
        seen.tenants().contains(&tenant(2))
    })
    .await;
    bench.finish([consumer]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_exists_with_other_arguments_is_used_as_it_is() {
    let Some(url) = amqp_url() else { return };
    let before = config(&url);
    let first = start(before.clone());
    first.queue.wake(tenant(1), Lane::Push);
    first.flush().await;
    let limits = QueueLimits { delivery_limit: 9, max_length: 77, ..QueueLimits::default() };
    let second = start(QueueConfig { limits, ..before });
    let seen = Seen::default();
    let consumer = second.consume(Lane::Push, 1, seen.handler());
    until("what was published before the change is served", || seen.len() == 1).await;
    first.queue.shutdown(Duration::from_secs(1)).await;
    second.finish([consumer]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_at_start_hinders_nobody() {
    // Bound and dropped, so that nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("amqp://guest:hunter2@127.0.0.1:{port}/%2f");
    let bench = start(QueueConfig { publish_timeout: Duration::from_millis(300), ..config(&url) });
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 1, seen.handler());
    let begun = Instant::now();
    for number in 0..10_000 {
        bench.queue.wake(tenant(number), Lane::Push);
    }
    let each = begun.elapsed() / 10_000;
    assert!(each < Duration::from_millis(1), "wake() took {each:?}");
    bench.flush().await;
    assert_eq!(bench.count(r#"rollcall_wakeups_lost_total{lane="push",reason="timeout"}"#), 10_000);
    let problem = bench.queue.check().await.unwrap_err();
    assert!(problem.contains(&port.to_string()) && !problem.contains("hunter2"), "{problem}");
    let depth = ends("depth()", bench.queue.depth()).await;
    assert!(depth.is_err());
    consumer.stop().await;
    ends("shutdown()", bench.queue.shutdown(Duration::from_secs(1))).await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_start_by_name() {
    let cases = [
        ("url", QueueConfig::new("postgres://user:hunter2@host/db")),
        ("prefix", QueueConfig { prefix: "x".repeat(201), ..QueueConfig::new("amqp://localhost") }),
        ("publish_window", QueueConfig { publish_window: 0, ..QueueConfig::new("amqp://localhost") }),
    ];
    for (setting, config) in cases {
        let error = Queue::rabbitmq(config, Metrics::new().unwrap()).err().unwrap().to_string();
        assert!(error.contains(setting) && !error.contains("hunter2"), "{error}");
    }
}
