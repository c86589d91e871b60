//! The worker: takes wake-ups, reconciles one tenant per lease, sweeps for changes whose wake-up was lost, and sends webhooks.

mod deliver;
mod prune;
mod recheck;
mod reconcile;
mod relay;
mod sweep;
mod upkeep;
mod uploads;

pub use deliver::Delivery;
pub use relay::Relay;

use recheck::Recheck;
use rollcall_runtime::{Lane, Metrics, Queue, Wakeup};
use rollcall_store::Store;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Tenants reconciled concurrently in the push lane.
    pub push_concurrency: usize,
    /// Tenants reconciled concurrently in the bulk lane.
    pub bulk_concurrency: usize,
    /// Most changes in one chunk; bounds memory and the time a transaction takes.
    pub chunk_changes_max: usize,
    /// Life of a lease without a renewal; every chunk renews it.
    pub lease_ttl: Duration,
    /// Interval between two sweeps.
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
    /// None where this worker sends no webhooks.
    delivery: Option<Delivery>,
    /// None where events go to no exchange.
    relay: Option<Relay>,
    /// Time of the last push, because bulk work uses smaller chunks while pushes come in.
    last_push: Arc<Mutex<Option<Instant>>>,
}

impl Worker {
    pub fn new(store: Store, queue: Queue, metrics: Metrics, config: WorkerConfig) -> Self {
        let holder = store.clock.new_id();
        let recheck = Arc::new(Recheck::new(queue.clone()));
        Self { store, queue, metrics, config, holder, recheck, delivery: None, relay: None, last_push: Arc::default() }
    }

    /// The same, which also sends webhooks.
    #[must_use]
    pub fn sending(self, delivery: Delivery) -> Self {
        Self { delivery: Some(delivery), ..self }
    }

    /// The same, which also relays events to an exchange.
    #[must_use]
    pub fn relaying(self, relay: Option<Relay>) -> Self {
        Self { relay, ..self }
    }

    /// Works until cancelled, then finishes the running chunks and returns.
    pub async fn run(self, cancel: CancellationToken) {
        tokio::join!(
            self.consume(Lane::Push, self.config.push_concurrency, &cancel),
            self.consume(Lane::Bulk, self.config.bulk_concurrency, &cancel),
            sweep::run(&self, &cancel),
            prune::run(&self, &cancel),
            upkeep::run(&self, &cancel),
            deliver::run(&self, &cancel),
            uploads::run(&self, &cancel),
            relay::run(&self, &cancel),
        );
    }

    async fn consume(&self, lane: Lane, concurrency: usize, cancel: &CancellationToken) {
        let (worker, stop) = (self.clone(), cancel.clone());
        let handler = move |wakeup: Wakeup| {
            let (worker, stop) = (worker.clone(), stop.clone());
            async move {
                if wakeup.lane == Lane::Bulk {
                    worker.apply_uploads(wakeup.tenant_id.into(), &stop).await;
                }
                worker.reconcile(wakeup, &stop).await
            }
        };
        self.queue.consume(lane, concurrency, cancel.clone(), handler).await;
    }
}
