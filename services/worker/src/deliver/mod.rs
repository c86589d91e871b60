//! Webhooks: sends the events of each tenant to its endpoints, in order within one, beside each other over all (decision 0095). A look at
//! the end of the log says, ten times a second, which endpoints have news; a round over all active ones finds what a look missed, what is to
//! be tried again, and replays.

mod endpoint;
mod lanes;

use crate::Worker;
use chrono::TimeDelta;
use lanes::Lanes;
use rollcall_core::ids::{TenantId, WebhookId};
use rollcall_runtime::Metrics;
use rollcall_runtime::outbound::Outbound;
use rollcall_store::{FoundWebhook, OutgoingEvent, Store, StoreError, WEBHOOKS_FOUND};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// The time between two looks for news, while there are active endpoints.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks that are left out while there is no active endpoint.
const IDLE_LOOKS: u32 = 10;
/// The time between two rounds over all active endpoints.
const ROUND_EVERY: Duration = Duration::from_secs(5);
/// Waits up to this long have a timer; rounds find the endpoints of longer ones.
const TIMED_MAX: TimeDelta = TimeDelta::seconds(60);
/// Endpoints that this process may have in hand.
const IN_HAND_MAX: usize = 20_000;

/// How messages are made and sent.
#[derive(Clone)]
pub struct Delivery {
    pub outbound: Outbound,
    /// The body of an event's message.
    pub render: fn(OutgoingEvent) -> Vec<u8>,
    /// Endpoints that are sent to at a time.
    pub concurrency: usize,
    /// Endpoints that take long, or failed before, sent to besides.
    pub slow_concurrency: usize,
    /// How long attempts are made while none succeeds.
    pub patience: Duration,
}

/// The sender of a process. Cheap to clone.
#[derive(Clone)]
struct Courier {
    store: Store,
    metrics: Metrics,
    delivery: Delivery,
    holder: Uuid,
    lanes: Arc<Lanes>,
    in_hand: Arc<Mutex<HashMap<WebhookId, Again>>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// Whether an endpoint got news while it was in hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    Yes,
}

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let Some(delivery) = worker.delivery.clone() else { return };
    let courier = Courier {
        store: worker.store.clone(),
        metrics: worker.metrics.clone(),
        lanes: Arc::new(Lanes::new(delivery.concurrency, delivery.slow_concurrency)),
        delivery,
        holder: worker.holder,
        in_hand: Arc::default(),
        tasks: TaskTracker::new(),
        cancel: cancel.clone(),
    };
    tokio::join!(courier.look_for_news(), courier.go_round());
    courier.tasks.close();
    courier.tasks.wait().await;
}

impl Courier {
    async fn look_for_news(&self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut looked, mut left_out) = (None, 0);
        while self.cancel.run_until_cancelled(looks.tick()).await.is_some() {
            if !self.lanes.has_endpoints() && left_out < IDLE_LOOKS {
                left_out += 1;
                continue;
            }
            left_out = 0;
            if let Err(error) = self.look(&mut looked).await {
                tracing::debug!(%error, "the end of the log could not be read; the next look reads it");
            }
        }
    }

    async fn look(&self, looked: &mut Option<rollcall_store::LookedUpTo>) -> Result<(), StoreError> {
        let Some(looked) = looked else {
            *looked = Some(self.store.webhook_looks_begin().await?);
            return Ok(());
        };
        let found = self.store.webhooks_with_news(looked).await?;
        found.iter().for_each(|webhook| self.visit(webhook));
        // A look has so many at most.
        if found.len() >= WEBHOOKS_FOUND { self.round().await } else { Ok(()) }
    }

    async fn go_round(&self) {
        let mut rounds = interval(ROUND_EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.cancel.run_until_cancelled(rounds.tick()).await.is_some() {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "the endpoints of webhooks could not be looked at; the next round does");
            }
        }
    }

    /// Visits every active endpoint for which something waits.
    async fn round(&self) -> Result<(), StoreError> {
        let (mut after, mut endpoints, mut failing, mut backlog) = (None, 0_usize, 0_u64, TimeDelta::zero());
        loop {
            let found = self.store.active_webhooks(after).await?;
            let Some(last) = found.last() else { break };
            after = Some((last.tenant, last.id));
            endpoints += found.len();
            let now = self.store.clock.now();
            for webhook in &found {
                failing += u64::from(webhook.failing);
                backlog = backlog.max(webhook.oldest.map_or(TimeDelta::zero(), |oldest| now - oldest));
                let waits = webhook.oldest.is_some() || webhook.replays;
                if waits && webhook.retry_at.is_none_or(|retry_at| retry_at <= now) {
                    self.visit(webhook);
                }
            }
        }
        self.lanes.note_endpoints(endpoints);
        self.metrics.set_webhooks(failing, backlog.to_std().unwrap_or_default());
        Ok(())
    }

    /// Sends to an endpoint, unless that goes on already: then it goes on once more.
    fn visit(&self, found: &FoundWebhook) {
        let FoundWebhook { tenant, id, failing, .. } = *found;
        let mut in_hand = self.in_hand();
        if in_hand.len() >= IN_HAND_MAX {
            return;
        }
        match in_hand.entry(id) {
            Entry::Occupied(mut entry) => {
                entry.insert(Again::Yes);
            }
            Entry::Vacant(entry) => {
                entry.insert(Again::No);
                let courier = self.clone();
                self.tasks.spawn(async move { courier.attend(tenant, id, failing).await });
            }
        }
    }

    /// Sends to an endpoint until nothing is left for it now.
    async fn attend(self, tenant: TenantId, id: WebhookId, failing: bool) {
        let mut failing = failing;
        loop {
            let ended = self.take_turn(tenant, id, failing).await;
            if let endpoint::Ended::Failed(Some(wait)) = ended {
                self.later(tenant, id, wait);
            }
            failing = matches!(ended, endpoint::Ended::Failed(_));
            let mut in_hand = self.in_hand();
            let again = in_hand.get(&id) == Some(&Again::Yes) || ended == endpoint::Ended::Yields;
            if !again || failing || self.cancel.is_cancelled() {
                in_hand.remove(&id);
                return;
            }
            in_hand.insert(id, Again::No);
        }
    }

    /// Visits an endpoint again after a short wait.
    fn later(&self, tenant: TenantId, id: WebhookId, wait: TimeDelta) {
        let Some(wait) = Some(wait).filter(|wait| *wait <= TIMED_MAX).and_then(|wait| wait.to_std().ok()) else {
            return;
        };
        let courier = self.clone();
        self.tasks.spawn(async move {
            if courier.cancel.run_until_cancelled(sleep(wait)).await.is_some() {
                let (retry_at, oldest) = (None, None);
                courier.visit(&FoundWebhook { tenant, id, retry_at, failing: true, oldest, replays: false });
            }
        });
    }

    fn in_hand(&self) -> MutexGuard<'_, HashMap<WebhookId, Again>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
