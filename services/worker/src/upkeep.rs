//! The upkeep of every tenant, every hour, by the one worker that takes the turn: the counts of the day are written, requests with an
//! idempotency key are forgotten after their time, and uploads that nobody completes end.

use crate::Worker;
use chrono::TimeDelta;
use rollcall_core::ids::TenantId;
use rollcall_store::{Store, StoreError, UpkeepTurn};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Time between the beginnings of two turns.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// Time after which a worker asks for the turn again: so much later another one takes over from a worker that died.
const ASKED: Duration = Duration::from_secs(300);
/// Tenants of one look.
const TENANTS: u32 = 200;

pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut asks = interval(ASKED);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(asks.tick()).await.is_some() {
        if let Err(error) = one_turn(&worker.store, cancel).await {
            tracing::warn!(%error, "the upkeep of tenants ended early; another turn begins it anew");
        }
    }
}

async fn one_turn(store: &Store, cancel: &CancellationToken) -> Result<(), StoreError> {
    let Some(turn) = store.take_upkeep_turn(EVERY).await? else { return Ok(()) };
    let ended = all_tenants(store, cancel).await;
    if ended.is_err() || cancel.is_cancelled() {
        give_back(store, turn).await;
    }
    ended
}

async fn give_back(store: &Store, turn: UpkeepTurn) {
    if let Err(error) = store.give_upkeep_turn_back(turn).await {
        tracing::warn!(%error, "the turn of the upkeep could not be given back; the next one is an hour later");
    }
}

/// A tenant that fails is left out of this turn. A database that is away ends it.
async fn all_tenants(store: &Store, cancel: &CancellationToken) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let tenants = store.tenant_ids_after(after, TENANTS).await?;
        let Some(last) = tenants.last() else { return Ok(()) };
        after = Some(*last);
        for tenant in tenants {
            if cancel.is_cancelled() {
                return Ok(());
            }
            match one_tenant(store, tenant, cancel).await {
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %tenant, "the upkeep of a tenant failed; the next turn tries again")
                }
                Ok(()) => {}
            }
        }
    }
}

async fn one_tenant(store: &Store, tenant: TenantId, cancel: &CancellationToken) -> Result<(), StoreError> {
    let counted = store.note_day(tenant).await;
    while !cancel.is_cancelled() && store.forget_answers(tenant).await? {}
    store.forget_uploads(tenant).await?;
    counted
}
