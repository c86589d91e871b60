//! Directory groups. A membership change is a row operation: parallel PATCHes of one group never read or rewrite the
//! group, so they lose nobody, and those that only add or only remove do not queue
//! (docs/design.md#memberships-are-rows, docs/design.md#no-hot-row).

use crate::committed::Committed;
use crate::directory::filter::folded::folds;
use crate::directory::list::{Identified, ListPage, ListRequest, ListedTable};
use crate::directory::memberships::{Delta, MemberChange};
use crate::directory::users::{Written, into_map, version_with};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::Write;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{directory_groups, directory_memberships};
use crate::log::changes::Touched;
use crate::scope::SourceScope;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold as name_key;
use rollcall_core::event::{Difference, DirectoryGroupDetail, Event};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_core::policy::PutWithoutMembers;
use rollcall_scim::etag::if_match_allows;
use rollcall_scim::{GroupResource, fold};
use sea_orm::sea_query::{Expr, ExprTrait, Query, Value};
use sea_orm::{ColumnTrait, FromQueryResult};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// A directory group as stored.
#[derive(Clone, Debug)]
pub struct DirectoryGroup {
    pub id: DirectoryGroupId,
    pub resource: GroupResource,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// The row lock that a write takes on a group, and thereby on its members. SQLite has one writer and needs none.
#[derive(Clone, Copy)]
enum Lock {
    No,
    /// Members join, or members leave. The foreign key of a membership takes the same lock, so this one adds no wait.
    Members,
    /// The attributes change, or some members leave while others join: one such write at a time, concurrent with those that
    /// only add or only remove.
    Group,
    /// Excludes every other write, because the read must still be true at the end, or the group is deleted.
    Alone,
}

impl Lock {
    fn statement(self) -> &'static Sql {
        match self {
            Self::No => &GROUP,
            Self::Members => &GROUP_FOR_MEMBERS,
            Self::Group => &GROUP_TO_CHANGE,
            Self::Alone => &GROUP_ALONE,
        }
    }
}

/// The facts about a PUT of a group without `members`.
#[derive(Clone, Copy, Debug)]
pub struct MembersLeftOut {
    /// The policy for the source.
    pub read_as: PutWithoutMembers,
    pub has_members: bool,
}

#[derive(FromQueryResult)]
pub(crate) struct GroupRow {
    id: Uuid,
    attributes: Json,
    version: i64,
    created_at: DateTime<Utc>,
    modified_at: DateTime<Utc>,
}

impl Identified for GroupRow {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl DirectoryGroup {
    /// The version of the shown resource. Membership changes do not touch the group's row, so shown members are part of
    /// the version.
    pub fn shown_version(&self) -> i64 {
        let Some(members) = &self.resource.members else { return self.version };
        version_with(self.version, members.iter().map(|member| member.value.as_str()))
    }
}

impl GroupRow {
    fn into_group(self) -> DirectoryGroup {
        DirectoryGroup {
            id: self.id.into(),
            resource: GroupResource::from_stored(into_map(self.attributes)),
            version: self.version,
            created_at: self.created_at,
            modified_at: self.modified_at,
        }
    }
}

const COLUMNS: &str = "g.id, g.attributes, g.version, g.created_at, g.modified_at";
const BY_ID: &str = " FROM directory_groups g \
    WHERE g.tenant_id = {tenant} AND g.id = $2 AND g.source_id = $3 AND g.deleted_at IS NULL";

static GROUP: Sql = Sql::tenant(&["SELECT ", COLUMNS, BY_ID]);
static GROUP_FOR_MEMBERS: Sql =
    Sql::tenant_by_engine(&[], &["SELECT ", COLUMNS, BY_ID, " FOR KEY SHARE"], &["SELECT ", COLUMNS, BY_ID]);
static GROUP_TO_CHANGE: Sql =
    Sql::tenant_by_engine(&[], &["SELECT ", COLUMNS, BY_ID, " FOR NO KEY UPDATE"], &["SELECT ", COLUMNS, BY_ID]);
static GROUP_ALONE: Sql =
    Sql::tenant_by_engine(&[], &["SELECT ", COLUMNS, BY_ID, " FOR UPDATE"], &["SELECT ", COLUMNS, BY_ID]);

const LISTED: ListedTable = ListedTable { name: "directory_groups", alias: "g", columns: COLUMNS };

fn derived(resource: &GroupResource) -> [(&'static str, Value); 6] {
    [
        ("display_name", resource.display_name().into()),
        ("display_name_folded", fold(resource.display_name()).into()),
        ("name_key", name_key(resource.display_name()).into()),
        ("external_id", resource.external_id().map(str::to_owned).into()),
        ("attributes", Json::Object(resource.attributes().clone()).into()),
        ("folded", folds(resource.attributes()).into()),
    ]
}

impl Store {
    /// Makes a group with its first members. Two groups may have one name; the planner decides which of them becomes a
    /// sharing group (DX8).
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a member is not a user of this source.
    #[tracing::instrument(name = "store.groups.create_group", skip_all)]
    pub async fn create_group(
        &self,
        scope: &SourceScope,
        mut resource: GroupResource,
        members: &[DirectoryUserId],
    ) -> Result<Committed<DirectoryGroup>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let id: DirectoryGroupId = tx.clock.new_id();
        let now = tx.clock.now();
        resource.members = None;
        let keys = [
            ("id", id.0.into()),
            ("source_id", scope.source().0.into()),
            ("version", 1_i64.into()),
            ("created_at", now.into()),
            ("modified_at", now.into()),
        ];
        let group = tx.row("directory_groups", keys.into_iter().chain(derived(&resource)));
        let event = Event::DirectoryGroupCreated(id, audited(&resource));
        let change = tx.change(Some(scope.source()), Touched::Group(id));
        tx.tx.batch(vec![group.into(), change.into(), tx.event(&event).into()]).await?;
        if !members.is_empty() {
            tx.change_members(scope.source(), id, Delta::of(&[MemberChange::Add(members.to_vec())])).await?;
        }
        let group = DirectoryGroup { id, resource, version: 1, created_at: now, modified_at: now };
        tx.commit_and_wake(group).await
    }

    /// The group, and its members when asked for: `members` says how many may be shown.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] for a group that has more.
    #[tracing::instrument(name = "store.groups.group", skip_all)]
    pub async fn group(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
        members: Option<usize>,
    ) -> Result<Option<DirectoryGroup>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let Some(row) = tx.group_row(scope.source(), id, Lock::No).await? else { return Ok(None) };
        let mut group = row.into_group();
        if let Some(members_max) = members
            && tx.read_members(std::slice::from_mut(&mut group), members_max).await? == 0
        {
            return Err(too_many_members(&group, members_max));
        }
        Ok(Some(group))
    }

