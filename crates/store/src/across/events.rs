//! Outgoing events of all tenants, in commit order: for the feed of an operator and for the relay to the broker.

use crate::engine::connect::Store;
use crate::engine::connection::Bound;
use crate::engine::error::StoreError;
use crate::engine::page::{PAGE_BYTES, RowPlace};
use crate::engine::position::{END, END_ON_SQLITE};
use crate::engine::sql::Sql;
use crate::engine::stored_json::StoredJson;
use crate::entity::first_position_sql;
use crate::log::audit_events::AuditEvent;
use crate::outgoing::event::OutgoingEvent;
use crate::outgoing::events::{EventPage, not_of_this_history, too_old};
use crate::outgoing::sequence::Sequence;
use crate::outgoing::states::add_states;
use crate::scope::OperatorScope;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The times of events and their positions have slightly different orders.
const DISORDER: TimeDelta = TimeDelta::minutes(10);

/// The condition is that of the index `audit_events_outgoing`, word for word.
const EVENTS: &str = "SELECT e.tenant_id, e.position, e.id, e.at, e.kind, e.actor, e.subject_kind, e.subject_id, e.request_id, e.run_id, \
    e.detail FROM audit_events e WHERE e.subject_kind IN ('member', 'sharing_group') AND (e.position, e.id) > ($1, $2) AND e.position < ";
const IN_ORDER: &str = " ORDER BY e.position, e.id LIMIT $3";
static PAGE: Sql = Sql::across_by_engine(&[EVENTS, END, IN_ORDER], &[EVENTS, END_ON_SQLITE, IN_ORDER]);
const KNOWN: &str = " AS ends, CASE WHEN EXISTS (SELECT 1 FROM audit_events e WHERE e.subject_kind IN ('member', 'sharing_group') \
    AND e.position = $1 AND e.id = $2) THEN 1 ELSE 0 END AS known";
static PLACE: Sql = Sql::across_by_engine(&["SELECT ", END, KNOWN], &["SELECT ", END_ON_SQLITE, KNOWN]);
static ENDS: Sql =
    Sql::across_by_engine(&["SELECT ", END, " AS position"], &["SELECT ", END_ON_SQLITE, " AS position"]);
const OUTGOING: &str = "FROM audit_events t WHERE t.subject_kind IN ('member', 'sharing_group') AND $1 = $1";

#[derive(FromQueryResult)]
struct Row {
    tenant_id: Uuid,
    position: i64,
    id: Uuid,
    at: DateTime<Utc>,
    kind: String,
    actor: String,
    subject_kind: String,
    subject_id: Uuid,
    request_id: Option<Uuid>,
    run_id: Option<Uuid>,
    detail: Option<StoredJson>,
}

impl Row {
    fn place(&self) -> RowPlace {
        RowPlace { position: self.position, id: self.id }
    }

    fn event(self) -> Option<OutgoingEvent> {
        let place = self.place();
        let Self { tenant_id, id, at, kind, actor, subject_kind, subject_id, request_id, run_id, detail, .. } = self;
        let event = AuditEvent { id, at, kind, actor, subject_kind, subject_id, request_id, run_id, detail };
        OutgoingEvent::of(tenant_id.into(), place, event)
    }
}

#[derive(FromQueryResult)]
struct PlaceRow {
    ends: i64,
    known: i32,
}

#[derive(FromQueryResult)]
struct PositionRow {
    position: i64,
}

impl Store {
    /// The events of all tenants after a place that a reader names; the oldest that are kept without one.
    ///
    /// # Errors
    /// As [`outgoing_events`](Self::outgoing_events).
    #[tracing::instrument(name = "store.across.outgoing_events_of_all", skip_all)]
    pub async fn outgoing_events_of_all(
        &self,
        _: &OperatorScope,
        after: Option<Sequence>,
        limit: u64,
    ) -> Result<EventPage, StoreError> {
        if let Some(after) = after {
            self.check_place_of_all(after).await?;
        }
        self.events_after_of_all(after, limit, self.oldest_kept()).await
    }

    /// The place behind every event that can be read now.
    #[tracing::instrument(name = "store.across.end_of_events", skip_all)]
    pub async fn end_of_events(&self) -> Result<Sequence, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<PositionRow> = tx.one(ENDS.text(tx.engine()), []).await?;
        let row = row.ok_or_else(|| StoreError::database("no end of the log"))?;
        Ok(Sequence(RowPlace::before(row.position)))
    }

    /// As [`outgoing_events_of_all`](Self::outgoing_events_of_all), after a place that the hub noted, and of this time and later ones.
    pub(crate) async fn events_after_of_all(
        &self,
        after: Option<Sequence>,
        limit: u64,
        oldest: Option<DateTime<Utc>>,
    ) -> Result<EventPage, StoreError> {
        let from = match after {
            Some(after) => after.0,
            None => self.first_place_of_all(oldest).await?,
        };
        let tx = self.across(false).await?;
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [from.position.into(), from.id.into(), wanted.saturating_add(1).into()];
        let (mut rows, cut): (Vec<Row>, bool) =
            tx.bounded(PAGE.text(tx.engine()), values, Bound::Bytes(PAGE_BYTES)).await?;
        let more = cut || i64::try_from(rows.len()).is_ok_and(|rows| rows > wanted);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = rows.last().map_or(from, Row::place);
        let mut events: Vec<OutgoingEvent> = rows.into_iter().filter_map(Row::event).collect();
        let is_old = |event: &OutgoingEvent| oldest.is_some_and(|oldest| event.event.at < oldest);
        match after {
            Some(_) if events.first().is_some_and(is_old) => return Err(too_old()),
            Some(_) => {}
            None => events.retain(|event| !is_old(event)),
        }
        // A read that ended early has used up its transaction.
        let tx = if cut { self.across(false).await? } else { tx };
        add_states(&tx, &mut events).await?;
        Ok(EventPage { events, next: Sequence(next), more })
    }

    async fn first_place_of_all(&self, oldest: Option<DateTime<Utc>>) -> Result<RowPlace, StoreError> {
        let Some(oldest) = oldest else { return Ok(RowPlace::default()) };
        let tx = self.across(false).await?;
        let sql = first_position_sql(OUTGOING, "at");
        let row: Option<PositionRow> = tx.one(&sql, [0_i64.into(), (oldest - DISORDER).into()]).await?;
        Ok(RowPlace::before(row.ok_or_else(|| StoreError::database("no position"))?.position))
    }

    async fn check_place_of_all(&self, after: Sequence) -> Result<(), StoreError> {
        let tx = self.across(false).await?;
        let RowPlace { position, id } = after.0;
        let row: Option<PlaceRow> = tx.one(PLACE.text(tx.engine()), [position.into(), id.into()]).await?;
        let row = row.ok_or_else(|| StoreError::database("no end of the log"))?;
        let is_known = !after.may_be_an_event() || row.known != 0;
        if position < row.ends && is_known { Ok(()) } else { Err(not_of_this_history()) }
    }
}
