//! An endpoint in the hands of one worker at a time, so that its events go out in order. The fence of the endpoint grows with each lease and
//! with each change by an admin; a worker that lost its lease notes nothing.

use super::deliveries::DeliveryRecord;
use super::endpoints::{forgiven, host_of, stored_kinds};
use super::event::OutgoingEvent;
use super::events::{After, EventPage, Stretch};
use super::secrets::opened;
use super::sequence::Sequence;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::RowPlace;
use crate::engine::transaction::TenantTx;
use crate::entity::webhook_endpoints::{Column, Entity, Model};
use crate::entity::{LiteralComparison, Update, webhook_replays};
use crate::scope::TenantScope;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::WebhookKinds;
use rollcall_core::event::{Actor, Event, WebhookDisabled};
use rollcall_core::ids::{TenantId, WebhookId};
use rollcall_core::webhook::{DeliveryPurpose, WebhookDisabledReason, WebhookStatus};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

/// An endpoint in the hands of this worker.
#[derive(Clone)]
pub struct HeldWebhook {
    pub tenant: TenantId,
    pub id: WebhookId,
    pub url: String,
    pub kinds: WebhookKinds,
    /// The secrets in force, the newest first; the reason where no key opens them.
    pub secrets: Result<Vec<Vec<u8>>, String>,
    /// Attempts in a row that failed.
    pub failures: u32,
    pub failing_since: Option<DateTime<Utc>>,
    after: Sequence,
    fence: i64,
}

/// Events to be sent, in order.
pub struct Batch {
    pub events: Vec<OutgoingEvent>,
    pub purpose: DeliveryPurpose,
    /// How far the endpoint, or the replay, has come when all of them are through.
    next: Sequence,
    /// More follow at once.
    pub more: bool,
    replay: Option<HeldReplay>,
}

#[derive(Clone, Copy)]
struct HeldReplay {
    id: Uuid,
    until: Sequence,
}

impl Batch {
    /// Nothing is to be sent or noted.
    pub fn is_empty(&self, held: &HeldWebhook) -> bool {
        self.events.is_empty() && !self.more && self.replay.is_none() && self.next <= held.after
    }
}

/// The end of attempts for now.
#[derive(Clone, Debug)]
pub struct WebhookFailure {
    /// Attempts in a row that failed, this one included, and the first of them.
    pub failures: u32,
    pub since: DateTime<Utc>,
    pub status: Option<u16>,
    pub error: String,
    /// The next attempt is made after this time; none ends them.
    pub retry_after: Option<TimeDelta>,
    /// Why there is no next attempt.
    pub disabled: Option<WebhookDisabledReason>,
}

fn scope(tenant: TenantId) -> TenantScope {
    TenantScope::new(tenant, Actor::System)
}

impl HeldWebhook {
    fn of(store: &Store, row: Model) -> Self {
        let secrets = store.sealing().and_then(|keys| opened(keys, &row, store.clock.now()));
        let secrets = secrets.map_err(|error| error.to_string());
        Self {
            tenant: row.tenant_id.into(),
            id: row.id.into(),
            url: row.url,
            kinds: stored_kinds(row.kinds),
            secrets,
            failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
            failing_since: row.failing_since,
            after: Sequence(RowPlace { position: row.after_position, id: row.after_id }),
            fence: row.fence,
        }
    }
}

impl Store {
    /// Takes an active endpoint that no other worker has and whose time of a next attempt has come.
    #[tracing::instrument(name = "store.lease.lease_webhook", skip_all)]
    pub async fn lease_webhook(
        &self,
        tenant: TenantId,
        id: WebhookId,
        holder: Uuid,
        ttl: TimeDelta,
    ) -> Result<Option<HeldWebhook>, StoreError> {
        let tx = self.write(&scope(tenant)).await?;
        let now = tx.clock.now();
        let free = Condition::any().add(Column::LeasedUntil.is_null()).add(Column::LeasedUntil.lte(now));
        let due = Condition::any().add(Column::RetryAt.is_null()).add(Column::RetryAt.lte(now));
        let this = Condition::all().add(Column::Id.eq(id.0)).add(Column::Status.is(WebhookStatus::Active));
        let update = tx.update::<Entity>(this.add(free).add(due)).set(Column::Holder, holder);
        let update = update.set(Column::LeasedUntil, now + ttl).set(Column::Fence, Expr::col(Column::Fence).add(1));
        let taken = update.returning().await?;
        tx.commit().await?;
        Ok(taken.into_iter().next().map(|row| HeldWebhook::of(self, row)))
    }

    /// The next events of an endpoint: new ones, or those of the oldest replay where there is nothing new.
    ///
    /// # Errors
    /// [`StoreError::ResyncRequired`] when the next event is older than events are kept.
    #[tracing::instrument(name = "store.lease.webhook_batch", skip_all)]
    pub async fn webhook_batch(&self, held: &HeldWebhook, limit: usize) -> Result<Batch, StoreError> {
        let scope = scope(held.tenant);
        let stretch = Stretch { after: After::Noted(held.after), until: None, limit, oldest: self.oldest_kept() };
        let EventPage { events, next, more } = self.events_of(&scope, &stretch).await?;
        if !events.is_empty() || more {
            return Ok(Batch { events, purpose: DeliveryPurpose::Event, next, more, replay: None });
        }
        let tx = self.read(&scope).await?;
        use webhook_replays::{Column, Entity, Model};
        let oldest = tx.find::<Entity>().filter(Column::EndpointId.eq(held.id.0)).ascending(Column::Id).limit(1);
        let oldest: Option<Model> = oldest.one().await?;
        drop(tx);
        let Some(row) = oldest else {
            return Ok(Batch { events, purpose: DeliveryPurpose::Event, next, more, replay: None });
        };
        let until = Sequence(RowPlace { position: row.until_position, id: row.until_id });
        let after = Sequence(RowPlace { position: row.after_position, id: row.after_id });
        // An admin asked for these, however old they are.
        let stretch = Stretch { after: After::Noted(after), until: Some(until), limit, oldest: None };
        let EventPage { events, next, more } = self.events_of(&scope, &stretch).await?;
        let replay = Some(HeldReplay { id: row.id, until });
        Ok(Batch {
            events,
            purpose: DeliveryPurpose::Replay,
            next: if more { next } else { until },
            more: true,
            replay,
        })
    }

