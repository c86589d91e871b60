//! The background publisher: many wake-ups in flight at once, each confirmed, timed out or lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::time::{Instant, MissedTickBehavior};

use super::link::{Attached, Backoff, Link};
use super::outbox::Flight;
use super::{Shared, topology};
use crate::metrics::LostReason;

/// How often an idle publisher checks its connection and expires waiting wake-ups.
const TICK: Duration = Duration::from_millis(100);
/// Longest wait for the broker's answer when the publisher stops.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Publish timeouts without one confirm after which the connection is dropped.
const STALL_FACTOR: u32 = 3;
/// Persistent, as quorum queues keep every message anyway.
const DELIVERY_MODE: u8 = 2;

/// Connects, publishes and reconnects until the queue is dropped or shut down.
pub(super) async fn run(shared: Arc<Shared>) {
    tokio::join!(publish_over_outages(&shared), expire_what_waits(&shared));
    shared.link.send_replace(Link::Down("stopped".to_owned()));
}

async fn publish_over_outages(shared: &Shared) {
    let mut backoff = Backoff::new(&shared.config);
    loop {
        let attached = tokio::select! {
            () = shared.stop.cancelled() => return,
            attached = connect(shared) => attached,
        };
        let reason = match attached {
            Ok(attached) => {
                backoff.reset();
                tokio::select! {
                    () = shared.stop.cancelled() => return close(&attached.connection).await,
                    reason = session(shared, &attached.connection, &attached.prepared) => reason,
                }
            }
            Err(reason) => reason,
        };
        lose_link(shared, reason);
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

async fn expire_what_waits(shared: &Shared) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = tick.tick() => shared.outbox.expire(shared.config.publish_timeout),
        }
    }
}

/// Closes the connection without waiting for a hanging broker.
async fn close(connection: &Connection) {
    let closed = connection.close(lapin::protocol::constants::REPLY_SUCCESS, "stopped".into());
    let _ = tokio::time::timeout(CLOSE_LIMIT, closed).await;
}

async fn connect(shared: &Shared) -> Result<Attached<Channel>, String> {
    let prepare = async |connection: &Connection, channel: Channel| {
        topology::declare(connection, &shared.names, &shared.config.limits).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    };
    shared.broker.connect("publisher", prepare).await
}

/// Logs once per outage that the broker is away, not once per attempt.
fn lose_link(shared: &Shared, reason: String) {
    let before = shared.link.send_replace(Link::Down(reason.clone()));
    if !matches!(before, Link::Down(_)) {
        tracing::warn!(
            address = shared.broker.address(),
            reason,
            "RabbitMQ is away; wake-ups are dropped and found by the sweep until it is back"
        );
    }
}

/// Publishes until the connection breaks, and returns the reason. Wake-ups in flight then count as lost.
async fn session(shared: &Shared, connection: &Arc<Connection>, channel: &Channel) -> String {
    tracing::info!(address = shared.broker.address(), "connected to RabbitMQ");
    shared.link.send_replace(Link::Up(Arc::clone(connection)));
    let mut in_flight = FuturesUnordered::new();
    // Time of the broker's last answer, or of the last moment without a pending one.
    let mut progress = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(outcome) = in_flight.next() => match outcome {
                Outcome::Answered => progress = Instant::now(),
                Outcome::Broken(reason) => return reason,
                Outcome::TimedOut => {
                    if progress.elapsed() > shared.config.publish_timeout * STALL_FACTOR {
                        return "the broker confirms nothing".to_owned();
                    }
                }
            },
            flight = shared.outbox.take(), if in_flight.len() < shared.config.publish_window => {
                if in_flight.is_empty() {
                    progress = Instant::now();
                }
                in_flight.push(publish(shared, channel, flight));
            }
            _ = tick.tick() => {
                if !connection.status().connected() || !channel.status().connected() {
                    return "the connection was lost".to_owned();
                }
            }
        }
    }
}

/// State of the connection after a publish.
enum Outcome {
    Answered,
    TimedOut,
    Broken(String),
}

async fn publish(shared: &Shared, channel: &Channel, flight: Flight<'_>) -> Outcome {
    let attempt = async {
        let properties = BasicProperties::default()
            .with_delivery_mode(DELIVERY_MODE)
            .with_content_type("application/json".into())
            .with_type("rollcall.wakeup".into());
        // Mandatory: without its queue the broker returns the message instead of dropping it silently.
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let queue = shared.names.lane(flight.wakeup.lane).clone();
        channel.basic_publish("".into(), queue, options, &flight.wakeup.encode(), properties).await?.await
    };
    match tokio::time::timeout(shared.config.publish_timeout, attempt).await {
        Ok(Ok(Confirmation::Ack(None))) => flight.confirmed(),
        Ok(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)))) => {
            flight.lost(LostReason::Unroutable);
            // A new connection declares the queues again.
            return Outcome::Broken("a queue has been deleted".to_owned());
        }
        Ok(Ok(Confirmation::Nack(None) | Confirmation::NotRequested)) => flight.lost(LostReason::Refused),
        Ok(Err(error)) => {
            flight.lost(LostReason::Disconnected);
            return Outcome::Broken(error.to_string());
        }
        Err(_) => {
            flight.lost(LostReason::Timeout);
            return Outcome::TimedOut;
        }
    }
    Outcome::Answered
}
