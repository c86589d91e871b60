//! Credentials: the rows behind the secrets that machines and people present.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, sources};
use crate::scope::{AdminScope, EnrolmentScope, SourceScope, TenantScope};
use crate::secret::{
    AGENT_INSTALL_PREFIX, NewSecret, SCIM_TOKEN_PREFIX, SecretDigest, digest, random_secret, stored_digest,
};
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::event::{Actor, CredentialCreated, CredentialRotated, Event, NoDetail};
use rollcall_core::ids::{CredentialId, IdentityId, MemberId, OauthClientId, SourceId, TenantId};
use rollcall_core::permission::Permissions;
use rollcall_core::quota::{Quota, Quotas};
use rollcall_core::roster::Role;
use sea_orm::sea_query::{Expr, ExprTrait, IntoCondition, SimpleExpr};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest name of a source or a token, in characters.
pub(crate) const NAME_CHARACTERS_MAX: usize = 200;
/// RFC 3339 years have four digits.
const YEAR_MAX: i32 = 9999;
/// The kinds with which a source's provider comes for good: they count as tokens.
pub(super) const SCIM_TOKEN: &str = "scim_token";
pub(super) const OAUTH_CLIENT: &str = "oauth_client";
/// A link with which somebody without an account sets a source up.
pub(super) const SETUP_LINK: &str = "setup_link";
/// A short-lived token of an OAuth client.
pub(super) const ACCESS_TOKEN: &str = "access_token";
/// With it an agent enrols itself where nobody can type a code; it serves once.
pub(crate) const AGENT_INSTALL: &str = "agent_install";
/// With it an agent that an admin let in enrols itself; it opens nothing else.
pub(crate) const AGENT_ENROLMENT: &str = "agent_enrolment";
/// Most tokens and secrets of clients in force per source. A rotation needs two.
const TOKENS_MAX: usize = 20;

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
    pub(super) kind: String,
    pub(super) role: Option<String>,
    pub(super) permissions: Option<String>,
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
    /// The scope of a SCIM token, or of an access token; `None` for another kind of credential.
    pub fn of_token(token: &Credential) -> Option<Self> {
        let opens = [SCIM_TOKEN, ACCESS_TOKEN].contains(&token.kind.as_str());
        let source: SourceId = token.source_id.filter(|_| opens)?.into();
        let scope = TenantScope::new(token.tenant_id.into(), Actor::Source(source));
        let settings = SourceSettings {
            users_only: token.users_only == Some(true),
            plain_discovery: token.plain_discovery == Some(true),
        };
        Some(Self::new(scope, source, settings))
    }
}

impl EnrolmentScope {
    /// The scope of an install token, or of the token of an approved enrolment; `None` for another kind of credential.
    pub fn of_token(token: &Credential) -> Option<Self> {
        let enrols = [AGENT_INSTALL, AGENT_ENROLMENT].contains(&token.kind.as_str());
        let source: SourceId = token.source_id.filter(|_| enrols)?.into();
        Some(Self { scope: TenantScope::new(token.tenant_id.into(), Actor::Source(source)), source, token: token.id() })
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

    /// Ends a credential. The caller then drops the digest from the cache; should it not come to that, the same call again
    /// answers the digest again.
    #[tracing::instrument(name = "store.credentials.revoke_credential", skip_all)]
    pub async fn revoke_credential(&self, scope: &AdminScope, id: CredentialId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        // An OAuth client ends with its tokens, by a call of its own.
        let digest = tx.revoke(id, credentials::Column::Kind.is_not(OAUTH_CLIENT)).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(vec![digest]))
    }
}

/// A rotation: the new secret, and the end of the old one.
pub struct Rotated {
    pub secret: NewSecret,
    pub expires_at: Option<DateTime<Utc>>,
    pub old_expires_at: DateTime<Utc>,
}

