//! Wake-ups: "look at tenant T", from the writer of its desired state to any free worker.
//!
//! A wake-up carries ids and trace context, no facts: a lost, doubled, late or reordered one changes latency, never the
//! result. So [`Queue::wake`] never blocks and never fails its caller. A wake-up that does not reach the broker in time
//! is counted in `rollcall_wakeups_lost_total` and dropped; the sweep finds its tenant.
//!
//! Two arms with one contract (`tests/it/queue_contract.rs` runs the same assertions on both): RabbitMQ quorum queues
//! with confirms, manual acks and a dead letter queue, or bounded maps in this process. Delivery is at least once; two
//! wake-ups of one tenant may be handled at the same time (the tenant's lease in the database serialises the work).

mod delivery;
mod dispatch;
mod in_process;
mod pace;
mod rabbitmq;
mod wakeup;

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::telemetry::TraceContext;
use dispatch::Dispatcher;
use in_process::InProcess;
use pace::Pace;
use rabbitmq::RabbitMq;

pub use rabbitmq::{EventExchange, EventMessage};
pub use wakeup::{Lane, Wakeup};

/// Tries to log in once, within `patience`; see [`crate::reach`].
pub(crate) async fn log_in(url: &str, patience: Duration) -> Result<(), String> {
    rabbitmq::log_in(&QueueConfig { connect_timeout: patience, ..QueueConfig::new(url) }).await
}

/// Whether another hub uses the queues with this prefix, asked once within `patience`; see [`Queue::is_shared`].
pub(crate) async fn is_shared(url: &str, prefix: &str, hub: &str, patience: Duration) -> Result<bool, String> {
    let (prefix, connect_timeout) = (prefix.to_owned(), patience);
    rabbitmq::is_shared(&QueueConfig { prefix, connect_timeout, ..QueueConfig::new(url) }, hub).await
}

/// Result of a handler for its wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Acknowledged, also when the work failed and the database holds its retry state.
    Done,
    /// The work could not even be recorded (database away): deliver again after a back-off, up to the delivery limit.
    Retry,
}

/// Limits that both arms share.
#[derive(Clone, Debug)]
pub struct QueueLimits {
    /// Wake-ups taken from a lane and not settled yet, per consumer; at least its concurrency.
    pub prefetch: u16,
    /// Deliveries after the first before a wake-up is dead-lettered.
    pub delivery_limit: u32,
    /// Wake-ups a lane holds; more are refused (and counted as lost).
    pub max_length: u32,
    /// Dead letters kept; the oldest are dropped.
    pub dead_max_length: u32,
    /// Pause before the first retry of a wake-up; doubles with each.
    pub retry_delay_min: Duration,
    /// Longest pause before a retry.
    pub retry_delay_max: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            prefetch: 32,
            delivery_limit: 5,
            max_length: 100_000,
            dead_max_length: 10_000,
            retry_delay_min: Duration::from_millis(100),
            retry_delay_max: Duration::from_secs(5),
        }
    }
}

impl QueueLimits {
    /// Unsettled wake-ups a consumer of this concurrency may hold.
    fn outstanding(&self, concurrency: usize) -> u16 {
        self.prefetch.max(u16::try_from(concurrency).unwrap_or(u16::MAX)).max(1)
    }

    /// The pause before delivery number `attempts + 1`.
    fn retry_delay(&self, attempts: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempts.min(16));
        self.retry_delay_min.saturating_mul(factor).min(self.retry_delay_max)
    }
}

