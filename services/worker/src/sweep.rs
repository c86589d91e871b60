//! The sweep: finds changes whose wake-up was lost. At the start and every half minute, tenants with unconsumed changes
//! are reconciled in this process, without the broker, which may be away. It goes round all tenants in the order of their ids, and the
//! next sweep goes on where it stopped. Workers begin at different tenants, so that they do not look for the same ones.

use crate::Worker;
use rollcall_core::ids::TenantId;
use rollcall_runtime::{Lane, TraceContext, Wakeup};
use rollcall_store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Most tenants of one look.
const TENANTS_MAX: u32 = 1_000;
/// Interval between measurements of queue depth and lag.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// Places among all tenants where a sweep may begin.
const PLACES: u128 = 1_000_000;

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    // Beside each other, so that a long sweep does not delay the gauges.
    tokio::join!(sweep(worker, cancel), measure(worker, cancel));
}

async fn sweep(worker: &Worker, cancel: &CancellationToken) {
    let mut turn = interval(worker.config.sweep_interval);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let place = u32::try_from(worker.holder.as_u128() % PLACES).unwrap_or(0);
    let mut after = worker.store.tenant_at(place).await.unwrap_or_default();
    while cancel.run_until_cancelled(turn.tick()).await.is_some() {
        if let Err(error) = go_round(worker, &mut after, TENANTS_MAX, cancel).await {
            tracing::warn!(%error, "the sweep could not look for tenants with changes");
        }
    }
}

/// Goes round all tenants once, beginning after one, `tenants_max` at a look; `after` is where the next round begins.
async fn go_round(
    worker: &Worker,
    after: &mut Option<TenantId>,
    tenants_max: u32,
    cancel: &CancellationToken,
) -> Result<(), StoreError> {
    let begun_after = *after;
    let mut from_the_first = begun_after.is_none();
    while !cancel.is_cancelled() {
        let tenants = worker.store.due_tenants(*after, tenants_max).await?;
        let is_end = tenants.len() < usize::try_from(tenants_max).unwrap_or(usize::MAX);
        *after = tenants.last().copied();
        if !tenants.is_empty() {
            tracing::info!(tenants = tenants.len(), "the sweep found tenants with changes");
            reconcile(worker, tenants, cancel).await;
        }
        if is_end {
            *after = None;
        }
        if from_the_first && (is_end || begun_after.is_some() && *after >= begun_after) {
            break;
        }
        from_the_first |= is_end;
    }
    Ok(())
}

/// Reconciles these tenants, as many at once as bulk work may.
async fn reconcile(worker: &Worker, tenants: Vec<TenantId>, cancel: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(worker.config.bulk_concurrency));
    let mut turns = JoinSet::new();
    for tenant in tenants {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        if cancel.is_cancelled() {
            break;
        }
        let (worker, cancel) = (worker.clone(), cancel.clone());
        turns.spawn(async move {
            worker.reconcile(swept(tenant), &cancel).await;
            drop(slot);
        });
    }
    turns.join_all().await;
}

fn swept(tenant: TenantId) -> Wakeup {
    Wakeup { tenant_id: tenant.0, lane: Lane::Bulk, trace: TraceContext::default() }
}

async fn measure(worker: &Worker, cancel: &CancellationToken) {
    let mut turn = interval(MEASURE_EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut database, mut shared) = (None, false);
    while cancel.run_until_cancelled(turn.tick()).await.is_some() {
        set_gauges(worker).await;
        if database.is_none() {
            database = worker.store.database_name().await.unwrap_or_default();
        }
        if let Some(database) = &database {
            look_for_another_hub(worker, database, &mut shared).await;
        }
    }
}

/// A hub with another database on the same queues takes wake-ups of this one, whose members then appear late.
async fn look_for_another_hub(worker: &Worker, database: &str, was_shared: &mut bool) {
    let Ok(shared) = worker.queue.is_shared(database).await else { return };
    match (*was_shared, shared) {
        (false, true) => tracing::warn!(
            "another hub, with another database, uses the queues of this one and takes its wake-ups: members appear late, by the sweep; \
             give each hub a queue.prefix of its own"
        ),
        (true, false) => tracing::info!("no other hub uses the queues any more"),
        _ => {}
    }
    *was_shared = shared;
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

#[cfg(test)]
mod tests;
