//! Promotion and detachment (docs/design.md#the-idea, PE7): both are shown as a plan first, identified by its digest,
//! and done in one transaction that also voids the plan of any worker.

mod detach;
mod keep;
mod leaving;
mod links;
mod memberships;
mod plan;
mod promote;

pub use detach::Detachment;
pub use memberships::{MembershipCounts, PromotionItems};
pub use plan::{GroupCounts, PeopleCounts, Promotion, RemovalOutlook, Respelled, SeatOutlook};

use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, runs, sources, tenants};
use crate::log::changes::Lane;
use rollcall_core::digest::PlanDigest;
use rollcall_core::ids::SourceId;
use rollcall_core::run::RunState;
use sea_orm::sea_query::{Expr, ExprTrait, Value};
use sea_orm::{ColumnTrait, FromQueryResult};
use uuid::Uuid;

/// Rows moved or read at once; bounds the memory, whatever the tenant's size.
const ROWS: u64 = 1000;

#[derive(FromQueryResult)]
struct CountRow {
    count: i64,
}

static WITHDRAW_ITEMS: Sql = Sql::tenant(&[
    "UPDATE run_items SET decision = 'withdrawn' WHERE tenant_id = {tenant} AND decision IN ('held', 'approved') \
     AND run_id IN (SELECT r.id FROM runs r WHERE r.tenant_id = {tenant} AND r.source_id = $2 \
     AND r.state IN ('held', 'approved') AND r.rewinds IS NULL)",
]);
const MARK_USERS: &str = "INSERT INTO directory_changes (tenant_id, id, lane, user_id, request_id, created_at) \
     SELECT {tenant}, {random_id}, $2, x.id, $3, $4 FROM (";
const MARK_GROUPS: &str = "INSERT INTO directory_changes (tenant_id, id, lane, group_id, request_id, created_at) \
     SELECT {tenant}, {random_id}, $2, x.id, $3, $4 FROM (";
/// A record that has an unread mark in this lane gets no second one, so that switches back and forth leave one mark a record. This
/// is sound because the caller has taken the lease away: whoever read that mark will not consume it.
const UNMARKED_USERS: &str = " EXCEPT SELECT c.user_id FROM directory_changes c \
     WHERE c.tenant_id = {tenant} AND c.lane = $2 AND c.group_id IS NULL) AS x";
const UNMARKED_GROUPS: &str = " EXCEPT SELECT c.group_id FROM directory_changes c \
     WHERE c.tenant_id = {tenant} AND c.lane = $2 AND c.user_id IS NULL) AS x";
static TOUCH_USERS: Sql = Sql::tenant(&[
    MARK_USERS,
    "SELECT d.id FROM directory_users d WHERE d.tenant_id = {tenant} AND d.source_id = $5",
    UNMARKED_USERS,
]);
static TOUCH_GROUPS: Sql = Sql::tenant(&[
    MARK_GROUPS,
    "SELECT d.id FROM directory_groups d WHERE d.tenant_id = {tenant} AND d.source_id = $5",
    UNMARKED_GROUPS,
]);
static TOUCH_SIMULATED_USERS: Sql = Sql::tenant(&[
    MARK_USERS,
    "SELECT d.id FROM sources s {join} directory_users d ON d.tenant_id = s.tenant_id AND d.source_id = s.id \
     WHERE s.tenant_id = {tenant} AND s.mode = 'simulate'",
    UNMARKED_USERS,
]);
static TOUCH_SIMULATED_GROUPS: Sql = Sql::tenant(&[
    MARK_GROUPS,
    "SELECT d.id FROM sources s {join} directory_groups d ON d.tenant_id = s.tenant_id AND d.source_id = s.id \
     WHERE s.tenant_id = {tenant} AND s.mode = 'simulate'",
    UNMARKED_GROUPS,
]);

impl TenantTx {
    async fn authority(&self) -> Result<Option<Uuid>, StoreError> {
        let live = self.find::<sources::Entity>().filter(sources::Column::Mode.is("live"));
        live.value(sources::Column::Id).await
    }

    /// The policy is part of a plan's digest: it decides the outcome even where no item of the plan shows it.
    async fn policy_digest(&self) -> Result<PlanDigest, StoreError> {
        let version = self.find::<tenants::Entity>().value::<i64>(tenants::Column::PolicyVersion).await?;
        let version = version.ok_or(StoreError::NotFound("tenant"))?;
        Ok(PlanDigest::of(&format!("policy {version}")))
    }

    /// Closes the open runs of a source: held, approved, and the what-if run of its promotion.
    pub(crate) async fn close_runs_of(&self, source: SourceId, planned_as: RunState) -> Result<(), StoreError> {
        self.exec(&WITHDRAW_ITEMS, [source.0.into()]).await?;
        use runs::{Column, Entity};
        let open = Column::SourceId.eq(source.0).and(Column::State.is_one_of([
            RunState::Held,
            RunState::Approved,
            RunState::Planned,
        ]));
        let state =
            Expr::case(Column::State.is(RunState::Planned), planned_as.as_str()).finally(RunState::Withdrawn.as_str());
        let closed = self.update::<Entity>(open.and(Column::Rewinds.is_null())).set(Column::State, state);
        closed.set(Column::ModifiedAt, self.clock.now()).exec().await?;
        Ok(())
    }

    /// Marks every record of a source for planning, tombstones too.
    pub(crate) async fn touch_everything_of(&self, source: SourceId) -> Result<(), StoreError> {
        self.touch_users_of(source).await?;
        self.touch_groups_of(source).await
    }

    /// Marks the records of every simulated source for planning: two statements, however many sources there are.
    pub(crate) async fn touch_simulations(&self) -> Result<(), StoreError> {
        self.exec(&TOUCH_SIMULATED_USERS, self.mark()).await?;
        self.exec(&TOUCH_SIMULATED_GROUPS, self.mark()).await?;
        Ok(())
    }

    pub(crate) async fn touch_users_of(&self, source: SourceId) -> Result<(), StoreError> {
        self.exec(&TOUCH_USERS, self.mark().into_iter().chain([source.0.into()])).await?;
        Ok(())
    }

    pub(crate) async fn touch_groups_of(&self, source: SourceId) -> Result<(), StoreError> {
        self.exec(&TOUCH_GROUPS, self.mark().into_iter().chain([source.0.into()])).await?;
        Ok(())
    }

    /// The lane, the request and the time of change marks.
    fn mark(&self) -> [Value; 3] {
        [(Lane::Bulk as i64).into(), self.request.map(|id| id.0).into(), self.clock.now().into()]
    }
}
