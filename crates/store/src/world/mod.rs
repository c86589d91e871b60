//! Reads what a plan depends on: the touched subjects, whom they may meet in the roster, and the counts. The number of
//! queries is fixed; their cost follows the number of changes, not the tenant.

mod groups;
mod people;

use crate::changes::Touched;
use crate::connect::Store;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::members::{MEMBER_COLUMNS, MemberRow};
use crate::scope::TenantTx;
use crate::sql::{ID, id_rows};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rollcall_core::digest::PlanDigest;
use rollcall_core::directory::{Origin, SourceMode, UserSubject};
use rollcall_core::guard::Standing;
use rollcall_core::ids::{DirectoryUserId, MemberId, RequestId};
use rollcall_core::plan::{Action, World};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{MemberStatus, Role};
use sea_orm::FromQueryResult;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// Rounds of following "who holds this address, and what does their record say": enough for long cycles of swaps.
const HOLDER_ROUNDS: usize = 8;

/// A world and what it was read from.
#[derive(Debug)]
pub struct Chunk {
    pub world: World,
    /// How many changes it answers for.
    pub changes: usize,
    pub(crate) change_ids: Vec<Uuid>,
    /// The people the changes name; the world holds others whom they meet as well.
    pub(crate) touched_users: HashSet<DirectoryUserId>,
    /// More people wait for a seat than were read.
    pub(crate) more_wait: bool,
    pub(crate) open_holds: Vec<OpenHold>,
}

/// A held run that more can be added to.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct OpenHold {
    pub(crate) id: Uuid,
    pub(crate) source_id: Option<Uuid>,
    /// `held`, or `approved` and not applied yet.
    pub(crate) state: String,
    pub(crate) held_reasons: Json,
    digest: String,
}

impl OpenHold {
    pub(crate) fn plan_digest(&self) -> PlanDigest {
        PlanDigest::from_hex(&self.digest).unwrap_or_default()
    }
}

#[derive(FromQueryResult)]
struct ApprovedRow {
    subject_id: Uuid,
    action: String,
}

