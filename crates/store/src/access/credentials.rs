//! Credentials: the rows behind the secrets that machines and people present.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, sources};
use crate::scope::{AdminScope, SourceScope, TenantScope};
use crate::secret::{
    AGENT_INSTALL_PREFIX, API_KEY_PREFIX, NewSecret, SCIM_TOKEN_PREFIX, SecretDigest, digest, random_secret,
    stored_digest,
};
use chrono::{DateTime, Datelike, Utc};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::event::{Actor, CredentialCreated, Event, NoDetail};
use rollcall_core::ids::{CredentialId, SourceId, TenantId};
use rollcall_core::quota::{Quota, Quotas};
use rollcall_core::roster::Role;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, DerivePartialModel, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest name of a source or a token, in characters.
pub(crate) const NAME_CHARACTERS_MAX: usize = 200;
/// RFC 3339 years have four digits.
const YEAR_MAX: i32 = 9999;
/// Most tokens in force per source. A rotation needs two.
const TOKENS_MAX: usize = 20;
/// Most API keys of a list, with the ended ones.
const API_KEYS_LISTED: u64 = 1000;

/// An API key for operators, without its secret.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    pub role: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The end of a rotation's new token.
#[derive(Clone, Copy, Debug)]
pub enum RotatedExpiry {
    /// After as long a life as the old token had; never if that one never expires.
    AsLongLived,
    /// `None`: never.
    At(Option<DateTime<Utc>>),
}

/// The meaning of a presented secret. Caches keep it as JSON for a minute at most.
#[derive(Clone, Debug, Serialize, Deserialize, FromQueryResult)]
pub struct Credential {
    tenant_id: Uuid,
    id: Uuid,
    source_id: Option<Uuid>,
    kind: String,
    role: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    mode: Option<String>,
    users_only: Option<bool>,
    plain_discovery: Option<bool>,
}

impl Credential {
    pub fn tenant(&self) -> TenantId {
        self.tenant_id.into()
    }

    pub fn id(&self) -> CredentialId {
        self.id.into()
    }

    /// Whether the source of a SCIM token is switched off.
    pub fn source_is_off(&self) -> bool {
        self.mode.as_deref() == Some(SourceMode::Off.as_str())
    }

    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl SourceScope {
    /// The scope of a SCIM token; `None` for another kind of credential.
    pub fn of_token(token: &Credential) -> Option<Self> {
        let source: SourceId = token.source_id.filter(|_| token.kind == "scim_token")?.into();
        let scope = TenantScope::new(token.tenant_id.into(), Actor::Source(source));
        let settings = SourceSettings {
            users_only: token.users_only == Some(true),
            plain_discovery: token.plain_discovery == Some(true),
        };
        Some(Self::new(scope, source, settings))
    }
}

impl AdminScope {
    /// The scope of an API key; `None` for another kind of credential.
    pub fn of_key(key: &Credential) -> Option<Self> {
        let role = key.role.as_ref().filter(|_| key.kind == "api_key")?.parse().ok()?;
        Some(Self::new(TenantScope::new(key.tenant_id.into(), Actor::ApiKey(key.id.into())), role))
    }
}

impl Store {
    /// Makes another token for a source, so that the old one can be replaced without a gap.
    #[tracing::instrument(name = "store.credentials.create_scim_token", skip_all)]
    pub async fn create_scim_token(
        &self,
        scope: &AdminScope,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.refuse_one_more(Quota::Keys, &self.quotas).await?;
        let secret = tx.create_source_token(source, name, expires_at).await?;
        tx.commit().await?;
        Ok(secret)
    }

    #[tracing::instrument(name = "store.credentials.create_api_key", skip_all)]
    pub async fn create_api_key(
        &self,
        scope: &AdminScope,
        role: Role,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.refuse_one_more(Quota::Keys, &self.quotas).await?;
        let (kind, prefix, role) = ("api_key", API_KEY_PREFIX, Some(role));
        let credential = NewCredential { kind, prefix, role, name, expires_at, ..Default::default() };
        let secret = tx.create_credential(credential).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// All API keys of a tenant, revoked ones too, the oldest first.
    #[tracing::instrument(name = "store.credentials.api_keys", skip_all)]
    pub async fn api_keys(&self, scope: &AdminScope) -> Result<Vec<ApiKey>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let keys = tx.find::<credentials::Entity>().filter(credentials::Column::Kind.is("api_key"));
        keys.ascending(credentials::Column::Id).limit(API_KEYS_LISTED).all().await
    }

    /// As [`revoke_credential`](Self::revoke_credential), for an API key only.
    #[tracing::instrument(name = "store.credentials.revoke_api_key", skip_all)]
    pub async fn revoke_api_key(&self, scope: &AdminScope, id: CredentialId) -> Result<Committed<()>, StoreError> {
        if !self.api_keys(scope).await?.iter().any(|key| key.id == id.0) {
            return Err(StoreError::NotFound("API key"));
        }
        self.revoke_credential(scope, id).await
    }

    /// Ends a credential. The caller then drops the digest from the cache; should it not come to that, the same call again
    /// answers the digest again.
    #[tracing::instrument(name = "store.credentials.revoke_credential", skip_all)]
    pub async fn revoke_credential(&self, scope: &AdminScope, id: CredentialId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let digest = tx.revoke(id, None).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(vec![digest]))
    }
}

