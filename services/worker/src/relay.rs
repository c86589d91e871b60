//! The relay: one worker at a time publishes the events of all tenants to a topic exchange, in commit order, and notes its place once the
//! broker has confirmed them (decision 0097).

use crate::Worker;
use chrono::TimeDelta;
use rollcall_runtime::queue::{EventExchange, EventMessage};
use rollcall_runtime::{Metrics, QueueConfig};
use rollcall_store::{EventPage, HeldRelay, OutgoingEvent, Store, StoreError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Events that are published together.
const EVENTS: u64 = 500;
/// The time between two looks for new events.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Life of the lease; longer than the broker may take for a batch.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// The time after which a worker that does not have the relay asks for it.
const ASKED_EVERY: Duration = Duration::from_secs(2);
/// An idle relay renews its lease after this number of looks.
const RENEWED_AFTER: u32 = 50;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// The exchange of the events, and their form.
#[derive(Clone)]
pub struct Relay {
    pub broker: QueueConfig,
    pub exchange: String,
    /// The body of an event's message.
    pub render: fn(OutgoingEvent) -> Vec<u8>,
}

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let Some(relay) = &worker.relay else { return };
    let mut asks = interval(ASKED_EVERY);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(asks.tick()).await.is_some() {
        match worker.store.take_relay(LEASE).await {
            Ok(Some(held)) => {
                if let Err(why) = relay.hold(&worker.store, &worker.metrics, held, cancel).await {
                    tracing::warn!(why, "events are not relayed to the exchange; they wait in the log");
                    cancel.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the relay of events could not be taken"),
        }
    }
}

impl Relay {
    /// Relays until the process stops or something fails, and gives the relay back.
    async fn hold(
        &self,
        store: &Store,
        metrics: &Metrics,
        mut held: HeldRelay,
        cancel: &CancellationToken,
    ) -> Result<(), String> {
        let ended = self.relay(store, metrics, &mut held, cancel).await;
        if let Err(error) = store.give_relay_back(&held).await {
            tracing::debug!(%error, "the relay of events could not be given back; another worker has it when its time is over");
        }
        ended
    }

    async fn relay(
        &self,
        store: &Store,
        metrics: &Metrics,
        held: &mut HeldRelay,
        cancel: &CancellationToken,
    ) -> Result<(), String> {
        let told = |error: StoreError| error.to_string();
        let exchange = EventExchange::connect(&self.broker, &self.exchange).await?;
        let mut idle = 0;
        while !cancel.is_cancelled() {
            let EventPage { events, next, more } = store.events_to_relay(held, EVENTS).await.map_err(told)?;
            if events.is_empty() && !more && idle < RENEWED_AFTER {
                idle += 1;
                cancel.run_until_cancelled(sleep(LOOK_EVERY)).await;
                continue;
            }
            idle = 0;
            let happened: Vec<_> = events.iter().map(|event| event.event.at).collect();
            let messages: Vec<EventMessage> = events.into_iter().map(|event| self.message(event)).collect();
            exchange.publish(&messages).await?;
            store.note_relayed(held, next, LEASE).await.map_err(told)?;
            let now = store.clock.now();
            for at in happened {
                metrics.event_relayed((now - at).to_std().unwrap_or_default());
            }
        }
        Ok(())
    }

    fn message(&self, event: OutgoingEvent) -> EventMessage {
        EventMessage {
            routing_key: format!("{}.{}", event.tenant, event.kind),
            id: event.event.id.to_string(),
            kind: event.kind.as_str(),
            timestamp: u64::try_from(event.event.at.timestamp()).unwrap_or(0),
            sequence: event.sequence.to_string(),
            body: (self.render)(event),
        }
    }
}
