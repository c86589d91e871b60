//! Queries across tenants: those that do not know the tenant yet, and those that serve all. All of them are here; elsewhere a test
//! refuses a statement without the tenant's condition (`statements.rs`).

mod agents;
mod devices;
mod events;
mod machines;
mod operators;
mod relay;
mod sign_in;
mod upkeep;
mod webhooks;

pub use relay::HeldRelay;
pub use upkeep::UpkeepTurn;
pub use webhooks::{FoundWebhook, LookedUpTo, WEBHOOKS_FOUND};

use crate::access::credentials::Credential;
use crate::access::operator_keys::OperatorKey;
use crate::access::sessions::{SESSION_PAUSE, Session};
use crate::access::sign_in_links::SignInLink;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::{AdminScope, OperatorScope};
use crate::secret::{SecretDigest, stored_digest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::{OperatorKeyId, TenantId};
use rollcall_core::roster::Role;
use sea_orm::FromQueryResult;
use std::collections::HashSet;
use uuid::Uuid;

static CREDENTIAL: Sql = Sql::across(&[
    "SELECT c.tenant_id, c.id, c.source_id, c.kind, c.role, c.permissions, c.expires_at, s.mode, s.users_only, \
     s.plain_discovery FROM credentials c \
     LEFT JOIN sources s ON s.tenant_id = c.tenant_id AND s.id = c.source_id \
     WHERE c.digest = $1 AND c.revoked_at IS NULL",
]);
/// A session in force: its member is active, in the role of the sign-in.
static SESSION: Sql =
    Sql::across(&["SELECT c.tenant_id, c.id, c.member_id, c.role, c.created_at, c.expires_at, m.billing_contact, \
     CASE WHEN c.identity_id IS NULL THEN c.created_at ELSE c.authenticated_at END AS authenticated_at \
     FROM credentials c JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id AND m.role = c.role \
     WHERE c.digest = $1 AND c.kind = 'session' AND c.revoked_at IS NULL AND c.expires_at > $2 \
     AND coalesce(c.last_used_at, c.created_at) > $3 AND m.status = 'active'"]);
/// A sign-in link or a recovery code that was not used.
static SIGN_IN_LINK: Sql =
    Sql::across(&["SELECT c.tenant_id, c.id, c.member_id, c.kind, m.email, t.name AS tenant_name \
     FROM credentials c JOIN tenants t ON t.id = c.tenant_id \
     JOIN members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id \
     WHERE c.digest = $1 AND c.kind IN ('sign_in_link', 'recovery_code') AND c.revoked_at IS NULL \
     AND (c.expires_at IS NULL OR c.expires_at > $2) AND m.status = 'active'"]);
static TENANT_BY_SLUG: Sql = Sql::across(&["SELECT id FROM tenants WHERE slug = $1"]);
static TENANT_BY_ID: Sql = Sql::across(&["SELECT id FROM tenants WHERE id = $1"]);
static TENANTS: Sql = Sql::across(&[TENANT_SUMMARY, " ORDER BY t.slug"]);
static TENANTS_AFTER: Sql = Sql::across(&[TENANT_SUMMARY, " WHERE t.slug > $1 ORDER BY t.slug LIMIT $2"]);
static TENANT: Sql = Sql::across(&[TENANT_SUMMARY, " WHERE t.id = $1"]);
const TENANT_SUMMARY: &str = "SELECT t.id, t.slug, t.name, t.seats, l.seats_used, t.created_at FROM tenants t \
     JOIN tenant_leases l ON l.tenant_id = t.id";
static OPERATOR_KEY: Sql = Sql::across(&["SELECT id FROM operator_keys WHERE digest = $1 AND revoked_at IS NULL \
     AND (expires_at IS NULL OR expires_at > $2)"]);
static OPERATOR_KEYS_IN_FORCE: Sql =
    Sql::across(&["SELECT id FROM operator_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)"]);
static OPERATOR_KEYS: Sql =
    Sql::across(&["SELECT id, name, prefix, created_at, expires_at, revoked_at FROM operator_keys ORDER BY id"]);
static INSERT_OPERATOR_KEY: Sql = Sql::across(&[
    "INSERT INTO operator_keys (id, digest, prefix, name, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
]);
static REVOKE_OPERATOR_KEY: Sql =
    Sql::across(&["UPDATE operator_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"]);
static DUE_TENANTS: Sql = Sql::across(&[
    "SELECT l.tenant_id AS id FROM tenant_leases l WHERE l.tenant_id > $3 AND (l.retry_at IS NULL OR l.retry_at <= $1) \
     AND EXISTS (SELECT 1 FROM directory_changes c WHERE c.tenant_id = l.tenant_id) ORDER BY l.tenant_id LIMIT $2",
]);
static IDS_AFTER: Sql = Sql::across(&[
    "SELECT l.tenant_id AS id FROM tenant_leases l WHERE l.tenant_id > $1 ORDER BY l.tenant_id LIMIT $2",
]);
/// One tenant among all, by its place in the order of ids as a share of a million.
static TENANT_AT: Sql = Sql::across(&["SELECT l.tenant_id AS id FROM tenant_leases l ORDER BY l.tenant_id LIMIT 1 \
     OFFSET (SELECT count(*) * $1 / 1000000 FROM tenant_leases)"]);
/// A database among those of all servers. A copy has another name, and a standby that takes over has the same.
static DATABASE_NAME: Sql =
    Sql::across(&["SELECT CAST(s.system_identifier AS text) || '/' || CAST(d.oid AS text) AS name \
     FROM pg_control_system() s JOIN pg_database d ON d.datname = current_database()"]);
/// The next change of each tenant is one index probe; the oldest of all changes would be a scan.
static BACKLOG: Sql =
    Sql::across(&["SELECT min((SELECT c.created_at FROM directory_changes c WHERE c.tenant_id = l.tenant_id \
     ORDER BY c.lane, c.id LIMIT 1)) AS oldest, \
     (SELECT count(*) FROM runs r WHERE r.state = 'held') AS held, \
     (SELECT count(*) FROM sources s WHERE s.quarantined_at IS NOT NULL) AS quarantined FROM tenant_leases l"]);

static CACHE_KEY: Sql = Sql::across(&["SELECT secret FROM cache_key"]);
/// The latest first: a process that asks every half second misses none of a thousand at once.
static ENDED: Sql = Sql::across(&[
    "SELECT e.digest FROM (SELECT digest, revoked_at AS ended FROM credentials WHERE revoked_at > $1 UNION ALL \
     SELECT digest, expires_at FROM credentials WHERE expires_at > $1 AND expires_at <= $2) AS e ORDER BY e.ended DESC LIMIT 1000",
]);

#[derive(FromQueryResult)]
struct SessionRow {
    tenant_id: Uuid,
    id: Uuid,
    member_id: Uuid,
    role: String,
    billing_contact: bool,
    created_at: DateTime<Utc>,
    authenticated_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
}

impl SessionRow {
    fn session(self) -> Result<Option<Session>, StoreError> {
        let role: Role = self.role.parse().map_err(StoreError::database)?;
        Ok(role.signs_in_as(self.billing_contact).map(|role| Session {
            tenant: self.tenant_id.into(),
            id: self.id.into(),
            member: self.member_id.into(),
            role,
            signed_in_at: self.created_at,
            authenticated_at: self.authenticated_at,
            expires_at: self.expires_at,
        }))
    }
}

#[derive(FromQueryResult)]
struct SecretRow {
    secret: Vec<u8>,
}

#[derive(FromQueryResult)]
struct DigestRow {
    digest: Vec<u8>,
}

#[derive(FromQueryResult)]
struct KeyRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct TenantRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct NameRow {
    name: String,
}

#[derive(FromQueryResult)]
struct BacklogRow {
    oldest: Option<chrono::DateTime<chrono::Utc>>,
    held: i64,
    quarantined: i64,
}

/// A tenant as the operator lists it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct TenantSummary {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub seats: i64,
    pub seats_used: i64,
    pub created_at: chrono::DateTime<chrono::Utc>,
}

