//! Follow-ups of an apply: memberships of people and groups that were just linked, and disputed records whose address
//! or name became free.

use super::candidate::Identifier;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, TEXT, TextRow, Type, json_rows};
use crate::engine::sql::{RowSet, Sql};
use crate::engine::transaction::TenantTx;
use crate::log::changes::{Lane, Touched};
use crate::reconcile::world::Chunk;
use rollcall_core::action::Disputed;
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryUserId, RequestId};
use rollcall_core::outcome::{Departed, Outcome};
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

#[derive(Serialize)]
struct LinkRow {
    id: Uuid,
    request_id: Option<Uuid>,
}

impl LinkRow {
    fn new(id: Uuid, request: Option<RequestId>) -> Self {
        Self { id, request_id: request.map(|id| id.0) }
    }
}

/// A person who left: the address and the external id that others may have now.
#[derive(Serialize)]
struct DepartedRow {
    text: String,
    source_id: Option<Uuid>,
    external_id: Option<String>,
    followed: Option<Uuid>,
    just_now: bool,
}

impl DepartedRow {
    fn new(Departed { member, followed, just_now }: Departed<'_>) -> Self {
        Self {
            text: fold(member.own_address()),
            source_id: member.managed_by.map(|id| id.0),
            external_id: member.profile.external_id.clone(),
            followed: followed.map(|id| id.0),
            just_now,
        }
    }
}

const DEPARTED: Columns = &[
    ("text", Type::Text),
    ("source_id", Type::Uuid),
    ("external_id", Type::Text),
    ("followed", Type::Uuid),
    ("just_now", Type::Flag),
];

#[derive(FromQueryResult)]
struct HeirRow {
    subject_id: Uuid,
    just_now: bool,
}

const LINKS: Columns = &[("id", Type::Uuid), ("request_id", Type::Uuid)];

const LINKED: &[RowSet] = &[("rows", 2, LINKS)];
const FREED: &[RowSet] = &[("rows", 2, TEXT)];

/// Lane 1 is [`Lane::Bulk`], and lane 0 is [`Lane::Push`].
const TOUCH: &str = "INSERT INTO directory_changes (tenant_id, id, lane, user_id, group_id, request_id, created_at) \
    SELECT {tenant}, {random_id}, 1, x.user_id, x.group_id, x.request_id, $3 FROM (";

/// Memberships at the source, and those that the roster still has for a returning person or group.
static TOUCH_USERS: Sql = Sql::tenant_rows(LINKED, &[TOUCH, OF_USERS, ") AS x"]);
static TOUCH_GROUPS: Sql = Sql::tenant_rows(LINKED, &[TOUCH, OF_GROUPS, ") AS x"]);
/// Members of a group that its source made again: they may be in the user scope now, or no longer. Members of an unchanged
/// group were marked by changes of their own.
static TOUCH_PEOPLE_OF_GROUPS: Sql = Sql::tenant_rows(LINKED, &[TOUCH, PEOPLE_OF_GROUPS, ") AS x"]);

static TOUCH_DISPUTED: Sql = Sql::tenant_rows(
    FREED,
    &[
        "INSERT INTO directory_changes (tenant_id, id, lane, user_id, group_id, created_at) SELECT {tenant}, {random_id}, 0, \
       CASE WHEN d.subject_kind = 'directory_user' THEN d.subject_id END, \
       CASE WHEN d.subject_kind = 'directory_group' THEN d.subject_id END, $3 \
       FROM {rows} {join} disputes d ON d.tenant_id = {tenant} AND d.about = r.text",
    ],
);
/// Records in dispute about the address of somebody who left, and records without a member that have the external id.
static HEIRS: Sql = Sql::tenant_rows(
    &[("rows", 2, DEPARTED)],
    &["SELECT d.subject_id, r.just_now FROM {rows} {join} disputes d ON d.tenant_id = {tenant} AND d.about = r.text \
       AND d.subject_kind = 'directory_user' UNION SELECT u.id AS subject_id, r.just_now FROM {rows} \
       {join} directory_users u ON u.tenant_id = {tenant} AND u.source_id = r.source_id AND u.external_id = r.external_id \
       AND u.deleted_at IS NULL WHERE (r.followed IS NULL OR u.id <> r.followed) AND NOT EXISTS (SELECT 1 FROM members m \
       WHERE m.tenant_id = u.tenant_id AND m.directory_user_id = u.id)"],
);

