//! The relay of outgoing events to the broker: one worker at a time has it, and notes how far it has come.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::RowPlace;
use crate::engine::sql::Sql;
use crate::outgoing::events::EventPage;
use crate::outgoing::sequence::Sequence;
use chrono::TimeDelta;
use sea_orm::FromQueryResult;
use uuid::Uuid;

static TAKE: Sql =
    Sql::across(&["UPDATE event_relays SET leased_until = $1, fence = fence + 1 WHERE name = 'exchange' \
     AND (leased_until IS NULL OR leased_until <= $2) RETURNING after_position, after_id, fence"]);
static NOTE: Sql = Sql::across(&["UPDATE event_relays SET after_position = $1, after_id = $2, leased_until = $3 \
     WHERE name = 'exchange' AND fence = $4"]);
static GIVE_BACK: Sql =
    Sql::across(&["UPDATE event_relays SET leased_until = NULL WHERE name = 'exchange' AND fence = $1"]);

#[derive(FromQueryResult)]
struct Row {
    after_position: Option<i64>,
    after_id: Option<Uuid>,
    fence: i64,
}

/// The relay in the hands of this worker.
#[derive(Clone, Copy, Debug)]
pub struct HeldRelay {
    after: Sequence,
    fence: i64,
}

impl Store {
    /// Takes the relay, unless another worker has it. It begins at the end of the log.
    #[tracing::instrument(name = "store.across.take_relay", skip_all)]
    pub async fn take_relay(&self, ttl: TimeDelta) -> Result<Option<HeldRelay>, StoreError> {
        let end = self.end_of_events().await?;
        let tx = self.across(true).await?;
        let now = self.clock.now();
        let row: Option<Row> = tx.one(TAKE.text(tx.engine()), [(now + ttl).into(), now.into()]).await?;
        tx.commit().await?;
        let held = |row: Row| {
            let place = row.after_position.zip(row.after_id).map(|(position, id)| RowPlace { position, id });
            HeldRelay { after: place.map_or(end, Sequence), fence: row.fence }
        };
        Ok(row.map(held))
    }

    /// The next events to be relayed, however old they are.
    #[tracing::instrument(name = "store.across.events_to_relay", skip_all)]
    pub async fn events_to_relay(&self, held: &HeldRelay, limit: u64) -> Result<EventPage, StoreError> {
        self.events_after_of_all(Some(held.after), limit, None).await
    }

    /// Notes that everything up to this place is with the broker, and keeps the relay for `ttl` more.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker has it.
    #[tracing::instrument(name = "store.across.note_relayed", skip_all)]
    pub async fn note_relayed(&self, held: &mut HeldRelay, after: Sequence, ttl: TimeDelta) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let RowPlace { position, id } = after.0;
        let values = [position.into(), id.into(), (self.clock.now() + ttl).into(), held.fence.into()];
        if tx.exec(NOTE.text(tx.engine()), values).await? == 0 {
            return Err(StoreError::LeaseLost);
        }
        tx.commit().await?;
        held.after = after;
        Ok(())
    }

    /// Gives the relay back.
    #[tracing::instrument(name = "store.across.give_relay_back", skip_all)]
    pub async fn give_relay_back(&self, held: &HeldRelay) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        tx.exec(GIVE_BACK.text(tx.engine()), [held.fence.into()]).await?;
        tx.commit().await
    }
}
