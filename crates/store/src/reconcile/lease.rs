//! The tenant's lease: one worker at a time reconciles a tenant. Its fence number goes into every write made under it,
//! so a slow or disconnected holder cannot overwrite its successor.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::scope::TenantScope;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::backoff::retry_delay;
use rollcall_core::event::Actor;
use rollcall_core::ids::TenantId;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The right to reconcile one tenant until it expires.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub(crate) scope: TenantScope,
    holder: Uuid,
    fence: i64,
    ttl: TimeDelta,
}

/// Result of a request for a lease.
#[derive(Clone, Copy, Debug)]
pub enum LeaseAnswer {
    Granted(Lease),
    /// Another worker has the tenant, or its back-off runs; try again then.
    Busy {
        until: DateTime<Utc>,
    },
    /// The tenant does not exist.
    NoTenant,
}

#[derive(FromQueryResult)]
struct LeaseRow {
    fence: i64,
}

#[derive(FromQueryResult)]
struct BusyRow {
    holder: Option<Uuid>,
    expires_at: Option<DateTime<Utc>>,
    retry_at: Option<DateTime<Utc>>,
    failed_attempts: i64,
}

#[derive(FromQueryResult)]
struct ChangeId {
    #[expect(dead_code, reason = "its presence is the answer")]
    id: Uuid,
}

#[derive(FromQueryResult)]
struct AttemptsRow {
    failed_attempts: i64,
}

/// A holder that let its lease run out counts as a failed attempt.
static TAKE: Sql = Sql::tenant(&[
    "UPDATE tenant_leases SET failed_attempts = failed_attempts + CASE WHEN holder IS NULL THEN 0 ELSE 1 END, \
     holder = $2, fence = fence + 1, expires_at = $3 WHERE tenant_id = {tenant} \
     AND (holder IS NULL OR (expires_at <= $4 AND failed_attempts = 0)) \
     AND (retry_at IS NULL OR retry_at <= $4) RETURNING fence",
]);
static BUSY: Sql = Sql::tenant(&[
    "SELECT holder, expires_at, retry_at, failed_attempts FROM tenant_leases WHERE tenant_id = {tenant}",
]);
static RENEW: Sql = Sql::tenant(&[
    "UPDATE tenant_leases SET expires_at = $4 WHERE tenant_id = {tenant} AND fence = $2 AND holder = $3",
]);
static RELEASE: Sql =
    Sql::tenant(&["UPDATE tenant_leases SET holder = NULL, expires_at = NULL, failed_attempts = 0, retry_at = NULL, \
     last_error = NULL WHERE tenant_id = {tenant} AND fence = $2 AND holder = $3"]);
static ANY_CHANGE: Sql =
    Sql::tenant(&["SELECT id FROM directory_changes WHERE tenant_id = {tenant} ORDER BY lane, id LIMIT 1"]);
static COUNT_FAILURE: Sql = Sql::tenant(&["UPDATE tenant_leases SET failed_attempts = failed_attempts + 1 \
     WHERE tenant_id = {tenant} AND fence = $2 AND holder = $3 RETURNING failed_attempts"]);
static BACK_OFF: Sql = Sql::tenant(&[
    "UPDATE tenant_leases SET holder = NULL, expires_at = NULL, retry_at = $2, last_error = $3 WHERE tenant_id = {tenant}",
]);
static BACK_OFF_FROM: Sql =
    Sql::tenant(&["UPDATE tenant_leases SET holder = NULL, expires_at = NULL, failed_attempts = $3, retry_at = $4, \
     last_error = 'workers went away, or stood still, while they reconciled this tenant' \
     WHERE tenant_id = {tenant} AND holder = $2"]);
static VOID_LEASE: Sql = Sql::tenant(&[
    "UPDATE tenant_leases SET fence = fence + 1, holder = NULL, expires_at = NULL WHERE tenant_id = {tenant}",
]);
static WRITE_COUNTS: Sql =
    Sql::tenant(&["UPDATE tenant_leases SET seats_used = $4, managed_members = $5, expires_at = $6 \
     WHERE tenant_id = {tenant} AND fence = $2 AND holder = $3"]);

impl Lease {
    pub fn tenant(&self) -> TenantId {
        self.scope.tenant()
    }
}

