//! Replays: an event of before, a range, or everything after a place goes to an endpoint once more.

use super::endpoints::{Webhook, forgiven};
use super::sequence::Sequence;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::RowPlace;
use crate::engine::transaction::TenantTx;
use crate::entity::webhook_endpoints::Column as Endpoint;
use crate::entity::webhook_replays::{ActiveModel, Column, Entity};
use crate::scope::AdminScope;
use rollcall_core::event::{Event, WebhookReplayed};
use rollcall_core::ids::WebhookId;
use sea_orm::{ActiveValue::Set, ColumnTrait};
use uuid::Uuid;

/// Replays of one endpoint that may wait.
const WAITING_MAX: usize = 20;

/// The events of a replay.
#[derive(Clone, Copy, Debug)]
pub enum Replay {
    /// One event.
    One(Sequence),
    /// The events after one place, up to another.
    Range { after: Sequence, until: Sequence },
    /// Everything after a place, in its order: the endpoint goes back there.
    From(Sequence),
}

impl Store {
    /// Orders a replay. One event or a range goes out beside the new ones; from a place on, the endpoint begins there again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::ResyncRequired`] for a place that the tenant's log does not have;
    /// [`StoreError::Conflict`] for too many.
    #[tracing::instrument(name = "store.replays.replay_webhook", skip_all)]
    pub async fn replay_webhook(
        &self,
        scope: &AdminScope,
        id: WebhookId,
        replay: Replay,
    ) -> Result<Webhook, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.webhook_row(id).await?;
        let told = |place: Sequence| Some(place.to_string());
        let (after, until, detail) = match replay {
            Replay::One(event) => {
                tx.check_place(event).await?;
                let detail = WebhookReplayed { sequence: told(event), after: None, until: None };
                (event.just_before(), Some(event), detail)
            }
            Replay::Range { after, until } => {
                tx.check_place(after).await?;
                tx.check_place(until).await?;
                if until <= after {
                    return Err(StoreError::Invalid("until comes after `after`".into()));
                }
                (after, Some(until), WebhookReplayed { sequence: None, after: told(after), until: told(until) })
            }
            Replay::From(after) => {
                tx.check_place(after).await?;
                tx.check_kept(after, self.oldest_kept()).await?;
                (after, None, WebhookReplayed { sequence: None, after: told(after), until: None })
            }
        };
        match until {
            Some(until) => tx.add_replay(id, after, until).await?,
            None => {
                let RowPlace { position, id: event } = after.0;
                let update = forgiven(tx.taken_away(id)).set(Endpoint::ModifiedAt, tx.clock.now());
                update.set(Endpoint::AfterPosition, position).set(Endpoint::AfterId, event).exec().await?;
            }
        }
        tx.tx.batch(vec![tx.event(&Event::WebhookReplayed(id, detail)).into()]).await?;
        let webhook = tx.webhook_row(id).await?;
        tx.commit().await?;
        Ok(webhook)
    }
}

impl TenantTx {
    async fn add_replay(&self, endpoint: WebhookId, after: Sequence, until: Sequence) -> Result<(), StoreError> {
        self.take_turn().await?;
        let waiting = self.find::<Entity>().filter(Column::EndpointId.eq(endpoint.0));
        let waiting: Vec<Uuid> = waiting.values(Column::Id).await?;
        if waiting.len() >= WAITING_MAX {
            let why = format!("{WAITING_MAX} replays of this endpoint wait; order this one when some are through");
            return Err(StoreError::Conflict(why));
        }
        let row = ActiveModel {
            id: Set(self.clock.new_id()),
            endpoint_id: Set(endpoint.0),
            after_position: Set(after.0.position),
            after_id: Set(after.0.id),
            until_position: Set(until.0.position),
            until_id: Set(until.0.id),
            created_at: Set(self.clock.now()),
            ..Default::default()
        };
        self.insert(row).exec().await
    }
}
