//! Credentials: the secrets that machines and people present. A secret is shown once; the store keeps its SHA-256 digest.
//!
//! SHA-256 without salt or stretching is right here: a token holds 256 random bits, so there is nothing to guess, and
//! a look-up by digest compares no secret byte by byte.

use crate::access::sources::second_live;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, sources};
use crate::scope::AdminScope;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rand::TryRngCore;
use rand::rngs::OsRng;
use rollcall_core::directory::{SourceKind, SourceMode};
use rollcall_core::event::{CredentialCreated, Event, NoDetail, SourceCreated};
use rollcall_core::ids::{CredentialId, SourceId};
use rollcall_core::roster::Role;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, DerivePartialModel, FromQueryResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// SHA-256 of a presented secret.
pub type SecretDigest = [u8; 32];

/// The prefix tells people and secret scanners the kind of a secret.
pub const SCIM_TOKEN_PREFIX: &str = "rcs_";
pub const API_KEY_PREFIX: &str = "rck_";
const AGENT_INSTALL_PREFIX: &str = "rci_";
/// Characters after the prefix: 256 bits.
const SECRET_CHARACTERS: usize = 43;

/// Most API keys of a list, with the ended ones.
const API_KEYS_LISTED: u64 = 1000;

/// Whether the text has the form of a secret made here; a malformed one needs no look-up.
pub fn may_be_secret(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|random| {
        random.len() == SECRET_CHARACTERS
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

/// The digest under which a presented secret is looked up.
pub fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret.as_bytes()).into()
}

/// A new secret. Its text exists only now.
pub struct NewSecret {
    pub id: CredentialId,
    pub secret: String,
}

/// Input for a new source.
#[derive(Clone, Debug)]
pub struct NewSource<'a> {
    pub kind: SourceKind,
    pub mode: SourceMode,
    pub name: &'a str,
    /// The source has no groups (DS3).
    pub users_only: bool,
    /// When its first secret expires; `None` for never.
    pub token_expires_at: Option<DateTime<Utc>>,
}

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
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The meaning of a presented secret. Caches keep it as JSON for a minute at most.
#[derive(Clone, Debug, Serialize, Deserialize, FromQueryResult)]
pub struct Credential {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) source_id: Option<Uuid>,
    pub(crate) kind: String,
    pub(crate) role: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    mode: Option<String>,
    pub(crate) users_only: Option<bool>,
}

impl Credential {
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

impl Store {
    /// Makes a source with its first secret.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it would be the second live source of its tenant (DS2).
    #[tracing::instrument(name = "store.credentials.create_source", skip_all)]
    pub async fn create_source(
        &self,
        scope: &AdminScope,
        new: &NewSource<'_>,
    ) -> Result<(SourceId, NewSecret), StoreError> {
        let tx = self.write(&scope.scope).await?;
        if new.mode == SourceMode::Live {
            tx.refuse_second_live(None).await?;
        }
        let id: SourceId = tx.clock.new_id();
        let source = sources::ActiveModel {
            id: Set(id.0),
            kind: Set(new.kind.as_str().into()),
            mode: Set(new.mode.as_str().into()),
            name: Set(new.name.into()),
            users_only: Set(new.users_only),
            created_at: Set(tx.clock.now()),
            ..Default::default()
        };
        let NewSource { kind, mode, users_only, .. } = *new;
        let detail = SourceCreated { kind, mode, name: new.name.to_owned(), users_only };
        tx.tx
            .batch(vec![tx.insert(source).into(), tx.event(&Event::SourceCreated(id, detail)).into()])
            .await
            .map_err(second_live)?;
        let (kind, prefix) = match new.kind {
            SourceKind::Scim => ("scim_token", SCIM_TOKEN_PREFIX),
            SourceKind::Agent => ("agent_install", AGENT_INSTALL_PREFIX),
        };
        let expires_at = new.token_expires_at;
        let credential = NewCredential { kind, prefix, source: Some(id), expires_at, ..Default::default() };
        let secret = tx.create_credential(credential).await?;
        tx.commit().await?;
        Ok((id, secret))
    }

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
        let secret = tx.create_source_token(source, name, expires_at).await?;
        tx.commit().await?;
        Ok(secret)
    }

    #[tracing::instrument(name = "store.credentials.create_api_key", skip_all)]
    pub async fn create_api_key(&self, scope: &AdminScope, role: Role, name: &str) -> Result<NewSecret, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let credential =
            NewCredential { kind: "api_key", prefix: API_KEY_PREFIX, role: Some(role), name, ..Default::default() };
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

/// A digest as it is stored.
pub(crate) fn stored_digest(bytes: Vec<u8>) -> Result<SecretDigest, StoreError> {
    bytes.try_into().map_err(|_| StoreError::database("a digest has 32 bytes"))
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

/// 256 bits from the operating system, in URL-safe characters after the prefix.
fn random_secret(prefix: &str) -> Result<String, StoreError> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| StoreError::Unavailable(format!("no randomness: {e}").into()))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_made_here_has_the_form_and_little_else_has() {
        let secret = random_secret(SCIM_TOKEN_PREFIX).expect("randomness");
        assert!(may_be_secret(&secret, SCIM_TOKEN_PREFIX), "{secret}");
        assert!(!may_be_secret(&secret, API_KEY_PREFIX));
        for other in [
            "",
            "rcs_",
            "nonsense",
            &secret[..secret.len() - 1],
            &format!("{secret}a"),
            &secret.replace("rcs_", "RCS_"),
        ] {
            assert!(!may_be_secret(other, SCIM_TOKEN_PREFIX), "{other}");
        }
        assert!(!may_be_secret(&format!("rcs_{}", "=".repeat(43)), SCIM_TOKEN_PREFIX));
    }
}
