//! The groups of a world: the source's groups, the matching sharing groups, and the touched memberships.

use super::view::{MODE, View};
use super::{HOLDER_ROUNDS, origin};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, TEXT, TextRow, Type, id_rows, json_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::directory::{GroupState, GroupSubject, MembershipSubject};
use rollcall_core::email::fold;
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct GroupRecordRow {
    id: Uuid,
    source_id: Uuid,
    mode: String,
    display_name: String,
    external_id: Option<String>,
    deleted: bool,
    people_leave: bool,
    deleted_here: bool,
}

#[derive(FromQueryResult)]
struct SharingGroupRow {
    id: Uuid,
    name: String,
    managed_by: Option<Uuid>,
    directory_group_id: Option<Uuid>,
    from_sign_in: bool,
    live: bool,
}

#[derive(FromQueryResult)]
struct MembershipRow {
    source_id: Uuid,
    mode: String,
    request_id: Option<Uuid>,
    group_id: Uuid,
    member_id: Uuid,
    group_name: String,
    group_external_id: Option<String>,
    desired: bool,
    actual: bool,
    has_access: bool,
    email: String,
    display_name: Option<String>,
    name: String,
}

#[derive(Serialize)]
struct PairRow {
    group_id: Uuid,
    user_id: Uuid,
    request_id: Option<Uuid>,
}

static GROUP_RECORDS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "SELECT g.id, g.source_id, ",
        MODE,
        " AS mode, g.display_name, g.external_id, \
         g.deleted_at IS NOT NULL OR s.people_leave AS deleted, s.people_leave, \
         EXISTS (SELECT 1 FROM sharing_groups x WHERE x.tenant_id = g.tenant_id AND x.directory_group_id = g.id \
         AND x.managed_by = g.source_id AND x.removed_at IS NOT NULL) AS deleted_here FROM {rows} \
         {join} directory_groups g ON g.tenant_id = {tenant} AND g.id = r.id \
         {join} sources s ON s.tenant_id = g.tenant_id AND s.id = g.source_id",
    ],
);

/// Present sharing groups, each with the directory group it is tied to, alive or not.
const SHARING_GROUPS: &str = "SELECT g.id, g.name, g.managed_by, g.directory_group_id, g.from_sign_in, \
    EXISTS (SELECT 1 FROM directory_groups d WHERE d.tenant_id = g.tenant_id AND d.id = g.directory_group_id \
    AND d.deleted_at IS NULL AND (g.managed_by IS NULL OR d.source_id = g.managed_by)) AS live \
    FROM {rows} {join} sharing_groups g ON g.tenant_id = {tenant} AND g.removed_at IS NULL AND ";
pub(super) static SHARING_GROUPS_OF_RECORDS: Sql =
    Sql::tenant_rows(&[("rows", 2, ID)], &[SHARING_GROUPS, "g.directory_group_id = r.id"]);
pub(super) static SHARING_GROUPS_BY_NAME: Sql =
    Sql::tenant_rows(&[("rows", 2, TEXT)], &[SHARING_GROUPS, "g.name_folded = r.text"]);

/// A membership as the planner sees it. The groups of an older record of the member count as well.
const MEMBERSHIP: &str = " AS mode, r.request_id, g.id AS group_id, m.id AS member_id, \
    d.display_name AS group_name, d.external_id AS group_external_id, dm.user_id IS NOT NULL \
    OR (m.former_record_id IS NOT NULL AND EXISTS (SELECT 1 FROM directory_memberships o WHERE o.tenant_id = m.tenant_id \
    AND o.group_id = d.id AND o.user_id IN (m.directory_user_id, m.former_record_id))) AS desired, \
    gm.member_id IS NOT NULL AS actual, m.status IN ('invited', 'active') AS has_access, \
    m.email, m.display_name, g.name FROM {rows} ";
const LIVE_GROUP: &str = "{join} directory_groups d ON d.tenant_id = {tenant} AND d.id = r.group_id AND d.deleted_at IS NULL \
    {join} sources s ON s.tenant_id = d.tenant_id AND s.id = d.source_id AND s.mode = 'live' \
    {join} sharing_groups g ON g.tenant_id = d.tenant_id AND g.directory_group_id = d.id AND g.removed_at IS NULL ";
const BOTH_SIDES: &str = " LEFT JOIN directory_memberships dm \
    ON dm.tenant_id = d.tenant_id AND dm.group_id = d.id AND dm.user_id = r.user_id \
    LEFT JOIN sharing_group_members gm ON gm.tenant_id = d.tenant_id AND gm.group_id = g.id AND gm.member_id = m.id";

static MEMBERSHIPS: Sql = Sql::tenant_rows(
    &[("rows", 2, PAIRS)],
    &[
        "SELECT d.source_id, ",
        MODE,
        MEMBERSHIP,
        LIVE_GROUP,
        "{join} members m ON m.tenant_id = d.tenant_id AND m.directory_user_id = r.user_id",
        BOTH_SIDES,
        " UNION ALL SELECT d.source_id, ",
        MODE,
        MEMBERSHIP,
        // Hardly any member has a former record, so this part ends at an empty look-up.
        "{join} members m ON m.tenant_id = {tenant} AND m.former_record_id = r.user_id ",
        LIVE_GROUP,
        BOTH_SIDES,
    ],
);

