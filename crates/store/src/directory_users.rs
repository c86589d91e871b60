//! Directory users: what SCIM clients write and read. Each write is one short transaction of the record, its change
//! mark and its audit event; no member is looked at here.

use crate::audit::NewEvent;
use crate::changes::Touched;
use crate::connect::Store;
use crate::error::StoreError;
use crate::filter::folded::{Emails, folds};
use crate::list::{Identified, ListPage, ListRequest};
use crate::scope::{SourceScope, TenantTx};
use crate::sql::Write;
use chrono::{DateTime, Utc};
use rollcall_core::audit::AuditKind;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_scim::{UserResource, fold};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

/// A directory user as stored.
#[derive(Clone, Debug)]
pub struct DirectoryUser {
    pub id: DirectoryUserId,
    pub resource: UserResource,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    /// `(id, display name)` of the groups it is in; empty when not asked for.
    pub groups: Vec<(String, String)>,
}

/// What a write left, and whether anything changed: an unchanged record wakes nobody.
#[derive(Clone, Debug)]
pub struct Written<T> {
    pub value: T,
    pub changed: bool,
}

#[derive(FromQueryResult)]
pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    attributes: Json,
    version: i64,
    created_at: DateTime<Utc>,
    modified_at: DateTime<Utc>,
    groups: Option<Json>,
}

impl Identified for UserRow {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl UserRow {
    pub(crate) fn into_user(self) -> DirectoryUser {
        DirectoryUser {
            id: self.id.into(),
            resource: UserResource::from_stored(into_map(self.attributes)),
            version: self.version,
            created_at: self.created_at,
            modified_at: self.modified_at,
            groups: self.groups.map(pairs).unwrap_or_default(),
        }
    }
}

pub(crate) fn into_map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// `[[id, name], …]` as the group sub-select builds it.
fn pairs(json: Json) -> Vec<(String, String)> {
    serde_json::from_value(json).unwrap_or_default()
}

/// The columns of a [`UserRow`] over `directory_users u`.
pub(crate) fn user_columns(postgres: bool, with_groups: bool) -> String {
    let groups = match (with_groups, postgres) {
        (false, true) => "NULL::json",
        (false, false) => "NULL",
        (true, true) => concat!(
            "(SELECT json_agg(json_build_array(g.id, g.display_name)) FROM directory_memberships dm ",
            "JOIN directory_groups g ON g.tenant_id = dm.tenant_id AND g.id = dm.group_id AND g.deleted_at IS NULL ",
            "WHERE dm.tenant_id = u.tenant_id AND dm.user_id = u.id)"
        ),
        (true, false) => concat!(
            "(SELECT json_group_array(json_array(",
            "lower(substr(hex(g.id),1,8)||'-'||substr(hex(g.id),9,4)||'-'||substr(hex(g.id),13,4)||'-'||",
            "substr(hex(g.id),17,4)||'-'||substr(hex(g.id),21)), g.display_name)) FROM directory_memberships dm ",
            "JOIN directory_groups g ON g.tenant_id = dm.tenant_id AND g.id = dm.group_id AND g.deleted_at IS NULL ",
            "WHERE dm.tenant_id = u.tenant_id AND dm.user_id = u.id)"
        ),
    };
    format!("u.id, u.attributes, u.version, u.created_at, u.modified_at, {groups} AS groups")
}

/// The columns derived from the resource, for look-ups and for the planner.
fn derived(resource: &UserResource) -> [(&'static str, sea_orm::sea_query::Value); 13] {
    let emails = Emails::of(resource);
    let text = |value: Option<&str>| value.map(str::to_owned).into();
    [
        ("user_name", resource.user_name().into()),
        ("user_name_folded", fold(resource.user_name()).into()),
        ("external_id", text(resource.external_id())),
        ("email", text(resource.email())),
        ("email_folded", emails.first.into()),
        ("second_email_folded", emails.second.into()),
        ("more_emails", emails.more.into()),
        ("display_name", text(resource.display_name())),
        ("given_name", text(resource.given_name())),
        ("family_name", text(resource.family_name())),
        ("active", resource.active().into()),
        ("attributes", Json::Object(resource.attributes().clone()).into()),
        ("folded", folds(resource.attributes()).into()),
    ]
}

impl Store {
    /// # Errors
    /// [`StoreError::Taken`] when the source has a user of that userName, whatever the case.
    pub async fn create_user(&self, scope: &SourceScope, resource: UserResource) -> Result<DirectoryUser, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let id: DirectoryUserId = tx.clock.new_id();
        let now = tx.clock.now();
        let mut insert = Query::insert().into_table("directory_users").to_owned();
        let derived = derived(&resource);
        let fixed = ["tenant_id", "id", "source_id", "was_active", "version", "created_at", "modified_at"];
        insert.columns(fixed.into_iter().chain(derived.iter().map(|(name, _)| *name)));
        let (tenant, source) = (tx.tenant.0.into(), scope.source().0.into());
        let keys = [tenant, id.0.into(), source, resource.active().into(), 1_i64.into(), now.into(), now.into()];
        insert.values_panic(keys.into_iter().chain(derived.into_iter().map(|(_, value)| Expr::value(value))));
        let event = user_event(AuditKind::DirectoryUserCreated, id, Some(audited(&resource)));
        let writes =
            vec![insert.into(), tx.change(Some(scope.source()), Touched::User(id)).into(), tx.event(event).into()];
        tx.tx.batch(writes).await.map_err(|e| e.or_taken("userName"))?;
        tx.commit().await?;
        Ok(DirectoryUser { id, resource, version: 1, created_at: now, modified_at: now, groups: Vec::new() })
    }

    pub async fn user(
        &self,
        scope: &SourceScope,
        id: DirectoryUserId,
        with_groups: bool,
    ) -> Result<Option<DirectoryUser>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        Ok(tx.user_row(scope.source(), id, with_groups, false).await?.map(UserRow::into_user))
    }

