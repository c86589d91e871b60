//! Contract of the queue that a worker relies on, for both arms.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rollcall_runtime::queue::{Handled, Lane, Queue, QueueConfig, QueueLimits, Wakeup};
use rollcall_runtime::{Metrics, TraceContext};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::servers::{amqp_url, unique_prefix};
use crate::waiting::{ends, until, until_async};

/// The arm of a case.
pub(crate) enum Arm {
    InProcess,
    RabbitMq(String),
}

impl Arm {
    pub(crate) fn start(self, limits: QueueLimits) -> Bench {
        let metrics = Metrics::new().unwrap();
        let queue = match self {
            Self::InProcess => Queue::in_process_with(limits, metrics.clone()),
            Self::RabbitMq(url) => {
                let config = QueueConfig { prefix: unique_prefix(), limits, ..QueueConfig::new(url) };
                Queue::rabbitmq(config, metrics.clone()).unwrap()
            }
        };
        Bench { queue, metrics }
    }
}

/// A queue under test and its metrics.
pub(crate) struct Bench {
    pub(crate) queue: Queue,
    pub(crate) metrics: Metrics,
}

impl Bench {
    /// Consumes in the background until the token is cancelled.
    pub(crate) fn consume<H, F>(&self, lane: Lane, concurrency: usize, handler: H) -> Consumer
    where
        H: Fn(Wakeup) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let (queue, cancel) = (self.queue.clone(), CancellationToken::new());
        let token = cancel.clone();
        let task = tokio::spawn(async move { queue.consume(lane, concurrency, token, handler).await });
        Consumer { cancel, task }
    }

    pub(crate) fn count(&self, series: &str) -> u64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    pub(crate) async fn flush(&self) {
        assert!(self.queue.flush(Duration::from_secs(30)).await, "everything is confirmed or lost in time");
    }

    pub(crate) async fn finish(self, consumers: impl IntoIterator<Item = Consumer>) {
        for consumer in consumers {
            consumer.stop().await;
        }
        // A broker that has just come back may still end connections.
        until_async("the queues are deleted", async || self.queue.delete_queues().await.is_ok()).await;
        self.queue.shutdown(Duration::from_secs(5)).await;
    }
}

pub(crate) struct Consumer {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Consumer {
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        ends("consume() after its token was cancelled", self.task).await.unwrap();
    }
}

/// Remembers the wake-ups of a handler.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Wakeup>>>);

impl Seen {
    pub(crate) fn note(&self, wakeup: Wakeup) {
        self.0.lock().unwrap().push(wakeup);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn tenants(&self) -> HashSet<Uuid> {
        self.0.lock().unwrap().iter().map(|wakeup| wakeup.tenant_id).collect()
    }

    /// The trace context of the first.
    pub(crate) fn trace(&self) -> TraceContext {
        self.0.lock().unwrap()[0].trace.clone()
    }

    /// A handler that records the wake-up and returns `Done`.
    pub(crate) fn handler(&self) -> impl Fn(Wakeup) -> std::future::Ready<Handled> + Send + Sync + 'static {
        let seen = self.clone();
        move |wakeup| {
            seen.note(wakeup);
            std::future::ready(Handled::Done)
        }
    }
}

pub(crate) fn tenant(number: usize) -> Uuid {
    Uuid::from_u128(0x018f_3a4e_0000_7000_8000_0000_0000_0000 + number as u128)
}

macro_rules! on_both_arms {
    ($($case:ident),+ $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Arm::InProcess).await;
            })+
        }
        mod rabbitmq {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(url) = super::amqp_url() {
                    super::$case(super::Arm::RabbitMq(url)).await;
                }
            })+
        }
    };
}

on_both_arms!(
    a_wakeup_arrives_once_in_its_own_lane,
    a_wakeup_is_never_swallowed_by_one_that_was_delivered,
    a_burst_over_few_tenants_is_merged_and_misses_none,
    a_failed_wakeup_comes_again_and_then_succeeds,
    a_poisoned_wakeup_is_dead_lettered_after_the_limit_and_blocks_nobody,
    a_panicking_handler_is_a_failure_and_the_consumer_lives_on,
    handlers_run_side_by_side_up_to_the_concurrency,
    a_stopping_consumer_finishes_what_runs_and_leaves_the_rest,
    several_consumers_share_the_work,
);

