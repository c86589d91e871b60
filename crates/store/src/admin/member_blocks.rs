//! Blocks of members by an admin (DW1, DW9), and removals of those who were made by hand: the rules, and what either takes, are
//! [`rollcall_core::block`]'s to say. The lease is taken away first, so that no plan made before gives such a member anything.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::member_state::{MEMBER_COLUMNS, MemberRow};
use crate::entity::tenant_leases;
use crate::log::audit_events::EventRow;
use crate::log::changes::{Lane, Touched};
use crate::reconcile::apply::candidate::Identifier;
use crate::reconcile::open_items::Retouch;
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::block::{BlockChange, BlockRefusal, Blocks};
use rollcall_core::email::fold;
use rollcall_core::ids::MemberId;
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::World;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::ExprTrait;
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

/// Most members of one call.
pub const BLOCKS_MAX: usize = 1_000;

/// An admin's word about members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    Block,
    Unblock,
    /// Takes out members who were made by hand, and withdraws open invitations of them.
    Remove,
}

/// The outcome for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockResult {
    Done,
    /// The block is lifted; the member comes in by a run that waits for an owner.
    AwaitsOwner,
    /// Blocked already, not blocked, or removed already.
    Unchanged,
    NotFound,
    Refused(BlockRefusal),
}

#[derive(Serialize)]
struct BlockRow {
    tenant_id: Uuid,
    id: Uuid,
    status: &'static str,
    suspended_from: Option<&'static str>,
    waiting_for: Option<&'static str>,
    blocked_from: Option<&'static str>,
    seated: bool,
    held: bool,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
}

const BLOCK: Columns = &[
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

static STATES: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT ", MEMBER_COLUMNS, " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.id = r.id"],
);

impl Store {
    /// Blocks members one by one, lifts their blocks, or takes them out, and answers in the order of the ids. Sessions, seats and
    /// waiting end in the same transaction. A number of statements that does not depend on the number of members.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for more than [`BLOCKS_MAX`] ids.
    #[tracing::instrument(name = "store.member_blocks.block_members", skip_all)]
    pub async fn block_members(
        &self,
        scope: &AdminScope,
        ids: &[MemberId],
        what: Shut,
    ) -> Result<Committed<Vec<BlockResult>>, StoreError> {
        if ids.len() > BLOCKS_MAX {
            return Err(StoreError::Invalid(format!("at most {BLOCKS_MAX} members at once")));
        }
        let tx = self.write(&scope.scope).await?;
        tx.stop_the_planning().await?;
        let mut world = World::default();
        tx.read_standing(&mut world).await?;
        let owners = tx.active_with_authority().await?.iter().filter(|member| member.is_owner()).count();
        let mut blocks = Blocks::by(scope.role(), scope.member(), &world.policy, &world.standing, owners);
        let mut known = tx.states(ids).await?;
        let mut changes: Vec<BlockChange> = Vec::new();
        let mut decide = |id: &MemberId| {
            let Some(member) = known.get_mut(id) else { return BlockResult::NotFound };
            let decided = match what {
                Shut::Block => blocks.block(member),
                Shut::Unblock => blocks.unblock(member),
                Shut::Remove => blocks.remove(member),
            };
            match decided {
                Ok(Some(change)) => {
                    *member = change.after.clone();
                    let result = if change.awaits_owner() { BlockResult::AwaitsOwner } else { BlockResult::Done };
                    changes.push(change);
                    result
                }
                Ok(None) => BlockResult::Unchanged,
                Err(refusal) => BlockResult::Refused(refusal),
            }
        };
        let results: Vec<BlockResult> = ids.iter().map(&mut decide).collect();
        if changes.is_empty() {
            return Ok(Committed::waking(scope.tenant(), results));
        }
        tx.write_blocks(&changes).await?;
        tx.commit_and_wake(results).await
    }

    /// As [`block_members`](Self::block_members), about one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Forbidden`] for an owner, by somebody who is none; [`StoreError::Conflict`] with the
    /// remedy.
    #[tracing::instrument(name = "store.member_blocks.block_member", skip_all)]
    pub async fn block_member(
        &self,
        scope: &AdminScope,
        id: MemberId,
        what: Shut,
    ) -> Result<Committed<BlockResult>, StoreError> {
        let decided = self.block_members(scope, &[id], what).await?;
        decided.and_then(|results| match results.as_slice() {
            [done @ (BlockResult::Done | BlockResult::AwaitsOwner | BlockResult::Unchanged)] => Ok(*done),
            [BlockResult::Refused(BlockRefusal::TakesOwner)] => {
                Err(StoreError::Forbidden(BlockRefusal::TakesOwner.sentence().into()))
            }
            [BlockResult::Refused(refusal)] => Err(StoreError::Conflict(refusal.sentence().into())),
            _ => Err(StoreError::NotFound("member")),
        })
    }
}

impl TenantTx {
    pub(super) async fn states(&self, ids: &[MemberId]) -> Result<HashMap<MemberId, MemberState>, StoreError> {
        let rows: Vec<MemberRow> = self.all(&STATES, [id_rows(ids.iter().map(|id| id.0))?]).await?;
        let states = rows.into_iter().map(MemberRow::into_state);
        states.map(|state| state.map(|state| (state.id, state))).collect()
    }

    async fn write_blocks(&self, changes: &[BlockChange]) -> Result<(), StoreError> {
        let row = |change: &BlockChange| self.block_row(&change.after);
        self.tx.update_rows("members", BLOCK, &changes.iter().map(row).collect::<Vec<_>>()).await?;
        let told = |event| self.event_row(event, self.actor, self.request, None);
        let events: Vec<EventRow> = changes.iter().flat_map(|change| &change.events).map(told).collect();
        self.write_events(&events).await?;
        use tenant_leases::Column;
        let seats: i64 = changes.iter().map(BlockChange::seats).sum();
        if seats != 0 {
            let counts = self.update_own::<tenant_leases::Entity>();
            counts.set(Column::SeatsUsed, Column::SeatsUsed.into_expr().add(seats)).exec().await?;
        }
        let signs_in = |member: &MemberState| member.role.signs_in_as(member.billing_contact).is_some();
        let shut_out = changes.iter().filter(|change| !change.after.has_access() && signs_in(&change.after));
        self.end_access(&shut_out.map(|change| change.after.id.0).collect::<Vec<_>>()).await?;
        // Free seats go to those who wait, and an item may be held because somebody was the last admin.
        let people = changes.iter().filter_map(|change| change.after.directory_user).map(Touched::User);
        self.write_changes(None, Lane::Push, people.chain([Touched::Tenant])).await?;
        if changes.iter().any(|change| signs_in(&change.after)) {
            self.touch_items(Retouch::ByRole).await?;
        }
        let gone =
            |change: &&BlockChange| change.before.holds_address() && change.after.status == MemberStatus::Removed;
        let freed: Vec<String> = changes.iter().filter(gone).map(|change| fold(&change.before.profile.email)).collect();
        self.touch_disputed(&freed).await?;
        self.touch_candidates(freed.into_iter().map(Identifier::Address)).await
    }

    fn block_row(&self, member: &MemberState) -> BlockRow {
        BlockRow {
            tenant_id: self.tenant.0,
            id: member.id.0,
            status: member.status.as_str(),
            suspended_from: member.suspended_from.map(|status| status.as_str()),
            waiting_for: member.waiting_for.map(|what| what.as_str()),
            blocked_from: member.blocked_from.map(|status| status.as_str()),
            seated: member.seated,
            held: member.held,
            modified_at: self.clock.now(),
        }
    }
}
