//! Secrets of endpoints: made, sealed for their row, opened for a signature, and sealed anew when the operator changes keys.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sealing::SealingKeys;
use crate::entity::webhook_endpoints::{Column, Entity, Model};
use crate::scope::TenantScope;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rand::TryRngCore;
use rand::rngs::OsRng;
use rollcall_core::event::Actor;
use rollcall_core::ids::{TenantId, WebhookId};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition};

/// The prefix of secrets (Standard Webhooks).
const PREFIX: &str = "whsec_";
/// Bytes of a secret; Standard Webhooks asks for 24 to 64.
const SECRET_BYTES: usize = 32;

fn place(tenant: TenantId, id: WebhookId) -> String {
    format!("webhook_endpoints/{tenant}/{id}/sealed_secret")
}

pub(super) fn new_secret() -> Result<String, StoreError> {
    let mut bytes = [0_u8; SECRET_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| StoreError::Unavailable(format!("no randomness: {e}").into()))?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

pub(super) fn sealed(keys: &SealingKeys, tenant: TenantId, id: WebhookId, secret: &str) -> Result<Vec<u8>, StoreError> {
    keys.seal(&place(tenant, id), secret.as_bytes())
}

/// The secrets in force as keys of the signature, the newest first.
pub(super) fn opened(keys: &SealingKeys, row: &Model, now: DateTime<Utc>) -> Result<Vec<Vec<u8>>, StoreError> {
    let place = place(row.tenant_id.into(), row.id.into());
    let open = |sealed: &Vec<u8>| {
        let opened = keys.open(&place, sealed).and_then(|text| String::from_utf8(text).ok());
        let key = opened.and_then(|text| STANDARD.decode(text.strip_prefix(PREFIX)?).ok());
        key.ok_or_else(|| StoreError::Conflict(UNOPENED.into()))
    };
    let is_in_force = row.former_until.is_some_and(|until| until > now);
    let former = row.sealed_former_secret.as_ref().filter(|_| is_in_force);
    [Some(&row.sealed_secret), former].into_iter().flatten().map(open).collect()
}

const UNOPENED: &str = "no sealing key of this hub opens the secret of the endpoint: give the hub the key that sealed it (sealing.keys), or \
    rotate the secret";

impl Store {
    /// Seals the secrets of an endpoint with the first key, unless that has sealed them; returns whether it had not. A former secret that
    /// no key opens goes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where no key of this process opens the secret.
    #[tracing::instrument(name = "store.secrets.reseal_webhook", skip_all)]
    pub async fn reseal_webhook(&self, tenant: TenantId, id: WebhookId) -> Result<bool, StoreError> {
        let tx = self.write(&TenantScope::new(tenant, Actor::Operator)).await?;
        let row: Option<Model> = tx.find::<Entity>().filter(Column::Id.eq(id.0)).one().await?;
        let (Some(row), keys, place) = (row, self.sealing()?, place(tenant, id)) else { return Ok(false) };
        let is_first = |sealed: &Option<Vec<u8>>| sealed.as_ref().is_none_or(|sealed| keys.is_sealed_by_first(sealed));
        if keys.is_sealed_by_first(&row.sealed_secret) && is_first(&row.sealed_former_secret) {
            return Ok(false);
        }
        let secret = keys.open(&place, &row.sealed_secret).ok_or_else(|| StoreError::Conflict(UNOPENED.into()))?;
        let former = row.sealed_former_secret.as_ref().and_then(|sealed| keys.open(&place, sealed));
        let former = former.map(|former| keys.seal(&place, &former)).transpose()?;
        // The owner may have rotated it meanwhile, which the first key has sealed.
        let unchanged = Condition::all().add(Column::Id.eq(id.0).and(Column::SealedSecret.eq(row.sealed_secret)));
        let update = tx.update::<Entity>(unchanged).set(Column::SealedSecret, keys.seal(&place, &secret)?);
        let resealed = update.set(Column::SealedFormerSecret, former).exec().await?;
        tx.commit().await?;
        Ok(resealed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pe16_a_secret_has_the_form_of_standard_webhooks() {
        let (one, other) = (new_secret().expect("a secret"), new_secret().expect("a secret"));
        let bytes = STANDARD.decode(one.strip_prefix("whsec_").expect("the prefix")).expect("base64");
        assert_eq!(bytes.len(), SECRET_BYTES);
        assert_ne!(one, other);
    }
}