const PAIRS: Columns = &[("group_id", Type::Uuid), ("user_id", Type::Uuid), ("request_id", Type::Uuid)];

impl TenantTx {
    pub(super) async fn read_groups(
        &self,
        world: &mut World,
        touched: BTreeMap<Uuid, Option<Uuid>>,
        view: View,
    ) -> Result<(), StoreError> {
        let mut wanted = touched;
        let mut seen: HashSet<Uuid> = HashSet::new();
        for _ in 0..HOLDER_ROUNDS {
            if wanted.is_empty() {
                break;
            }
            seen.extend(wanted.keys().copied());
            let mut groups = self.read_group_records(world, &wanted).await?;
            let own: Vec<Uuid> = wanted.keys().copied().collect();
            let linked = self.read_sharing_groups(&SHARING_GROUPS_OF_RECORDS, id_rows(own)?).await?;
            for group in &mut groups {
                group.sharing_group = linked.iter().find(|g| g.1 == Some(group.id.0)).map(|g| g.0.clone());
            }
            view.groups(&mut groups);
            let names: Vec<String> = groups.iter().filter_map(|group| group.name.as_deref()).map(fold).collect();
            let rows: Vec<TextRow<'_>> = names.iter().map(|text| TextRow { text }).collect();
            world.groups.append(&mut groups);
            let holders = self.read_sharing_groups(&SHARING_GROUPS_BY_NAME, json_rows(&rows)?).await?;
            let holders: Vec<GroupState> = holders.into_iter().map(|(group, _)| view.named(group)).collect();
            let follow = holders.iter().filter_map(|group| group.directory_group);
            wanted = follow.filter(|id| !seen.contains(&id.0)).map(|id| (id.0, None)).collect();
            world.group_names.extend(holders.into_iter().map(|group| (fold(&group.name), group)));
        }
        world.groups.sort_by_key(|group| group.id);
        Ok(())
    }

    async fn read_group_records(
        &self,
        world: &World,
        wanted: &BTreeMap<Uuid, Option<Uuid>>,
    ) -> Result<Vec<GroupSubject>, StoreError> {
        let rows: Vec<GroupRecordRow> = self.all(&GROUP_RECORDS, [id_rows(wanted.keys().copied())?]).await?;
        let subject = |row: GroupRecordRow| GroupSubject {
            id: row.id.into(),
            origin: origin(row.source_id, &row.mode, wanted.get(&row.id).copied().flatten()),
            // The last change of a detached source concerns all its groups.
            fed: row.people_leave
                || world.policy_of(row.source_id.into()).feeds_group(&row.display_name, row.external_id.as_deref()),
            deleted_here: row.deleted_here,
            name: (!row.deleted).then_some(row.display_name),
            sharing_group: None,
        };
        Ok(rows.into_iter().map(subject).collect())
    }

    /// Present sharing groups that match `on`, each with its directory group, alive or not.
    pub(super) async fn read_sharing_groups(
        &self,
        sql: &Sql,
        rows: sea_orm::sea_query::Value,
    ) -> Result<Vec<(GroupState, Option<Uuid>)>, StoreError> {
        let rows: Vec<SharingGroupRow> = self.all(sql, [rows]).await?;
        let state = |row: SharingGroupRow| {
            let group = GroupState {
                id: row.id.into(),
                name: row.name,
                managed_by: row.managed_by.map(Into::into),
                directory_group: row.directory_group_id.filter(|_| row.live).map(Into::into),
                tied_to: row.directory_group_id.map(Into::into),
                from_sign_in: row.from_sign_in,
            };
            (group, row.directory_group_id)
        };
        Ok(rows.into_iter().map(state).collect())
    }

    /// Only memberships whose ends are both in the roster; the others are touched again when those ends are linked, or the
    /// group is synced again.
    pub(super) async fn read_memberships(
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
        let rows: Vec<MembershipRow> = self.all(&MEMBERSHIPS, [json_rows(&pairs)?]).await?;
        for row in rows {
            let policy = world.policy_of(row.source_id.into());
            if !policy.feeds_group(&row.group_name, row.group_external_id.as_deref()) {
                continue;
            }
            let (group, member) = (row.group_id.into(), row.member_id.into());
            world.memberships.push(MembershipSubject {
                origin: origin(row.source_id, &row.mode, row.request_id),
                group,
                member,
                has_access: row.has_access,
                desired: row.desired,
                actual: row.actual,
            });
            world.names.members.insert(member, (row.email, row.display_name));
            world.names.groups.insert(group, row.name);
        }
        // Two records of one member may be touched in one group.
        world.memberships.sort_by_key(|membership| (membership.group, membership.member));
        world.memberships.dedup_by_key(|membership| (membership.group, membership.member));
        Ok(())
    }
}
