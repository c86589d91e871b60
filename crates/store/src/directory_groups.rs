//! Directory groups and their memberships. A membership change is a row operation: parallel PATCHes of one group never
//! read, lock or rewrite the group, so they lose nobody and do not queue (design §6.3, §6.4).

use crate::audit::NewEvent;
use crate::changes::{Lane, Touched};
use crate::connect::Store;
use crate::directory_users::{Written, into_map};
use crate::error::StoreError;
use crate::filter::folded::folds;
use crate::list::{Identified, ListPage, ListRequest};
use crate::scope::{SourceScope, TenantTx};
use crate::sql::{ID, Write, id_rows};
use chrono::{DateTime, Utc};
use rollcall_core::audit::AuditKind;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_scim::{GroupResource, MemberKind, MemberRef, fold};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query, Value};
use serde_json::{Value as Json, json};
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

/// One row operation on a group's members.
#[derive(Clone, Debug)]
pub enum MemberChange {
    Add(Vec<DirectoryUserId>),
    Remove(Vec<DirectoryUserId>),
    /// Exactly these; whoever else is in the group leaves it.
    Replace(Vec<DirectoryUserId>),
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

#[derive(FromQueryResult)]
struct MemberRow {
    group_id: Uuid,
    user_id: Uuid,
    display: Option<String>,
}

#[derive(FromQueryResult)]
struct UserIdRow {
    user_id: Uuid,
}

const COLUMNS: &str = "g.id, g.attributes, g.version, g.created_at, g.modified_at";

fn derived(resource: &GroupResource) -> [(&'static str, Value); 5] {
    [
        ("display_name", resource.display_name().into()),
        ("display_name_folded", fold(resource.display_name()).into()),
        ("external_id", resource.external_id().map(str::to_owned).into()),
        ("attributes", Json::Object(resource.attributes().clone()).into()),
        ("folded", folds(resource.attributes()).into()),
    ]
}

impl Store {
    /// Makes a group with its first members. Two groups may have one name: which of them becomes a sharing group is
    /// for the planner to say (DX8).
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a member is not a user of this source.
    pub async fn create_group(
        &self,
        scope: &SourceScope,
        mut resource: GroupResource,
        members: &[DirectoryUserId],
    ) -> Result<DirectoryGroup, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let id: DirectoryGroupId = tx.clock.new_id();
        let now = tx.clock.now();
        resource.members = None;
        let mut insert = Query::insert().into_table("directory_groups").to_owned();
        let derived = derived(&resource);
        let fixed = ["tenant_id", "id", "source_id", "version", "created_at", "modified_at"];
        insert.columns(fixed.into_iter().chain(derived.iter().map(|(name, _)| *name)));
        let keys = [tx.tenant.0.into(), id.0.into(), scope.source().0.into(), 1_i64.into(), now.into(), now.into()];
        insert.values_panic(keys.into_iter().chain(derived.into_iter().map(|(_, value)| Expr::value(value))));
        let event = group_event(AuditKind::DirectoryGroupCreated, id, audited(&resource));
        let change = tx.change(Some(scope.source()), Touched::Group(id));
        tx.tx.batch(vec![insert.into(), change.into(), tx.event(event).into()]).await?;
        if !members.is_empty() {
            tx.change_members(scope.source(), id, &MemberChange::Add(members.to_vec())).await?;
        }
        tx.commit().await?;
        Ok(DirectoryGroup { id, resource, version: 1, created_at: now, modified_at: now })
    }

    /// The group, and its members when asked for.
    pub async fn group(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
        with_members: bool,
    ) -> Result<Option<DirectoryGroup>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let Some(row) = tx.group_row(scope.source(), id, false).await? else { return Ok(None) };
        let mut group = row.into_group();
        if with_members {
            tx.read_members(std::slice::from_mut(&mut group)).await?;
        }
        Ok(Some(group))
    }

    /// Applies attribute changes (through `edit`, when there are any) and then membership changes, all or nothing.
    /// A group whose attributes are not edited is not locked.
    ///
    /// # Errors
    /// What `edit` answers, [`StoreError::NotFound`], or [`StoreError::Invalid`] for a member that is no user here.
    pub async fn change_group<E, F>(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
        edit: Option<F>,
        members: &[MemberChange],
    ) -> Result<Written<DirectoryGroup>, E>
    where
        E: From<StoreError>,
        F: FnOnce(&DirectoryGroup) -> Result<GroupResource, E>,
    {
        let tx = self.write(&scope.scope).await?;
        let row = tx.group_row(scope.source(), id, edit.is_some()).await?;
        let mut group = row.ok_or(StoreError::NotFound("group"))?.into_group();
        let mut changed = false;
        if let Some(edit) = edit {
            let mut resource = edit(&group)?;
            resource.members = None;
            if resource != group.resource {
                tx.store_group(scope.source(), &mut group, resource).await?;
                changed = true;
            }
        }
        for change in members {
            changed |= tx.change_members(scope.source(), id, change).await?;
        }
        if changed {
            tx.commit().await?;
        }
        Ok(Written { value: group, changed })
    }