/// Connection settings of RabbitMQ. Durations and sizes have defaults: see [`QueueConfig::new`].
#[derive(Clone)]
pub struct QueueConfig {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`.
    pub url: String,
    /// Prefix of the queue names: `rollcall.` makes `rollcall.push`, `rollcall.bulk`, `rollcall.dead`.
    pub prefix: String,
    /// Longest time a wake-up waits for its confirm, and for a connection, before it is counted as lost.
    pub publish_timeout: Duration,
    /// Publishes in flight at once.
    pub publish_window: usize,
    /// Longest time for one attempt to connect and declare the queues.
    pub connect_timeout: Duration,
    /// Back-off before the first attempt to reconnect; doubles, with jitter, without an end.
    pub reconnect_delay_min: Duration,
    /// Longest back-off between attempts to reconnect.
    pub reconnect_delay_max: Duration,
    /// AMQP heartbeat; a silent peer is dropped after twice this time. Whole seconds, at least one.
    pub heartbeat: Duration,
    /// Limits shared with the in-process arm.
    pub limits: QueueLimits,
}

impl QueueConfig {
    /// Defaults: prefix `rollcall.`, publish timeout 2 s, window 256, connect timeout 10 s, reconnect 100 ms to 2 s,
    /// heartbeat 10 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "rollcall.".to_owned(),
            publish_timeout: Duration::from_secs(2),
            publish_window: 256,
            connect_timeout: Duration::from_secs(10),
            reconnect_delay_min: Duration::from_millis(100),
            reconnect_delay_max: Duration::from_secs(2),
            heartbeat: Duration::from_secs(10),
            limits: QueueLimits::default(),
        }
    }
}

/// Failure of the queue itself. No message holds the password of the URL.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The configuration cannot work.
    #[error("AMQP setting {setting} {problem}")]
    Setting {
        /// Field of [`QueueConfig`].
        setting: &'static str,
        /// The problem with its value.
        problem: String,
    },
    /// The broker is away, or refused; the connection is being retried.
    #[error("RabbitMQ at {address}: {reason}")]
    Unavailable {
        /// Host, port and virtual host.
        address: String,
        /// The latest error.
        reason: String,
    },
}

/// Messages ready in each queue, not counting those a consumer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready in the push lane.
    pub push: u64,
    /// Ready in the bulk lane.
    pub bulk: u64,
    /// Dead letters.
    pub dead: u64,
}

/// The queue of wake-ups. Cheap to clone; the background publisher ends with the last clone.
#[derive(Clone)]
pub struct Queue {
    arm: Arm,
    pace: Pace,
}

#[derive(Clone)]
enum Arm {
    RabbitMq(RabbitMq),
    InProcess(InProcess),
}

impl Arm {
    fn wake(&self, (tenant, lane): (Uuid, Lane), trace: TraceContext) {
        match self {
            Self::RabbitMq(arm) => arm.wake(tenant, lane, trace),
            Self::InProcess(arm) => arm.wake(tenant, lane, trace),
        }
    }

    fn metrics(&self) -> &Metrics {
        match self {
            Self::RabbitMq(arm) => arm.metrics(),
            Self::InProcess(arm) => arm.metrics(),
        }
    }
}

impl Queue {
    /// Starts a publisher that connects in the background and keeps trying: a broker that is away at start is not an
    /// error here, and [`Queue::check`] reports it. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`QueueError::Setting`] when the configuration cannot work.
    pub fn rabbitmq(config: QueueConfig, metrics: Metrics) -> Result<Self, QueueError> {
        Ok(Self::of(Arm::RabbitMq(RabbitMq::start(config, metrics)?)))
    }

    /// A queue within this process, with default limits.
    pub fn in_process(metrics: Metrics) -> Self {
        Self::in_process_with(QueueLimits::default(), metrics)
    }

    /// A queue within this process.
    pub fn in_process_with(limits: QueueLimits, metrics: Metrics) -> Self {
        Self::of(Arm::InProcess(InProcess::new(limits, metrics)))
    }

    fn of(arm: Arm) -> Self {
        Self { arm, pace: Pace::default() }
    }

    /// Wakes a worker for `tenant`, with the trace context of the caller's span. Returns in microseconds whatever the
    /// broker does. Wake-ups of one tenant and lane are debounced: one that follows another goes out at most 25 ms later,
    /// because a worker may have looked already.
    pub fn wake(&self, tenant: Uuid, lane: Lane) {
        let arm = self.arm.clone();
        if !self.pace.wake((tenant, lane), TraceContext::current(), move |key, trace| arm.wake(key, trace)) {
            self.arm.metrics().wakeup_coalesced(lane);
        }
    }

    /// Hands the wake-ups of `lane` to `handler`, at most `concurrency` at a time, until `cancel` is cancelled and the
    /// running handlers have ended (a handler that wants to end sooner watches the token itself). Survives any number
    /// of broker outages. A panicking handler counts as [`Handled::Retry`].
    pub async fn consume<H, F>(&self, lane: Lane, concurrency: usize, cancel: CancellationToken, handler: H)
    where
        H: Fn(Wakeup) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        match &self.arm {
            Arm::RabbitMq(arm) => {
                let dispatcher = Dispatcher::new(lane, concurrency, arm.limits(), cancel, arm.metrics(), handler);
                arm.consume(dispatcher).await;
            }
            Arm::InProcess(arm) => {
                let dispatcher = Dispatcher::new(lane, concurrency, arm.limits(), cancel, arm.metrics(), handler);
                arm.consume(dispatcher).await;
            }
        }
    }

    /// Counts the ready messages of each queue and sets the gauges of [`Metrics`].
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] when the broker does not answer in time; the gauges keep their values.
    pub async fn depth(&self) -> Result<Depth, QueueError> {
        let depth = match &self.arm {
            Arm::RabbitMq(arm) => arm.depth().await?,
            Arm::InProcess(arm) => arm.depth(),
        };
        let metrics = self.arm.metrics();
        metrics.set_queue_depth(Lane::Push, depth.push);
        metrics.set_queue_depth(Lane::Bulk, depth.bulk);
        metrics.set_dead_letters(depth.dead);
        Ok(depth)
    }

    /// Whether another hub, one with another database, uses the same queues: each takes wake-ups of the other then. `hub` names the
    /// database. Asked every few seconds, because a hub that stops has no claim half a minute later.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] when the broker does not answer in time; the gauge keeps its value.
    pub async fn is_shared(&self, hub: &str) -> Result<bool, QueueError> {
        let shared = match &self.arm {
            Arm::RabbitMq(arm) => arm.is_shared(hub).await?,
            Arm::InProcess(_) => false,
        };
        self.arm.metrics().set_queue_shared(shared);
        Ok(shared)
    }

    /// Waits until every wake-up so far is confirmed or counted as lost. False when that took longer than `timeout`.
    pub async fn flush(&self, timeout: Duration) -> bool {
        for (key, trace) in self.pace.rush() {
            self.arm.wake(key, trace);
        }
        match &self.arm {
            Arm::RabbitMq(arm) => arm.flush(timeout).await,
            // A wake-up is in the queue when `wake` returns.
            Arm::InProcess(_) => true,
        }
    }

    /// Readiness: the broker is connected and every consumer of this process is attached.
    ///
    /// # Errors
    /// A message for the operator about the missing part, which is being retried.
    pub async fn check(&self) -> Result<(), String> {
        match &self.arm {
            Arm::RabbitMq(arm) => arm.check(),
            Arm::InProcess(_) => Ok(()),
        }
    }

    /// Flushes for at most `timeout`, then stops the publisher and closes its connection; later wake-ups are lost.
    /// Cancel the consumers first.
    pub async fn shutdown(&self, timeout: Duration) {
        for (key, trace) in self.pace.rush() {
            self.arm.wake(key, trace);
        }
        if let Arm::RabbitMq(arm) = &self.arm {
            arm.shutdown(timeout).await;
        }
    }

    /// Deletes the queues with their messages. For tests, which use a prefix of their own.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] when the broker does not answer.
    pub async fn delete_queues(&self) -> Result<(), QueueError> {
        match &self.arm {
            Arm::RabbitMq(arm) => arm.delete_queues().await,
            Arm::InProcess(arm) => {
                arm.clear();
                Ok(())
            }
        }
    }
}