    /// Applies attribute changes (through `edit`, when there are any) and then membership changes, all or nothing; if the group
    /// still is what one of the tags in `if_match` names: then nobody else changes it or its members in between.
    ///
    /// # Errors
    /// The error of `edit`, [`StoreError::NotFound`], [`StoreError::Changed`], or [`StoreError::Invalid`] for a member that is
    /// no user here.
    #[tracing::instrument(name = "store.groups.change_group", skip_all)]
    pub async fn change_group<E, F>(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
        if_match: Option<&str>,
        edit: Option<F>,
        members: &[MemberChange],
    ) -> Result<Committed<Written<DirectoryGroup>>, E>
    where
        E: From<StoreError>,
        F: FnOnce(&DirectoryGroup) -> Result<GroupResource, E>,
    {
        let delta = Delta::of(members);
        let lock = if edit.is_some() || delta.is_mixed() { Lock::Group } else { Lock::Members };
        let tx = self.write(&scope.scope).await?;
        let mut group = tx.group_to_write(scope.source(), id, if_match, lock).await?;
        let mut changed = false;
        if let Some(edit) = edit {
            let mut resource = edit(&group)?;
            resource.members = None;
            if resource != group.resource {
                tx.store_group(scope.source(), &mut group, resource).await?;
                changed = true;
            }
        }
        changed |= tx.change_members(scope.source(), id, delta).await?;
        let written = Written { value: group, changed };
        if !changed {
            return Ok(Committed::without_duties(written));
        }
        Ok(tx.commit_and_wake(written).await?)
    }

