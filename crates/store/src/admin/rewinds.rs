//! Rewinds. Taking a run back is another run, planned by a worker one part at a time, then decided and applied like any run.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, runs};
use crate::reconcile::world::rewind_since::{ITEMS_MAX, OF_SOURCE_SINCE};
use crate::scope::AdminScope;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::digest::PlanDigest;
use rollcall_core::event::{Event, RunRewound};
use rollcall_core::ids::{RunId, SourceId};
use rollcall_core::run::RunState;
use sea_orm::sea_query::{ExprTrait, LockType, SimpleExpr, Value};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

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
        if ![RunState::Applied, RunState::PartlyRewound].iter().any(|state| run.state == state.as_str()) {
            let remedy = "only what was applied can be taken back; a rewound run comes back by rewinding its rewind";
            return Err(StoreError::Conflict(format!("the run is {}: {remedy}", run.state)));
        }
        tx.withdraw_rewinds(runs::Column::Rewinds.eq(id.0)).await?;
        let rewind = tx.begin_rewind(id, run.source_id, None).await?;
        tx.commit_and_wake(rewind).await
    }

    /// Makes one `planning` run that takes back everything that this source did since an instant. An earlier one that is not
    /// approved yet is withdrawn.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the source did nothing since, or too much for one run, or it
    /// is being taken back.
    #[tracing::instrument(name = "store.rewinds.rewind_source", skip_all)]
    pub async fn rewind_source(
        &self,
        scope: &AdminScope,
        source: SourceId,
        since: DateTime<Utc>,
    ) -> Result<Committed<RunId>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.source_row(source).await?;
        let of_source = runs::Column::SourceId.eq(source.0).and(runs::Column::RewindsSince.is_not_null());
        tx.withdraw_rewinds(of_source).await?;
        let earliest = first_id_at(since.checked_sub_signed(APPLIED_WITHIN).unwrap_or(since));
        let values = || -> [Value; 3] { [earliest.into(), source.0.into(), since.into()] };
        let first: Option<FirstRow> = tx.one(&FIRST_SINCE, values()).await?;
        let Some(FirstRow { run_id: first }) = first else {
            let nothing =
                format!("the source changed nothing that is in force since {since}; an earlier `since` covers more");
            return Err(StoreError::Conflict(nothing));
        };
        let items: Option<CountRow> =
            tx.one(&COUNT_SINCE, values().into_iter().chain([(ITEMS_MAX + 1).into()])).await?;
        if items.is_some_and(|row| row.items > ITEMS_MAX) {
            let many = format!(
                "the source made more than {ITEMS_MAX} changes since {since}: take the latest back first, with a later `since`"
            );
            return Err(StoreError::Conflict(many));
        }
        let rewind = tx.begin_rewind(first.into(), Some(source.0), Some(since)).await?;
        tx.commit_and_wake(rewind).await
    }
}

/// A run has its id before its time: the id is made when its transaction begins, the time when its row is written.
const APPLIED_WITHIN: TimeDelta = TimeDelta::hours(1);

/// The smallest id that is made at this instant or later (UUIDv7).
fn first_id_at(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

static FIRST_SINCE: Sql = Sql::tenant(&["SELECT i.run_id ", OF_SOURCE_SINCE, "ORDER BY i.run_id LIMIT 1"]);
static COUNT_SINCE: Sql = Sql::tenant(&["SELECT count(*) AS items FROM (SELECT 1 ", OF_SOURCE_SINCE, "LIMIT $5) AS x"]);

#[derive(FromQueryResult)]
struct FirstRow {
    run_id: Uuid,
}

#[derive(FromQueryResult)]
struct CountRow {
    items: i64,
}

impl TenantTx {
    async fn begin_rewind(
        &self,
        first: RunId,
        source: Option<Uuid>,
        since: Option<DateTime<Utc>>,
    ) -> Result<RunId, StoreError> {
        let rewind: RunId = self.clock.new_id();
        let planning = runs::ActiveModel {
            id: Set(rewind.0),
            source_id: Set(source),
            state: Set(RunState::Planning.as_str().into()),
            verdict: Set("withheld".into()),
            held_reasons: Set(json!([])),
            counts: Set(json!({})),
            digest: Set(PlanDigest::default().to_hex()),
            rewinds: Set(Some(first.0)),
            rewinds_since: Set(since),
            created_at: Set(self.clock.now()),
            modified_at: Set(self.clock.now()),
            ..Default::default()
        };
        self.insert(planning).exec().await?;
        let event = Event::RunRewindPlanned(first, RunRewound { rewind_run_id: rewind });
        self.tx.batch(vec![self.event(&event).into()]).await?;
        self.look_at_tenant_again().await?;
        Ok(rewind)
    }

    /// Withdraws the open rewinds among these runs.
    async fn withdraw_rewinds(&self, which: SimpleExpr) -> Result<(), StoreError> {
        use runs::{Column, Entity};
        let open = which.and(Column::State.is_one_of([RunState::Planning, RunState::Planned, RunState::Approved]));
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
