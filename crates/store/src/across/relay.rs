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

static TAKE: Sql = Sql::across(&[
    "UPDATE event_relays SET leased_until = $1, fence = fence + 1, after_position = coalesce(after_position, $3), \
     after_id = coalesce(after_id, $4) WHERE name = 'exchange' AND (leased_until IS NULL OR leased_until <= $2) \
     RETURNING after_position, after_id, fence",
]);
static NOTE: Sql = Sql::across(&["UPDATE event_relays SET after_position = $1, after_id = $2, leased_until = $3 \
     WHERE name = 'exchange' AND fence = $4"]);
static GIVE_BACK: Sql =
    Sql::across(&["UPDATE event_relays SET leased_until = NULL WHERE name = 'exchange' AND fence = $1"]);

#[derive(FromQueryResult)]
struct Row {
    after_position: i64,
    after_id: Uuid,
    fence: i64,
}

/// The relay in the hands of this worker.
#[derive(Clone, Copy, Debug)]
pub struct HeldRelay {
    after: Sequence,
    fence: i64,
}

impl Store {
    /// Takes the relay, unless another worker has it. The first to take it begins at the end of the log, and notes this place at
    /// once: a worker that ends before it relayed anything leaves nothing out.
    #[tracing::instrument(name = "store.across.take_relay", skip_all)]
    pub async fn take_relay(&self, ttl: TimeDelta) -> Result<Option<HeldRelay>, StoreError> {
        let end = self.end_of_events().await?.0;
        let tx = self.across(true).await?;
        let now = self.clock.now();
        let values = [(now + ttl).into(), now.into(), end.position.into(), end.id.into()];
        let row: Option<Row> = tx.one(TAKE.text(tx.engine()), values).await?;
        tx.commit().await?;
        let after = |row: &Row| Sequence(RowPlace { position: row.after_position, id: row.after_id });
        Ok(row.map(|row| HeldRelay { after: after(&row), fence: row.fence }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tenants::NewTenant;
    use crate::directory::filter::tests::engines::on_each_engine;
    use crate::engine::sealing::SealingKeys;
    use rollcall_core::policy::Policy;

    /// On Postgres an event is seen once no earlier transaction of the server is open, also of another database.
    async fn first_page(store: &Store, held: &HeldRelay, engine: &str) -> EventPage {
        for _ in 0..1_000 {
            let page = store.events_to_relay(held, 10).await.expect("a page");
            if !page.events.is_empty() {
                return page;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{engine}: the events after the first one's begin are relayed");
    }

    /// The first holder's worker is killed before it relayed anything.
    #[test]
    fn pe16_a_relay_that_is_taken_over_goes_on_where_the_first_began() {
        on_each_engine(async |store, engine| {
            let store = store.with_sealing(SealingKeys::new_key().expect("a key").parse().expect("keys"));
            store.take_relay(TimeDelta::seconds(-1)).await.expect("an answer").expect("it is free");
            let owner_email = Some("boss@acme.example".to_owned());
            let tenant = NewTenant { name: "Acme".into(), seats: 5, policy: Policy::default(), owner_email };
            store.create_tenant(&tenant).await.expect("a tenant");
            let mut second =
                store.take_relay(TimeDelta::seconds(60)).await.expect("an answer").expect("its time is over");
            let page = first_page(&store, &second, engine).await;
            assert!(
                store.take_relay(TimeDelta::seconds(60)).await.expect("an answer").is_none(),
                "{engine}: one has it"
            );
            store.note_relayed(&mut second, page.next, TimeDelta::seconds(-1)).await.expect("it is held");
            let third = store.take_relay(TimeDelta::seconds(60)).await.expect("an answer").expect("its time is over");
            let rest = store.events_to_relay(&third, 10).await.expect("a page");
            assert!(rest.events.is_empty(), "{engine}: {} again", rest.events.len());
            let lost = store.note_relayed(&mut second, page.next, TimeDelta::seconds(60)).await;
            assert!(matches!(lost, Err(StoreError::LeaseLost)), "{engine}: {lost:?}");
        });
    }
}
