//! Wake-ups on their way to the broker: waiting ones, and the count of those in flight.
//!
//! Bounded in three ways: one entry per tenant and lane, a largest number of entries, and a longest wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{Lane, Wakeup};
use crate::metrics::{LostReason, Metrics};
use crate::telemetry::TraceContext;

/// Most waiting wake-ups: some 20 MB with their trace contexts.
const CAPACITY: usize = 65_536;

pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    /// Wake-ups waiting or in flight.
    unsettled: watch::Sender<usize>,
    metrics: Metrics,
}

type Key = (Uuid, Lane);

/// `order` holds the keys of `entries`, each once, oldest first.
#[derive(Default)]
struct Waiting {
    order: VecDeque<Key>,
    entries: HashMap<Key, Entry>,
}

struct Entry {
    since: Instant,
    trace: TraceContext,
}

impl Outbox {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { waiting: Mutex::default(), arrived: Notify::new(), unsettled: watch::Sender::new(0), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change under the lock is complete at each point where it could panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a wake-up, or coalesces it with a waiting one.
    pub(super) fn add(&self, tenant: Uuid, lane: Lane, trace: TraceContext) {
        let key = (tenant, lane);
        let mut waiting = self.lock();
        if waiting.entries.contains_key(&key) {
            self.metrics.wakeup_coalesced(lane);
            return;
        }
        if waiting.order.len() >= CAPACITY {
            self.metrics.wakeup_lost(lane, LostReason::Overflow);
            return;
        }
        waiting.entries.insert(key, Entry { since: Instant::now(), trace });
        waiting.order.push_back(key);
        self.unsettled.send_modify(|count| *count += 1);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Moves the oldest waiting wake-up in flight. A later wake-up of its tenant does not coalesce with it, because a
    /// worker may have looked at the tenant already.
    pub(super) async fn take(&self) -> Flight<'_> {
        loop {
            let arrived = self.arrived.notified();
            if let Some((key, entry)) = self.lock().pop() {
                let wakeup = Wakeup { tenant_id: key.0, lane: key.1, trace: entry.trace };
                return Flight { wakeup, outbox: self, fate: Err(LostReason::Disconnected) };
            }
            arrived.await;
        }
    }

    /// Drops entries that have waited longer than `longest`.
    pub(super) fn expire(&self, longest: Duration) {
        let mut expired = 0;
        let mut waiting = self.lock();
        while let Some(key) = waiting.order.front().copied() {
            let fresh = waiting.entries.get(&key).is_some_and(|entry| entry.since.elapsed() <= longest);
            if fresh {
                break;
            }
            waiting.pop();
            self.metrics.wakeup_lost(key.1, LostReason::Timeout);
            expired += 1;
        }
        drop(waiting);
        self.settle(expired);
    }

    /// Resolves when nothing waits and nothing is in flight.
    pub(super) async fn settled(&self) {
        // An error would mean that the sender is gone, and it lives in `self`.
        let _ = self.unsettled.subscribe().wait_for(|count| *count == 0).await;
    }

    fn settle(&self, count: usize) {
        if count > 0 {
            self.unsettled.send_modify(|unsettled| *unsettled = unsettled.saturating_sub(count));
        }
    }
}

/// A wake-up in flight. Dropped without a result, as when its connection breaks, it counts as lost.
pub(super) struct Flight<'a> {
    pub(super) wakeup: Wakeup,
    outbox: &'a Outbox,
    fate: Result<(), LostReason>,
}

impl Flight<'_> {
    /// The broker has confirmed the wake-up.
    pub(super) fn confirmed(mut self) {
        self.fate = Ok(());
    }

    /// The wake-up did not reach the broker, or its fate is unknown.
    pub(super) fn lost(mut self, reason: LostReason) {
        self.fate = Err(reason);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        match self.fate {
            Ok(()) => self.outbox.metrics.wakeup_published(self.wakeup.lane),
            Err(reason) => self.outbox.metrics.wakeup_lost(self.wakeup.lane, reason),
        }
        self.outbox.settle(1);
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<(Key, Entry)> {
        let key = self.order.pop_front()?;
        self.entries.remove(&key).map(|entry| (key, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> (Outbox, Metrics) {
        let metrics = Metrics::new().unwrap();
        (Outbox::new(metrics.clone()), metrics)
    }

    fn tenant(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[tokio::test]
    async fn a_wakeup_is_merged_while_one_waits_but_not_once_it_is_in_flight() {
        let (outbox, metrics) = outbox();
        outbox.add(tenant(1), Lane::Push, TraceContext::default());
        outbox.add(tenant(1), Lane::Push, TraceContext::default());
        outbox.add(tenant(1), Lane::Bulk, TraceContext::default());
        let first = outbox.take().await;
        assert_eq!(first.wakeup.lane, Lane::Push);
        outbox.add(tenant(1), Lane::Push, TraceContext::default());
        let (second, third) = (outbox.take().await, outbox.take().await);
        assert_eq!((second.wakeup.lane, third.wakeup.lane), (Lane::Bulk, Lane::Push));
        assert!(metrics.render().contains(r#"rollcall_wakeups_coalesced_total{lane="push"} 1"#));
        assert_eq!(*outbox.unsettled.borrow(), 3);
        first.confirmed();
        second.lost(LostReason::Refused);
        drop(third);
        outbox.settled().await;
        let text = metrics.render();
        for line in [
            r#"rollcall_wakeups_published_total{lane="push"} 1"#,
            r#"rollcall_wakeups_lost_total{lane="bulk",reason="refused"} 1"#,
            r#"rollcall_wakeups_lost_total{lane="push",reason="disconnected"} 1"#,
        ] {
            assert!(text.contains(line), "missing {line} in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_too_long_is_counted_and_dropped() {
        let (outbox, metrics) = outbox();
        outbox.add(tenant(1), Lane::Push, TraceContext::default());
        tokio::time::advance(Duration::from_secs(2)).await;
        outbox.add(tenant(2), Lane::Push, TraceContext::default());
        outbox.expire(Duration::from_secs(1));
        assert!(metrics.render().contains(r#"rollcall_wakeups_lost_total{lane="push",reason="timeout"} 1"#));
        let flight = outbox.take().await;
        assert_eq!(flight.wakeup.tenant_id, tenant(2));
        flight.confirmed();
        outbox.settled().await;
    }

    #[tokio::test]
    async fn memory_is_bounded_whatever_the_number_of_tenants() {
        let (outbox, metrics) = outbox();
        for number in 0..CAPACITY as u128 + 10 {
            outbox.add(tenant(number), Lane::Push, TraceContext::default());
        }
        assert_eq!(outbox.lock().order.len(), CAPACITY);
        assert!(metrics.render().contains(r#"rollcall_wakeups_lost_total{lane="push",reason="overflow"} 10"#));
    }
}