const OF_USERS: &str = "SELECT dm.group_id, dm.user_id, r.request_id FROM {rows} \
    {join} directory_memberships dm ON dm.tenant_id = {tenant} AND dm.user_id = r.id \
    UNION SELECT g.directory_group_id, r.id, r.request_id FROM {rows} \
    {join} members m ON m.tenant_id = {tenant} AND m.directory_user_id = r.id \
    {join} sharing_group_members gm ON gm.tenant_id = m.tenant_id AND gm.member_id = m.id \
    {join} sharing_groups g ON g.tenant_id = gm.tenant_id AND g.id = gm.group_id AND g.directory_group_id IS NOT NULL";

const OF_GROUPS: &str = "SELECT dm.group_id, dm.user_id, r.request_id FROM {rows} \
    {join} directory_memberships dm ON dm.tenant_id = {tenant} AND dm.group_id = r.id \
    UNION SELECT r.id, m.directory_user_id, r.request_id FROM {rows} \
    {join} sharing_groups g ON g.tenant_id = {tenant} AND g.directory_group_id = r.id \
    {join} sharing_group_members gm ON gm.tenant_id = g.tenant_id AND gm.group_id = g.id \
    {join} members m ON m.tenant_id = gm.tenant_id AND m.id = gm.member_id AND m.directory_user_id IS NOT NULL";

const PEOPLE_OF_GROUPS: &str = "SELECT DISTINCT CAST(NULL AS uuid) AS group_id, dm.user_id, r.request_id FROM {rows} \
    {join} directory_groups g ON g.tenant_id = {tenant} AND g.id = r.id AND (g.version > 1 OR g.deleted_at IS NOT NULL) \
    {join} directory_memberships dm ON dm.tenant_id = g.tenant_id AND dm.group_id = g.id";

impl TenantTx {
    pub(super) async fn follow_up(
        &self,
        outcome: &Outcome,
        chunk: &Chunk,
        disputed: &[Disputed],
    ) -> Result<(), StoreError> {
        self.touch_memberships(
            &TOUCH_USERS,
            outcome
                .linked_users
                .iter()
                .map(|link| LinkRow::new(link.record.0, link.request))
                .chain(older_records(outcome, chunk)),
        )
        .await?;
        self.touch_memberships(
            &TOUCH_GROUPS,
            outcome.linked_groups.iter().map(|link| LinkRow::new(link.record.0, link.request)),
        )
        .await?;
        self.touch_people_of_groups(chunk).await?;
        self.touch_disputed(&outcome.freed).await?;
        self.touch_heirs(outcome, chunk, disputed).await?;
        if !chunk.open_holds.is_empty() {
            let left = outcome.left_records.iter().map(|record| Touched::Group(*record));
            self.write_changes(None, Lane::Push, left).await?;
        }
        let World { policy, standing, .. } = &chunk.world;
        let seats_left = i64::from(policy.seats_at_most(standing.seats_bought)) > outcome.seats_used;
        if chunk.more_wait && seats_left {
            self.look_at_tenant_again().await?;
        }
        if chunk.beside {
            self.touch_candidates(identifiers(outcome).chain(outcome.freed.iter().flat_map(|text| freed_text(text))))
                .await?;
        }
        Ok(())
    }

