//! Directory users: what SCIM clients write and read. Each write is one short transaction of the record, its change
//! mark and its audit event; no member is looked at here.

use crate::committed::Committed;
use crate::directory::filter::folded::{Emails, folds};
use crate::directory::list::{Identified, ListPage, ListRequest, ListedTable};
use crate::directory::tombstone::erased;
use crate::engine::connect::Store;
use crate::engine::engine_kind::EngineKind;
use crate::engine::error::StoreError;
use crate::engine::row_sets::Write;
use crate::engine::single_write::RowChange;
use crate::engine::sql::Sql;
use crate::engine::write_context::WriteContext;
use crate::entity::{directory_memberships, directory_users};
use crate::log::changes::Touched;
use crate::scope::SourceScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::{Difference, DirectoryUserDetail, Event};
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_scim::etag::if_match_allows;
use rollcall_scim::{UserResource, fold};
use sea_orm::{ColumnTrait, FromQueryResult};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// A directory user as stored.
#[derive(Clone, Debug)]
pub struct DirectoryUser {
    pub id: DirectoryUserId,
    pub resource: UserResource,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    /// `(id, display name)` of the user's groups; empty unless requested.
    pub groups: Vec<(String, String)>,
}

/// Result of a write, and whether it changed anything: an unchanged record causes no wake-up.
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

impl DirectoryUser {
    /// The version of the shown resource. Joining a group does not touch the user's row, so shown groups are part of the
    /// version.
    pub fn shown_version(&self) -> i64 {
        if self.groups.is_empty() {
            return self.version;
        }
        version_with(self.version, self.groups.iter().flat_map(|(id, name)| [id.as_str(), name.as_str()]))
    }

    /// Whether a write under this `If-Match` may go on: by either tag, with the groups or without.
    pub fn is_what(&self, if_match: Option<&str>) -> bool {
        if_match_allows(if_match, self.version) || if_match_allows(if_match, self.shown_version())
    }
}

/// A version of a row and of the values shown with it, never negative.
pub(crate) fn version_with<'a>(version: i64, beside: impl Iterator<Item = &'a str>) -> i64 {
    let mut sum = Sha256::new().chain_update(version.to_be_bytes());
    for text in beside {
        // No string holds a NUL, so none runs into the next.
        sum.update(text.as_bytes());
        sum.update([0]);
    }
    let sum: [u8; 32] = sum.finalize().into();
    let mut first = [0_u8; 8];
    first.copy_from_slice(&sum[..8]);
    i64::from_be_bytes(first) & i64::MAX
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

/// `["<id><name>", …]` as the group sub-select builds it, in an order of its own.
fn pairs(json: Json) -> Vec<(String, String)> {
    let texts: Vec<String> = serde_json::from_value(json).unwrap_or_default();
    let split = |text: String| text.split_at_checked(Hyphenated::LENGTH).map(|(id, name)| (id.into(), name.into()));
    let mut pairs: Vec<(String, String)> = texts.into_iter().filter_map(split).collect();
    pairs.sort_unstable();
    pairs
}

/// The columns of a [`UserRow`] over `directory_users u`, without and with its groups.
const USER_COLUMNS_POSTGRES: &str = "u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL::json AS groups";
const USER_COLUMNS_SQLITE: &str = "u.id, u.attributes, u.version, u.created_at, u.modified_at, NULL AS groups";
/// An array, not an aggregate, which costs more to begin even for a user without groups. Each group is read by a sub-select of its
/// own: a generic plan does not know how many there are, and would otherwise scan the tenant's groups.
const USER_COLUMNS_WITH_GROUPS_POSTGRES: &str = "u.id, u.attributes, u.version, u.created_at, u.modified_at, \
    array_to_json(ARRAY(SELECT g.id::text || g.display_name FROM directory_memberships dm \
    CROSS JOIN LATERAL (SELECT o.id, o.display_name FROM directory_groups o \
    WHERE o.tenant_id = dm.tenant_id AND o.id = dm.group_id AND o.deleted_at IS NULL OFFSET 0) AS g \
    WHERE dm.tenant_id = u.tenant_id AND dm.user_id = u.id)) AS groups";
const USER_COLUMNS_WITH_GROUPS_SQLITE: &str = "u.id, u.attributes, u.version, u.created_at, u.modified_at, \
    (SELECT json_group_array(lower(substr(hex(g.id),1,8)||'-'||substr(hex(g.id),9,4)||'-'||substr(hex(g.id),13,4)||'-'||\
    substr(hex(g.id),17,4)||'-'||substr(hex(g.id),21))||g.display_name) FROM directory_memberships dm \
    JOIN directory_groups g ON g.tenant_id = dm.tenant_id AND g.id = dm.group_id AND g.deleted_at IS NULL \
    WHERE dm.tenant_id = u.tenant_id AND dm.user_id = u.id) AS groups";

pub(crate) fn user_columns(engine: EngineKind, with_groups: bool) -> &'static str {
    match (engine, with_groups) {
        (EngineKind::Postgres, false) => USER_COLUMNS_POSTGRES,
        (EngineKind::Postgres, true) => USER_COLUMNS_WITH_GROUPS_POSTGRES,
        (EngineKind::Sqlite, false) => USER_COLUMNS_SQLITE,
        (EngineKind::Sqlite, true) => USER_COLUMNS_WITH_GROUPS_SQLITE,
    }
}

