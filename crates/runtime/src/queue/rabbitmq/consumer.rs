//! One consumer of one lane: attaches, dispatches, and attaches again after every outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};

use super::link::{Attached, Backoff};
use super::{Shared, topology};
use crate::queue::Wakeup;
use crate::queue::delivery::Delivery;
use crate::queue::dispatch::Dispatcher;

/// How often an idle consumer checks its connection.
const TICK: Duration = Duration::from_millis(250);
/// Longest wait for the broker's answer when a consumer stops.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Consumes until the dispatcher's token is cancelled and every delivery is settled.
pub(super) async fn run(shared: &Shared, dispatcher: &Dispatcher) {
    let _wanted = Counted::up(&shared.consumers_wanted);
    let mut backoff = Backoff::new(&shared.config);
    let mut reported = false;
    loop {
        let attached = tokio::select! {
            () = dispatcher.cancel.cancelled() => break,
            attached = attach(shared, dispatcher) => attached,
        };
        let reason = match attached {
            Ok(attached) => {
                backoff.reset();
                reported = false;
                match session(shared, dispatcher, attached).await {
                    Ended::Cancelled => return,
                    Ended::Broken(reason) => reason,
                }
            }
            Err(reason) => reason,
        };
        if !reported {
            reported = true;
            let (address, lane) = (shared.broker.address(), dispatcher.lane.name());
            tracing::warn!(address, lane, reason, "the consumer is detached and connects again in the background");
        }
        tokio::select! {
            () = dispatcher.cancel.cancelled() => break,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
    dispatcher.drain().await;
}

async fn attach(shared: &Shared, dispatcher: &Dispatcher) -> Result<Attached<(Channel, Consumer)>, String> {
    let lane = dispatcher.lane;
    let prepare = async |connection: &Connection, channel: Channel| {
        topology::declare(connection, &shared.names, &shared.config.limits).await?;
        channel.basic_qos(dispatcher.outstanding, BasicQosOptions::default()).await?;
        let (queue, tag) = (shared.names.lane(lane).clone(), "".into());
        let consumer = channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await?;
        Ok((channel, consumer))
    };
    shared.broker.connect(&format!("consumer {}", lane.name()), prepare).await
}

enum Ended {
    Cancelled,
    Broken(String),
}

async fn session(shared: &Shared, dispatcher: &Dispatcher, mut attached: Attached<(Channel, Consumer)>) -> Ended {
    let connection = Arc::clone(&attached.connection);
    let (channel, consumer) = &mut attached.prepared;
    let counted = Counted::up(&shared.consumers_attached);
    tracing::info!(address = shared.broker.address(), lane = dispatcher.lane.name(), "consumer attached");
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = dispatcher.cancel.cancelled() => break,
            next = consumer.next() => match next {
                Some(Ok(delivery)) => accept(dispatcher, delivery),
                Some(Err(error)) => return Ended::Broken(error.to_string()),
                None => return Ended::Broken("the broker cancelled the consumer".to_owned()),
            },
            _ = tick.tick() => {
                if !connection.status().connected() || !channel.status().connected() {
                    return Ended::Broken("the connection was lost".to_owned());
                }
            }
        }
    }
    drop(counted);
    detach(dispatcher, &connection, channel, consumer).await;
    Ended::Cancelled
}

fn accept(dispatcher: &Dispatcher, delivery: lapin::message::Delivery) {
    match Wakeup::decode(&delivery.data) {
        Ok(wakeup) => {
            // The queue decides the lane, because an operator may have moved a dead letter to another one.
            let wakeup = Wakeup { lane: dispatcher.lane, ..wakeup };
            dispatcher.dispatch(wakeup, Delivery::RabbitMq(Box::new(delivery)), ());
        }
        Err(reason) => dispatcher.refuse(Delivery::RabbitMq(Box::new(delivery)), &reason),
    }
}

/// Stops deliveries, requeues prefetched ones that have not started, waits for the running ones, then closes.
async fn detach(dispatcher: &Dispatcher, connection: &Connection, channel: &Channel, consumer: &mut Consumer) {
    let stop = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
    let _ = tokio::time::timeout(CLOSE_LIMIT, stop).await;
    while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
        // The token is cancelled, so the dispatcher requeues it without calling the handler.
        accept(dispatcher, delivery);
    }
    dispatcher.drain().await;
    let close = connection.close(lapin::protocol::constants::REPLY_SUCCESS, "stopped".into());
    let _ = tokio::time::timeout(CLOSE_LIMIT, close).await;
}

/// Raises a gauge by one for as long as it lives.
struct Counted<'a> {
    gauge: &'a AtomicUsize,
}

impl<'a> Counted<'a> {
    fn up(gauge: &'a AtomicUsize) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self { gauge }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.gauge.fetch_sub(1, Ordering::Relaxed);
    }
}
