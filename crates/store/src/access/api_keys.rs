//! API keys: secrets with which programs use the REST API. Nobody makes a key that may do more than its maker.

use crate::access::credentials::{Credential, NewCredential, Rotated, RotatedExpiry, SETUP_LINK, Superseded};
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::entity::{LiteralComparison, RowList, credentials};
use crate::scope::{AdminScope, TenantScope};
use crate::secret::{API_KEY_PREFIX, NewSecret, stored_digest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::Actor;
use rollcall_core::ids::CredentialId;
use rollcall_core::permission::Permissions;
use rollcall_core::quota::Quota;
use rollcall_core::roster::Role;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

const API_KEY: &str = "api_key";

/// An API key, without its secret.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    pub role: String,
    /// Names divided by spaces; null for everything that the role may do.
    pub permissions: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The one that a rotation put in its place.
    pub replaced_by: Option<Uuid>,
    /// The actor who made it; unknown for those of earlier versions.
    pub created_by: Option<String>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
struct Named {
    id: Uuid,
    name: String,
}

/// Input for a new key.
#[derive(Clone, Copy, Debug)]
pub struct NewApiKey<'a> {
    pub name: &'a str,
    pub role: Role,
    /// `None` is everything that the role may do.
    pub permissions: Option<Permissions>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl<'a> NewApiKey<'a> {
    /// A key that may do everything of its role, without an end.
    pub fn of(role: Role, name: &'a str) -> Self {
        Self { name, role, permissions: None, expires_at: None }
    }
}

impl AdminScope {
    /// The scope of an API key; `None` for another kind of credential.
    pub fn of_key(key: &Credential) -> Option<Self> {
        let role = key.role.as_ref().filter(|_| key.kind == API_KEY)?.parse().ok()?;
        let permissions = key.permissions.as_deref().map_or(Ok(Permissions::all()), str::parse).ok()?;
        Some(Self::new(TenantScope::new(key.tenant(), Actor::ApiKey(key.id())), role, permissions))
    }
}

fn api_key(id: CredentialId) -> SimpleExpr {
    credentials::Column::Kind.is(API_KEY).and(credentials::Column::Id.eq(id.0))
}

impl Store {
    /// Makes a key.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`] for a key that may do more than its maker.
    #[tracing::instrument(name = "store.api_keys.create_api_key", skip_all)]
    pub async fn create_api_key(&self, scope: &AdminScope, new: &NewApiKey<'_>) -> Result<NewSecret, StoreError> {
        let NewApiKey { name, role, permissions, expires_at } = *new;
        let of_role = Permissions::of_role(role);
        if permissions.is_some_and(|asked| asked == Permissions::NONE || !asked.within(of_role)) {
            let why =
                format!("a key of the role {role} has some of these permissions: {of_role}; leave them out for all");
            return Err(StoreError::Invalid(why));
        }
        if !scope.role().is_at_least(role) || !permissions.unwrap_or(of_role).within(scope.permissions()) {
            let why = "a key may not do more than its maker: give it your role or a lesser one, and permissions that you have";
            return Err(StoreError::Forbidden(why.into()));
        }
        let tx = self.write(&scope.scope).await?;
        tx.check_name_and_end(name, expires_at)?;
        tx.refuse_one_more(Quota::Keys, &self.quotas).await?;
        let (kind, prefix, role) = (API_KEY, API_KEY_PREFIX, Some(role));
        let new = NewCredential { kind, prefix, role, permissions, name, expires_at, ..Default::default() };
        let secret = tx.create_credential(new).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// One page of the keys of a tenant, revoked ones too.
    #[tracing::instrument(name = "store.api_keys.api_keys", skip_all)]
    pub async fn api_keys(&self, scope: &AdminScope, page: &PageRequest) -> Result<Page<ApiKey>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let keys = tx.find::<credentials::Entity>().filter(credentials::Column::Kind.is(API_KEY));
        keys.page(page, RowList::new("api keys")).await
    }

    /// The names of these keys and set-up links. Those of other tenants have none here.
    #[tracing::instrument(name = "store.api_keys.key_names", skip_all)]
    pub async fn key_names(
        &self,
        scope: &AdminScope,
        ids: &BTreeSet<CredentialId>,
    ) -> Result<HashMap<CredentialId, String>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let tx = self.read(&scope.scope).await?;
        let these = credentials::Column::Id.is_in(ids.iter().map(|id| id.0));
        let named = credentials::Column::Kind.is_one_of([API_KEY, SETUP_LINK]).and(these);
        let named: Vec<Named> = tx.find::<credentials::Entity>().filter(named).all().await?;
        Ok(named.into_iter().map(|one| (one.id.into(), one.name)).collect())
    }

    /// One key, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.api_keys.api_key", skip_all)]
    pub async fn api_key(&self, scope: &AdminScope, id: CredentialId) -> Result<ApiKey, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let key = tx.find::<credentials::Entity>().filter(api_key(id)).one().await?;
        key.ok_or(StoreError::NotFound("API key"))
    }

    /// Makes a key with the old one's name, role and permissions; the old one stays valid for `overlap`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for no key in force; [`StoreError::Forbidden`] as for a new key.
    #[tracing::instrument(name = "store.api_keys.rotate_api_key", skip_all)]
    pub async fn rotate_api_key(
        &self,
        scope: &AdminScope,
        old: CredentialId,
        overlap: TimeDelta,
        expiry: RotatedExpiry,
    ) -> Result<Committed<Rotated>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let which = Condition::all().add(api_key(old));
        let superseded = tx.supersede(which, "API key that is in force", overlap, expiry).await?;
        let Superseded { old: before, old_expires_at, expires_at } = superseded;
        tx.check_name_and_end(&before.name, expires_at)?;
        tx.refuse_one_more(Quota::Keys, &self.quotas).await?;
        let role: Option<Role> = before.role.as_deref().map(str::parse).transpose().map_err(StoreError::database)?;
        let permissions = before.permissions.as_deref().map(str::parse).transpose().map_err(StoreError::database)?;
        let stronger = |role| {
            let may = permissions.unwrap_or(Permissions::of_role(role));
            !scope.role().is_at_least(role) || !may.within(scope.permissions())
        };
        if role.is_none_or(stronger) {
            return Err(StoreError::Forbidden("this key may do more than you: its owner rotates it".into()));
        }
        let (kind, prefix, name) = (API_KEY, API_KEY_PREFIX, before.name.as_str());
        let new = NewCredential { kind, prefix, role, permissions, name, expires_at, ..Default::default() };
        let secret = tx.create_credential(new).await?;
        tx.note_replacement(old, secret.id, old_expires_at).await?;
        tx.commit().await?;
        let digest = stored_digest(before.digest)?;
        Ok(Committed::without_duties(Rotated { secret, expires_at, old_expires_at }).changing(vec![digest]))
    }

    /// As [`revoke_credential`](Self::revoke_credential), for an API key only.
    #[tracing::instrument(name = "store.api_keys.revoke_api_key", skip_all)]
    pub async fn revoke_api_key(&self, scope: &AdminScope, id: CredentialId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let role: Option<Option<String>> =
            tx.find::<credentials::Entity>().filter(api_key(id)).value(credentials::Column::Role).await?;
        let role = role.ok_or(StoreError::NotFound("API key"))?.and_then(|role| role.parse().ok());
        if role.is_none_or(|role| !scope.role().is_at_least(role)) {
            return Err(StoreError::Forbidden("this key may do more than you: an owner revokes it".into()));
        }
        let digest = tx.revoke(id, api_key(id)).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(vec![digest]))
    }
}
