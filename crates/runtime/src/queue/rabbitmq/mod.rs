//! The RabbitMQ arm: shared state of publisher and consumers, and the calls that need an answer from the broker.
//!
//! The publisher has one connection and each consumer another: a broker under memory pressure blocks publishing
//! connections, and acks must go on then. Recovery is done here (`link`), not by lapin: a broken connection is dropped
//! whole and a new one made, so that no state survives an outage except the waiting wake-ups.

mod consumer;
mod exchange;
mod link;
mod outbox;
mod publisher;
mod topology;

pub use exchange::{EventExchange, EventMessage};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapin::types::AMQPValue;
use lapin::{Channel, Connection};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::dispatch::Dispatcher;
use super::{Depth, Lane, QueueConfig, QueueError, QueueLimits};
use crate::metrics::Metrics;
use crate::telemetry::TraceContext;
use link::{Broker, Link};
use outbox::Outbox;
use topology::QueueNames;

/// Longest wait of a caller for a connection that is being made.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct RabbitMq {
    shared: Arc<Shared>,
    /// Cancels the publisher's token with the last clone.
    _stop: Arc<DropGuard>,
}

/// State shared by the background tasks and the callers.
struct Shared {
    broker: Broker,
    names: QueueNames,
    config: QueueConfig,
    metrics: Metrics,
    outbox: Outbox,
    /// State of the publisher's connection, which `depth` and `delete_queues` use too.
    link: watch::Sender<Link>,
    consumers_wanted: AtomicUsize,
    consumers_attached: AtomicUsize,
    stop: CancellationToken,
}

/// One connection with a channel, closed at once.
pub(super) async fn log_in(config: &QueueConfig) -> Result<(), String> {
    let broker = Broker::new(config).map_err(|error| error.to_string())?;
    broker.connect("doctor", async |_, _| Ok(())).await.map(|_| ())
}

/// Whether another hub uses the queues, by one connection.
pub(super) async fn is_shared(config: &QueueConfig, hub: &str) -> Result<bool, String> {
    let broker = Broker::new(config).map_err(|error| error.to_string())?;
    let names = QueueNames::new(&config.prefix).map_err(|error| error.to_string())?;
    let claimed = broker.connect("doctor", async |connection, _| topology::claim(connection, &names, hub).await);
    claimed.await.map(|attached| attached.prepared)
}