/// Backlog of the reconcile, over all tenants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// Age of the oldest unconsumed change, in seconds; 0 when there is none.
    pub lag_seconds: f64,
    pub held_runs: u64,
    pub quarantined_sources: u64,
}

impl Store {
    /// The valid credential with this digest.
    #[tracing::instrument(name = "store.across.credential", skip_all)]
    pub async fn credential(&self, digest: &SecretDigest) -> Result<Option<Credential>, StoreError> {
        let tx = self.across(false).await?;
        tx.one(CREDENTIAL.text(tx.engine()), [digest.to_vec().into()]).await
    }

    /// The session with this digest, if it is in force.
    #[tracing::instrument(name = "store.across.session", skip_all)]
    pub async fn session(&self, digest: &SecretDigest) -> Result<Option<Session>, StoreError> {
        let tx = self.across(false).await?;
        let now = self.clock.now();
        let values = [digest.to_vec().into(), now.into(), (now - SESSION_PAUSE).into()];
        let row: Option<SessionRow> = tx.one(SESSION.text(tx.engine()), values).await?;
        row.map_or(Ok(None), SessionRow::session)
    }

    /// The sign-in link or recovery code with this digest, if it was not used.
    #[tracing::instrument(name = "store.across.sign_in_link", skip_all)]
    pub async fn sign_in_link(&self, digest: &SecretDigest) -> Result<Option<SignInLink>, StoreError> {
        let tx = self.across(false).await?;
        tx.one(SIGN_IN_LINK.text(tx.engine()), [digest.to_vec().into(), self.clock.now().into()]).await
    }

