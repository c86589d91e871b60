//! The arm without a broker: one bounded, coalescing queue for each lane, in memory.
//!
//! Nothing survives the process; at the next start the sweep finds every tenant with unconsumed changes.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::delivery::{Delivery, Settlement};
use super::dispatch::Dispatcher;
use super::{Depth, Lane, QueueLimits, Wakeup};
use crate::metrics::{LostReason, Metrics};
use crate::telemetry::TraceContext;

#[derive(Clone)]
pub(super) struct InProcess {
    state: Arc<State>,
}

struct State {
    push: LaneState,
    bulk: LaneState,
    dead: AtomicU64,
    limits: QueueLimits,
    metrics: Metrics,
}

#[derive(Default)]
struct LaneState {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

/// `order` holds the keys of `entries`, each once.
#[derive(Default)]
struct Waiting {
    order: VecDeque<Uuid>,
    entries: HashMap<Uuid, Entry>,
}

struct Entry {
    trace: TraceContext,
    attempts: u32,
}

impl State {
    fn lane(&self, lane: Lane) -> &LaneState {
        match lane {
            Lane::Push => &self.push,
            Lane::Bulk => &self.bulk,
        }
    }
}

impl LaneState {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change under the lock is complete at each point where it could panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a tenant, or coalesces with its entry. Refuses when the lane is full.
    fn add(&self, tenant: Uuid, entry: Entry, max_length: u32) -> Added {
        let mut waiting = self.lock();
        if let Some(present) = waiting.entries.get_mut(&tenant) {
            present.attempts = present.attempts.min(entry.attempts);
            return Added::Merged;
        }
        if waiting.order.len() >= max_length as usize {
            return Added::Refused;
        }
        waiting.entries.insert(tenant, entry);
        waiting.order.push_back(tenant);
        drop(waiting);
        self.arrived.notify_one();
        Added::New
    }

    async fn take(&self) -> (Uuid, Entry) {
        loop {
            if let Some(taken) = self.take_now() {
                return taken;
            }
            self.arrived.notified().await;
        }
    }

    fn take_now(&self) -> Option<(Uuid, Entry)> {
        let mut waiting = self.lock();
        let tenant = waiting.order.pop_front()?;
        let entry = waiting.entries.remove(&tenant)?;
        if !waiting.order.is_empty() {
            // One permit stands for all that wait, so it passes to the next consumer.
            self.arrived.notify_one();
        }
        Some((tenant, entry))
    }

    fn len(&self) -> u64 {
        self.lock().order.len() as u64
    }
}

enum Added {
    New,
    Merged,
    Refused,
}

impl InProcess {
    pub(super) fn new(limits: QueueLimits, metrics: Metrics) -> Self {
        let state =
            State { push: LaneState::default(), bulk: LaneState::default(), dead: AtomicU64::new(0), limits, metrics };
        Self { state: Arc::new(state) }
    }

    pub(super) fn limits(&self) -> &QueueLimits {
        &self.state.limits
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.state.metrics
    }

    pub(super) fn wake(&self, tenant: Uuid, lane: Lane, trace: TraceContext) {
        let state = &self.state;
        match state.lane(lane).add(tenant, Entry { trace, attempts: 0 }, state.limits.max_length) {
            Added::New => state.metrics.wakeup_published(lane),
            Added::Merged => state.metrics.wakeup_coalesced(lane),
            Added::Refused => state.metrics.wakeup_lost(lane, LostReason::Refused),
        }
    }

    pub(super) async fn consume(&self, dispatcher: Dispatcher) {
        let lane = dispatcher.lane;
        let slots = Arc::new(Semaphore::new(usize::from(dispatcher.outstanding)));
        loop {
            let next = async {
                // The semaphore is never closed.
                let slot = Arc::clone(&slots).acquire_owned().await.ok();
                (slot, self.state.lane(lane).take().await)
            };
            let (slot, (tenant_id, entry)) = tokio::select! {
                biased;
                () = dispatcher.cancel.cancelled() => break,
                next = next => next,
            };
            let wakeup = Wakeup { tenant_id, lane, trace: entry.trace.clone() };
            let loan = Loan { tenant: tenant_id, lane, entry, state: Arc::clone(&self.state) };
            dispatcher.dispatch(wakeup, Delivery::InProcess(loan), slot);
        }
        dispatcher.drain().await;
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            push: self.state.push.len(),
            bulk: self.state.bulk.len(),
            dead: self.state.dead.load(Ordering::Relaxed),
        }
    }

    pub(super) fn clear(&self) {
        for lane in Lane::ALL {
            *self.state.lane(lane).lock() = Waiting::default();
        }
        self.state.dead.store(0, Ordering::Relaxed);
    }
}

/// A wake-up taken from its lane and not settled yet.
pub(super) struct Loan {
    tenant: Uuid,
    lane: Lane,
    entry: Entry,
    state: Arc<State>,
}

impl Loan {
    pub(super) fn attempts(&self) -> u32 {
        self.entry.attempts
    }

    pub(super) fn settle(self, settlement: Settlement) {
        match settlement {
            Settlement::Done => {}
            Settlement::HandedBack => self.requeue(0),
            Settlement::Failed if self.entry.attempts < self.state.limits.delivery_limit => self.requeue(1),
            Settlement::Failed | Settlement::Malformed => self.bury(),
        }
    }

    fn requeue(mut self, failures: u32) {
        self.entry.attempts += failures;
        let added = self.state.lane(self.lane).add(self.tenant, self.entry, self.state.limits.max_length);
        if matches!(added, Added::Refused) {
            self.state.metrics.wakeup_lost(self.lane, LostReason::Refused);
        }
    }

    /// Counts the dead wake-up only: it holds nothing that the database does not know.
    fn bury(self) {
        tracing::warn!(tenant = %self.tenant, lane = self.lane.name(), "a wake-up failed too often and was dropped");
        let limit = u64::from(self.state.limits.dead_max_length);
        let _ = self
            .state
            .dead
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |dead| (dead < limit).then_some(dead + 1));
    }
}
