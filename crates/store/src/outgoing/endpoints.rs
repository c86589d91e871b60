//! Endpoints of webhooks, as admins make and change them (decision 0095). A change takes the endpoint away from the worker that sends to
//! it, so that nothing goes out by former settings.

use super::secrets::{new_secret, opened, sealed};
use super::sequence::Sequence;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::RowPlace;
use crate::engine::transaction::TenantTx;
use crate::entity::webhook_endpoints::{ActiveModel, Column, Entity, Model};
use crate::entity::{Update, webhook_endpoints};
use crate::scope::AdminScope;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::WebhookKinds;
use rollcall_core::event::{AuditKind, Difference, Event, WebhookDetail, WebhookSecretRotated};
use rollcall_core::ids::{TenantId, WebhookId};
use rollcall_core::quota::Quota;
use rollcall_core::webhook::WebhookStatus;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ColumnTrait, DerivePartialModel};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 2_048;
const DESCRIPTION_CHARACTERS_MAX: usize = 200;
/// Longest time in which a former secret signs, too.
pub(crate) const OVERLAP_MAX: TimeDelta = TimeDelta::days(7);

/// An endpoint, without its secrets.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "webhook_endpoints::Entity")]
pub struct Webhook {
    pub id: Uuid,
    pub url: String,
    pub description: String,
    kinds: Option<Json>,
    pub status: String,
    pub disabled_reason: Option<String>,
    pub former_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    after_position: i64,
    after_id: Uuid,
    /// Attempts in a row that failed.
    pub failures: i64,
    pub failing_since: Option<DateTime<Utc>>,
    pub retry_at: Option<DateTime<Utc>>,
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub last_delivered_at: Option<DateTime<Utc>>,
}

impl Webhook {
    /// The kinds of events that it hears of.
    pub fn kinds(&self) -> WebhookKinds {
        stored_kinds(self.kinds.clone())
    }

    /// How far it has come.
    pub fn after(&self) -> Sequence {
        Sequence(RowPlace { position: self.after_position, id: self.after_id })
    }

    fn status(&self) -> Result<WebhookStatus, StoreError> {
        self.status.parse().map_err(StoreError::database)
    }

    pub(crate) fn detail(&self) -> Result<WebhookDetail, StoreError> {
        Ok(WebhookDetail {
            host: host_of(&self.url).to_owned(),
            description: self.description.clone(),
            kinds: self.kinds(),
            status: self.status()?,
            url_changed: false,
        })
    }
}

/// Kinds of a newer version of the hub are left out.
pub(crate) fn stored_kinds(stored: Option<Json>) -> WebhookKinds {
    let Some(Json::Array(names)) = stored else { return WebhookKinds::ALL };
    let known: Vec<AuditKind> = names.iter().filter_map(|name| name.as_str()?.parse().ok()).collect();
    WebhookKinds::only(known).unwrap_or(WebhookKinds::ALL)
}

/// Host and port of an address; the rest may hold secrets of the receiver.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// An endpoint to be made. Its address was checked.
#[derive(Clone, Copy)]
pub struct NewWebhook<'a> {
    pub url: &'a str,
    pub description: &'a str,
    pub kinds: &'a WebhookKinds,
    /// Events after this place go to it; those from now on without one.
    pub after: Option<Sequence>,
}

/// A change of an endpoint; `None` leaves a part as it is.
#[derive(Clone, Copy, Default)]
pub struct WebhookChange<'a> {
    pub url: Option<&'a str>,
    pub description: Option<&'a str>,
    pub kinds: Option<&'a WebhookKinds>,
    /// Active or paused.
    pub status: Option<WebhookStatus>,
}

/// An endpoint with its new secret, whose text exists only now.
pub struct WebhookSecret {
    pub webhook: Webhook,
    pub secret: String,
}

/// An endpoint with its secrets, for the hub as the sender.
#[derive(Clone)]
pub struct OpenWebhook {
    pub tenant: TenantId,
    pub id: WebhookId,
    pub url: String,
    /// The secrets in force, the newest first, as keys of the signature.
    pub secrets: Vec<Vec<u8>>,
}

fn check_url(url: &str) -> Result<(), StoreError> {
    if url.is_empty() || url.len() > URL_BYTES_MAX || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(StoreError::Invalid(format!(
            "url has 1 to {URL_BYTES_MAX} bytes, and no spaces or control characters"
        )));
    }
    Ok(())
}