    /// Notes attempts of a batch that succeeded, up to an event or all of it, and keeps the endpoint for `ttl` more.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when an admin changed the endpoint, or another worker has it.
    #[tracing::instrument(name = "store.lease.note_delivered", skip_all)]
    pub async fn note_delivered(
        &self,
        held: &mut HeldWebhook,
        batch: &Batch,
        upto: Option<Sequence>,
        records: Vec<DeliveryRecord>,
        ttl: TimeDelta,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope(held.tenant)).await?;
        let now = tx.clock.now();
        let reached = upto.unwrap_or(batch.next);
        let mut update = forgiven(tx.held(held)).set(Column::LeasedUntil, now + ttl);
        if let Some(last) = records.last() {
            update = update.set(Column::LastDeliveredAt, now).set(Column::LastStatus, last.status.map(i64::from));
        }
        tx.note_progress(update, held, batch, reached, records).await?;
        tx.commit().await?;
        if batch.replay.is_none() {
            held.after = reached;
        }
        (held.failures, held.failing_since) = (0, None);
        Ok(())
    }

    /// Notes a failed attempt after those that succeeded, and gives the endpoint back.
    ///
    /// # Errors
    /// As [`note_delivered`](Self::note_delivered).
    #[tracing::instrument(name = "store.lease.note_failed", skip_all)]
    pub async fn note_failed(
        &self,
        held: &HeldWebhook,
        progress: Option<(&Batch, Option<Sequence>)>,
        records: Vec<DeliveryRecord>,
        failure: WebhookFailure,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope(held.tenant)).await?;
        let now = tx.clock.now();
        let update = tx.held(held).set(Column::LeasedUntil, None::<DateTime<Utc>>);
        let update = update.set(Column::Failures, i64::from(failure.failures)).set(Column::FailingSince, failure.since);
        let update = update.set(Column::LastStatus, failure.status.map(i64::from));
        let error: String = failure.error.chars().filter(|c| *c != '\0').take(500).collect();
        let mut update = update.set(Column::LastError, error.as_str());
        update = update.set(Column::RetryAt, failure.retry_after.map(|wait| now + wait));
        if let Some(reason) = failure.disabled {
            update = update.set(Column::Status, WebhookStatus::Disabled.as_str());
            update = update.set(Column::DisabledReason, reason.as_str()).set(Column::ModifiedAt, now);
        }
        match progress {
            Some((batch, Some(upto))) => tx.note_progress(update, held, batch, upto, records).await?,
            _ => {
                held_still(update.exec().await?)?;
                tx.write_deliveries(held.id, records).await?;
            }
        }
        tx.forget_deliveries(held.id).await?;
        if let Some(reason) = failure.disabled {
            let host = host_of(&held.url).to_owned();
            let (last_status, last_error) = (failure.status, Some(error));
            let disabled =
                WebhookDisabled { host, reason, failing_since: Some(failure.since), last_status, last_error };
            tx.tx.batch(vec![tx.event(&Event::WebhookDisabled(held.id, disabled)).into()]).await?;
        }
        tx.commit().await
    }

    /// Gives an endpoint back.
    #[tracing::instrument(name = "store.lease.release_webhook", skip_all)]
    pub async fn release_webhook(&self, held: &HeldWebhook, delivered: bool) -> Result<(), StoreError> {
        let tx = self.write(&scope(held.tenant)).await?;
        tx.held(held).set(Column::LeasedUntil, None::<DateTime<Utc>>).exec().await?;
        if delivered {
            tx.forget_deliveries(held.id).await?;
        }
        tx.commit().await
    }
}

fn held_still(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
}

impl TenantTx {
    /// The endpoint, while this worker has it.
    fn held(&self, held: &HeldWebhook) -> Update<'_, Entity> {
        self.update::<Entity>(Column::Id.eq(held.id.0).and(Column::Fence.eq(held.fence)))
    }

    async fn note_progress(
        &self,
        update: Update<'_, Entity>,
        held: &HeldWebhook,
        batch: &Batch,
        reached: Sequence,
        records: Vec<DeliveryRecord>,
    ) -> Result<(), StoreError> {
        let RowPlace { position, id } = reached.0;
        let update = match batch.replay {
            None => update.set(Column::AfterPosition, position).set(Column::AfterId, id),
            Some(_) => update,
        };
        held_still(update.exec().await?)?;
        if let Some(replay) = batch.replay {
            use webhook_replays::{Column, Entity};
            let this = Column::Id.eq(replay.id);
            if reached >= replay.until {
                self.delete::<Entity>(this).exec().await?;
            } else {
                let update = self.update::<Entity>(this).set(Column::AfterPosition, position);
                update.set(Column::AfterId, id).exec().await?;
            }
        }
        self.write_deliveries(held.id, records).await
    }
}

#[cfg(test)]
mod tests;
