//! The worker: takes wake-ups, reconciles tenants one lease at a time, and sweeps for what no wake-up found.

mod prune;
mod recheck;
mod reconcile;
mod sweep;

use recheck::Recheck;
use rollcall_runtime::{Lane, Metrics, Queue};
use rollcall_store::Store;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Tenants reconciled at once because of a push.
    pub push_concurrency: usize,
    /// Tenants reconciled at once because of bulk work.
    pub bulk_concurrency: usize,
    /// Changes planned and applied together at most; bounds memory and the time a transaction takes.
    pub chunk_changes_max: usize,
    /// How long a lease lasts without being extended; every chunk extends it.
    pub lease_ttl: Duration,
    /// How often tenants with forgotten changes are looked for.
    pub sweep_interval: Duration,
    /// How long ended runs and their items are kept.
    pub run_retention: Duration,
}

/// One worker of a process. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    store: Store,
    queue: Queue,
    metrics: Metrics,
    config: WorkerConfig,
    /// Names this worker in the leases it takes.
    holder: Uuid,
    recheck: Arc<Recheck>,
    /// When a push was last looked at: bulk work gives way to those that follow.
    last_push: Arc<Mutex<Option<Instant>>>,
}

impl Worker {
    pub fn new(store: Store, queue: Queue, metrics: Metrics, config: WorkerConfig) -> Self {
        let holder = store.clock.new_id();
        let recheck = Arc::new(Recheck::new(queue.clone()));
        Self { store, queue, metrics, config, holder, recheck, last_push: Arc::default() }
    }

    /// Works until cancelled; then finishes the chunks in hand and returns.
    pub async fn run(self, cancel: CancellationToken) {
        tokio::join!(
            self.consume(Lane::Push, self.config.push_concurrency, &cancel),
            self.consume(Lane::Bulk, self.config.bulk_concurrency, &cancel),
            sweep::run(&self, &cancel),
            prune::run(&self, &cancel),
        );
    }

    async fn consume(&self, lane: Lane, concurrency: usize, cancel: &CancellationToken) {
        let (worker, stop) = (self.clone(), cancel.clone());
        let handler = move |wakeup| {
            let (worker, stop) = (worker.clone(), stop.clone());
            async move { worker.reconcile(wakeup, &stop).await }
        };
        self.queue.consume(lane, concurrency, cancel.clone(), handler).await;
    }
}
