//! Runs the handler for each delivery: concurrency, retries, panics, and an orderly end. Both arms share it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::delivery::{Delivery, Settlement};
use super::{Handled, Lane, QueueLimits, Wakeup};
use crate::metrics::Metrics;

type BoxedHandler = dyn Fn(Wakeup) -> Pin<Box<dyn Future<Output = Handled> + Send>> + Send + Sync;

/// Longest wait for a broker to take a settlement, so that a hanging one does not hold up a stop.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// Runs handlers, at most `concurrency` at a time over all connections this consumer ever has.
pub(super) struct Dispatcher {
    pub(super) lane: Lane,
    /// Unsettled deliveries this consumer may hold.
    pub(super) outstanding: u16,
    pub(super) cancel: CancellationToken,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

struct Shared {
    lane: Lane,
    limits: QueueLimits,
    running: Semaphore,
    cancel: CancellationToken,
    metrics: Metrics,
    handler: Box<BoxedHandler>,
}

impl Dispatcher {
    pub(super) fn new<H, F>(
        lane: Lane,
        concurrency: usize,
        limits: &QueueLimits,
        cancel: CancellationToken,
        metrics: &Metrics,
        handler: H,
    ) -> Self
    where
        H: Fn(Wakeup) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let shared = Shared {
            lane,
            limits: limits.clone(),
            running: Semaphore::new(concurrency.max(1)),
            cancel: cancel.clone(),
            metrics: metrics.clone(),
            handler: Box::new(move |wakeup| Box::pin(handler(wakeup))),
        };
        let outstanding = limits.outstanding(concurrency);
        Self { lane, outstanding, cancel, shared: Arc::new(shared), tasks: TaskTracker::new() }
    }

    /// Starts a task for one delivery; `slot`, one of the outstanding ones, is released when it is settled.
    pub(super) fn dispatch<T: Send + 'static>(&self, wakeup: Wakeup, delivery: Delivery, slot: T) {
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            shared.work(wakeup, delivery).await;
            drop(slot);
        });
    }

    /// Dead-letters a message that is not a wake-up.
    pub(super) fn refuse(&self, delivery: Delivery, reason: &str) {
        tracing::warn!(lane = self.lane.name(), reason, "a malformed wake-up was dead-lettered");
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move { shared.settle(delivery, Settlement::Malformed).await });
    }

    /// Waits for every delivery to be settled. Call it after the last dispatch.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Shared {
    async fn work(&self, wakeup: Wakeup, delivery: Delivery) {
        let settlement = match self.handle(wakeup, &delivery).await {
            None => return,
            Some(Settlement::Failed) => self.pause_before_retry(delivery.attempts()).await,
            Some(settlement) => settlement,
        };
        self.settle(delivery, settlement).await;
    }

    /// `None` when the delivery's connection broke while it waited for a permit.
    async fn handle(&self, wakeup: Wakeup, delivery: &Delivery) -> Option<Settlement> {
        let turn = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Some(Settlement::HandedBack),
            turn = self.running.acquire() => turn,
        };
        if !delivery.settleable() {
            return None;
        }
        let tenant = wakeup.tenant_id;
        // Called inside the guarded future: the closure itself may panic before it returns a future.
        let handled = AssertUnwindSafe(async { (self.handler)(wakeup).await }).catch_unwind().await;
        drop(turn);
        Some(match handled {
            Ok(Handled::Done) => Settlement::Done,
            Ok(Handled::Retry) => Settlement::Failed,
            Err(_) => {
                tracing::error!(%tenant, lane = self.lane.name(), "the handler of a wake-up panicked");
                Settlement::Failed
            }
        })
    }

    /// The queue delivers a rejected wake-up again at once, so the back-off happens here. It keeps a slot among the
    /// outstanding ones but no handler's permit.
    async fn pause_before_retry(&self, attempts: u32) -> Settlement {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep(self.limits.retry_delay(attempts)) => {}
        }
        Settlement::Failed
    }

    async fn settle(&self, delivery: Delivery, settlement: Settlement) {
        self.metrics.wakeup_received(self.lane, settlement.label());
        let lane = self.lane.name();
        match tokio::time::timeout(SETTLE_LIMIT, delivery.settle(settlement)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, lane, "a settlement was lost; the broker delivers again");
            }
            Err(_) => tracing::debug!(lane, "the broker takes no settlement; it delivers again"),
        }
    }
}