    pub async fn delete_group(&self, scope: &SourceScope, id: DirectoryGroupId) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let row = tx.group_row(scope.source(), id, true).await?.ok_or(StoreError::NotFound("group"))?;
        let sql = "DELETE FROM directory_memberships WHERE tenant_id = $1 AND group_id = $2";
        tx.tx.exec(sql, [tx.tenant.0.into(), id.0.into()]).await?;
        let now = tx.clock.now();
        let update = Query::update()
            .table("directory_groups")
            .value("deleted_at", now)
            .value("modified_at", now)
            .and_where(Expr::col("tenant_id").eq(tx.tenant.0))
            .and_where(Expr::col("id").eq(id.0))
            .to_owned();
        let event = group_event(AuditKind::DirectoryGroupDeleted, id, audited(&row.into_group().resource));
        let change = tx.change(Some(scope.source()), Touched::Group(id));
        tx.tx.batch(vec![Write::Update(update), change.into(), tx.event(event).into()]).await?;
        tx.commit().await
    }

    pub async fn list_groups(
        &self,
        scope: &SourceScope,
        request: &ListRequest<'_>,
    ) -> Result<ListPage<DirectoryGroup>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let page = request.fetch::<GroupRow>(&tx, scope.source(), "directory_groups g", COLUMNS).await?;
        let mut page = page.map(GroupRow::into_group);
        if request.with_related {
            tx.read_members(&mut page.items).await?;
        }
        Ok(page)
    }
}

impl TenantTx {
    async fn group_row(
        &self,
        source: SourceId,
        id: DirectoryGroupId,
        lock: bool,
    ) -> Result<Option<GroupRow>, StoreError> {
        let lock = if lock && self.tx.is_postgres() { " FOR UPDATE" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM directory_groups g \
             WHERE g.tenant_id = $1 AND g.id = $2 AND g.source_id = $3 AND g.deleted_at IS NULL{lock}"
        );
        self.tx.one(&sql, [self.tenant.0.into(), id.0.into(), source.0.into()]).await
    }

