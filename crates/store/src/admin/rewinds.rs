//! An admin asks for a run to be taken back. The answer is another run, planned by a worker a part at a time, and decided
//! and applied like any other.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::NewEvent;
use crate::scope::ApiScope;
use chrono::{DateTime, Utc};
use rollcall_core::digest::PlanDigest;
use rollcall_core::event::AuditKind;
use rollcall_core::ids::RunId;
use sea_orm::FromQueryResult;
use serde_json::json;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct StateRow {
    id: Uuid,
    state: String,
}

#[derive(FromQueryResult)]
struct Moved {
    #[expect(dead_code, reason = "its presence is the answer")]
    moved: i64,
}

impl Store {
    /// Makes a run, `planning`, that takes an applied one back. One that nobody has approved yet is planned anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when nothing of the run is in force, or it is being taken back.
    pub async fn rewind_run(&self, scope: &ApiScope, id: RunId) -> Result<RunId, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let lock = if tx.tx.is_postgres() { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT id, state FROM runs WHERE tenant_id = $1 AND id = $2{lock}");
        let run: Option<StateRow> = tx.tx.one(&sql, [tx.tenant.0.into(), id.0.into()]).await?;
        let run = run.ok_or(StoreError::NotFound("run"))?;
        if run.state != "applied" {
            let remedy = "only what was applied can be taken back; a rewound run comes back by rewinding its rewind";
            return Err(StoreError::Conflict(format!("the run is {}: {remedy}", run.state)));
        }
        tx.withdraw_rewinds_of(id).await?;
        let rewind: RunId = tx.clock.new_id();
        let sql = "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, rewinds, \
                   created_at, modified_at) SELECT $1, $2, source_id, 'planning', 'withheld', $4, $5, $6, id, $7, $7 \
                   FROM runs WHERE tenant_id = $1 AND id = $3";
        let values = [
            tx.tenant.0.into(),
            rewind.0.into(),
            id.0.into(),
            json!([]).into(),
            json!({}).into(),
            PlanDigest::default().to_hex().into(),
            tx.clock.now().into(),
        ];
        tx.tx.exec(sql, values).await?;
        let (kind, detail) = (AuditKind::RunRewindPlanned, Some(json!({ "rewind_run_id": rewind })));
        let event = NewEvent { kind, subject_kind: "run", subject_id: id.0, detail };
        tx.tx.batch(vec![tx.event(event).into()]).await?;
        tx.look_at_tenant_again().await?;
        tx.commit().await?;
        Ok(rewind)
    }
}

impl TenantTx {
    async fn withdraw_rewinds_of(&self, id: RunId) -> Result<(), StoreError> {
        let sql = "SELECT id, state FROM runs WHERE tenant_id = $1 AND rewinds = $2 \
                   AND state IN ('planning', 'planned', 'approved')";
        let rewinds: Vec<StateRow> = self.tx.all(sql, [self.tenant.0.into(), id.0.into()]).await?;
        for rewind in rewinds {
            if rewind.state == "approved" {
                return Err(StoreError::Conflict(format!("run {} is taking it back already", rewind.id)));
            }
            let sql = "UPDATE runs SET state = 'withdrawn', modified_at = $3 WHERE tenant_id = $1 AND id = $2";
            self.tx.exec(sql, [self.tenant.0.into(), rewind.id.into(), self.clock.now().into()]).await?;
        }
        Ok(())
    }

    /// Was a member or group of a planned rewind changed after this instant, or is a membership of it not as it was found?
    /// Joining and leaving a group leave no time on either.
    pub(crate) async fn moved_since(&self, rewind: RunId, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let planned = "i.tenant_id = $1 AND i.run_id = $2 AND i.decision = 'planned'";
        let sql = format!(
            "SELECT CAST(1 AS bigint) AS moved FROM run_items i JOIN members m ON m.tenant_id = i.tenant_id AND m.id = i.member_id \
             WHERE {planned} AND m.modified_at > $3 \
             UNION ALL SELECT CAST(1 AS bigint) FROM run_items i \
             JOIN sharing_groups g ON g.tenant_id = i.tenant_id AND g.id = i.group_id \
             WHERE {planned} AND g.modified_at > $3 \
             UNION ALL SELECT CAST(1 AS bigint) FROM run_items i LEFT JOIN sharing_group_members gm \
             ON gm.tenant_id = i.tenant_id AND gm.group_id = i.group_id AND gm.member_id = i.member_id \
             WHERE {planned} AND ((i.action = 'add_to_group' AND gm.member_id IS NOT NULL) \
             OR (i.action = 'remove_from_group' AND gm.member_id IS NULL)) LIMIT 1"
        );
        let row: Option<Moved> = self.tx.one(&sql, [self.tenant.0.into(), rewind.0.into(), at.into()]).await?;
        Ok(row.is_some())
    }
}