    /// A group that was in dispute may have missed changes of its members meanwhile.
    pub(super) async fn touch_resumed(&self, groups: Vec<Uuid>) -> Result<(), StoreError> {
        self.touch_memberships(&TOUCH_GROUPS, groups.into_iter().map(|id| LinkRow::new(id, None))).await
    }

    pub(super) async fn touch_people_of_groups(&self, chunk: &Chunk) -> Result<(), StoreError> {
        let changed = chunk.changed_groups.iter();
        let changed = changed.map(|(id, request)| LinkRow::new(*id, request.map(RequestId)));
        self.touch_memberships(&TOUCH_PEOPLE_OF_GROUPS, changed).await
    }

    async fn touch_memberships(&self, sql: &Sql, links: impl Iterator<Item = LinkRow>) -> Result<(), StoreError> {
        let rows: Vec<LinkRow> = links.collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.exec(sql, [json_rows(&rows)?, self.clock.now().into()]).await?;
        Ok(())
    }

    /// Plans the records again that are in dispute about one of these addresses or names.
    pub(crate) async fn touch_disputed(&self, freed: &[String]) -> Result<(), StoreError> {
        if freed.is_empty() {
            return Ok(());
        }
        let rows: Vec<TextRow<'_>> = freed.iter().map(|text| TextRow { text }).collect();
        self.exec(&TOUCH_DISPUTED, [json_rows(&rows)?, self.clock.now().into()]).await?;
        Ok(())
    }

    /// A record that was refused the address of a member may have it once that member left, and one with the same external
    /// id may be the same person. Records that this plan looked at are up to date, unless the departure is its own doing.
    async fn touch_heirs(&self, outcome: &Outcome, chunk: &Chunk, disputed: &[Disputed]) -> Result<(), StoreError> {
        let departed = outcome.departed(&chunk.world, |user| chunk.touched_users.contains(&user), disputed);
        let rows: Vec<DepartedRow> = departed.into_iter().map(DepartedRow::new).collect();
        let mut touched: BTreeSet<DirectoryUserId> = outcome.reopened_records().collect();
        if !rows.is_empty() {
            let heirs: Vec<HeirRow> = self.all(&HEIRS, [json_rows(&rows)?]).await?;
            let looked_at: HashSet<Uuid> = chunk.world.users.iter().map(|user| user.id.0).collect();
            let heirs = heirs.into_iter().filter(|heir| heir.just_now || !looked_at.contains(&heir.subject_id));
            touched.extend(heirs.map(|heir| DirectoryUserId(heir.subject_id)));
        }
        self.write_changes(None, Lane::Push, touched.into_iter().map(Touched::User)).await
    }
}

/// Members whose older record was deleted or became another person's: its groups go with it.
fn older_records(outcome: &Outcome, chunk: &Chunk) -> impl Iterator<Item = LinkRow> {
    let deleted =
        chunk.world.users.iter().filter(|user| user.record.is_none() && chunk.touched_users.contains(&user.id));
    let deleted = deleted.filter_map(|user| Some((user.former.as_ref()?.directory_user?, user.origin.request)));
    let parted = outcome.parted_records().map(|record| (record, None));
    deleted.chain(parted).map(|(record, request)| LinkRow::new(record.0, request))
}

/// An address or a name; the string does not tell which.
fn freed_text(text: &str) -> [Identifier; 2] {
    [Identifier::Address(text.to_owned()), Identifier::Name(text.to_owned())]
}

/// Keys by which records of other sources may match the changed people and groups.
fn identifiers(outcome: &Outcome) -> impl Iterator<Item = Identifier> {
    let people = outcome.changed().map(|(_, member)| member).chain(&outcome.created).flat_map(|member| {
        let external_id = member.profile.external_id.clone().map(Identifier::ExternalId);
        external_id.into_iter().chain([Identifier::Address(fold(&member.profile.email))])
    });
    let groups = outcome.created_groups.iter().chain(&outcome.updated_groups);
    people.chain(groups.map(|group| Identifier::Name(fold(&group.name))))
}
