//! Retention of runs, and of access tokens that have ended: expired ones are deleted in bounded batches. Every worker does it, at its
//! start and every hour; concurrent workers delete disjoint rows.

use crate::Worker;
use chrono::TimeDelta;
use rollcall_store::StoreError;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3_600);
/// Time for which an access token stays after its end: longer than any process asks which ones have ended.
const TOKENS_KEPT: TimeDelta = TimeDelta::hours(1);

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = turn.tick() => {}
        }
        if let Err(error) = forget_old_runs(worker, cancel).await {
            tracing::warn!(%error, "old runs could not be forgotten; the next turn goes on");
        }
        if let Err(error) = forget_access_tokens(worker, cancel).await {
            tracing::warn!(%error, "ended access tokens could not be forgotten; the next turn goes on");
        }
    }
}

async fn forget_old_runs(worker: &Worker, cancel: &CancellationToken) -> Result<(), StoreError> {
    let kept = TimeDelta::from_std(worker.config.run_retention).unwrap_or(TimeDelta::MAX);
    let Some(before) = worker.store.clock.now().checked_sub_signed(kept) else { return Ok(()) };
    let mut after = None;
    loop {
        let tenants = worker.store.tenants_with_old_runs(before, after).await?;
        let Some(last) = tenants.last() else { return Ok(()) };
        after = Some(*last);
        for tenant in tenants {
            while !cancel.is_cancelled() && worker.store.forget_old_runs(tenant, before).await? {}
        }
        if cancel.is_cancelled() {
            return Ok(());
        }
    }
}

async fn forget_access_tokens(worker: &Worker, cancel: &CancellationToken) -> Result<(), StoreError> {
    let before = worker.store.clock.now() - TOKENS_KEPT;
    let mut after = None;
    loop {
        let tenants = worker.store.tenants_with_ended_tokens(before, after).await?;
        let Some(last) = tenants.last() else { return Ok(()) };
        after = Some(*last);
        for tenant in tenants {
            while !cancel.is_cancelled() && worker.store.forget_access_tokens(tenant, before).await? {}
        }
        if cancel.is_cancelled() {
            return Ok(());
        }
    }
}
