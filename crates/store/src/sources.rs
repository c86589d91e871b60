//! What feeds a tenant, as its admins see and change it: sources, their mode, and the tokens of each.

use crate::audit::NewEvent;
use crate::changes::Lane;
use crate::connect::Store;
use crate::credentials::{DigestOnly, NewSecret, SecretDigest};
use crate::error::StoreError;
use crate::scope::{ApiScope, TenantTx};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::audit::AuditKind;
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::{CredentialId, SourceId};
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// Names of tokens, in characters.
const NAME_CHARACTERS_MAX: usize = 200;
/// Tokens in force of one source at most: rotation needs two, a careful admin a few more.
const TOKENS_MAX: usize = 20;

/// A source as admins read it.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct Source {
    pub id: Uuid,
    /// `scim` or `agent`.
    pub kind: String,
    /// `off`, `simulate` or `live`.
    pub mode: String,
    pub name: String,
    /// Groups are neither shown nor taken (DS3).
    pub users_only: bool,
    pub created_at: DateTime<Utc>,
    /// When any of its tokens was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A token as admins read it; the secret itself is not kept.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct SourceToken {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, to recognise it by.
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute; null when it was never used.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A rotation: the new token, and the old one's digest, whose cache entries the caller makes everybody forget.
pub struct Rotated {
    pub secret: NewSecret,
    pub old_digest: SecretDigest,
    pub old_expires_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct LiveRow {
    id: Uuid,
    name: String,
}

#[derive(FromQueryResult)]
struct TokenRow {
    name: String,
    expires_at: Option<DateTime<Utc>>,
}

const SOURCES: &str = "SELECT s.id, s.kind, s.mode, s.name, s.users_only, s.created_at, \
    (SELECT max(c.last_used_at) FROM credentials c WHERE c.tenant_id = s.tenant_id AND c.source_id = s.id) AS last_used_at \
    FROM sources s WHERE s.tenant_id = $1";

/// What the unique index says when two live sources were made at the same moment.
pub(crate) fn second_live(error: StoreError) -> StoreError {
    match error {
        StoreError::Taken(_) => {
            StoreError::Conflict(format!("the tenant has a live source already; {SECOND_LIVE_REMEDY}"))
        }
        other => other,
    }
}

const SECOND_LIVE_REMEDY: &str = "only one source may decide who is a member: switch that one to off or simulate first \
    (`rollcall source set-mode`, or PATCH /api/v1/sources/{id}), or make this one with mode simulate";

impl Store {
    /// All sources of a tenant, the oldest first.
    pub async fn sources(&self, scope: &ApiScope) -> Result<Vec<Source>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.tx.all(&format!("{SOURCES} ORDER BY s.id"), [tx.tenant.0.into()]).await
    }

    pub async fn source(&self, scope: &ApiScope, id: SourceId) -> Result<Source, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(id).await
    }

    /// Switches a source. Answers the digests of its tokens: the caller makes every process forget what it cached of them,
    /// so the switch works within a second (DS7).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another source of the tenant is live (DS2).
    pub async fn set_source_mode(
        &self,
        scope: &ApiScope,
        id: SourceId,
        mode: SourceMode,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let digests = tx.set_source_mode(id, mode).await?;
        tx.commit().await?;
        Ok(digests)
    }

    /// As [`set_source_mode`](Self::set_source_mode), from the operator's command line.
    pub async fn set_source_mode_as_operator(
        &self,
        scope: &crate::scope::TenantScope,
        id: SourceId,
        mode: SourceMode,
    ) -> Result<Vec<SecretDigest>, StoreError> {
        let tx = self.write(scope).await?;
        let digests = tx.set_source_mode(id, mode).await?;
        tx.commit().await?;
        Ok(digests)
    }

    /// All tokens of a source, the oldest first, those that ended too.
    pub async fn source_tokens(&self, scope: &ApiScope, source: SourceId) -> Result<Vec<SourceToken>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        let sql = "SELECT id, name, prefix, created_at, expires_at, revoked_at, last_used_at FROM credentials \
                   WHERE tenant_id = $1 AND source_id = $2 AND kind = 'scim_token' ORDER BY id LIMIT 1000";
        tx.tx.all(sql, [tx.tenant.0.into(), source.0.into()]).await
    }

    /// One more token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the source has as many tokens in force as it may.
    pub async fn add_source_token(
        &self,
        scope: &ApiScope,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.check_new_token(source, name, expires_at).await?;
        let secret = tx.create_source_token(source, name, expires_at).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// A new token with the old one's name; the old one stays in force for `overlap`, so that the identity provider can be
    /// changed without a gap.
    pub async fn rotate_source_token(
        &self,
        scope: &ApiScope,
        source: SourceId,
        old: CredentialId,
        overlap: TimeDelta,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Rotated, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let sql = "SELECT name, expires_at FROM credentials WHERE tenant_id = $1 AND id = $2 AND source_id = $3 \
                   AND kind = 'scim_token' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $4)";
        let now = tx.clock.now();
        let found: Option<TokenRow> =
            tx.tx.one(sql, [tx.tenant.0.into(), old.0.into(), source.0.into(), now.into()]).await?;
        let found = found.ok_or(StoreError::NotFound("token that is in force"))?;
        tx.check_new_token(source, &found.name, expires_at).await?;
        let old_expires_at = found.expires_at.map_or(now + overlap, |end| end.min(now + overlap));
        let sql = "UPDATE credentials SET expires_at = $3 WHERE tenant_id = $1 AND id = $2 RETURNING digest";
        let row: Option<DigestOnly> = tx.tx.one(sql, [tx.tenant.0.into(), old.0.into(), old_expires_at.into()]).await?;
        let old_digest = row.ok_or(StoreError::NotFound("token"))?.read()?;
        let secret = tx.create_source_token(source, &found.name, expires_at).await?;
        let detail = Some(json!({ "replaced_by": secret.id, "expires_at": old_expires_at }));
        let kind = AuditKind::CredentialRotated;
        let event = NewEvent { kind, subject_kind: "credential", subject_id: old.0, detail };
        tx.batch_of(vec![tx.event(event).into()]).await?;
        tx.commit().await?;
        Ok(Rotated { secret, old_digest, old_expires_at })
    }

    /// Ends a token. The caller then tells the cache.
    pub async fn revoke_source_token(
        &self,
        scope: &ApiScope,
        source: SourceId,
        token: CredentialId,
    ) -> Result<SecretDigest, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let digest = tx.revoke(token, Some(source)).await?;
        tx.commit().await?;
        Ok(digest)
    }
}