    /// Reads a user under a lock, lets `edit` make the new resource, and stores it when it differs.
    ///
    /// # Errors
    /// What `edit` answers, [`StoreError::NotFound`], or [`StoreError::Taken`] for the userName.
    pub async fn change_user<E, F>(
        &self,
        scope: &SourceScope,
        id: DirectoryUserId,
        edit: F,
    ) -> Result<Written<DirectoryUser>, E>
    where
        E: From<StoreError>,
        F: FnOnce(&DirectoryUser) -> Result<UserResource, E>,
    {
        let tx = self.write(&scope.scope).await?;
        let row = tx.user_row(scope.source(), id, true, true).await?;
        let mut user = row.ok_or(StoreError::NotFound("user"))?.into_user();
        let resource = edit(&user)?;
        if resource == user.resource {
            return Ok(Written { value: user, changed: false });
        }
        let detail = json!({ "before": audited(&user.resource), "after": audited(&resource) });
        user.resource = resource;
        user.version += 1;
        user.modified_at = tx.clock.now();
        let mut update = Query::update().table("directory_users").to_owned();
        update.values(derived(&user.resource).into_iter().map(|(name, value)| (name, Expr::value(value))));
        update.value("version", user.version).value("modified_at", user.modified_at);
        if user.resource.active() {
            update.value("was_active", true);
        }
        update.and_where(Expr::col("tenant_id").eq(tx.tenant.0)).and_where(Expr::col("id").eq(id.0));
        let event = user_event(AuditKind::DirectoryUserUpdated, id, Some(detail));
        let change = tx.change(Some(scope.source()), Touched::User(id));
        let writes = vec![Write::Update(update), change.into(), tx.event(event).into()];
        tx.tx.batch(writes).await.map_err(|e| e.or_taken("userName"))?;
        tx.commit().await?;
        Ok(Written { value: user, changed: true })
    }

    /// Deletes a user: out of all groups, its userName free again, its id never re-used.
    pub async fn delete_user(&self, scope: &SourceScope, id: DirectoryUserId) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let row = tx.user_row(scope.source(), id, false, true).await?.ok_or(StoreError::NotFound("user"))?;
        let sql = "DELETE FROM directory_memberships WHERE tenant_id = $1 AND user_id = $2";
        tx.tx.exec(sql, [tx.tenant.0.into(), id.0.into()]).await?;
        let now = tx.clock.now();
        let update = Query::update()
            .table("directory_users")
            .value("deleted_at", now)
            .value("modified_at", now)
            .and_where(Expr::col("tenant_id").eq(tx.tenant.0))
            .and_where(Expr::col("id").eq(id.0))
            .to_owned();
        let event = user_event(AuditKind::DirectoryUserDeleted, id, Some(audited(&row.into_user().resource)));
        let change = tx.change(Some(scope.source()), Touched::User(id));
        tx.tx.batch(vec![Write::Update(update), change.into(), tx.event(event).into()]).await?;
        tx.commit().await
    }

    pub async fn list_users(
        &self,
        scope: &SourceScope,
        request: &ListRequest<'_>,
    ) -> Result<ListPage<DirectoryUser>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let columns = user_columns(tx.tx.is_postgres(), request.with_related);
        let page = request.fetch::<UserRow>(&tx, scope.source(), "directory_users u", &columns).await?;
        Ok(page.map(UserRow::into_user))
    }
}

impl TenantTx {
    async fn user_row(
        &self,
        source: SourceId,
        id: DirectoryUserId,
        with_groups: bool,
        lock: bool,
    ) -> Result<Option<UserRow>, StoreError> {
        let columns = user_columns(self.tx.is_postgres(), with_groups);
        let lock = if lock && self.tx.is_postgres() { " FOR UPDATE OF u" } else { "" };
        let sql = format!(
            "SELECT {columns} FROM directory_users u \
             WHERE u.tenant_id = $1 AND u.id = $2 AND u.source_id = $3 AND u.deleted_at IS NULL{lock}"
        );
        self.tx.one(&sql, [self.tenant.0.into(), id.0.into(), source.0.into()]).await
    }
}

fn user_event(kind: AuditKind, id: DirectoryUserId, detail: Option<Json>) -> NewEvent {
    NewEvent { kind, subject_kind: "directory_user", subject_id: id.0, detail }
}

/// The part of a record the audit log shows: who it is and whether they may be in.
fn audited(resource: &UserResource) -> Json {
    json!({
        "user_name": resource.user_name(),
        "external_id": resource.external_id(),
        "email": resource.email(),
        "display_name": resource.display_name(),
        "active": resource.active(),
    })
}