fn check_description(text: &str) -> Result<(), StoreError> {
    if text.chars().count() > DESCRIPTION_CHARACTERS_MAX || text.chars().any(char::is_control) {
        let why = format!("description has at most {DESCRIPTION_CHARACTERS_MAX} characters, and no control characters");
        return Err(StoreError::Invalid(why));
    }
    Ok(())
}

impl Store {
    /// The endpoints of a tenant, the oldest first.
    #[tracing::instrument(name = "store.endpoints.webhooks", skip_all)]
    pub async fn webhooks(&self, scope: &AdminScope) -> Result<Vec<Webhook>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.find::<Entity>().ascending(Column::Id).all().await
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.endpoints.webhook", skip_all)]
    pub async fn webhook(&self, scope: &AdminScope, id: WebhookId) -> Result<Webhook, StoreError> {
        self.read(&scope.scope).await?.webhook_row(id).await
    }

    /// Makes an endpoint.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`]; [`StoreError::Invalid`] for texts that are too long; [`StoreError::Conflict`] without a key to seal
    /// the secret with; [`StoreError::ResyncRequired`] for a place that the log does not have.
    #[tracing::instrument(name = "store.endpoints.create_webhook", skip_all)]
    pub async fn create_webhook(&self, scope: &AdminScope, new: &NewWebhook<'_>) -> Result<WebhookSecret, StoreError> {
        check_url(new.url)?;
        check_description(new.description)?;
        let tx = self.write(&scope.scope).await?;
        tx.refuse_one_more(Quota::Webhooks, &self.quotas).await?;
        let after = match new.after {
            Some(after) => {
                tx.check_place(after).await?;
                after.0
            }
            None => RowPlace::before(tx.list_end().await?),
        };
        let (id, now, secret): (WebhookId, _, _) = (tx.clock.new_id(), tx.clock.now(), new_secret()?);
        let row = ActiveModel {
            id: Set(id.0),
            url: Set(new.url.into()),
            description: Set(new.description.into()),
            kinds: Set(new.kinds.listed().map(|kinds| json!(kinds))),
            status: Set(WebhookStatus::Active.as_str().into()),
            sealed_secret: Set(sealed(self.sealing()?, tx.tenant, id, &secret)?),
            created_at: Set(now),
            modified_at: Set(now),
            after_position: Set(after.position),
            after_id: Set(after.id),
            ..Default::default()
        };
        tx.insert(row).exec().await?;
        let webhook = tx.webhook_row(id).await?;
        tx.tx.batch(vec![tx.event(&Event::WebhookCreated(id, webhook.detail()?)).into()]).await?;
        tx.commit().await?;
        Ok(WebhookSecret { webhook, secret })
    }

    /// Changes an endpoint. One that is active again forgets its failures.
    ///
    /// # Errors
    /// As [`create_webhook`](Self::create_webhook); [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.endpoints.change_webhook", skip_all)]
    pub async fn change_webhook(
        &self,
        scope: &AdminScope,
        id: WebhookId,
        change: &WebhookChange<'_>,
    ) -> Result<Webhook, StoreError> {
        change.url.map_or(Ok(()), check_url)?;
        change.description.map_or(Ok(()), check_description)?;
        let tx = self.write(&scope.scope).await?;
        let before = tx.webhook_row(id).await?;
        let mut update = tx.taken_away(id).set(Column::ModifiedAt, tx.clock.now());
        if let Some(url) = change.url {
            update = forgiven(update.set(Column::Url, url));
        }
        if let Some(description) = change.description {
            update = update.set(Column::Description, description);
        }
        if let Some(kinds) = change.kinds {
            update = update.set(Column::Kinds, kinds.listed().map(|kinds| json!(kinds)));
        }
        if let Some(status) = change.status {
            update = forgiven(update.set(Column::Status, status.as_str()));
            update = update.set(Column::DisabledReason, None::<String>);
        }
        update.exec().await?;
        let webhook = tx.webhook_row(id).await?;
        let mut after = webhook.detail()?;
        after.url_changed = before.url != webhook.url;
        let difference = Difference { before: before.detail()?, after };
        if difference.before != difference.after {
            tx.tx.batch(vec![tx.event(&Event::WebhookUpdated(id, difference)).into()]).await?;
        }
        tx.commit().await?;
        Ok(webhook)
    }

