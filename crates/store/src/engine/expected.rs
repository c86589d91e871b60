//! Versions of single things, and writes that expect one. The check is in the transaction of the write and locks what it reads, so
//! that nothing changes between the two.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::scope::{AdminScope, Expected, Version, Versioned};
use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A lock under which a thing stays as it is, and rows may refer to it.
const LOCK: &str = " FOR NO KEY UPDATE";

const MEMBER: &str = "SELECT m.email, m.display_name, m.given_name, m.family_name, m.status, m.role, m.billing_contact, m.managed_by, \
    m.external_id, m.directory_user_id, m.waiting_for, m.approval, m.blocked_from, m.suspended_from, \
    m.role_before_rule, m.contact_by_rule, m.modified_at FROM members m WHERE m.tenant_id = {tenant} AND m.id = $2";
const GROUP: &str = "SELECT g.name, g.managed_by, g.directory_group_id, g.members_count, g.entitled_count, g.modified_at \
    FROM sharing_groups g WHERE g.tenant_id = {tenant} AND g.id = $2 AND g.removed_at IS NULL";
/// Its last use is no change.
const SOURCE: &str = "SELECT s.kind, s.mode, s.name, s.users_only, s.plain_discovery, s.quarantined_at, s.quarantine_reason \
    FROM sources s WHERE s.tenant_id = {tenant} AND s.id = $2";
const CONNECTION: &str = "SELECT c.sealed_secret, c.email_trusted, c.usage, c.tested_at, c.test_accepted, c.role_rules, \
    c.creates_members, c.groups_from_sign_in FROM sign_in_connections c WHERE c.tenant_id = {tenant} AND c.id = $2";
/// How far it has come is no change.
const WEBHOOK: &str = "SELECT w.url, w.description, w.kinds, w.status, w.disabled_reason, w.sealed_secret, w.sealed_former_secret, \
    w.former_until, w.modified_at FROM webhook_endpoints w WHERE w.tenant_id = {tenant} AND w.id = $2";
const POLICY: &str = "SELECT t.policy_version FROM tenants t WHERE t.id = {tenant}";

static MEMBER_READ: Sql = Sql::tenant(&[MEMBER]);
static MEMBER_LOCKED: Sql = Sql::tenant_by_engine(&[], &[MEMBER, LOCK], &[MEMBER]);
static GROUP_READ: Sql = Sql::tenant(&[GROUP]);
static GROUP_LOCKED: Sql = Sql::tenant_by_engine(&[], &[GROUP, LOCK], &[GROUP]);
static SOURCE_READ: Sql = Sql::tenant(&[SOURCE]);
static SOURCE_LOCKED: Sql = Sql::tenant_by_engine(&[], &[SOURCE, LOCK], &[SOURCE]);
static CONNECTION_READ: Sql = Sql::tenant(&[CONNECTION]);
static CONNECTION_LOCKED: Sql = Sql::tenant_by_engine(&[], &[CONNECTION, LOCK], &[CONNECTION]);
static WEBHOOK_READ: Sql = Sql::tenant(&[WEBHOOK]);
static WEBHOOK_LOCKED: Sql = Sql::tenant_by_engine(&[], &[WEBHOOK, LOCK], &[WEBHOOK]);
static POLICY_READ: Sql = Sql::tenant(&[POLICY]);
static POLICY_LOCKED: Sql = Sql::tenant_by_engine(&[], &[POLICY, LOCK], &[POLICY]);
/// Workers and admins who change a tenant lock this row first, and so does a write that expects something.
const LEASE: &str = "SELECT l.fence FROM tenant_leases l WHERE l.tenant_id = {tenant}";
static LEASE_LOCKED: Sql = Sql::tenant_by_engine(&[], &[LEASE, LOCK], &[LEASE]);

#[derive(FromQueryResult, Serialize)]
struct MemberRow {
    email: String,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    status: String,
    role: String,
    billing_contact: bool,
    managed_by: Option<Uuid>,
    external_id: Option<String>,
    directory_user_id: Option<Uuid>,
    waiting_for: Option<String>,
    approval: Option<String>,
    blocked_from: Option<String>,
    suspended_from: Option<String>,
    role_before_rule: Option<String>,
    contact_by_rule: bool,
    modified_at: DateTime<Utc>,
}

#[derive(FromQueryResult, Serialize)]
struct GroupRow {
    name: String,
    managed_by: Option<Uuid>,
    directory_group_id: Option<Uuid>,
    members_count: i64,
    entitled_count: i64,
    modified_at: DateTime<Utc>,
}

#[derive(FromQueryResult, Serialize)]
struct SourceRow {
    kind: String,
    mode: String,
    name: String,
    users_only: bool,
    plain_discovery: bool,
    quarantined_at: Option<DateTime<Utc>>,
    quarantine_reason: Option<String>,
}

#[derive(FromQueryResult, Serialize)]
struct ConnectionRow {
    sealed_secret: Option<Vec<u8>>,
    email_trusted: bool,
    usage: String,
    tested_at: Option<DateTime<Utc>>,
    test_accepted: bool,
    role_rules: Option<Json>,
    creates_members: bool,
    groups_from_sign_in: Option<Json>,
}

#[derive(FromQueryResult, Serialize)]
struct WebhookRow {
    url: String,
    description: String,
    kinds: Option<Json>,
    status: String,
    disabled_reason: Option<String>,
    sealed_secret: Vec<u8>,
    sealed_former_secret: Option<Vec<u8>>,
    former_until: Option<DateTime<Utc>>,
    modified_at: DateTime<Utc>,
}