#[derive(Default)]
struct NewCredential<'a> {
    kind: &'static str,
    /// Visible at the start of the secret, for people and for secret scanners.
    prefix: &'static str,
    source: Option<SourceId>,
    role: Option<Role>,
    name: &'a str,
    expires_at: Option<DateTime<Utc>>,
}

impl TenantTx {
    /// Makes the first secret of a new source.
    pub(crate) async fn create_first_secret(
        &self,
        source: SourceId,
        kind: SourceKind,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let (kind, prefix) = match kind {
            SourceKind::Scim => ("scim_token", SCIM_TOKEN_PREFIX),
            SourceKind::Agent => ("agent_install", AGENT_INSTALL_PREFIX),
        };
        let credential = NewCredential { kind, prefix, source: Some(source), expires_at, ..Default::default() };
        self.create_credential(credential).await
    }

    /// Makes another token for a SCIM source.
    pub(crate) async fn create_source_token(
        &self,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let is_source = sources::Column::Id.eq(source.0).and(sources::Column::Kind.is("scim"));
        if !self.find::<sources::Entity>().filter(is_source).exists().await? {
            return Err(StoreError::NotFound("SCIM source"));
        }
        let (kind, prefix) = ("scim_token", SCIM_TOKEN_PREFIX);
        let credential = NewCredential { kind, prefix, source: Some(source), name, expires_at, ..Default::default() };
        self.create_credential(credential).await
    }

    /// Refuses a token that may not be made, or one too many: of the source, or of the tenant.
    pub(crate) async fn check_new_token(
        &self,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
        quotas: &Quotas,
    ) -> Result<(), StoreError> {
        if name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
            let takes = format!(
                "a token's name has at most {NAME_CHARACTERS_MAX} characters, none of them a control character"
            );
            return Err(StoreError::Invalid(takes));
        }
        let now = self.clock.now();
        // Later years have no RFC 3339 form.
        if expires_at.is_some_and(|end| end <= now || end.year() > YEAR_MAX) {
            return Err(StoreError::Invalid(format!("expires_at is in the future, and not after the year {YEAR_MAX}")));
        }
        self.refuse_one_more(Quota::Keys, quotas).await?;
        let tokens = self.find::<credentials::Entity>().filter(credentials::Column::SourceId.eq(source.0));
        let tokens: Vec<Uuid> = tokens.filter(in_force(now)).values(credentials::Column::Id).await?;
        if tokens.len() >= TOKENS_MAX {
            let why = format!("the source has {TOKENS_MAX} tokens in force; revoke those that are no longer used");
            return Err(StoreError::Conflict(why));
        }
        Ok(())
    }

    /// Revokes a credential, of this source when one is named. A credential that was revoked before yields its digest and no event.
    pub(crate) async fn revoke(&self, id: CredentialId, source: Option<SourceId>) -> Result<SecretDigest, StoreError> {
        use credentials::{Column, Entity};
        let of_source = source.map(|source| Column::SourceId.eq(source.0));
        let named = Condition::all().add(Column::Id.eq(id.0)).add_option(of_source);
        let in_force = named.clone().add(Column::RevokedAt.is_null());
        let revoked = self.update::<Entity>(in_force).set(Column::RevokedAt, self.clock.now()).returning().await?;
        if let Some(credential) = revoked.into_iter().next() {
            let event = Event::CredentialRevoked(id, NoDetail);
            self.tx.batch(vec![self.event(&event).into()]).await?;
            return stored_digest(credential.digest);
        }
        let digest = self.find::<Entity>().filter(named).value(Column::Digest).await?;
        stored_digest(digest.ok_or(StoreError::NotFound("credential"))?)
    }

    async fn create_credential(&self, new: NewCredential<'_>) -> Result<NewSecret, StoreError> {
        let id: CredentialId = self.clock.new_id();
        let secret = random_secret(new.prefix)?;
        let credential = credentials::ActiveModel {
            id: Set(id.0),
            source_id: Set(new.source.map(|id| id.0)),
            kind: Set(new.kind.into()),
            digest: Set(digest(&secret).to_vec()),
            prefix: Set(secret[..8].into()),
            name: Set(new.name.into()),
            role: Set(new.role.map(|role| role.as_str().into())),
            created_at: Set(self.clock.now()),
            expires_at: Set(new.expires_at),
            ..Default::default()
        };
        let prefix = secret[..8].to_owned();
        let detail = CredentialCreated { kind: new.kind, prefix, source_id: new.source, role: new.role };
        self.tx
            .batch(vec![self.insert(credential).into(), self.event(&Event::CredentialCreated(id, detail)).into()])
            .await?;
        Ok(NewSecret { id, secret })
    }
}

/// Neither revoked nor expired.
pub(crate) fn in_force(now: DateTime<Utc>) -> SimpleExpr {
    let ends_later = credentials::Column::ExpiresAt.is_null().or(credentials::Column::ExpiresAt.gt(now));
    credentials::Column::RevokedAt.is_null().and(ends_later)
}