const USER_BY_ID: &str = " FROM directory_users u \
    WHERE u.tenant_id = {tenant} AND u.id = $2 AND u.source_id = $3 AND u.deleted_at IS NULL";

static USER: Sql = Sql::tenant_by_engine(
    &[],
    &["SELECT ", USER_COLUMNS_POSTGRES, USER_BY_ID],
    &["SELECT ", USER_COLUMNS_SQLITE, USER_BY_ID],
);
static USER_WITH_GROUPS: Sql = Sql::tenant_by_engine(
    &[],
    &["SELECT ", USER_COLUMNS_WITH_GROUPS_POSTGRES, USER_BY_ID],
    &["SELECT ", USER_COLUMNS_WITH_GROUPS_SQLITE, USER_BY_ID],
);
/// The row lock of a change, which allows concurrent additions to groups.
static USER_TO_CHANGE: Sql = Sql::tenant_by_engine(
    &[],
    &["SELECT ", USER_COLUMNS_WITH_GROUPS_POSTGRES, USER_BY_ID, " FOR NO KEY UPDATE OF u"],
    &["SELECT ", USER_COLUMNS_WITH_GROUPS_SQLITE, USER_BY_ID],
);
/// The row lock of a deletion: a concurrent addition to a group would leave a membership that outlives its user.
static USER_TO_DELETE: Sql = Sql::tenant_by_engine(
    &[],
    &["SELECT ", USER_COLUMNS_POSTGRES, USER_BY_ID, " FOR UPDATE OF u"],
    &["SELECT ", USER_COLUMNS_SQLITE, USER_BY_ID],
);
static USER_TO_DELETE_IF_MATCH: Sql = Sql::tenant_by_engine(
    &[],
    &["SELECT ", USER_COLUMNS_WITH_GROUPS_POSTGRES, USER_BY_ID, " FOR UPDATE OF u"],
    &["SELECT ", USER_COLUMNS_WITH_GROUPS_SQLITE, USER_BY_ID],
);

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
    #[tracing::instrument(name = "store.users.create_user", skip_all)]
    pub async fn create_user(
        &self,
        scope: &SourceScope,
        resource: UserResource,
    ) -> Result<Committed<DirectoryUser>, StoreError> {
        let write = self.single_write(&scope.scope);
        let id: DirectoryUserId = write.clock.new_id();
        let now = write.clock.now();
        let keys = [
            ("id", id.0.into()),
            ("source_id", scope.source().0.into()),
            ("was_active", resource.active().into()),
            ("version", 1_i64.into()),
            ("created_at", now.into()),
            ("modified_at", now.into()),
        ];
        let user = write.row("directory_users", keys.into_iter().chain(derived(&resource)));
        let event = Event::DirectoryUserCreated(id, audited(&resource));
        let rows = vec![user, write.change(Some(scope.source()), Touched::User(id)), write.event(&event)];
        write.add(rows).await.map_err(|e| e.or_taken("userName"))?;
        let user = DirectoryUser { id, resource, version: 1, created_at: now, modified_at: now, groups: Vec::new() };
        Ok(Committed::waking(scope.tenant(), user))
    }

    #[tracing::instrument(name = "store.users.user", skip_all)]
    pub async fn user(
        &self,
        scope: &SourceScope,
        id: DirectoryUserId,
        with_groups: bool,
    ) -> Result<Option<DirectoryUser>, StoreError> {
        let sql = if with_groups { &USER_WITH_GROUPS } else { &USER };
        let select = sql.fragment(self.engine());
        let values = vec![id.0.into(), scope.source().0.into()];
        let rows: Vec<UserRow> = self.read_batched(&scope.scope, select, values).await?;
        Ok(rows.into_iter().next().map(UserRow::into_user))
    }

    /// Reads a user, lets `edit` make the new resource, and stores it when it differs (an optimistic update). After a
    /// concurrent change the user is read again, under a lock, and edited again.
    ///
    /// # Errors
    /// The error of `edit`, [`StoreError::NotFound`], or [`StoreError::Taken`] for the userName.
    #[tracing::instrument(name = "store.users.change_user", skip_all)]
    pub async fn change_user<E, F>(
        &self,
        scope: &SourceScope,
        id: DirectoryUserId,
        mut edit: F,
    ) -> Result<Committed<Written<DirectoryUser>>, E>
    where
        E: From<StoreError>,
        F: FnMut(&DirectoryUser) -> Result<UserResource, E>,
    {
        let user = self.user(scope, id, true).await?.ok_or(StoreError::NotFound("user"))?;
        let resource = edit(&user)?;
        if resource == user.resource {
            return Ok(Committed::without_duties(Written { value: user, changed: false }));
        }
        let write = self.single_write(&scope.scope);
        let (user, change) = write.edited(scope.source(), user, resource);
        if write.change_if(change).await.map_err(|e| e.or_taken("userName"))? {
            return Ok(Committed::waking(scope.tenant(), Written { value: user, changed: true }));
        }
        self.change_locked_user(scope, id, edit).await
    }

    async fn change_locked_user<E, F>(
        &self,
        scope: &SourceScope,
        id: DirectoryUserId,
        mut edit: F,
    ) -> Result<Committed<Written<DirectoryUser>>, E>
    where
        E: From<StoreError>,
        F: FnMut(&DirectoryUser) -> Result<UserResource, E>,
    {
        let tx = self.write(&scope.scope).await?;
        let row: Option<UserRow> = tx.one(&USER_TO_CHANGE, [id.0.into(), scope.source().0.into()]).await?;
        let user = row.ok_or(StoreError::NotFound("user"))?.into_user();
        let resource = edit(&user)?;
        if resource == user.resource {
            return Ok(Committed::without_duties(Written { value: user, changed: false }));
        }
        let (user, change) = tx.edited(scope.source(), user, resource);
        let update = Write::Update(change.update(tx.tenant));
        let writes = std::iter::once(update).chain(change.then.into_iter().map(Write::from)).collect();
        tx.tx.batch(writes).await.map_err(|e| e.or_taken("userName"))?;
        Ok(tx.commit_and_wake(Written { value: user, changed: true }).await?)
    }

    /// Deletes a user: out of all groups, its userName free again, its id never re-used; if the user still is what one of the
    /// tags in `if_match` names.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Changed`].
    #[tracing::instrument(name = "store.users.delete_user", skip_all)]
    pub async fn delete_user(
        &self,
        scope: &SourceScope,
        id: DirectoryUserId,
        if_match: Option<&str>,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let sql = if if_match.is_some() { &USER_TO_DELETE_IF_MATCH } else { &USER_TO_DELETE };
        let row: Option<UserRow> = tx.one(sql, [id.0.into(), scope.source().0.into()]).await?;
        let user = row.ok_or(StoreError::NotFound("user"))?.into_user();
        if !user.is_what(if_match) {
            return Err(StoreError::Changed);
        }
        let of_user = directory_memberships::Column::UserId.eq(id.0);
        tx.delete::<directory_memberships::Entity>(of_user).exec().await?;
        let tombstone = tx.update::<directory_users::Entity>(directory_users::Column::Id.eq(id.0));
        let tombstone =
            erased(&user.resource).into_iter().fold(tombstone, |row, (column, value)| row.set(column, value));
        let tombstone = tombstone.set(directory_users::Column::DeletedAt, tx.clock.now());
        let tombstone = tombstone.set(directory_users::Column::ModifiedAt, tx.clock.now());
        let event = Event::DirectoryUserDeleted(id, audited(&user.resource));
        let change = tx.change(Some(scope.source()), Touched::User(id));
        tx.tx.batch(vec![tombstone.into(), change.into(), tx.event(&event).into()]).await?;
        tx.commit_and_wake(()).await
    }

    #[tracing::instrument(name = "store.users.list_users", skip_all)]
    pub async fn list_users(
        &self,
        scope: &SourceScope,
        request: &ListRequest<'_>,
    ) -> Result<ListPage<DirectoryUser>, StoreError> {
        let columns = user_columns(self.engine(), request.with_related);
        let table = ListedTable { name: "directory_users", alias: "u", columns };
        let page = request.fetch::<UserRow>(self, scope, table).await?;
        Ok(page.map(UserRow::into_user))
    }
}

