//! Reads what a plan depends on: the touched subjects, whom they may meet in the roster, and the counts. The number of
//! queries is fixed; their cost follows the number of changes, not the tenant.

use crate::changes::Touched;
use crate::connect::Store;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::members::{MEMBER_COLUMNS, MemberRow};
use crate::scope::TenantTx;
use crate::sql::{Columns, ID, TEXT, TextRow, Type, id_rows, json_rows};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rollcall_core::digest::PlanDigest;
use rollcall_core::directory::{GroupState, GroupSubject, MembershipSubject, Origin, PersonRecord, SourceMode, UserSubject};
use rollcall_core::email::fold;
use rollcall_core::guard::Standing;
use rollcall_core::ids::{DirectoryUserId, MemberId, RequestId};
use rollcall_core::plan::{Action, World};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{MemberState, MemberStatus, Role};
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap, HashSet};
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

#[derive(FromQueryResult)]
struct UserRow {
    id: Uuid,
    source_id: Uuid,
    mode: String,
    email: Option<String>,
    external_id: Option<String>,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    active: bool,
    deleted: bool,
}

#[derive(FromQueryResult)]
struct GroupRow {
    id: Uuid,
    source_id: Uuid,
    mode: String,
    display_name: String,
    deleted: bool,
}

#[derive(FromQueryResult)]
struct SharingGroupRow {
    id: Uuid,
    name: String,
    managed_by: Option<Uuid>,
    directory_group_id: Option<Uuid>,
    live: bool,
}

#[derive(FromQueryResult)]
struct MembershipRow {
    source_id: Uuid,
    mode: String,
    request_id: Option<Uuid>,
    group_id: Uuid,
    member_id: Uuid,
    desired: bool,
    actual: bool,
}

#[derive(Serialize)]
struct PairRow {
    group_id: Uuid,
    user_id: Uuid,
    request_id: Option<Uuid>,
}

const PAIRS: Columns = &[("group_id", Type::Uuid), ("user_id", Type::Uuid), ("request_id", Type::Uuid)];

#[derive(Serialize)]
struct AnchorRow<'a> {
    source_id: Uuid,
    external_id: &'a str,
}

