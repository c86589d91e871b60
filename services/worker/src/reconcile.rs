//! One tenant's turn: take the lease, plan and apply chunk by chunk, release the lease, and check for changes again.

use crate::Worker;
use chrono::TimeDelta;
use rollcall_core::guard::review;
use rollcall_core::ids::TenantId;
use rollcall_core::plan::plan;
use rollcall_runtime::{Handled, Lane, Wakeup};
use rollcall_store::{Applied, Chunk, Lease, LeaseAnswer, StoreError};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Chunks of one turn; then other tenants get theirs.
const CHUNKS_PER_TURN: usize = 8;
/// Changes of one bulk chunk while pushes come in, because the commits of the pushes wait for its commit.
const BULK_CHUNK_BESIDE_PUSHES: usize = 250;
/// Period after a push in which more are expected.
const PUSHES_EXPECTED: Duration = Duration::from_secs(1);
/// Longest time of a turn that has more to do; then other tenants get theirs.
const TURN_TIME: Duration = Duration::from_secs(4);
/// Part of a chunk that is read again when the expressions of the policy take too long for the whole.
const SMALLER: usize = 8;
/// Time that a chunk gets to be applied when the process is asked to stop. One that takes longer is rolled back.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Wait before the next try when the database itself is away.
const OUTAGE_WAIT: Duration = Duration::from_secs(1);

/// Result of a turn.
enum Turn {
    /// No change is left.
    Done,
    /// Changes are left, and other tenants come first.
    Yield,
}

impl Worker {
    /// Handles one wake-up. It is always acknowledged: a failure is recorded in the database, and the retry starts from
    /// there.
    pub(crate) async fn reconcile(&self, wakeup: Wakeup, cancel: &CancellationToken) -> Handled {
        let span =
            tracing::info_span!(parent: None, "reconcile", tenant_id = %wakeup.tenant_id, lane = wakeup.lane.name());
        wakeup.trace.link(&span);
        let started = Instant::now();
        if wakeup.lane == Lane::Push {
            *self.last_push.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        }
        let outcome = self.take_turn(wakeup.tenant_id.into(), wakeup.lane, cancel).instrument(span).await;
        self.metrics.reconcile(wakeup.lane, outcome, started.elapsed());
        Handled::Done
    }