impl TenantTx {
    pub(crate) async fn source_row(&self, id: SourceId) -> Result<Source, StoreError> {
        let sql = format!("{SOURCES} AND s.id = $2");
        self.tx.one(&sql, [self.tenant.0.into(), id.0.into()]).await?.ok_or(StoreError::NotFound("source"))
    }

    /// Exclusive authority: names the source that is live, `except` this one (DS2).
    pub(crate) async fn refuse_second_live(&self, except: Option<SourceId>) -> Result<(), StoreError> {
        let sql = "SELECT id, name FROM sources WHERE tenant_id = $1 AND mode = 'live'";
        let live: Option<LiveRow> = self.tx.one(sql, [self.tenant.0.into()]).await?;
        match live.filter(|live| Some(live.id) != except.map(|id| id.0)) {
            Some(live) => {
                let (name, id) = (live.name, live.id);
                Err(StoreError::Conflict(format!("source {id} {name:?} of this tenant is live; {SECOND_LIVE_REMEDY}")))
            }
            None => Ok(()),
        }
    }

    async fn set_source_mode(&self, id: SourceId, mode: SourceMode) -> Result<Vec<SecretDigest>, StoreError> {
        let before = self.source_row(id).await?.mode;
        if before == mode.as_str() {
            return Ok(Vec::new());
        }
        if mode == SourceMode::Live {
            self.refuse_second_live(Some(id)).await?;
        }
        let sql = "UPDATE sources SET mode = $3 WHERE tenant_id = $1 AND id = $2";
        let values = [self.tenant.0.into(), id.0.into(), mode.as_str().into()];
        self.tx.exec(sql, values).await.map_err(second_live)?;
        if mode == SourceMode::Live {
            // What it said while it was simulated has changed nothing yet.
            self.touch_everything_of(id, "directory_users", "user_id").await?;
            self.touch_everything_of(id, "directory_groups", "group_id").await?;
        }
        let detail = Some(json!({ "before": before, "after": mode }));
        let kind = AuditKind::SourceModeChanged;
        let event = NewEvent { kind, subject_kind: "source", subject_id: id.0, detail };
        self.batch_of(vec![self.event(event).into()]).await?;
        let sql = "SELECT digest FROM credentials WHERE tenant_id = $1 AND source_id = $2 AND revoked_at IS NULL";
        let digests: Vec<DigestOnly> = self.tx.all(sql, [self.tenant.0.into(), id.0.into()]).await?;
        digests.into_iter().map(DigestOnly::read).collect()
    }

    async fn touch_everything_of(&self, source: SourceId, table: &str, column: &str) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO directory_changes (tenant_id, id, lane, source_id, {column}, request_id, created_at) \
             SELECT $1, {}, {}, $2, d.id, $3, $4 FROM {table} d WHERE d.tenant_id = $1 AND d.source_id = $2",
            self.tx.random_id(),
            Lane::Bulk as i64
        );
        let request = self.request.map(|id| id.0);
        let values = [self.tenant.0.into(), source.0.into(), request.into(), self.clock.now().into()];
        self.tx.exec(&sql, values).await?;
        Ok(())
    }

    async fn check_new_token(
        &self,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        if name.chars().count() > NAME_CHARACTERS_MAX {
            return Err(StoreError::Invalid(format!("a token's name has at most {NAME_CHARACTERS_MAX} characters")));
        }
        let now = self.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(StoreError::Invalid("expires_at is not in the future".into()));
        }
        let sql = "SELECT name, expires_at FROM credentials WHERE tenant_id = $1 AND source_id = $2 \
                   AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)";
        let values = [self.tenant.0.into(), source.0.into(), now.into()];
        let in_force: Vec<TokenRow> = self.tx.all(sql, values).await?;
        if in_force.len() >= TOKENS_MAX {
            let why = format!("the source has {TOKENS_MAX} tokens in force; revoke those that are no longer used");
            return Err(StoreError::Conflict(why));
        }
        Ok(())
    }
}