    /// Fills in the members of all these groups with one query.
    async fn read_members(&self, groups: &mut [DirectoryGroup]) -> Result<(), StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT m.group_id, m.user_id, coalesce(u.display_name, u.user_name) AS display FROM {} \
             {join} directory_memberships m ON m.tenant_id = $2 AND m.group_id = r.id \
             {join} directory_users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id \
             ORDER BY m.group_id, m.user_id",
            self.tx.rows(ID)
        );
        let ids = id_rows(groups.iter().map(|group| group.id.0))?;
        let rows: Vec<MemberRow> = self.tx.all(&sql, [ids, self.tenant.0.into()]).await?;
        let mut by_group: std::collections::HashMap<Uuid, Vec<MemberRef>> = std::collections::HashMap::new();
        for row in rows {
            let member = MemberRef { value: row.user_id.to_string(), kind: MemberKind::User, display: row.display };
            by_group.entry(row.group_id).or_default().push(member);
        }
        for group in groups {
            group.resource.members = Some(by_group.remove(&group.id.0).unwrap_or_default());
        }
        Ok(())
    }

    async fn store_group(
        &self,
        source: SourceId,
        group: &mut DirectoryGroup,
        resource: GroupResource,
    ) -> Result<(), StoreError> {
        let detail = json!({ "before": audited(&group.resource), "after": audited(&resource) });
        group.resource = resource;
        group.version += 1;
        group.modified_at = self.clock.now();
        let mut update = Query::update().table("directory_groups").to_owned();
        update.values(derived(&group.resource).into_iter().map(|(name, value)| (name, Expr::value(value))));
        update.value("version", group.version).value("modified_at", group.modified_at);
        update.and_where(Expr::col("tenant_id").eq(self.tenant.0)).and_where(Expr::col("id").eq(group.id.0));
        let event = group_event(AuditKind::DirectoryGroupUpdated, group.id, detail);
        let change = self.change(Some(source), Touched::Group(group.id));
        self.tx.batch(vec![Write::Update(update), change.into(), self.event(event).into()]).await
    }

    /// Applies one row operation and marks exactly the memberships that it really changed.
    async fn change_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        change: &MemberChange,
    ) -> Result<bool, StoreError> {
        match change {
            MemberChange::Add(users) => self.add_members(source, group, users).await,
            MemberChange::Remove(users) => self.remove_members(source, group, users, "EXISTS").await,
            MemberChange::Replace(users) => {
                let removed = self.remove_members(source, group, users, "NOT EXISTS").await?;
                let added = self.add_members(source, group, users).await?;
                Ok(removed || added)
            }
        }
    }

    async fn add_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: &[DirectoryUserId],
    ) -> Result<bool, StoreError> {
        if users.is_empty() {
            return Ok(false);
        }
        let rows = id_rows(users.iter().map(|user| user.0))?;
        // Ordered, so that two requests that add the same people never wait for each other in a circle.
        let join = self.tx.join();
        let sql = format!(
            "INSERT INTO directory_memberships (tenant_id, group_id, user_id) \
             SELECT u.tenant_id, $3, u.id FROM {} {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             AND u.source_id = $4 AND u.deleted_at IS NULL WHERE true ORDER BY u.id \
             ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING RETURNING user_id",
            self.tx.rows(ID)
        );
        let values = [rows.clone(), self.tenant.0.into(), group.0.into(), source.0.into()];
        let added: Vec<UserIdRow> = self.tx.all(&sql, values).await?;
        if added.len() < users.len() {
            self.refuse_unknown_users(source, users, rows).await?;
        }
        self.mark_members(source, group, added, AuditKind::DirectoryMembershipAdded).await
    }

    /// `matching` is EXISTS to remove these users, NOT EXISTS to remove all others.
    async fn remove_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: &[DirectoryUserId],
        matching: &str,
    ) -> Result<bool, StoreError> {
        let rows = id_rows(users.iter().map(|user| user.0))?;
        let sql = format!(
            "DELETE FROM directory_memberships WHERE tenant_id = $2 AND group_id = $3 \
             AND {matching} (SELECT 1 FROM {} WHERE r.id = directory_memberships.user_id) RETURNING user_id",
            self.tx.rows(ID)
        );
        let removed: Vec<UserIdRow> = self.tx.all(&sql, [rows, self.tenant.0.into(), group.0.into()]).await?;
        self.mark_members(source, group, removed, AuditKind::DirectoryMembershipRemoved).await
    }

    async fn refuse_unknown_users(
        &self,
        source: SourceId,
        users: &[DirectoryUserId],
        rows: Value,
    ) -> Result<(), StoreError> {
        let join = self.tx.join();
        let sql = format!(
            "SELECT u.id AS user_id FROM {} {join} directory_users u ON u.tenant_id = $2 AND u.id = r.id \
             AND u.source_id = $3 AND u.deleted_at IS NULL",
            self.tx.rows(ID)
        );
        let known: Vec<UserIdRow> = self.tx.all(&sql, [rows, self.tenant.0.into(), source.0.into()]).await?;
        let known: std::collections::HashSet<Uuid> = known.into_iter().map(|row| row.user_id).collect();
        match users.iter().find(|user| !known.contains(&user.0)) {
            Some(unknown) => Err(StoreError::Invalid(format!("members: `{unknown}` is not a user of this source"))),
            None => Ok(()),
        }
    }

    async fn mark_members(
        &self,
        source: SourceId,
        group: DirectoryGroupId,
        users: Vec<UserIdRow>,
        kind: AuditKind,
    ) -> Result<bool, StoreError> {
        let event = |user: &UserIdRow| {
            let detail = Some(json!({ "user_id": user.user_id }));
            NewEvent { kind, subject_kind: "directory_group", subject_id: group.0, detail }
        };
        let touched = |user: &UserIdRow| Touched::Membership(group, user.user_id.into());
        if let [user] = users.as_slice() {
            let writes = vec![self.change(Some(source), touched(user)).into(), self.event(event(user)).into()];
            self.tx.batch(writes).await?;
        } else if !users.is_empty() {
            self.write_changes(Some(source), Lane::Push, users.iter().map(touched)).await?;
            let (actor, request) = (self.actor.to_text(), self.request.map(|id| id.0));
            let rows = users.iter().map(|user| self.event_row(event(user), actor.clone(), request, None));
            self.write_events(&rows.collect::<Vec<_>>()).await?;
        }
        Ok(!users.is_empty())
    }
}

fn group_event(kind: AuditKind, id: DirectoryGroupId, detail: Json) -> NewEvent {
    NewEvent { kind, subject_kind: "directory_group", subject_id: id.0, detail: Some(detail) }
}

fn audited(resource: &GroupResource) -> Json {
    json!({ "display_name": resource.display_name(), "external_id": resource.external_id() })
}