impl RabbitMq {
    pub(super) fn start(config: QueueConfig, metrics: Metrics) -> Result<Self, QueueError> {
        let broker = Broker::new(&config)?;
        let names = QueueNames::new(&config.prefix)?;
        if config.publish_window == 0 {
            return Err(QueueError::Setting { setting: "publish_window", problem: "must be at least 1".to_owned() });
        }
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            outbox: Outbox::new(metrics.clone()),
            link: watch::Sender::new(Link::Starting),
            consumers_wanted: AtomicUsize::new(0),
            consumers_attached: AtomicUsize::new(0),
            stop: stop.clone(),
            broker,
            names,
            config,
            metrics,
        });
        tokio::spawn(publisher::run(Arc::clone(&shared)));
        Ok(Self { shared, _stop: Arc::new(stop.drop_guard()) })
    }

    pub(super) fn limits(&self) -> &QueueLimits {
        &self.shared.config.limits
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(super) fn wake(&self, tenant: Uuid, lane: Lane, trace: TraceContext) {
        self.shared.outbox.add(tenant, lane, trace);
    }

    pub(super) async fn consume(&self, dispatcher: Dispatcher) {
        consumer::run(&self.shared, &dispatcher).await;
    }

    pub(super) async fn flush(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.shared.outbox.settled()).await.is_ok()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(reason) = self.shared.link.borrow().problem() {
            return Err(format!("{}; connecting in the background", self.shared.broker.unavailable(reason)));
        }
        let wanted = self.shared.consumers_wanted.load(Ordering::Relaxed);
        let attached = self.shared.consumers_attached.load(Ordering::Relaxed);
        if attached < wanted {
            let address = self.shared.broker.address();
            return Err(format!("RabbitMQ at {address}: {attached} of {wanted} consumers are attached"));
        }
        Ok(())
    }

    pub(super) async fn shutdown(&self, timeout: Duration) {
        if !self.flush(timeout).await {
            tracing::warn!("stopping with unconfirmed wake-ups; the sweep finds their tenants");
        }
        self.shared.stop.cancel();
        let mut link = self.shared.link.subscribe();
        // The publisher marks the link as down once the connection is closed or its own wait for that is over.
        let closed = link.wait_for(|link| !matches!(link, Link::Up(_)));
        let _ = tokio::time::timeout(Duration::from_secs(2), closed).await;
    }

    pub(super) async fn depth(&self) -> Result<Depth, QueueError> {
        let names = &self.shared.names;
        self.ask(async |channel| {
            Ok(Depth {
                push: topology::ready(channel, names.lane(Lane::Push)).await?,
                bulk: topology::ready(channel, names.lane(Lane::Bulk)).await?,
                dead: topology::ready(channel, names.dead()).await?,
            })
        })
        .await
    }

    pub(super) async fn delete_queues(&self) -> Result<(), QueueError> {
        self.ask(async |channel| topology::delete(channel, &self.shared.names).await).await
    }

    pub(super) async fn is_shared(&self, hub: &str) -> Result<bool, QueueError> {
        self.connected(async |connection| topology::claim(connection, &self.shared.names, hub).await).await
    }

    /// Runs `question` on a channel of its own (an error closes a channel), and waits for a connection if necessary.
    async fn ask<T>(&self, question: impl AsyncFnOnce(&Channel) -> Result<T, lapin::Error>) -> Result<T, QueueError> {
        self.connected(async |connection| {
            let channel = connection.create_channel().await?;
            let answer = question(&channel).await?;
            channel.close(lapin::protocol::constants::REPLY_SUCCESS, "done".into()).await?;
            Ok(answer)
        })
        .await
    }

    async fn connected<T>(
        &self,
        question: impl AsyncFnOnce(&Connection) -> Result<T, lapin::Error>,
    ) -> Result<T, QueueError> {
        let answer = async {
            let mut link = self.shared.link.subscribe();
            let connection = match &*link.wait_for(|link| matches!(link, Link::Up(_))).await? {
                Link::Up(connection) => Arc::clone(connection),
                link => {
                    return Ok(Err(self.shared.broker.unavailable(link.problem().unwrap_or_default())));
                }
            };
            Ok(question(&connection).await.map_err(|error| self.shared.broker.unavailable(&error.to_string())))
        };
        match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(Ok(answer)) => answer,
            // The sender lives in `shared`, which `self` keeps alive.
            Ok(Err(watch::error::RecvError { .. })) => Err(self.shared.broker.unavailable("stopped")),
            Err(_) => Err(self.shared.broker.unavailable(&self.last_problem())),
        }
    }

    fn last_problem(&self) -> String {
        let slow = || format!("no answer within {} s", ANSWER_LIMIT.as_secs());
        self.shared.link.borrow().problem().map_or_else(slow, str::to_owned)
    }
}

/// Failed deliveries of a message so far, as the quorum queue counts them.
pub(super) fn delivery_count(delivery: &lapin::message::Delivery) -> u32 {
    let headers = delivery.properties.headers().as_ref();
    let count = headers.and_then(|headers| headers.inner().get("x-delivery-count")).map(|value| match value {
        AMQPValue::LongLongInt(count) => *count,
        AMQPValue::LongInt(count) => i64::from(*count),
        AMQPValue::LongUInt(count) => i64::from(*count),
        AMQPValue::ShortInt(count) => i64::from(*count),
        AMQPValue::ShortUInt(count) => i64::from(*count),
        AMQPValue::ShortShortInt(count) => i64::from(*count),
        AMQPValue::ShortShortUInt(count) => i64::from(*count),
        _ => 0,
    });
    u32::try_from(count.unwrap_or(0)).unwrap_or(0)
}