/// A credential that another replaces.
pub(super) struct Superseded {
    pub(super) old: credentials::Model,
    pub(super) old_expires_at: DateTime<Utc>,
    /// The end of the new one.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// The provider's part in a session.
#[derive(Clone, Debug)]
pub(crate) struct ByProvider {
    pub(crate) identity: IdentityId,
    /// The provider's name for the session, by which it tells of a logout.
    pub(crate) session: Option<String>,
    /// When the person proved it, as far as the provider says.
    pub(crate) authenticated_at: Option<DateTime<Utc>>,
}

#[derive(Default)]
pub(crate) struct NewCredential<'a> {
    pub(crate) kind: &'static str,
    /// Visible at the start of the secret, for people and for secret scanners.
    pub(crate) prefix: &'static str,
    pub(crate) source: Option<SourceId>,
    pub(crate) member: Option<MemberId>,
    pub(crate) client: Option<OauthClientId>,
    pub(crate) role: Option<Role>,
    pub(crate) permissions: Option<Permissions>,
    pub(crate) name: &'a str,
    pub(crate) address: Option<&'a str>,
    /// The person of an identity provider who signed in.
    pub(crate) by: Option<ByProvider>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
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
            SourceKind::Scim => (SCIM_TOKEN, SCIM_TOKEN_PREFIX),
            SourceKind::Agent => (AGENT_INSTALL, AGENT_INSTALL_PREFIX),
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
        self.check_scim_source(source).await?;
        let (kind, prefix) = (SCIM_TOKEN, SCIM_TOKEN_PREFIX);
        let credential = NewCredential { kind, prefix, source: Some(source), name, expires_at, ..Default::default() };
        self.create_credential(credential).await
    }

    pub(super) async fn check_scim_source(&self, source: SourceId) -> Result<(), StoreError> {
        let is_source = sources::Column::Id.eq(source.0).and(sources::Column::Kind.is("scim"));
        let exists = self.find::<sources::Entity>().filter(is_source).exists().await?;
        if exists { Ok(()) } else { Err(StoreError::NotFound("SCIM source")) }
    }

    /// Refuses a name or an end that no credential has.
    pub(crate) fn check_name_and_end(&self, name: &str, expires_at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        if name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
            let takes =
                format!("a name has at most {NAME_CHARACTERS_MAX} characters, none of them a control character");
            return Err(StoreError::Invalid(takes));
        }
        // Later years have no RFC 3339 form.
        if expires_at.is_some_and(|end| end <= self.clock.now() || end.year() > YEAR_MAX) {
            return Err(StoreError::Invalid(format!(
                "a credential must end in the future, and not after the year {YEAR_MAX}"
            )));
        }
        Ok(())
    }

    /// Refuses a token that may not be made, or one too many: of the source, or of the tenant.
    pub(crate) async fn check_new_token(
        &self,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
        quotas: &Quotas,
    ) -> Result<(), StoreError> {
        self.check_name_and_end(name, expires_at)?;
        let now = self.clock.now();
        self.refuse_one_more(Quota::Keys, quotas).await?;
        let lasting = credentials::Column::Kind.is_one_of([SCIM_TOKEN, OAUTH_CLIENT]);
        let of_source = credentials::Column::SourceId.eq(source.0).and(lasting);
        let tokens = self.find::<credentials::Entity>().filter(of_source);
        let tokens: Vec<Uuid> = tokens.filter(in_force(now)).values(credentials::Column::Id).await?;
        if tokens.len() >= TOKENS_MAX {
            let why = format!(
                "the source has {TOKENS_MAX} tokens and clients in force; revoke those that are no longer used"
            );
            return Err(StoreError::Conflict(why));
        }
        Ok(())
    }

    /// Revokes a credential, if it meets the condition. A credential that was revoked before yields its digest and no event.
    pub(crate) async fn revoke(
        &self,
        id: CredentialId,
        condition: impl IntoCondition,
    ) -> Result<SecretDigest, StoreError> {
        use credentials::{Column, Entity};
        let named = Condition::all().add(Column::Id.eq(id.0)).add(condition.into_condition());
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

    /// Lets a credential in force end after `overlap` at the latest, since another takes its place. If several meet the
    /// condition, all end, and the newest is replaced.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when none is in force; [`StoreError::Conflict`] for one that was replaced before: its end is the
    /// overlap's, and no measure of the next one's life.
    pub(super) async fn supersede(
        &self,
        which: Condition,
        what: &'static str,
        overlap: TimeDelta,
        expiry: RotatedExpiry,
    ) -> Result<Superseded, StoreError> {
        // One statement, so that the later of two concurrent rotations sees what the earlier one wrote.
        use credentials::{Column, Entity};
        let end = self.clock.now() + overlap;
        let old = which.add(in_force(self.clock.now()));
        let newest = self.find::<Entity>().filter(old.clone()).descending(Column::Id).limit(1);
        let before: Option<credentials::Model> = newest.one().await?;
        let before = before.ok_or(StoreError::NotFound(what))?;
        let expires_at = match expiry {
            RotatedExpiry::At(expires_at) => expires_at,
            RotatedExpiry::AsLongLived => before.expires_at.map(|ends| self.clock.now() + (ends - before.created_at)),
        };
        let sooner = Expr::case(Column::ExpiresAt.lt(end), Column::ExpiresAt.into_expr()).finally(end);
        let old = self.update::<Entity>(old).set(Column::ExpiresAt, sooner).returning().await?;
        let old = old.into_iter().find(|row| row.id == before.id).ok_or(StoreError::NotFound(what))?;
        if let Some(replacement) = old.replaced_by {
            return Err(StoreError::Conflict(format!(
                "this one was replaced by {replacement} already: rotate that one, or make a new one"
            )));
        }
        Ok(Superseded { old_expires_at: old.expires_at.unwrap_or(end), old, expires_at })
    }

    /// Writes down the credential that takes an old one's place, and when the old one ends.
    pub(super) async fn note_replacement(
        &self,
        old: CredentialId,
        replaced_by: CredentialId,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use credentials::{Column, Entity};
        self.update::<Entity>(Column::Id.eq(old.0)).set(Column::ReplacedBy, replaced_by.0).exec().await?;
        let event = Event::CredentialRotated(old, CredentialRotated { replaced_by, expires_at });
        self.tx.batch(vec![self.event(&event).into()]).await
    }

    pub(crate) async fn create_credential(&self, new: NewCredential<'_>) -> Result<NewSecret, StoreError> {
        let NewCredential { kind, source: source_id, role, permissions, .. } = new;
        self.insert_credential(new, |id, prefix| {
            Event::CredentialCreated(id, CredentialCreated { kind, prefix, source_id, role, permissions })
        })
        .await
    }

    /// Makes a credential, with the event of its id and the first characters of its secret.
    pub(super) async fn insert_credential(
        &self,
        new: NewCredential<'_>,
        event: impl FnOnce(CredentialId, String) -> Event,
    ) -> Result<NewSecret, StoreError> {
        let id: CredentialId = self.clock.new_id();
        let secret = random_secret(new.prefix)?;
        let prefix = secret[..8].to_owned();
        let credential = credentials::ActiveModel {
            id: Set(id.0),
            source_id: Set(new.source.map(|id| id.0)),
            member_id: Set(new.member.map(|id| id.0)),
            client_id: Set(new.client.map(|id| id.0)),
            kind: Set(new.kind.into()),
            digest: Set(digest(&secret).to_vec()),
            prefix: Set(prefix.clone()),
            name: Set(new.name.into()),
            role: Set(new.role.map(|role| role.as_str().into())),
            permissions: Set(new.permissions.map(|permissions| permissions.to_string())),
            address: Set(new.address.map(Into::into)),
            identity_id: Set(new.by.as_ref().map(|by| by.identity.0)),
            authenticated_at: Set(new.by.as_ref().and_then(|by| by.authenticated_at)),
            provider_session: Set(new.by.and_then(|by| by.session)),
            created_at: Set(self.clock.now()),
            created_by: Set(Some(self.actor.to_text())),
            expires_at: Set(new.expires_at),
            ..Default::default()
        };
        let event = event(id, prefix);
        self.tx.batch(vec![self.insert(credential).into(), self.event(&event).into()]).await?;
        Ok(NewSecret { id, secret })
    }
}

/// Neither revoked nor expired.
pub(crate) fn in_force(now: DateTime<Utc>) -> SimpleExpr {
    let ends_later = credentials::Column::ExpiresAt.is_null().or(credentials::Column::ExpiresAt.gt(now));
    credentials::Column::RevokedAt.is_null().and(ends_later)
}