const ANCHORS: Columns = &[("source_id", Type::Uuid), ("external_id", Type::Text)];

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

    async fn read_users(&self, world: &mut World, touched: BTreeMap<Uuid, Option<Uuid>>) -> Result<(), StoreError> {
        let mut wanted = touched;
        let mut known_emails: HashSet<String> = HashSet::new();
        for _ in 0..HOLDER_ROUNDS {
            if wanted.is_empty() {
                break;
            }
            let mut users = self.read_records(&wanted).await?;
            self.read_linked(&mut users, wanted.keys().copied()).await?;
            self.read_returning(&mut users).await?;
            let asked = users.iter().filter_map(|user| user.record.as_ref()?.email.as_deref());
            let known = users.iter().flat_map(|user| user.member.iter().chain(&user.returning));
            // A removed member holds no address; whether the former one is free decides about coming back.
            let former = known.filter(|m| m.status == MemberStatus::Removed).map(|m| m.profile.email.as_str());
            let emails = asked.chain(former).map(fold);
            let emails: Vec<String> = emails.filter(|email| known_emails.insert(email.clone())).collect();
            world.users.append(&mut users);
            let holders = self.read_holders(&emails).await?;
            let present: HashSet<DirectoryUserId> = world.users.iter().map(|user| user.id).collect();
            let follow = holders.iter().filter_map(|holder| holder.directory_user).filter(|id| !present.contains(id));
            wanted = follow.map(|id| (id.0, None)).collect();
            world.holders.extend(holders.into_iter().map(|holder| (fold(&holder.profile.email), holder)));
        }
        world.users.sort_by_key(|user| user.id);
        Ok(())
    }

    async fn read_records(&self, wanted: &BTreeMap<Uuid, Option<Uuid>>) -> Result<Vec<UserSubject>, StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT u.id, u.source_id, s.mode, u.email, u.external_id, u.display_name, u.given_name, u.family_name, \
             u.active, u.deleted_at IS NOT NULL AS deleted FROM {} \
             {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             {join} sources s ON s.tenant_id = u.tenant_id AND s.id = u.source_id",
            self.tx.rows(ID)
        );
        let rows: Vec<UserRow> = self.tx.all(&sql, [id_rows(wanted.keys().copied())?, self.tenant.0.into()]).await?;
        let subject = |row: UserRow| {
            let record = PersonRecord {
                email: row.email,
                external_id: row.external_id,
                display_name: row.display_name,
                given_name: row.given_name,
                family_name: row.family_name,
                active: row.active,
            };
            UserSubject {
                id: row.id.into(),
                origin: origin(row.source_id, &row.mode, wanted.get(&row.id).copied().flatten()),
                record: (!row.deleted).then_some(record),
                member: None,
                returning: None,
            }
        };
        Ok(rows.into_iter().map(subject).collect())
    }

    async fn read_linked(&self, users: &mut [UserSubject], ids: impl Iterator<Item = Uuid>) -> Result<(), StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM {} {join} members m ON m.tenant_id = $2 AND m.directory_user_id = r.id",
            self.tx.rows(ID)
        );
        let rows: Vec<MemberRow> = self.tx.all(&sql, [id_rows(ids)?, self.tenant.0.into()]).await?;
        let mut linked: HashMap<Uuid, MemberState> = HashMap::new();
        for row in rows {
            let member = row.into_state()?;
            if let Some(user) = member.directory_user {
                linked.insert(user.0, member);
            }
        }
        for user in users {
            user.member = linked.remove(&user.id.0);
        }
        Ok(())
    }

    /// Members of the same source and external id whose own record is gone.
    async fn read_returning(&self, users: &mut [UserSubject]) -> Result<(), StoreError> {
        let anchor = |user: &UserSubject| {
            let external_id = user.record.as_ref().filter(|_| user.member.is_none())?.external_id.clone()?;
            Some((user.origin.source.0, external_id))
        };
        let anchors: Vec<(Uuid, String)> = users.iter().filter_map(anchor).collect();
        if anchors.is_empty() {
            return Ok(());
        }
        let rows: Vec<AnchorRow<'_>> =
            anchors.iter().map(|(source_id, external_id)| AnchorRow { source_id: *source_id, external_id }).collect();
        let join = self.tx.join();
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM {} \
             {join} members m ON m.tenant_id = $2 AND m.managed_by = r.source_id AND m.external_id = r.external_id \
             WHERE NOT EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id \
             AND u.id = m.directory_user_id AND u.deleted_at IS NULL)",
            self.tx.rows(ANCHORS)
        );
        let found: Vec<MemberRow> = self.tx.all(&sql, [json_rows(&rows)?, self.tenant.0.into()]).await?;
        let mut returning: HashMap<(Uuid, String), MemberState> = HashMap::new();
        for row in found {
            let member = row.into_state()?;
            if let (Some(source), Some(external_id)) = (member.managed_by, member.profile.external_id.clone()) {
                returning.insert((source.0, external_id), member);
            }
        }
        for user in users {
            if let Some(anchor) = anchor(user) {
                user.returning = returning.get(&anchor).cloned();
            }
        }
        Ok(())
    }

    async fn read_holders(&self, emails: &[String]) -> Result<Vec<MemberState>, StoreError> {
        if emails.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<TextRow<'_>> = emails.iter().map(|text| TextRow { text }).collect();
        let join = self.tx.join();
        let sql = format!(
            "SELECT {MEMBER_COLUMNS} FROM {} {join} members m ON m.tenant_id = $2 AND m.email_folded = r.text \
             AND m.status <> 'removed'",
            self.tx.rows(TEXT)
        );
        let rows: Vec<MemberRow> = self.tx.all(&sql, [json_rows(&rows)?, self.tenant.0.into()]).await?;
        rows.into_iter().map(MemberRow::into_state).collect()
    }

    async fn read_groups(&self, world: &mut World, touched: BTreeMap<Uuid, Option<Uuid>>) -> Result<(), StoreError> {
        let mut wanted = touched;
        for _ in 0..HOLDER_ROUNDS {
            if wanted.is_empty() {
                break;
            }
            let mut groups = self.read_group_records(&wanted).await?;
            let own: Vec<Uuid> = wanted.keys().copied().collect();
            let linked = self.read_sharing_groups("g.directory_group_id = r.id", ID, id_rows(own)?).await?;
            for group in &mut groups {
                group.sharing_group = linked.iter().find(|g| g.1 == Some(group.id.0)).map(|g| g.0.clone());
            }
            let names: Vec<String> = groups.iter().filter_map(|group| group.name.as_deref()).map(fold).collect();
            let rows: Vec<TextRow<'_>> = names.iter().map(|text| TextRow { text }).collect();
            world.groups.append(&mut groups);
            let holders = self.read_sharing_groups("g.name_folded = r.text", TEXT, json_rows(&rows)?).await?;
            let present: HashSet<Uuid> = world.groups.iter().map(|group| group.id.0).collect();
            let follow = holders.iter().filter_map(|(group, _)| group.directory_group);
            wanted = follow.filter(|id| !present.contains(&id.0)).map(|id| (id.0, None)).collect();
            world.group_names.extend(holders.into_iter().map(|(group, _)| (fold(&group.name), group)));
        }
        world.groups.sort_by_key(|group| group.id);
        Ok(())
    }

    async fn read_group_records(&self, wanted: &BTreeMap<Uuid, Option<Uuid>>) -> Result<Vec<GroupSubject>, StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT g.id, g.source_id, s.mode, g.display_name, g.deleted_at IS NOT NULL AS deleted FROM {} \
             {join} directory_groups g ON g.tenant_id = $2 AND g.id = r.id \
             {join} sources s ON s.tenant_id = g.tenant_id AND s.id = g.source_id",
            self.tx.rows(ID)
        );
        let rows: Vec<GroupRow> = self.tx.all(&sql, [id_rows(wanted.keys().copied())?, self.tenant.0.into()]).await?;
        let subject = |row: GroupRow| GroupSubject {
            id: row.id.into(),
            origin: origin(row.source_id, &row.mode, wanted.get(&row.id).copied().flatten()),
            name: (!row.deleted).then_some(row.display_name),
            sharing_group: None,
        };
        Ok(rows.into_iter().map(subject).collect())
    }

    /// Present sharing groups that meet `on`, each with the directory group it is tied to, alive or not.
    async fn read_sharing_groups(
        &self,
        on: &str,
        columns: Columns,
        rows: sea_orm::sea_query::Value,
    ) -> Result<Vec<(GroupState, Option<Uuid>)>, StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT g.id, g.name, g.managed_by, g.directory_group_id, \
             EXISTS (SELECT 1 FROM directory_groups d WHERE d.tenant_id = g.tenant_id AND d.id = g.directory_group_id \
             AND d.deleted_at IS NULL) AS live \
             FROM {} {join} sharing_groups g ON g.tenant_id = $2 AND {on} AND g.removed_at IS NULL",
            self.tx.rows(columns)
        );
        let rows: Vec<SharingGroupRow> = self.tx.all(&sql, [rows, self.tenant.0.into()]).await?;
        let state = |row: SharingGroupRow| {
            let group = GroupState {
                id: row.id.into(),
                name: row.name,
                managed_by: row.managed_by.map(Into::into),
                directory_group: row.directory_group_id.filter(|_| row.live).map(Into::into),
            };
            (group, row.directory_group_id)
        };
        Ok(rows.into_iter().map(state).collect())
    }

    /// Only memberships whose both ends are in the roster; the others are touched again when those ends are linked.
    async fn read_memberships(
        &self,
        world: &mut World,
        touched: BTreeMap<(Uuid, Uuid), Option<Uuid>>,
    ) -> Result<(), StoreError> {
        if touched.is_empty() {
            return Ok(());
        }
        let pair = |((group_id, user_id), request_id): (&(Uuid, Uuid), &Option<Uuid>)| PairRow {
            group_id: *group_id,
            user_id: *user_id,
            request_id: *request_id,
        };
        let pairs: Vec<PairRow> = touched.iter().map(pair).collect();
        let join = self.tx.join();
        let sql = format!(
            "SELECT d.source_id, s.mode, r.request_id, g.id AS group_id, m.id AS member_id, \
             dm.user_id IS NOT NULL AS desired, gm.member_id IS NOT NULL AS actual FROM {} \
             {join} directory_groups d ON d.tenant_id = $2 AND d.id = r.group_id AND d.deleted_at IS NULL \
             {join} sources s ON s.tenant_id = d.tenant_id AND s.id = d.source_id \
             {join} sharing_groups g ON g.tenant_id = d.tenant_id AND g.directory_group_id = d.id AND g.removed_at IS NULL \
             {join} members m ON m.tenant_id = d.tenant_id AND m.directory_user_id = r.user_id \
             LEFT JOIN directory_memberships dm \
               ON dm.tenant_id = d.tenant_id AND dm.group_id = d.id AND dm.user_id = r.user_id \
             LEFT JOIN sharing_group_members gm \
               ON gm.tenant_id = d.tenant_id AND gm.group_id = g.id AND gm.member_id = m.id",
            self.tx.rows(PAIRS)
        );
        let rows: Vec<MembershipRow> = self.tx.all(&sql, [json_rows(&pairs)?, self.tenant.0.into()]).await?;
        let subject = |row: MembershipRow| MembershipSubject {
            origin: origin(row.source_id, &row.mode, row.request_id),
            group: row.group_id.into(),
            member: row.member_id.into(),
            desired: row.desired,
            actual: row.actual,
        };
        world.memberships = rows.into_iter().map(subject).collect();
        world.memberships.sort_by_key(|membership| (membership.group, membership.member));
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
            let counts = user.member.as_ref().is_some_and(|member| member.seated || member.waiting_for.is_some());
            counts && !user.record.as_ref().is_some_and(|record| record.active)
        };
        let released = world.users.iter().filter(leaving).count();
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