impl Store {
    /// Takes the lease of a tenant for `ttl`; `holder` names the worker.
    ///
    /// A lease that its holder let run out is given at once, and counts as a failed attempt. After the second in a row the tenant
    /// itself is taken for the cause, and its back-off begins.
    #[tracing::instrument(name = "store.lease.lease", skip_all)]
    pub async fn lease(&self, tenant: TenantId, holder: Uuid, ttl: TimeDelta) -> Result<LeaseAnswer, StoreError> {
        let scope = TenantScope::new(tenant, Actor::System);
        let tx = self.write(&scope).await?;
        let now = tx.clock.now();
        let values = [holder.into(), (now + ttl).into(), now.into()];
        if let Some(LeaseRow { fence }) = tx.one(&TAKE, values).await? {
            tx.commit().await?;
            return Ok(LeaseAnswer::Granted(Lease { scope, holder, fence, ttl }));
        }
        let row: Option<BusyRow> = tx.one(&BUSY, []).await?;
        let Some(row) = row else { return Ok(LeaseAnswer::NoTenant) };
        if let Some(gone) = row.holder.filter(|_| row.expires_at.is_some_and(|end| end <= now)) {
            let until = tx.back_off_from(gone, row.failed_attempts).await?;
            tx.commit().await?;
            return Ok(LeaseAnswer::Busy { until });
        }
        let until = row.retry_at.into_iter().chain(row.expires_at).max().unwrap_or(now);
        Ok(LeaseAnswer::Busy { until })
    }

    /// Renews the lease while its holder works.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker has it.
    #[tracing::instrument(name = "store.lease.renew", skip_all)]
    pub async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        let tx = self.write(&lease.scope).await?;
        let expires_at = tx.clock.now() + lease.ttl;
        let values = [lease.fence.into(), lease.holder.into(), expires_at.into()];
        if tx.exec(&RENEW, values).await? != 1 {
            return Err(StoreError::LeaseLost);
        }
        tx.commit().await
    }

    /// Releases the lease after success. The caller then checks for changes once more, because one that was committed
    /// during the lease may have had its wake-up turned away.
    #[tracing::instrument(name = "store.lease.release", skip_all)]
    pub async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let tx = self.write(&lease.scope).await?;
        tx.exec(&RELEASE, [lease.fence.into(), lease.holder.into()]).await?;
        tx.commit().await?;
        self.has_changes(&lease.scope).await
    }

    async fn has_changes(&self, scope: &TenantScope) -> Result<bool, StoreError> {
        let tx = self.read(scope).await?;
        let row: Option<ChangeId> = tx.one(&ANY_CHANGE, []).await?;
        Ok(row.is_some())
    }

    /// Releases the lease after a failure and starts the tenant's back-off.
    #[tracing::instrument(name = "store.lease.release_failed", skip_all)]
    pub async fn release_failed(&self, lease: &Lease, error: &str) -> Result<DateTime<Utc>, StoreError> {
        let tx = self.write(&lease.scope).await?;
        let row: Option<AttemptsRow> = tx.one(&COUNT_FAILURE, [lease.fence.into(), lease.holder.into()]).await?;
        let row = row.ok_or(StoreError::LeaseLost)?;
        let retry_at = tx.clock.now() + retry_delay(u32::try_from(row.failed_attempts).unwrap_or(u32::MAX));
        tx.exec(&BACK_OFF, [retry_at.into(), error.into()]).await?;
        tx.commit().await?;
        Ok(retry_at)
    }
}

impl TenantTx {
    /// Takes the lease from a holder that let it expire, and starts the tenant's back-off.
    async fn back_off_from(&self, holder: Uuid, failed_attempts: i64) -> Result<DateTime<Utc>, StoreError> {
        let retry_at = self.clock.now() + retry_delay(u32::try_from(failed_attempts + 1).unwrap_or(u32::MAX));
        self.exec(&BACK_OFF_FROM, [holder.into(), (failed_attempts + 1).into(), retry_at.into()]).await?;
        Ok(retry_at)
    }

    /// Voids all plans that are not applied yet: their lease is gone, so their workers must read again. The lease's row
    /// stays locked, so no other plan is applied before this transaction ends.
    pub(crate) async fn stop_the_planning(&self) -> Result<(), StoreError> {
        self.exec(&VOID_LEASE, []).await?;
        Ok(())
    }

    /// Writes the counts that only the holder writes, which also proves and extends the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]: the transaction must not go on.
    pub(crate) async fn write_counts(&self, lease: &Lease, seats_used: i64, managed: i64) -> Result<(), StoreError> {
        let expires_at = self.clock.now() + lease.ttl;
        let values = [lease.fence.into(), lease.holder.into(), seats_used.into(), managed.into(), expires_at.into()];
        if self.exec(&WRITE_COUNTS, values).await? == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
    }
}

#[cfg(test)]
mod tests;
