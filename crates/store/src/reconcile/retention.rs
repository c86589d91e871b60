//! Retention: runs with their items, and the members of removed groups, are deleted after their time. Audit events stay.
//!
//! Open runs (held, approved, being planned, planned for a source in simulation) are never deleted, nor one that an open rewind
//! takes back. Deleted directory records stay: members are linked to them, and a return or a rewind is recognised by them.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::scope::TenantScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::Actor;
use rollcall_core::ids::TenantId;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Runs that one transaction deletes at most.
const RUNS_MAX: usize = 100;
/// Rows of runs and of groups that one statement deletes at most.
const ROWS_MAX: u64 = 5_000;

/// Ended runs last touched before `$3`; `$2` is the smallest id that can be as young as that.
pub(crate) const FORGOTTEN: &str = "r.id < $2 AND r.modified_at < $3 AND r.state NOT IN ('held', 'approved', 'planning') \
    AND NOT (r.state = 'planned' AND r.rewinds IS NULL AND EXISTS (SELECT 1 FROM sources s \
    WHERE s.tenant_id = r.tenant_id AND s.id = r.source_id AND s.mode = 'simulate'))";

static OLD_RUNS: Sql = Sql::tenant(&[
    "SELECT r.id FROM runs r WHERE r.tenant_id = {tenant} AND ",
    FORGOTTEN,
    " AND NOT EXISTS (SELECT 1 FROM runs o \
     WHERE o.tenant_id = r.tenant_id AND o.rewinds = r.id AND o.state IN ('planning', 'approved')) ORDER BY r.id LIMIT 100",
]);
static DELETE_RUNS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["DELETE FROM runs WHERE tenant_id = {tenant} AND id IN (SELECT r.id FROM {rows})"],
);
static DELETE_ITEMS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["DELETE FROM run_items WHERE tenant_id = {tenant} AND (run_id, subject_id, action, object_id) IN ( \
       SELECT i.run_id, i.subject_id, i.action, i.object_id FROM {rows} {join} run_items i \
       ON i.tenant_id = {tenant} AND i.run_id = r.id LIMIT 5000)"],
);
static DELETE_MEMBERS_OF_REMOVED_GROUPS: Sql =
    Sql::tenant(&["DELETE FROM sharing_group_members WHERE tenant_id = {tenant} AND (group_id, member_id) IN ( \
     SELECT gm.group_id, gm.member_id FROM sharing_groups g JOIN sharing_group_members gm \
     ON gm.tenant_id = g.tenant_id AND gm.group_id = g.id \
     WHERE g.tenant_id = {tenant} AND g.removed_at < $2 LIMIT 5000)"]);

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// The smallest id that was made at that instant (RFC 9562 §5.7: 48 bits of milliseconds come first).
pub(crate) fn first_id_of(at: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(at.timestamp_millis()).unwrap_or(0) << 80)
}

impl Store {
    /// Deletes one batch; returns whether there is more. Concurrent processes delete each row once.
    #[tracing::instrument(name = "store.retention.forget_old_runs", skip_all)]
    pub async fn forget_old_runs(&self, tenant: TenantId, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let scope = TenantScope::new(tenant, Actor::System);
        let tx = self.write(&scope).await?;
        let old: Vec<Id> = tx.all(&OLD_RUNS, [first_id_of(before).into(), before.into()]).await?;
        let runs: Vec<Uuid> = old.into_iter().map(|run| run.id).collect();
        let items_left = tx.forget_items(&runs).await?;
        if !items_left {
            tx.exec(&DELETE_RUNS, [id_rows(runs.iter().copied())?]).await?;
        }
        let members_left = tx.forget_removed_groups(before).await?;
        tx.commit().await?;
        Ok(items_left || members_left || runs.len() == RUNS_MAX)
    }
}

impl TenantTx {
    async fn forget_items(&self, runs: &[Uuid]) -> Result<bool, StoreError> {
        let deleted = self.exec(&DELETE_ITEMS, [id_rows(runs.iter().copied())?]).await?;
        Ok(deleted == ROWS_MAX)
    }

    /// Deletes the members of groups that were removed before this instant: no run that could bring them back is left.
    async fn forget_removed_groups(&self, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let deleted = self.exec(&DELETE_MEMBERS_OF_REMOVED_GROUPS, [before.into()]).await?;
        Ok(deleted == ROWS_MAX)
    }
}