    async fn take_turn(&self, tenant: TenantId, lane: Lane, cancel: &CancellationToken) -> &'static str {
        let lease = match self.take_lease(tenant, lane).await {
            Ok(lease) => lease,
            Err(outcome) => return outcome,
        };
        // The renewal has a task of its own, because planning blocks its thread.
        let mut keeper = JoinSet::new();
        let worker = self.clone();
        keeper.spawn(async move { worker.keep(&lease).await }.in_current_span());
        let turn = tokio::select! {
            turn = self.work(&lease, lane, cancel) => turn,
            _ = keeper.join_next() => Err(StoreError::LeaseLost),
        };
        drop(keeper);
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => return self.give_up(&lease, lane, error).await,
        };
        match (self.store.release(&lease).await, turn) {
            (Ok(false), _) => "ok",
            // A change committed while the lease was held may have had its wake-up turned away. The delay lets changes
            // accumulate under load, so that one chunk takes many of them.
            (Ok(true), Turn::Done) => {
                self.queue.wake(tenant.0, Lane::Push);
                "ok"
            }
            (Ok(true), Turn::Yield) => {
                self.queue.wake(tenant.0, Lane::Bulk);
                "ok"
            }
            (Err(error), _) => self.give_up(&lease, lane, error).await,
        }
    }

    async fn take_lease(&self, tenant: TenantId, lane: Lane) -> Result<Lease, &'static str> {
        let ttl = TimeDelta::from_std(self.config.lease_ttl).unwrap_or(TimeDelta::seconds(10));
        match self.store.lease(tenant, self.holder, ttl).await {
            Ok(LeaseAnswer::Granted(lease)) => Ok(lease),
            Ok(LeaseAnswer::Busy { until }) => {
                let wait = (until - self.store.clock.now()).to_std().unwrap_or_default();
                self.recheck.after(tenant.0, lane, wait);
                Err("busy")
            }
            Ok(LeaseAnswer::NoTenant) => Err("no_tenant"),
            Err(error) => {
                tracing::warn!(%error, "the lease could not be taken");
                self.recheck.after(tenant.0, lane, OUTAGE_WAIT);
                Err("unavailable")
            }
        }
    }

    /// Renews the lease until it is lost, so that a slow statement does not hand the tenant to a worker that would be
    /// as slow.
    async fn keep(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(self.config.lease_ttl / 3).await;
            if let Err(StoreError::LeaseLost) = self.store.renew(lease).await {
                return;
            }
        }
    }

    async fn work(&self, lease: &Lease, lane: Lane, cancel: &CancellationToken) -> Result<Turn, StoreError> {
        let (mut one_by_one, mut parts, mut tried, begun) = (false, 1, false, Instant::now());
        for _ in 0..CHUNKS_PER_TURN {
            // A turn gets at least one chunk to its apply, however long it takes to find one that is small enough.
            if tried && begun.elapsed() > TURN_TIME {
                return Ok(Turn::Yield);
            }
            let limit = if one_by_one { 1 } else { (self.chunk_limit(lane) / parts).max(1) };
            // A chunk that is being read is dropped when the process stops: its statement is cancelled, and its expressions end.
            let read = match cancel.run_until_cancelled(self.store.next_chunk(lease, limit)).await {
                Some(read) => read,
                None => return Ok(Turn::Yield),
            };
            let mut chunk = match read {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(Turn::Done),
                Err(StoreError::TooMuch(why)) if limit > 1 => {
                    tracing::warn!(why, limit, "a chunk takes too long to be read; it is read in smaller parts");
                    parts *= SMALLER;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (alone, last) = (chunk.changes == 1, chunk.changes < limit);
            let applied = tokio::select! {
                applied = self.plan_and_apply(lease, &mut chunk) => applied,
                () = patience_ends(cancel) => return Ok(Turn::Yield),
            };
            tried = true;
            match applied {
                Ok(applied) => {
                    if applied.held > 0 {
                        self.metrics.run_held();
                    }
                    if last {
                        return Ok(Turn::Done);
                    }
                }
                // Counts as a chunk of this turn, so that a member who moves all the time does not keep other tenants
                // waiting.
                Err(StoreError::Moved) => tracing::debug!("a member moved; the chunk is planned again"),
                Err(error @ (StoreError::Unavailable(_) | StoreError::Contended(_) | StoreError::LeaseLost)) => {
                    return Err(error);
                }
                Err(error) if alone => {
                    tracing::error!(%error, "a change cannot be applied and was set aside");
                    self.store.set_aside(lease, &chunk, &error.to_string()).await?;
                }
                Err(error) => {
                    tracing::warn!(%error, "a chunk failed; its changes are tried one by one");
                    one_by_one = true;
                }
            }
        }
        Ok(Turn::Yield)
    }

    fn chunk_limit(&self, lane: Lane) -> usize {
        let last_push = *self.last_push.lock().unwrap_or_else(PoisonError::into_inner);
        chunk_limit(self.config.chunk_changes_max, lane, last_push.map(|at| at.elapsed()))
    }

    async fn plan_and_apply(&self, lease: &Lease, chunk: &mut Chunk) -> Result<Applied, StoreError> {
        for candidate in &mut chunk.candidates {
            candidate.plan = plan(&candidate.world);
        }
        let verdict = review(plan(&chunk.world), &chunk.world);
        self.store.apply(lease, chunk, verdict).await
    }

    async fn give_up(&self, lease: &Lease, lane: Lane, error: StoreError) -> &'static str {
        if matches!(error, StoreError::LeaseLost) {
            tracing::warn!("another worker took the tenant over");
            return "lease_lost";
        }
        tracing::error!(%error, "a tenant could not be reconciled");
        let wait = match self.store.release_failed(lease, &error.to_string()).await {
            Ok(retry_at) => (retry_at - self.store.clock.now()).to_std().unwrap_or_default(),
            Err(_) => OUTAGE_WAIT,
        };
        self.recheck.after(lease.tenant().0, lane, wait);
        "failed"
    }
}

/// Returns a while after the process was asked to stop.
async fn patience_ends(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(STOP_PATIENCE).await;
}

/// Size of a chunk: bulk chunks are smaller while pushes come in.
fn chunk_limit(max: usize, lane: Lane, since_push: Option<Duration>) -> usize {
    let gives_way = lane == Lane::Bulk && since_push.is_some_and(|since| since < PUSHES_EXPECTED);
    if gives_way { max.min(BULK_CHUNK_BESIDE_PUSHES) } else { max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_work_gives_way_to_pushes_and_only_while_they_come_in() {
        let just_now = Some(Duration::from_millis(10));
        assert_eq!(chunk_limit(2_000, Lane::Bulk, just_now), BULK_CHUNK_BESIDE_PUSHES);
        assert_eq!(chunk_limit(7, Lane::Bulk, just_now), 7, "a smaller limit holds");
        assert_eq!(chunk_limit(2_000, Lane::Bulk, Some(PUSHES_EXPECTED)), 2_000);
        assert_eq!(chunk_limit(2_000, Lane::Bulk, None), 2_000);
        assert_eq!(chunk_limit(2_000, Lane::Push, just_now), 2_000);
    }
}