    /// Gives an endpoint a new secret. The present one signs, too, for `overlap`; the one before it no more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Invalid`] for too long a time.
    #[tracing::instrument(name = "store.endpoints.rotate_webhook", skip_all)]
    pub async fn rotate_webhook(
        &self,
        scope: &AdminScope,
        id: WebhookId,
        overlap: TimeDelta,
    ) -> Result<WebhookSecret, StoreError> {
        if overlap < TimeDelta::zero() || overlap > OVERLAP_MAX {
            return Err(StoreError::Invalid(format!("overlap_seconds is 0 to {}", OVERLAP_MAX.num_seconds())));
        }
        let tx = self.write(&scope.scope).await?;
        let former: Option<Vec<u8>> =
            tx.find::<Entity>().filter(Column::Id.eq(id.0)).value(Column::SealedSecret).await?;
        let former = former.ok_or(StoreError::NotFound("webhook"))?;
        let (secret, former_until) = (new_secret()?, tx.clock.now() + overlap);
        let sealed = sealed(self.sealing()?, tx.tenant, id, &secret)?;
        let update = tx.taken_away(id).set(Column::SealedSecret, sealed).set(Column::SealedFormerSecret, former);
        let update = update.set(Column::FormerUntil, former_until).set(Column::ModifiedAt, tx.clock.now());
        update.exec().await?;
        let webhook = tx.webhook_row(id).await?;
        let event = Event::WebhookSecretRotated(id, WebhookSecretRotated { former_until });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await?;
        Ok(WebhookSecret { webhook, secret })
    }

    /// Deletes an endpoint, with its log.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.endpoints.delete_webhook", skip_all)]
    pub async fn delete_webhook(&self, scope: &AdminScope, id: WebhookId) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let webhook = tx.webhook_row(id).await?;
        tx.delete::<Entity>(Column::Id.eq(id.0)).exec().await?;
        tx.tx.batch(vec![tx.event(&Event::WebhookDeleted(id, webhook.detail()?)).into()]).await?;
        tx.commit().await
    }

    /// An endpoint with its secrets.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] where no key of this process opens the secret.
    #[tracing::instrument(name = "store.endpoints.open_webhook", skip_all)]
    pub async fn open_webhook(&self, scope: &AdminScope, id: WebhookId) -> Result<OpenWebhook, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let row: Option<Model> = tx.find::<Entity>().filter(Column::Id.eq(id.0)).one().await?;
        let row = row.ok_or(StoreError::NotFound("webhook"))?;
        let secrets = opened(self.sealing()?, &row, tx.clock.now())?;
        Ok(OpenWebhook { tenant: scope.tenant(), id, url: row.url, secrets })
    }
}

/// The endpoint is tried again at once.
pub(crate) fn forgiven(update: Update<'_, Entity>) -> Update<'_, Entity> {
    let update = update.set(Column::Failures, 0_i64).set(Column::FailingSince, None::<DateTime<Utc>>);
    update.set(Column::RetryAt, None::<DateTime<Utc>>).set(Column::LastError, None::<String>)
}

impl TenantTx {
    /// A change of an endpoint, which ends the lease of the worker that sends to it.
    pub(crate) fn taken_away(&self, id: WebhookId) -> Update<'_, Entity> {
        let update = self.update::<Entity>(Column::Id.eq(id.0));
        update.set(Column::Fence, Expr::col(Column::Fence).add(1)).set(Column::LeasedUntil, None::<DateTime<Utc>>)
    }

    pub(crate) async fn webhook_row(&self, id: WebhookId) -> Result<Webhook, StoreError> {
        let webhook = self.find::<Entity>().filter(Column::Id.eq(id.0)).one().await?;
        webhook.ok_or(StoreError::NotFound("webhook"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pe16_a_host_is_told_without_what_follows() {
        for (url, host) in [
            ("https://hooks.example/services/T0/secret", "hooks.example"),
            ("https://hooks.example:8443?key=secret", "hooks.example:8443"),
            ("http://[::1]:9000/x#y", "[::1]:9000"),
            ("https://hooks.example", "hooks.example"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