    /// How a PUT of a group without `members` is read, for this source.
    #[tracing::instrument(name = "store.groups.members_left_out", skip_all)]
    pub async fn members_left_out(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
    ) -> Result<MembersLeftOut, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let policy = tx.policy_in_force().await?.of_source(scope.source()).map_err(StoreError::Invalid)?;
        let members =
            tx.find::<directory_memberships::Entity>().filter(directory_memberships::Column::GroupId.eq(id.0));
        Ok(MembersLeftOut { read_as: policy.put_without_members, has_members: members.exists().await? })
    }

    /// Deletes a group, if it still is what one of the tags in `if_match` names.
    #[tracing::instrument(name = "store.groups.delete_group", skip_all)]
    pub async fn delete_group(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
        if_match: Option<&str>,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let scoped = tx.kept_policy_of(scope.source()).await?.user_scope.is_some();
        let group = tx.group_to_write(scope.source(), id, if_match, Lock::Alone).await?;
        tx.empty_group(scope.source(), id, scoped).await?;
        let tombstone = tx.update::<directory_groups::Entity>(directory_groups::Column::Id.eq(id.0));
        let tombstone = tombstone.set(directory_groups::Column::Attributes, Json::Object(Map::new()));
        let tombstone = tombstone.set(directory_groups::Column::Folded, None::<Json>);
        let tombstone = tombstone.set(directory_groups::Column::DeletedAt, tx.clock.now());
        let tombstone = tombstone.set(directory_groups::Column::ModifiedAt, tx.clock.now());
        let event = Event::DirectoryGroupDeleted(id, audited(&group.resource));
        let change = tx.change(Some(scope.source()), Touched::Group(id));
        tx.tx.batch(vec![tombstone.into(), change.into(), tx.event(&event).into()]).await?;
        tx.commit_and_wake(()).await
    }

    #[tracing::instrument(name = "store.groups.list_groups", skip_all)]
    pub async fn list_groups(
        &self,
        scope: &SourceScope,
        request: &ListRequest<'_>,
    ) -> Result<ListPage<DirectoryGroup>, StoreError> {
        let page = request.fetch::<GroupRow>(self, scope, LISTED).await?;
        let mut page = page.map(GroupRow::into_group);
        if request.with_related && !page.items.is_empty() {
            self.read_page_members(scope, &mut page, request.bytes_max / MEMBER_BYTES).await?;
        }
        Ok(page)
    }

    /// Fills in the members of a page, which ends after the last group that fits.
    async fn read_page_members(
        &self,
        scope: &SourceScope,
        page: &mut ListPage<DirectoryGroup>,
        members_max: usize,
    ) -> Result<(), StoreError> {
        let mut whole = self.read(&scope.scope).await?.read_members(&mut page.items, members_max).await?;
        if whole == 0 {
            // Groups of lesser ids, which come later in this order, left no room for the first one.
            whole = self.read(&scope.scope).await?.read_members(&mut page.items[..1], members_max).await?;
        }
        if whole == 0 {
            return Err(too_many_members(&page.items[0], members_max));
        }
        if whole < page.items.len() {
            page.items.truncate(whole);
            if page.total.is_none() {
                page.next = page.items.last().map(|group| group.id.0);
            }
        }
        Ok(())
    }
}

/// Bytes of a member in an answer, roughly: its id, twice, and the address of the hub.
pub const MEMBER_BYTES: usize = 200;

fn too_many_members(group: &DirectoryGroup, members_max: usize) -> StoreError {
    let id = group.id;
    StoreError::TooMany(format!(
        "the group {id} has more than {members_max} members, too many for one answer; ask with excludedAttributes=members, and \
         read its people by pages of GET /Users?filter=groups.value eq \"{id}\""
    ))
}

impl TenantTx {
    /// Fills in the members of these groups up to the first one whose members are not all among `members_max`; returns how many
    /// groups are filled.
    async fn read_members(&self, groups: &mut [DirectoryGroup], members_max: usize) -> Result<usize, StoreError> {
        let mut members = self.members_of(groups.iter().map(|group| group.id.0), members_max).await?;
        let whole = groups.iter().take_while(|group| members.is_complete(group.id.0)).count();
        for group in &mut groups[..whole] {
            group.resource.members = Some(members.by_group.remove(&group.id.0).unwrap_or_default());
        }
        Ok(whole)
    }

    async fn group_row(
        &self,
        source: SourceId,
        id: DirectoryGroupId,
        lock: Lock,
    ) -> Result<Option<GroupRow>, StoreError> {
        self.one(lock.statement(), [id.0.into(), source.0.into()]).await
    }

    /// Locks the group, and checks either of its tags when `if_match` is given.
    async fn group_to_write(
        &self,
        source: SourceId,
        id: DirectoryGroupId,
        if_match: Option<&str>,
        lock: Lock,
    ) -> Result<DirectoryGroup, StoreError> {
        let lock = if if_match.is_some() { Lock::Alone } else { lock };
        let group = self.group_row(source, id, lock).await?.ok_or(StoreError::NotFound("group"))?.into_group();
        if !if_match_allows(if_match, group.version) {
            let mut seen = group.clone();
            self.read_members(std::slice::from_mut(&mut seen), usize::MAX).await?;
            if !if_match_allows(if_match, seen.shown_version()) {
                return Err(StoreError::Changed);
            }
        }
        Ok(group)
    }

    async fn store_group(
        &self,
        source: SourceId,
        group: &mut DirectoryGroup,
        resource: GroupResource,
    ) -> Result<(), StoreError> {
        let detail = Difference { before: audited(&group.resource), after: audited(&resource) };
        group.resource = resource;
        group.version += 1;
        group.modified_at = self.clock.now();
        let mut update = Query::update().table("directory_groups").to_owned();
        update.values(derived(&group.resource).into_iter().map(|(name, value)| (name, Expr::value(value))));
        update.value("version", group.version).value("modified_at", group.modified_at);
        update.and_where(Expr::col("tenant_id").eq(self.tenant.0)).and_where(Expr::col("id").eq(group.id.0));
        let event = Event::DirectoryGroupUpdated(group.id, detail);
        let change = self.change(Some(source), Touched::Group(group.id));
        self.tx.batch(vec![Write::Update(update), change.into(), self.event(&event).into()]).await
    }
}

pub(crate) fn audited(resource: &GroupResource) -> DirectoryGroupDetail {
    let external_id = resource.external_id().map(str::to_owned);
    DirectoryGroupDetail { display_name: resource.display_name().to_owned(), external_id }
}
