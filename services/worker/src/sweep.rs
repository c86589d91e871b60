//! The safety net: a wake-up may be lost, the mark in the database is not. At the start and every half minute, tenants
//! with unconsumed changes are reconciled right here, without the broker, which may be what is missing.

use crate::Worker;
use rollcall_core::ids::TenantId;
use rollcall_runtime::{Lane, TraceContext, Wakeup};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Tenants taken by one sweep at most; the next one goes on.
const TENANTS_MAX: u32 = 1_000;
/// How often queue depth and lag are measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut sweep = interval(worker.config.sweep_interval);
    let mut measure = interval(MEASURE_EVERY);
    let places = Arc::new(Semaphore::new(worker.config.bulk_concurrency));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = sweep.tick() => reconcile_due(worker, &places, cancel).await,
            _ = measure.tick() => set_gauges(worker).await,
        }
    }
}

async fn reconcile_due(worker: &Worker, places: &Arc<Semaphore>, cancel: &CancellationToken) {
    let tenants = match worker.store.due_tenants(TENANTS_MAX).await {
        Ok(tenants) => tenants,
        Err(error) => return tracing::warn!(%error, "the sweep could not look for tenants with changes"),
    };
    if !tenants.is_empty() {
        tracing::info!(tenants = tenants.len(), "the sweep found tenants with changes");
    }
    // In the background: a long list must not keep the gauges waiting. A sweep that comes before the last one has ended
    // finds the same tenants again; their leases sort that out.
    let (worker, places, cancel) = (worker.clone(), Arc::clone(places), cancel.clone());
    tokio::spawn(async move {
        for tenant in tenants {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            if cancel.is_cancelled() {
                return;
            }
            let (worker, cancel) = (worker.clone(), cancel.clone());
            tokio::spawn(async move {
                worker.reconcile(swept(tenant), &cancel).await;
                drop(place);
            });
        }
    });
}

fn swept(tenant: TenantId) -> Wakeup {
    Wakeup { tenant_id: tenant.0, lane: Lane::Bulk, trace: TraceContext::default() }
}

async fn set_gauges(worker: &Worker) {
    // A broker that is away has said so already; the gauges keep their values.
    let _ = worker.queue.depth().await;
    match worker.store.backlog().await {
        Ok(backlog) => {
            worker.metrics.set_change_lag(Duration::from_secs_f64(backlog.lag_seconds));
            worker.metrics.set_runs_held(backlog.held_runs);
            worker.metrics.set_sources_quarantined(backlog.quarantined_sources);
        }
        Err(error) => tracing::warn!(%error, "the backlog could not be measured"),
    }
}
