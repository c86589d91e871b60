//! A detachment that keeps people: members of the source stay and become unmanaged. Pending members and members on the waitlist
//! would wait for ever, since only the source could have admitted them; they end up suspended, without a seat. The block of a member
//! gives back later what the source's last word leaves, since the source is not asked again.

use super::ROWS;
use super::leaving::simulated_item;
use super::links::{GROUPS_OF, MEMBERS_OF, NewManager};
use crate::admin::runs::RunItem;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, members, tenant_leases};
use crate::log::audit_events::EventRow;
use chrono::{DateTime, Utc};
use rollcall_core::action::Why;
use rollcall_core::block::without_block;
use rollcall_core::change::Change;
use rollcall_core::digest::PlanDigest;
use rollcall_core::event::{Event, MemberDetail};
use rollcall_core::ids::{MemberId, SourceId};
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::run::RunState;
use rollcall_core::world::World;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The `why` of items and events.
const WHY: Why = Why::SourceDetached;

/// The fields of a member that a detachment changes.
#[derive(Clone, PartialEq, Eq, Serialize, DerivePartialModel)]
#[sea_orm(entity = "members::Entity")]
struct Kept {
    #[serde(skip)]
    id: Uuid,
    #[serde(skip)]
    email: String,
    #[serde(skip)]
    display_name: Option<String>,
    managed_by: Option<Uuid>,
    status: String,
    suspended_from: Option<String>,
    waiting_for: Option<String>,
    blocked_from: Option<String>,
    seated: bool,
    held: bool,
}

impl Kept {
    /// `without_block` is the status that a blocked member would have otherwise.
    fn afterwards(&self, without_block: Option<MemberStatus>) -> Self {
        let blocked_from = without_block.map(|status| status.as_str().to_owned());
        let kept = Self { managed_by: None, blocked_from, ..self.clone() };
        let pending = self.status == MemberStatus::Pending.as_str();
        if !pending && self.status != MemberStatus::Suspended.as_str() {
            return kept;
        }
        let suspended_from = if pending { Some(self.status.clone()) } else { self.suspended_from.clone() };
        let status = MemberStatus::Suspended.as_str().to_owned();
        Self { status, suspended_from, waiting_for: None, seated: false, held: false, ..kept }
    }
}

/// A member that stays, before the detachment and after it.
struct Stay {
    before: Kept,
    after: Kept,
}

impl Stay {
    /// True if more than the manager changes.
    fn is_changed(&self) -> bool {
        self.after != Kept { managed_by: None, ..self.before.clone() }
    }

    /// The audit events of the changes beside the manager. The status behind a block is told with the manager.
    fn events(&self) -> Vec<Event> {
        let Self { before, after } = self;
        let id = MemberId(before.id);
        if before.status != after.status {
            // Only a pending member changes status.
            let from = MemberStatus::Pending;
            return vec![Event::MemberSuspended(
                id,
                MemberDetail::Suspended { from, why: WHY, seat_released: before.seated },
            )];
        }
        let waits = before.waiting_for != after.waiting_for;
        let waits = waits.then_some(Event::MemberStoppedWaiting(id, MemberDetail::Because { why: WHY }));
        // A hold concerns a seat that the member kept.
        let seat = (before.seated != after.seated || before.held != after.held)
            .then_some(Event::SeatReleased(id, MemberDetail::Because { why: WHY }));
        waits.into_iter().chain(seat).collect()
    }
}

#[derive(Serialize)]
struct KeptRow {
    tenant_id: Uuid,
    id: Uuid,
    status: String,
    suspended_from: Option<String>,
    waiting_for: Option<String>,
    blocked_from: Option<String>,
    seated: bool,
    held: bool,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
}

const KEPT_ROW: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("status", Type::Text),
    ("suspended_from", Type::Text),
    ("waiting_for", Type::Text),
    ("blocked_from", Type::Text),
    ("seated", Type::Flag),
    ("held", Type::Flag),
    ("modified_at", Type::Time),
];

static DELETE_DISPUTES_OF_SOURCE: Sql = Sql::tenant(&[
    "DELETE FROM disputes WHERE tenant_id = {tenant} AND ( ",
    "subject_id IN (SELECT u.id FROM directory_users u WHERE u.tenant_id = {tenant} AND u.source_id = $2) ",
    "OR subject_id IN (SELECT g.id FROM directory_groups g WHERE g.tenant_id = {tenant} AND g.source_id = $2))",
]);

impl TenantTx {
    async fn kept(&self, world: &World, source: Uuid, after: Uuid, limit: u64) -> Result<Vec<Stay>, StoreError> {
        use members::Column;
        let managed = Column::ManagedBy.eq(source).and(Column::Status.is_not("removed"));
        let kept = self.find::<members::Entity>().filter(managed).filter(Column::Id.gt(after));
        let kept: Vec<Kept> = kept.ascending(Column::Id).limit(limit).all().await?;
        let without_blocks = self.without_blocks(world, source, &kept).await?;
        let stay = |before: Kept| Stay { after: before.afterwards(without_blocks.get(&before.id).copied()), before };
        Ok(kept.into_iter().map(stay).collect())
    }

