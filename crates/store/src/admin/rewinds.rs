//! Rewinds. Taking a run back is another run, planned by a worker one part at a time, then decided and applied like any run.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, runs};
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::digest::PlanDigest;
use rollcall_core::event::{Event, RunRewound};
use rollcall_core::ids::RunId;
use rollcall_core::run::RunState;
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult};
use serde_json::json;

#[derive(FromQueryResult)]
struct Moved {
    #[expect(dead_code, reason = "its presence is the answer")]
    moved: i64,
}

static MOVED_SINCE: Sql = Sql::tenant(&[
    "SELECT CAST(1 AS bigint) AS moved FROM run_items i JOIN members m ON m.tenant_id = i.tenant_id AND m.id = i.member_id \
     WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'planned' AND m.modified_at > $3 ",
    "UNION ALL SELECT CAST(1 AS bigint) FROM run_items i \
     JOIN sharing_groups g ON g.tenant_id = i.tenant_id AND g.id = i.group_id \
     WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'planned' AND g.modified_at > $3 ",
    "UNION ALL SELECT CAST(1 AS bigint) FROM run_items i LEFT JOIN sharing_group_members gm \
     ON gm.tenant_id = i.tenant_id AND gm.group_id = i.group_id AND gm.member_id = i.member_id \
     WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'planned' \
     AND ((i.action = 'add_to_group' AND gm.member_id IS NOT NULL) \
     OR (i.action = 'remove_from_group' AND gm.member_id IS NULL)) LIMIT 1",
]);

impl Store {
    /// Makes a `planning` run that takes an applied run back. An earlier rewind that is not approved yet is withdrawn.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when nothing of the run is in force, or it is being taken back.
    #[tracing::instrument(name = "store.rewinds.rewind_run", skip_all)]
    pub async fn rewind_run(&self, scope: &AdminScope, id: RunId) -> Result<Committed<RunId>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let run = tx.find::<runs::Entity>().filter(runs::Column::Id.eq(id.0)).lock(LockType::Update);
        let run = run.one::<runs::Model>().await?.ok_or(StoreError::NotFound("run"))?;
        if run.state != RunState::Applied.as_str() {
            let remedy = "only what was applied can be taken back; a rewound run comes back by rewinding its rewind";
            return Err(StoreError::Conflict(format!("the run is {}: {remedy}", run.state)));
        }
        tx.withdraw_rewinds_of(id).await?;
        let rewind: RunId = tx.clock.new_id();
        let planning = runs::ActiveModel {
            id: Set(rewind.0),
            source_id: Set(run.source_id),
            state: Set(RunState::Planning.as_str().into()),
            verdict: Set("withheld".into()),
            held_reasons: Set(json!([])),
            counts: Set(json!({})),
            digest: Set(PlanDigest::default().to_hex()),
            rewinds: Set(Some(run.id)),
            created_at: Set(tx.clock.now()),
            modified_at: Set(tx.clock.now()),
            ..Default::default()
        };
        tx.insert(planning).exec().await?;
        let event = Event::RunRewindPlanned(id, RunRewound { rewind_run_id: rewind });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.look_at_tenant_again().await?;
        tx.commit_and_wake(rewind).await
    }
}

impl TenantTx {
    async fn withdraw_rewinds_of(&self, id: RunId) -> Result<(), StoreError> {
        use runs::{Column, Entity};
        let open = Column::Rewinds.eq(id.0).and(Column::State.is_one_of([
            RunState::Planning,
            RunState::Planned,
            RunState::Approved,
        ]));
        for rewind in self.find::<Entity>().filter(open).all::<runs::Model>().await? {
            if rewind.state == RunState::Approved.as_str() {
                return Err(StoreError::Conflict(format!("run {} is taking it back already", rewind.id)));
            }
            let withdrawn =
                self.update::<Entity>(Column::Id.eq(rewind.id)).set(Column::State, RunState::Withdrawn.as_str());
            withdrawn.set(Column::ModifiedAt, self.clock.now()).exec().await?;
        }
        Ok(())
    }

    /// Whether a member or group of a planned rewind changed after this instant, or one of its memberships is not as it was found.
    /// Joining and leaving a group update no `modified_at`, so memberships are compared themselves.
    pub(crate) async fn moved_since(&self, rewind: RunId, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let row: Option<Moved> = self.one(&MOVED_SINCE, [rewind.0.into(), at.into()]).await?;
        Ok(row.is_some())
    }
}
