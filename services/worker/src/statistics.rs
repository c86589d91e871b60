//! The day's counts of every tenant, written at the start and every hour.

use crate::Worker;
use rollcall_store::StoreError;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3_600);
/// Tenants of one look.
const TENANTS: u32 = 200;

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(turn.tick()).await.is_some() {
        if let Err(error) = note_days(worker, cancel).await {
            tracing::warn!(%error, "the counts of the day could not be written; the next turn goes on");
        }
    }
}

async fn note_days(worker: &Worker, cancel: &CancellationToken) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let tenants = worker.store.tenant_ids_after(after, TENANTS).await?;
        let Some(last) = tenants.last() else { return Ok(()) };
        after = Some(*last);
        for tenant in tenants {
            if cancel.is_cancelled() {
                return Ok(());
            }
            worker.store.note_day(tenant).await?;
        }
    }
}