    /// The status that each blocked one of these members would have without the block, by the last word of the source.
    async fn without_blocks(
        &self,
        world: &World,
        source: Uuid,
        kept: &[Kept],
    ) -> Result<HashMap<Uuid, MemberStatus>, StoreError> {
        let blocked = kept.iter().filter(|member| member.blocked_from.is_some());
        let blocked: Vec<MemberId> = blocked.map(|member| MemberId(member.id)).collect();
        if blocked.is_empty() {
            return Ok(HashMap::new());
        }
        let states = self.states(&blocked).await?;
        let records = states.values().filter_map(|member| Some((member.directory_user?.0, None))).collect();
        let records = self.read_records(world, &records).await?;
        let wanted: HashSet<_> = records.iter().filter(|user| user.is_wanted()).map(|user| user.id).collect();
        let policy = world.policy_of(source.into());
        let seat_is_free = world.standing.seats_bought > world.standing.seats_used;
        let status = |member: &MemberState| {
            let wanted = member.directory_user.is_some_and(|record| wanted.contains(&record));
            Some((member.id.0, without_block(policy, member, wanted, seat_is_free)?))
        };
        Ok(states.values().filter_map(status).collect())
    }

    pub(super) async fn kept_items(
        &self,
        world: &World,
        source: Uuid,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<RunItem>, StoreError> {
        Ok(self.kept(world, source, after, limit).await?.into_iter().map(kept_item).collect())
    }

    /// Counts the kept members and adds them to the digest, a bounded number at a time.
    pub(super) async fn fold_kept(
        &self,
        world: &World,
        source: Uuid,
        digest: &mut PlanDigest,
    ) -> Result<i64, StoreError> {
        let (mut count, mut after) = (0, Uuid::nil());
        loop {
            let rows = self.kept(world, source, after, ROWS).await?;
            for stay in &rows {
                count += 1;
                let (loose, Kept { id, status, .. }) = (stay.events().len(), &stay.before);
                let behind = stay.after.blocked_from.as_deref().unwrap_or_default();
                *digest = digest.with(PlanDigest::of(&format!("stays {id} {status} {loose} {behind}")));
            }
            match rows.last() {
                Some(last) => after = last.before.id,
                None => return Ok(count),
            }
        }
    }

    pub(super) async fn keep_people(&self, world: &World, source: SourceId) -> Result<(), StoreError> {
        let seats = self.let_go(world, source.0).await?;
        let (as_member, as_group) = (Event::MemberDetached, Event::GroupDetached);
        let nobody = NewManager { source: None, run: None, as_member, as_group };
        let members = self.move_members(&MEMBERS_OF, source.0, nobody).await?;
        self.move_groups(&GROUPS_OF, source.0, nobody).await?;
        use tenant_leases::Column;
        let counts = self.update_own::<tenant_leases::Entity>();
        let counts = counts.set(Column::ManagedMembers, Column::ManagedMembers.into_expr().sub(members));
        counts.set(Column::SeatsUsed, Column::SeatsUsed.into_expr().sub(seats)).exec().await?;
        self.close_runs_of(source, RunState::Withdrawn).await?;
        self.exec(&DELETE_DISPUTES_OF_SOURCE, [source.0.into()]).await?;
        Ok(())
    }

    /// Suspends members and ends waits that only the source could have ended; returns the number of freed seats.
    async fn let_go(&self, world: &World, source: Uuid) -> Result<i64, StoreError> {
        let (mut seats, mut after) = (0, Uuid::nil());
        loop {
            let kept = self.kept(world, source, after, ROWS).await?;
            let Some(last) = kept.last() else { return Ok(seats) };
            after = last.before.id;
            let loose: Vec<&Stay> = kept.iter().filter(|stay| stay.is_changed()).collect();
            let seated = |member: &Kept| i64::from(member.seated);
            seats += loose.iter().map(|stay| seated(&stay.before) - seated(&stay.after)).sum::<i64>();
            let rows: Vec<KeptRow> = loose.iter().map(|stay| self.kept_row(&stay.after)).collect();
            self.tx.update_rows("members", KEPT_ROW, &rows).await?;
            let told = |event: Event| self.event_row(&event, self.actor, self.request, None);
            let events: Vec<EventRow> = loose.iter().flat_map(|stay| stay.events()).map(told).collect();
            self.write_events(&events).await?;
        }
    }

    fn kept_row(&self, after: &Kept) -> KeptRow {
        let Kept { id, status, suspended_from, waiting_for, blocked_from, seated, held, .. } = after.clone();
        let (tenant_id, modified_at) = (self.tenant.0, self.clock.now());
        KeptRow { tenant_id, id, status, suspended_from, waiting_for, blocked_from, seated, held, modified_at }
    }
}

fn kept_item(Stay { before: member, after }: Stay) -> RunItem {
    let Change { before, after } = Change::between(&member, &after);
    let detail = json!({ "action": "detach", "member": member.id, "status": member.status });
    let who = json!({ "email": member.email, "display_name": member.display_name });
    RunItem {
        why: WHY.as_str().into(),
        before: before.map(Json::Object),
        after: Some(Json::Object(after)),
        ..simulated_item(member.id, "detach", ("member", who), detail)
    }
}