async fn a_wakeup_arrives_once_in_its_own_lane(arm: Arm) {
    let bench = arm.start(QueueLimits::default());
    let (push, bulk) = (Seen::default(), Seen::default());
    bench.queue.wake(tenant(1), Lane::Push);
    bench.queue.wake(tenant(2), Lane::Bulk);
    bench.flush().await;
    let consumers = [bench.consume(Lane::Push, 2, push.handler()), bench.consume(Lane::Bulk, 2, bulk.handler())];
    until("both arrive", || push.len() == 1 && bulk.len() == 1).await;
    let expected = |number, lane| Wakeup { tenant_id: tenant(number), lane, trace: TraceContext::default() };
    assert_eq!(*push.0.lock().unwrap(), [expected(1, Lane::Push)]);
    assert_eq!(*bulk.0.lock().unwrap(), [expected(2, Lane::Bulk)]);
    until("both are settled", || {
        bench.count(r#"rollcall_wakeups_received_total{lane="push",outcome="done"}"#) == 1
            && bench.count(r#"rollcall_wakeups_received_total{lane="bulk",outcome="done"}"#) == 1
    })
    .await;
    assert_eq!(bench.count(r#"rollcall_wakeups_published_total{lane="push"}"#), 1);
    bench.queue.check().await.unwrap();
    bench.finish(consumers).await;
}

/// The property behind "no lost wake-up": a change committed after a worker looked is looked at again.
async fn a_wakeup_is_never_swallowed_by_one_that_was_delivered(arm: Arm) {
    let bench = arm.start(QueueLimits::default());
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 1, seen.handler());
    for _ in 0..100 {
        let before = seen.len();
        bench.queue.wake(tenant(1), Lane::Push);
        until("the wake-up leads to a look that starts after it", || seen.len() > before).await;
    }
    bench.finish([consumer]).await;
}

async fn a_burst_over_few_tenants_is_merged_and_misses_none(arm: Arm) {
    let bench = arm.start(QueueLimits::default());
    for round in 0..2000 {
        bench.queue.wake(tenant(round % 50), Lane::Push);
    }
    bench.flush().await;
    let published = bench.count(r#"rollcall_wakeups_published_total{lane="push"}"#);
    let merged = bench.count(r#"rollcall_wakeups_coalesced_total{lane="push"}"#);
    assert_eq!(published + merged, 2000, "each was taken over or merged, none was lost");
    let seen = Seen::default();
    let consumer = bench.consume(Lane::Push, 8, seen.handler());
    until("every tenant is looked at", || seen.tenants().len() == 50).await;
    bench.finish([consumer]).await;
}

fn quick_retries(delivery_limit: u32) -> QueueLimits {
    QueueLimits { delivery_limit, retry_delay_min: Duration::from_millis(1), ..QueueLimits::default() }
}

async fn a_failed_wakeup_comes_again_and_then_succeeds(arm: Arm) {
    let bench = arm.start(quick_retries(5));
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let consumer = bench.consume(Lane::Push, 1, move |_| {
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(if nth < 3 { Handled::Retry } else { Handled::Done })
    });
    bench.queue.wake(tenant(1), Lane::Push);
    until("the fourth try succeeds", || {
        bench.count(r#"rollcall_wakeups_received_total{lane="push",outcome="done"}"#) == 1
    })
    .await;
    assert_eq!(tries.load(Ordering::SeqCst), 4);
    let depth = bench.queue.depth().await.unwrap();
    assert_eq!((depth.push, depth.dead), (0, 0));
    bench.finish([consumer]).await;
}

async fn a_poisoned_wakeup_is_dead_lettered_after_the_limit_and_blocks_nobody(arm: Arm) {
    let bench = arm.start(quick_retries(3));
    let (tries, healthy) = (Arc::new(AtomicUsize::new(0)), Seen::default());
    let (counted, noted) = (Arc::clone(&tries), healthy.clone());
    let consumer = bench.consume(Lane::Push, 1, move |wakeup| {
        std::future::ready(if wakeup.tenant_id == tenant(0) {
            counted.fetch_add(1, Ordering::SeqCst);
            Handled::Retry
        } else {
            noted.note(wakeup);
            Handled::Done
        })
    });
    for number in 0..100 {
        bench.queue.wake(tenant(number), Lane::Push);
    }
    until("the healthy tenants are served", || healthy.tenants().len() == 99).await;
    until_async("the poisoned one is dead", async || bench.queue.depth().await.unwrap().dead == 1).await;
    assert_eq!(tries.load(Ordering::SeqCst), 4, "the first delivery and three more");
    assert_eq!(bench.count("rollcall_dead_letters"), 1);
    bench.finish([consumer]).await;
}

async fn a_panicking_handler_is_a_failure_and_the_consumer_lives_on(arm: Arm) {
    let bench = arm.start(quick_retries(1));
    let seen = Seen::default();
    let noted = seen.clone();
    let consumer = bench.consume(Lane::Push, 1, move |wakeup| {
        let noted = noted.clone();
        async move {
            assert_ne!(wakeup.tenant_id, tenant(0), "on purpose: a handler that panics");
            noted.note(wakeup);
            Handled::Done
        }
    });
    bench.queue.wake(tenant(0), Lane::Push);
    until_async("the panicking one is dead", async || bench.queue.depth().await.unwrap().dead == 1).await;
    bench.queue.wake(tenant(1), Lane::Push);
    until("the next one is served", || seen.len() == 1).await;
    bench.finish([consumer]).await;
}

async fn handlers_run_side_by_side_up_to_the_concurrency(arm: Arm) {
    let bench = arm.start(QueueLimits::default());
    let (running, most, gate) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (now, top, released) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
    let consumer = bench.consume(Lane::Push, 4, move |_| {
        let (now, top, released) = (Arc::clone(&now), Arc::clone(&top), Arc::clone(&released));
        async move {
            top.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            released.acquire().await.unwrap().forget();
            now.fetch_sub(1, Ordering::SeqCst);
            Handled::Done
        }
    });
    for number in 0..20 {
        bench.queue.wake(tenant(number), Lane::Push);
    }
    until("four run", || running.load(Ordering::SeqCst) == 4).await;
    gate.add_permits(20);
    until("all are done", || bench.count(r#"rollcall_wakeups_received_total{lane="push",outcome="done"}"#) == 20).await;
    assert_eq!(most.load(Ordering::SeqCst), 4);
    bench.finish([consumer]).await;
}

async fn a_stopping_consumer_finishes_what_runs_and_leaves_the_rest(arm: Arm) {
    let bench = arm.start(QueueLimits::default());
    let (started, finished, gate) = (Seen::default(), Seen::default(), Arc::new(Semaphore::new(0)));
    let (begun, ended, released) = (started.clone(), finished.clone(), Arc::clone(&gate));
    let consumer = bench.consume(Lane::Push, 2, move |wakeup| {
        let (begun, ended, released) = (begun.clone(), ended.clone(), Arc::clone(&released));
        async move {
            begun.note(wakeup.clone());
            released.acquire().await.unwrap().forget();
            ended.note(wakeup);
            Handled::Done
        }
    });
    for number in 0..50 {
        bench.queue.wake(tenant(number), Lane::Push);
    }
    bench.flush().await;
    until("two run", || started.len() == 2).await;
    consumer.cancel.cancel();
    gate.add_permits(2);
    consumer.stop().await;
    assert_eq!((started.len(), finished.len()), (2, 2), "what ran was finished, nothing else was started");
    let rest = Seen::default();
    let next = bench.consume(Lane::Push, 4, rest.handler());
    until("the others are served by the next consumer", || rest.tenants().len() == 48).await;
    assert!(rest.tenants().is_disjoint(&finished.tenants()), "what was done is not delivered again");
    bench.finish([next]).await;
}

async fn several_consumers_share_the_work(arm: Arm) {
    let limits = QueueLimits { prefetch: 1, ..QueueLimits::default() };
    let bench = arm.start(limits);
    let (one, other) = (Seen::default(), Seen::default());
    let consumers = [bench.consume(Lane::Push, 1, one.handler()), bench.consume(Lane::Push, 1, other.handler())];
    until_async("both are attached", async || bench.queue.check().await.is_ok()).await;
    let mut woken = 0;
    until("both have served", || {
        bench.queue.wake(tenant(woken), Lane::Push);
        woken += 1;
        one.len() > 0 && other.len() > 0
    })
    .await;
    until("each wake-up is served by one of them", || one.len() + other.len() == woken).await;
    assert!(one.tenants().is_disjoint(&other.tenants()));
    bench.finish(consumers).await;
}