#[derive(FromQueryResult)]
struct ChangeRow {
    id: Uuid,
    user_id: Option<Uuid>,
    group_id: Option<Uuid>,
    request_id: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct StandingRow {
    seats: i64,
    policy: Json,
    seats_used: i64,
    managed_members: i64,
}

#[derive(FromQueryResult)]
struct SumRow {
    removals: i64,
}

#[derive(FromQueryResult)]
struct AdminRow {
    id: Uuid,
    role: String,
    billing_contact: bool,
}

impl Store {
    /// The next changes of the tenant, at most `limit`, pushed ones first; `None` when there are none.
    pub async fn next_chunk(&self, lease: &Lease, limit: usize) -> Result<Option<Chunk>, StoreError> {
        let tx = self.read(&lease.scope).await?;
        let sql = "SELECT id, user_id, group_id, request_id FROM directory_changes \
                   WHERE tenant_id = $1 ORDER BY lane, id LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let changes: Vec<ChangeRow> = tx.tx.all(sql, [tx.tenant.0.into(), limit.into()]).await?;
        if changes.is_empty() {
            return Ok(None);
        }
        let touched = TouchedSubjects::sort(&changes);
        let touched_users = touched.users.keys().map(|id| DirectoryUserId(*id)).collect();
        let mut world = World::default();
        tx.read_standing(&mut world).await?;
        tx.read_users(&mut world, touched.users).await?;
        tx.read_groups(&mut world, touched.groups).await?;
        tx.read_memberships(&mut world, touched.memberships).await?;
        let more_wait = tx.read_waiting(&mut world).await?;
        let sql = "SELECT id, source_id, state, digest, held_reasons FROM runs \
                   WHERE tenant_id = $1 AND state IN ('held', 'approved')";
        let open_holds: Vec<OpenHold> = tx.tx.all(sql, [tx.tenant.0.into()]).await?;
        if open_holds.iter().any(|hold| hold.state == "approved") {
            tx.read_approved(&mut world).await?;
        }
        let change_ids: Vec<Uuid> = changes.iter().map(|change| change.id).collect();
        Ok(Some(Chunk { world, changes: change_ids.len(), change_ids, touched_users, more_wait, open_holds }))
    }
}

/// Each touched subject once, with the last request that touched it.
#[derive(Default)]
struct TouchedSubjects {
    users: BTreeMap<Uuid, Option<Uuid>>,
    groups: BTreeMap<Uuid, Option<Uuid>>,
    memberships: BTreeMap<(Uuid, Uuid), Option<Uuid>>,
}

impl TouchedSubjects {
    fn sort(changes: &[ChangeRow]) -> Self {
        let mut sorted = Self::default();
        for change in changes {
            let request = change.request_id;
            match Touched::from_ids(change.user_id, change.group_id) {
                Touched::User(user) => sorted.users.insert(user.0, request),
                Touched::Group(group) => sorted.groups.insert(group.0, request),
                Touched::Membership(group, user) => sorted.memberships.insert((group.0, user.0), request),
                Touched::Tenant => None,
            };
        }
        sorted
    }
}

fn origin(source: Uuid, mode: &str, request: Option<Uuid>) -> Origin {
    // A mode this program does not know must not change anything.
    let mode = mode.parse().unwrap_or(SourceMode::Off);
    Origin { source: source.into(), mode, request: request.map(RequestId) }
}

fn count(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

impl TenantTx {
    async fn read_standing(&self, world: &mut World) -> Result<(), StoreError> {
        let sql = "SELECT t.seats, t.policy, l.seats_used, l.managed_members FROM tenants t \
                   JOIN tenant_leases l ON l.tenant_id = t.id WHERE t.id = $1";
        let row: Option<StandingRow> = self.tx.one(sql, [self.tenant.0.into()]).await?;
        let row = row.ok_or(StoreError::NotFound("tenant"))?;
        world.policy = serde_json::from_value::<Policy>(row.policy)
            .map_err(|e| StoreError::Database(format!("the stored policy: {e}")))?;
        let window = self.clock.now() - world.policy.removal_limit.window();
        let sql = "SELECT CAST(coalesce(sum(removals), 0) AS bigint) AS removals FROM removal_counts \
                   WHERE tenant_id = $1 AND hour >= $2";
        let sum: Option<SumRow> = self.tx.one(sql, [self.tenant.0.into(), hour_of(window).into()]).await?;
        let sql = "SELECT id, role, billing_contact FROM members \
                   WHERE tenant_id = $1 AND (role <> 'member' OR billing_contact = TRUE) AND status = 'active'";
        let admins: Vec<AdminRow> = self.tx.all(sql, [self.tenant.0.into()]).await?;
        let ids = |wanted: fn(&AdminRow) -> bool| -> HashSet<MemberId> {
            admins.iter().filter(|row| wanted(row)).map(|row| row.id.into()).collect()
        };
        world.standing = Standing {
            seats_bought: count(row.seats),
            seats_used: count(row.seats_used),
            managed: count(row.managed_members),
            removals_in_window: count(sum.map_or(0, |sum| sum.removals)),
            active_admins: ids(|row| row.role != Role::Member.as_str()),
            active_billing_contacts: ids(|row| row.billing_contact),
        };
        Ok(())
    }

    /// What an admin released for the people of this world.
    async fn read_approved(&self, world: &mut World) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT subject_id, action FROM run_items WHERE tenant_id = $2 AND decision = 'approved' \
             AND subject_id IN (SELECT r.id FROM {})",
            self.tx.rows(ID)
        );
        let ids = id_rows(world.users.iter().map(|user| user.id.0))?;
        let rows: Vec<ApprovedRow> = self.tx.all(&sql, [ids, self.tenant.0.into()]).await?;
        let known = rows.iter().filter_map(|row| Some((row.subject_id.into(), Action::approvable(&row.action)?)));
        world.approved = known.collect();
        Ok(())
    }

    /// Reads as many waiting people as this plan could let in, and says whether more of them wait.
    async fn read_waiting(&self, world: &mut World) -> Result<bool, StoreError> {
        // Each person who leaves may free a seat, or be one of those who wait and must be passed over.
        let leaving = |user: &&UserSubject| {
            let mut known = user.member.iter().chain(&user.returning);
            let counts = known.any(|member| member.seated || member.waiting_for.is_some());
            counts && !user.record.as_ref().is_some_and(|record| record.active)
        };
        // One made by hand may turn out to have left.
        let by_hand = world.holders.values().filter(|holder| holder.seated && holder.managed_by.is_none());
        let released = world.users.iter().filter(leaving).count() + by_hand.count();
        let free = world.standing.seats_bought.saturating_sub(world.standing.seats_used);
        let limit = usize::try_from(free).unwrap_or(usize::MAX).saturating_add(released).min(500);
        if limit == 0 {
            return Ok(false);
        }
        // Not those whom the source has disabled meanwhile: an invitation cannot be taken back.
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM members m WHERE m.tenant_id = $1 AND m.waiting_for = 'seat' \
             AND EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id AND u.id = m.directory_user_id \
             AND u.active AND u.deleted_at IS NULL) ORDER BY m.directory_user_id LIMIT {limit}"
        );
        let rows: Vec<MemberRow> = self.tx.all(&sql, [self.tenant.0.into()]).await?;
        let more = rows.len() == limit;
        for row in rows {
            let member = row.into_state()?;
            let present = member.status != MemberStatus::Removed;
            if let (Some(user), true) = (member.directory_user, present) {
                world.waiting.push((user, member));
            }
        }
        Ok(more)
    }
}

/// The hour a removal is counted in; the window is counted in whole hours, the oldest one in full.
pub(crate) fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}