    /// The secret with which the hubs of this database seal what they keep in a cache that others may write.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the row is gone, or has another length.
    #[tracing::instrument(name = "store.across.cache_key", skip_all)]
    pub async fn cache_key(&self) -> Result<[u8; 32], StoreError> {
        let tx = self.across(false).await?;
        let row: Option<SecretRow> = tx.one(CACHE_KEY.text(tx.engine()), []).await?;
        let secret = row.map(|row| row.secret).unwrap_or_default();
        secret.try_into().map_err(|_| StoreError::database("the table cache_key has no secret of 32 bytes"))
    }

    /// The digests of the credentials that were revoked or expired within this time, in any tenant.
    #[tracing::instrument(name = "store.across.ended_within", skip_all)]
    pub async fn ended_within(&self, time: TimeDelta) -> Result<Vec<SecretDigest>, StoreError> {
        let tx = self.across(false).await?;
        let now = self.clock.now();
        let rows: Vec<DigestRow> = tx.all(ENDED.text(tx.engine()), [(now - time).into(), now.into()]).await?;
        rows.into_iter().map(|row| stored_digest(row.digest)).collect()
    }

    pub(crate) async fn tenant_by_slug(&self, slug: &str) -> Result<Option<TenantId>, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<TenantRow> = tx.one(TENANT_BY_SLUG.text(tx.engine()), [slug.into()]).await?;
        Ok(row.map(|row| row.id.into()))
    }

    pub(crate) async fn tenant_by_id(&self, id: TenantId) -> Result<Option<TenantId>, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<TenantRow> = tx.one(TENANT_BY_ID.text(tx.engine()), [id.0.into()]).await?;
        Ok(row.map(|row| row.id.into()))
    }

    /// The tenants after this slug, by slug.
    #[tracing::instrument(name = "store.across.tenants_after", skip_all)]
    pub async fn tenants_after(
        &self,
        _: &OperatorScope,
        slug: &str,
        limit: u64,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let tx = self.across(false).await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        tx.all(TENANTS_AFTER.text(tx.engine()), [slug.into(), limit.into()]).await
    }

    /// One tenant, as its operator sees it.
    #[tracing::instrument(name = "store.across.tenant_summary", skip_all)]
    pub async fn tenant_summary(&self, scope: &AdminScope) -> Result<TenantSummary, StoreError> {
        let tx = self.across(false).await?;
        let row = tx.one(TENANT.text(tx.engine()), [scope.tenant().0.into()]).await?;
        row.ok_or(StoreError::NotFound("tenant"))
    }

    /// The scope of the operator's key with this digest, if it is in force.
    #[tracing::instrument(name = "store.across.operator_key", skip_all)]
    pub async fn operator_key(&self, digest: &SecretDigest) -> Result<Option<OperatorScope>, StoreError> {
        let tx = self.across(false).await?;
        let values = [digest.to_vec().into(), self.clock.now().into()];
        let row: Option<KeyRow> = tx.one(OPERATOR_KEY.text(tx.engine()), values).await?;
        Ok(row.map(|row| OperatorScope::Key(row.id.into())))
    }

    /// The keys of operators that are in force.
    #[tracing::instrument(name = "store.across.operator_keys_in_force", skip_all)]
    pub async fn operator_keys_in_force(&self) -> Result<HashSet<OperatorKeyId>, StoreError> {
        let tx = self.across(false).await?;
        let now = self.clock.now();
        let rows: Vec<KeyRow> = tx.all(OPERATOR_KEYS_IN_FORCE.text(tx.engine()), [now.into()]).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }

    /// All keys of operators, revoked ones too, the oldest first.
    #[tracing::instrument(name = "store.across.operator_keys", skip_all)]
    pub async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError> {
        let tx = self.across(false).await?;
        tx.all(OPERATOR_KEYS.text(tx.engine()), []).await
    }

    pub(crate) async fn insert_operator_key(
        &self,
        id: OperatorKeyId,
        digest: &SecretDigest,
        prefix: &str,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let now = self.clock.now();
        let values = [id.0.into(), digest.to_vec().into(), prefix.into(), name.into(), now.into(), expires_at.into()];
        tx.exec(INSERT_OPERATOR_KEY.text(tx.engine()), values).await?;
        tx.commit().await
    }

    /// Ends a key: the next request with it is refused, since each looks it up.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.across.revoke_operator_key", skip_all)]
    pub async fn revoke_operator_key(&self, id: OperatorKeyId) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let revoked = tx.exec(REVOKE_OPERATOR_KEY.text(tx.engine()), [id.0.into(), self.clock.now().into()]).await?;
        if revoked == 0 {
            return Err(StoreError::NotFound("operator's key"));
        }
        tx.commit().await
    }

    /// Every tenant, by slug.
    #[tracing::instrument(name = "store.across.tenants", skip_all)]
    pub async fn tenants(&self) -> Result<Vec<TenantSummary>, StoreError> {
        let tx = self.across(false).await?;
        tx.all(TENANTS.text(tx.engine()), []).await
    }

    /// Tenants with unconsumed changes whose back-off is over, at most `limit`, in the order of their ids and beginning after one.
    /// Leased tenants are included, because the worker may have died; the attempt to lease one returns the end of its lease.
    #[tracing::instrument(name = "store.across.due_tenants", skip_all)]
    pub async fn due_tenants(&self, after: Option<TenantId>, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
        let tx = self.across(false).await?;
        let values = [self.clock.now().into(), i64::from(limit).into(), after.into()];
        let rows: Vec<TenantRow> = tx.all(DUE_TENANTS.text(tx.engine()), values).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }

    /// A name that no other database has; none for SQLite, which serves one process.
    #[tracing::instrument(name = "store.across.database_name", skip_all)]
    pub async fn database_name(&self) -> Result<Option<String>, StoreError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let tx = self.across(false).await?;
        let row: Option<NameRow> = tx.one(DATABASE_NAME.text(tx.engine()), []).await?;
        Ok(row.map(|row| row.name))
    }

    /// The tenant at a place in the order of ids, given in millionths of their number: where a sweep may begin.
    #[tracing::instrument(name = "store.across.tenant_at", skip_all)]
    pub async fn tenant_at(&self, millionths: u32) -> Result<Option<TenantId>, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<TenantRow> = tx.one(TENANT_AT.text(tx.engine()), [i64::from(millionths).into()]).await?;
        Ok(row.map(|row| row.id.into()))
    }

    /// Tenants in the order of their ids, beginning after one of them.
    #[tracing::instrument(name = "store.across.tenant_ids_after", skip_all)]
    pub async fn tenant_ids_after(&self, after: Option<TenantId>, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
        let tx = self.across(false).await?;
        let rows: Vec<TenantRow> = tx.all(IDS_AFTER.text(tx.engine()), [after.into(), i64::from(limit).into()]).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }

    /// For the metrics. It reads one row per tenant with changes, so calls are seconds apart.
    #[tracing::instrument(name = "store.across.backlog", skip_all)]
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<BacklogRow> = tx.one(BACKLOG.text(tx.engine()), []).await?;
        let Some(row) = row else { return Ok(Backlog::default()) };
        let age = row.oldest.map(|oldest| self.clock.now() - oldest);
        let lag_seconds = age.map_or(0.0, |age| age.as_seconds_f64().max(0.0));
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Backlog { lag_seconds, held_runs: number(row.held), quarantined_sources: number(row.quarantined) })
    }
}
