//! The sweep: finds changes whose wake-up was lost. At the start and every half minute, tenants with unconsumed changes
//! are reconciled in this process, without the broker, which may be away.

use crate::Worker;
use rollcall_core::ids::TenantId;
use rollcall_runtime::{Lane, TraceContext, Wakeup};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Most tenants of one sweep; the next one goes on.
const TENANTS_MAX: u32 = 1_000;
/// Interval between measurements of queue depth and lag.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut sweep = interval(worker.config.sweep_interval);
    let mut measure = interval(MEASURE_EVERY);
    let slots = Arc::new(Semaphore::new(worker.config.bulk_concurrency));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = sweep.tick() => reconcile_due(worker, &slots, cancel).await,
            _ = measure.tick() => set_gauges(worker).await,
        }
    }
}

async fn reconcile_due(worker: &Worker, slots: &Arc<Semaphore>, cancel: &CancellationToken) {
    let tenants = match worker.store.due_tenants(TENANTS_MAX).await {
        Ok(tenants) => tenants,
        Err(error) => return tracing::warn!(%error, "the sweep could not look for tenants with changes"),
    };
    if !tenants.is_empty() {
        tracing::info!(tenants = tenants.len(), "the sweep found tenants with changes");
    }
    // In the background, so that a long list does not delay the gauges. An overlapping sweep finds the same tenants
    // again, and their leases turn it away.
    let (worker, slots, cancel) = (worker.clone(), Arc::clone(slots), cancel.clone());
    tokio::spawn(async move {
        for tenant in tenants {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            if cancel.is_cancelled() {
                return;
            }
            let (worker, cancel) = (worker.clone(), cancel.clone());
            tokio::spawn(async move {
                worker.reconcile(swept(tenant), &cancel).await;
                drop(slot);
            });
        }
    });
}

fn swept(tenant: TenantId) -> Wakeup {
    Wakeup { tenant_id: tenant.0, lane: Lane::Bulk, trace: TraceContext::default() }
}

async fn set_gauges(worker: &Worker) {
    // An outage of the broker is logged elsewhere; the gauges keep their values.
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
