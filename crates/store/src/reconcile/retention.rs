//! What is forgotten after its time: runs with their items, and who was in a group that was removed. Audit events stay.
//!
//! Open runs (held, approved, being planned, what a source in simulation would do) are never forgotten, nor one that an open
//! rewind takes back. Deleted directory records stay: members are linked to them, and a return or a rewind is told by them.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::transaction::TenantTx;
use crate::scope::TenantScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::Actor;
use rollcall_core::ids::TenantId;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Runs, and rows of theirs, that one transaction deletes at most.
const RUNS_MAX: i64 = 100;
const ROWS_MAX: i64 = 5_000;

/// Ended runs last touched before `$3`; `$2` is the smallest id that can be as young as that.
const FORGOTTEN: &str = "r.id < $2 AND r.modified_at < $3 AND r.state NOT IN ('held', 'approved', 'planning') \
    AND NOT (r.state = 'planned' AND r.rewinds IS NULL AND EXISTS (SELECT 1 FROM sources s \
    WHERE s.tenant_id = r.tenant_id AND s.id = r.source_id AND s.mode = 'simulate'))";

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// The smallest id that was made at that instant (RFC 9562 §5.7: 48 bits of milliseconds come first).
fn first_id_of(at: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(at.timestamp_millis()).unwrap_or(0) << 80)
}

impl Store {
    /// Tenants that have ended runs from before this instant, beginning after one of them.
    pub async fn tenants_with_old_runs(
        &self,
        before: DateTime<Utc>,
        after: Option<TenantId>,
    ) -> Result<Vec<TenantId>, StoreError> {
        let sql = format!(
            "SELECT l.tenant_id AS id FROM tenant_leases l WHERE l.tenant_id > $1 \
             AND EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = l.tenant_id AND {FORGOTTEN}) \
             ORDER BY l.tenant_id LIMIT {RUNS_MAX}"
        );
        let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
        let tx = self.across(false).await?;
        let rows: Vec<Id> = tx.all(&sql, [after.into(), first_id_of(before).into(), before.into()]).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }

    /// Forgets one batch; answers whether there is more. Several processes may do it at once: each row goes once.
    pub async fn forget_old_runs(&self, tenant: TenantId, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let scope = TenantScope::new(tenant, Actor::System);
        let tx = self.write(&scope).await?;
        let sql = format!(
            "SELECT r.id FROM runs r WHERE r.tenant_id = $1 AND {FORGOTTEN} AND NOT EXISTS (SELECT 1 FROM runs o \
             WHERE o.tenant_id = r.tenant_id AND o.rewinds = r.id AND o.state IN ('planning', 'approved')) \
             ORDER BY r.id LIMIT {RUNS_MAX}"
        );
        let old: Vec<Id> = tx.tx.all(&sql, [tx.tenant.0.into(), first_id_of(before).into(), before.into()]).await?;
        let runs: Vec<Uuid> = old.into_iter().map(|run| run.id).collect();
        let items_left = tx.forget_items(&runs).await?;
        if !items_left {
            let sql = format!("DELETE FROM runs WHERE tenant_id = $2 AND id IN (SELECT r.id FROM {})", tx.tx.rows(ID));
            tx.tx.exec(&sql, [id_rows(runs.iter().copied())?, tx.tenant.0.into()]).await?;
        }
        let members_left = tx.forget_removed_groups(before).await?;
        tx.commit().await?;
        Ok(items_left || members_left || i64::try_from(runs.len()).is_ok_and(|count| count == RUNS_MAX))
    }
}

impl TenantTx {
    async fn forget_items(&self, runs: &[Uuid]) -> Result<bool, StoreError> {
        let sql = format!(
            "DELETE FROM run_items WHERE tenant_id = $2 AND (run_id, subject_id, action, object_id) IN ( \
             SELECT i.run_id, i.subject_id, i.action, i.object_id FROM {} {} run_items i \
             ON i.tenant_id = $2 AND i.run_id = r.id LIMIT {ROWS_MAX})",
            self.tx.rows(ID),
            self.tx.join()
        );
        let deleted = self.tx.exec(&sql, [id_rows(runs.iter().copied())?, self.tenant.0.into()]).await?;
        Ok(i64::try_from(deleted).is_ok_and(|count| count == ROWS_MAX))
    }

    /// Who was in a group that was removed so long ago: no run that could bring it back is left.
    async fn forget_removed_groups(&self, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let sql = format!(
            "DELETE FROM sharing_group_members WHERE tenant_id = $1 AND (group_id, member_id) IN ( \
             SELECT gm.group_id, gm.member_id FROM sharing_groups g JOIN sharing_group_members gm \
             ON gm.tenant_id = g.tenant_id AND gm.group_id = g.id \
             WHERE g.tenant_id = $1 AND g.removed_at < $2 LIMIT {ROWS_MAX})"
        );
        let deleted = self.tx.exec(&sql, [self.tenant.0.into(), before.into()]).await?;
        Ok(i64::try_from(deleted).is_ok_and(|count| count == ROWS_MAX))
    }
}
