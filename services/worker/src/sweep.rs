//! The safety net: a wake-up may be lost, the mark in the database is not. At the start and every half minute, tenants
//! with unconsumed changes are woken.

use crate::Worker;
use rollcall_runtime::Lane;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Tenants woken by one sweep at most; the next one goes on.
const TENANTS_MAX: u32 = 10_000;
/// How often queue depth and lag are measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut sweep = interval(worker.config.sweep_interval);
    let mut measure = interval(MEASURE_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = sweep.tick() => wake_due(worker).await,
            _ = measure.tick() => set_gauges(worker).await,
        }
    }
}

async fn wake_due(worker: &Worker) {
    match worker.store.due_tenants(TENANTS_MAX).await {
        Ok(tenants) => {
            if !tenants.is_empty() {
                tracing::info!(tenants = tenants.len(), "the sweep found tenants with changes");
            }
            for tenant in tenants {
                worker.queue.wake(tenant.0, Lane::Push);
            }
        }
        Err(error) => tracing::warn!(%error, "the sweep could not look for tenants with changes"),
    }
}

async fn set_gauges(worker: &Worker) {
    // A broker that is away has said so already; the gauges keep their values.
    let _ = worker.queue.depth().await;
    match worker.store.backlog().await {
        Ok(backlog) => {
            worker.metrics.set_change_lag(Duration::from_secs_f64(backlog.lag_seconds));
            worker.metrics.set_runs_held(backlog.held_runs);
        }
        Err(error) => tracing::warn!(%error, "the backlog could not be measured"),
    }
}