#[derive(FromQueryResult, Serialize)]
struct PolicyRow {
    policy_version: i64,
}

impl Store {
    /// The present version of a thing; none if there is no such thing.
    #[tracing::instrument(name = "store.expected.version", skip_all)]
    pub async fn version(&self, scope: &AdminScope, thing: Versioned) -> Result<Option<Version>, StoreError> {
        self.read(&scope.scope).await?.version(thing, false).await
    }
}

impl TenantTx {
    /// Refuses a write to what is not as its caller read it. The write itself tells of a thing that is not there.
    pub(super) async fn expect(&self, expected: &Expected) -> Result<(), StoreError> {
        self.exec(&LEASE_LOCKED, []).await?;
        match self.version(expected.thing, true).await? {
            Some(version) if version != expected.version => Err(StoreError::Outdated),
            _ => Ok(()),
        }
    }

    async fn version(&self, thing: Versioned, locked: bool) -> Result<Option<Version>, StoreError> {
        let sql = |read, write| if locked { write } else { read };
        match thing {
            Versioned::Member(id) => self.shown::<MemberRow>(sql(&MEMBER_READ, &MEMBER_LOCKED), Some(id.0)).await,
            Versioned::Group(id) => self.shown::<GroupRow>(sql(&GROUP_READ, &GROUP_LOCKED), Some(id.0)).await,
            Versioned::Source(id) => self.shown::<SourceRow>(sql(&SOURCE_READ, &SOURCE_LOCKED), Some(id.0)).await,
            Versioned::Connection(id) => {
                self.shown::<ConnectionRow>(sql(&CONNECTION_READ, &CONNECTION_LOCKED), Some(id.0)).await
            }
            Versioned::Webhook(id) => self.shown::<WebhookRow>(sql(&WEBHOOK_READ, &WEBHOOK_LOCKED), Some(id.0)).await,
            Versioned::Policy => self.shown::<PolicyRow>(sql(&POLICY_READ, &POLICY_LOCKED), None).await,
        }
    }

    /// A digest of the row. Another version of the hub may give another one; a caller then reads once more.
    async fn shown<T: FromQueryResult + Serialize>(
        &self,
        sql: &Sql,
        id: Option<Uuid>,
    ) -> Result<Option<Version>, StoreError> {
        let Some(row) = self.one::<T>(sql, id.map(Value::from)).await? else { return Ok(None) };
        let row = serde_json::to_string(&row).map_err(|error| StoreError::Invalid(error.to_string()))?;
        let digest: [u8; 32] = Sha256::digest(format!("{id:?} {row}")).into();
        Ok(Some(Version(digest.first_chunk().copied().unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{members, sharing_groups, sign_in_connections, sources, webhook_endpoints};
    use sea_orm::{EntityTrait, IdenStatic, Iterable};

    /// The columns of an entity that are neither in the statement nor left out on purpose.
    fn forgotten<E: EntityTrait>(sql: &str, left_out: &[&str]) -> Vec<String> {
        let (columns, _) = sql.strip_prefix("SELECT ").and_then(|sql| sql.split_once(" FROM ")).expect("a SELECT");
        let read: Vec<&str> =
            columns.split(',').filter_map(|column| column.trim().split_once('.')).map(|c| c.1).collect();
        assert!(read.iter().all(|column| !left_out.contains(column)), "both read and left out: {sql}");
        let all = E::Column::iter().map(|column| column.as_str().to_owned());
        all.filter(|column| !read.contains(&column.as_str()) && !left_out.contains(&column.as_str())).collect()
    }

    /// A column that comes later is a part of the version, or somebody decided that it is not.
    #[test]
    fn a_version_has_every_column_that_an_admin_can_change() {
        let none: [String; 0] = [];
        // A repeated invitation changes nothing that a writer could have read.
        let of_member = ["tenant_id", "id", "created_at", "position", "invitation_repeats", "invitation_repeated_at"];
        // They follow from others, or `modified_at` changes with them.
        let follow = ["email_folded", "search_text", "former_record_id", "former_email_folded", "seated", "held"];
        assert_eq!(forgotten::<members::Entity>(MEMBER, &[&of_member[..], &follow].concat()), none);
        assert_eq!(
            forgotten::<sharing_groups::Entity>(
                GROUP,
                &["tenant_id", "id", "created_at", "position", "name_folded", "removed_at", "from_sign_in"]
            ),
            none
        );
        // Whether people leave is said by a detachment, which names the digest of its plan.
        let of_source = ["tenant_id", "id", "created_at", "position", "people_leave", "quarantine_released_at"];
        assert_eq!(forgotten::<sources::Entity>(SOURCE, &of_source), none);
        // A connection is made anew for another issuer or client. The claims of its test are told by `tested_at`.
        let of_connection = ["tenant_id", "id", "created_at", "issuer", "client_id", "test"];
        assert_eq!(forgotten::<sign_in_connections::Entity>(CONNECTION, &of_connection), none);
        // The worker writes these.
        let progress = ["after_position", "after_id", "last_status", "last_error", "last_delivered_at"];
        let retries = ["failures", "failing_since", "retry_at", "holder", "leased_until", "fence"];
        let of_webhook = [&["tenant_id", "id", "created_at"][..], &progress, &retries].concat();
        assert_eq!(forgotten::<webhook_endpoints::Entity>(WEBHOOK, &of_webhook), none);
    }
}
