//! Keys of the hosted service's operator: one reaches every tenant, so that a product with thousands of them needs one.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::scope::{AdminScope, OperatorScope};
use crate::secret::{OPERATOR_KEY_PREFIX, digest, random_secret};
use chrono::{DateTime, Utc};
use rollcall_core::ids::{OperatorKeyId, TenantId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// A key, without its secret.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OperatorKey {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key that was just made. Its secret exists only now.
pub struct NewOperatorKey {
    pub id: OperatorKeyId,
    pub secret: String,
}

impl Store {
    /// Makes a key.
    #[tracing::instrument(name = "store.operator_keys.create_operator_key", skip_all)]
    pub async fn create_operator_key(
        &self,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewOperatorKey, StoreError> {
        let id: OperatorKeyId = self.clock.new_id();
        let secret = random_secret(OPERATOR_KEY_PREFIX)?;
        self.insert_operator_key(id, &digest(&secret), &secret[..8], name, expires_at).await?;
        Ok(NewOperatorKey { id, secret })
    }

    /// The scope of one tenant for an operator, who names it by its slug or its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown tenant.
    #[tracing::instrument(name = "store.operator_keys.tenant_of_operator", skip_all)]
    pub async fn tenant_of_operator(&self, scope: &OperatorScope, tenant: &str) -> Result<AdminScope, StoreError> {
        let found = match tenant.parse::<TenantId>() {
            Ok(id) => self.tenant_by_id(id).await?,
            Err(_) => self.tenant_by_slug(tenant).await?,
        };
        found.map(|id| AdminScope::of_operator_caller(id, scope)).ok_or(StoreError::NotFound("tenant"))
    }
}