impl WriteContext {
    /// The user after the edit, and the write for it.
    fn edited(&self, source: SourceId, mut user: DirectoryUser, resource: UserResource) -> (DirectoryUser, RowChange) {
        let detail = Difference { before: audited(&user.resource), after: audited(&resource) };
        let seen_version = user.version;
        user.resource = resource;
        user.version += 1;
        user.modified_at = self.clock.now();
        let mut set = derived(&user.resource).to_vec();
        set.extend([("version", user.version.into()), ("modified_at", user.modified_at.into())]);
        if user.resource.active() {
            set.push(("was_active", true.into()));
        }
        let event = Event::DirectoryUserUpdated(user.id, detail);
        let then = vec![self.change(Some(source), Touched::User(user.id)), self.event(&event)];
        let change = RowChange { table: "directory_users", id: user.id.0, seen_version, set, then };
        (user, change)
    }
}

/// The part of a record in the audit log: identity and `active`.
pub(crate) fn audited(resource: &UserResource) -> DirectoryUserDetail {
    DirectoryUserDetail {
        user_name: resource.user_name().to_owned(),
        external_id: resource.external_id().map(str::to_owned),
        email: resource.email().map(str::to_owned),
        display_name: resource.display_name().map(str::to_owned),
        active: resource.active(),
    }
}

#[cfg(test)]
mod tests;
