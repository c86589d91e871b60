//! Pages of outgoing events of one tenant, in commit order. Few of the log's events are outgoing, so a page first looks at kinds, of a
//! bounded number of events, and then reads the chosen ones whole.

use super::event::OutgoingEvent;
use super::sequence::Sequence;
use super::states::add_states;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Cursor, ListOrder, PageRequest, RowPlace, Rows};
use crate::engine::position::{END, END_ON_SQLITE};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::RowList;
use crate::entity::audit_events::{Column, Entity};
use crate::log::audit_events::AuditEvent;
use crate::scope::{AdminScope, TenantScope};
use chrono::{DateTime, Utc};
use rollcall_core::event::AuditKind;
use rollcall_core::event::outgoing;
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult};

/// Events at whose kinds one page looks. A page of a log with few outgoing ones has fewer than its limit.
const EVENTS_READ: u64 = 1_000;
const LIST: &str = "outgoing events";

static PLACE: Sql = Sql::tenant_by_engine(&[], &["SELECT ", END, KNOWN], &["SELECT ", END_ON_SQLITE, KNOWN]);
const KNOWN: &str = " AS ends, CASE WHEN EXISTS (SELECT 1 FROM audit_events e WHERE e.tenant_id = {tenant} AND e.position = $2 \
    AND e.id = $3) THEN 1 ELSE 0 END AS known";

#[derive(FromQueryResult)]
struct PlaceRow {
    ends: i64,
    known: i32,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<OutgoingEvent>,
    /// The place after which a reader goes on.
    pub next: Sequence,
    /// More can be read at once.
    pub more: bool,
}

/// The place of a reader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    /// The oldest event that is kept.
    Beginning,
    /// A place that a reader names, who may be wrong.
    Named(Sequence),
    /// A place that the hub noted.
    Noted(Sequence),
}

/// The part of the log that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) after: After,
    /// The last place of the stretch.
    pub(crate) until: Option<Sequence>,
    pub(crate) limit: usize,
    /// Older events are not given any more.
    pub(crate) oldest: Option<DateTime<Utc>>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Kind {
    kind: String,
    at: DateTime<Utc>,
}

/// Places of outgoing events, and how far the log was looked at.
struct Chosen {
    places: Vec<RowPlace>,
    next: RowPlace,
    more: bool,
}

impl Store {
    /// The events of a tenant after a place that a reader names; the oldest that are kept without one.
    ///
    /// # Errors
    /// [`StoreError::ResyncRequired`] for a place that is older than events are kept, or that this history does not have.
    #[tracing::instrument(name = "store.events.outgoing_events", skip_all)]
    pub async fn outgoing_events(
        &self,
        scope: &AdminScope,
        after: Option<Sequence>,
        limit: u64,
    ) -> Result<EventPage, StoreError> {
        let _page = self.page_turn(&scope.scope).await?;
        let after = after.map_or(After::Beginning, After::Named);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.events_of(&scope.scope, &Stretch { after, until: None, limit, oldest: self.oldest_kept() }).await
    }

    pub(crate) async fn events_of(&self, scope: &TenantScope, stretch: &Stretch) -> Result<EventPage, StoreError> {
        let tx = self.read(scope).await?;
        let Chosen { places, next, more } = tx.chosen(stretch).await?;
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(EventPage { events: Vec::new(), next: Sequence(next), more });
        };
        let page = PageRequest::first(places.len() as u64).after(Some(cursor(Sequence(*first).just_before().0)));
        let found = tx.find::<Entity>().filter(Column::Kind.is_in(outgoing()));
        let found = found.filter(Column::Position.lte(last.position));
        let Rows { found, cut, .. } = found.rows::<AuditEvent>(&page, RowList::new(LIST)).await?;
        let whole = found.into_iter().take_while(|(place, _)| place <= last);
        let whole: Vec<(RowPlace, AuditEvent)> = whole.collect();
        // Large events fill a page before its number does.
        let next = if cut { whole.last().map_or(next, |(place, _)| *place) } else { next };
        let tenant = scope.tenant();
        let mut events: Vec<OutgoingEvent> =
            whole.into_iter().filter_map(|(place, event)| OutgoingEvent::of(tenant, place, event)).collect();
        // A read that ended early has used up its transaction.
        let tx = if cut { self.read(scope).await? } else { tx };
        add_states(&tx.tx, &mut events).await?;
        Ok(EventPage { events, next: Sequence(next), more: more || cut })
    }

    /// The time of the oldest events that are given to those who follow them.
    pub(crate) fn oldest_kept(&self) -> Option<DateTime<Utc>> {
        self.events_kept.and_then(|kept| self.clock.now().checked_sub_signed(kept))
    }
}

fn cursor(place: RowPlace) -> Cursor {
    Cursor::in_list(ListOrder::Ascending, place, RowList::<Entity>::new(LIST).name())
}

impl TenantTx {
    async fn chosen(&self, stretch: &Stretch) -> Result<Chosen, StoreError> {
        let Stretch { after, until, limit, oldest } = *stretch;
        let page = PageRequest::first(EVENTS_READ);
        let (page, from) = match after {
            After::Beginning => (PageRequest { since: oldest, ..page }, None),
            After::Noted(place) => (page.after(Some(cursor(place.0))), Some(place)),
            After::Named(place) => {
                self.check_place(place).await?;
                (page.after(Some(cursor(place.0))), Some(place))
            }
        };
        let Rows { mut found, cut, .. } = self.find::<Entity>().rows::<Kind>(&page, RowList::new(LIST)).await?;
        let mut more = cut || found.len() as u64 > EVENTS_READ;
        found.truncate(usize::try_from(EVENTS_READ).unwrap_or(usize::MAX));
        let (mut places, mut next) = (Vec::new(), from.map(|from| from.0));
        for (place, Kind { kind, at }) in found {
            if until.is_some_and(|until| place > until.0) {
                more = false;
                break;
            }
            if places.len() == limit {
                more = true;
                break;
            }
            next = Some(place);
            if kind.parse::<AuditKind>().is_ok_and(AuditKind::is_outgoing) {
                if places.is_empty() && from.is_some() && oldest.is_some_and(|oldest| at < oldest) {
                    return Err(too_old());
                }
                places.push(place);
            }
        }
        let next = match next {
            Some(next) => next,
            None => RowPlace::before(self.list_end().await?),
        };
        Ok(Chosen { places, next, more })
    }

    /// Refuses a place whose next event is older than events are kept.
    pub(crate) async fn check_kept(&self, after: Sequence, oldest: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        self.chosen(&Stretch { after: After::Noted(after), until: None, limit: 1, oldest }).await?;
        Ok(())
    }

    /// Refuses a place that this history does not have: the database was restored from a backup, and the reader knows what it does not.
    pub(crate) async fn check_place(&self, place: Sequence) -> Result<(), StoreError> {
        let RowPlace { position, id } = place.0;
        let row: Option<PlaceRow> = self.one(&PLACE, [position.into(), id.into()]).await?;
        let row = row.ok_or_else(|| StoreError::database("no end of the log"))?;
        let is_known = !place.may_be_an_event() || row.known != 0;
        if position < row.ends && is_known { Ok(()) } else { Err(not_of_this_history()) }
    }
}

pub(crate) fn too_old() -> StoreError {
    let why = "the next event is older than events are kept (events.kept_days): read the roster whole (GET /api/v1/exports/roster), and go on after \
               the sequence that it begins with";
    StoreError::ResyncRequired(why.into())
}

pub(crate) fn not_of_this_history() -> StoreError {
    let why = "the log has no event of this sequence: the hub was restored from a backup, or the sequence is that of another feed; read the \
               roster whole (GET /api/v1/exports/roster), and go on after the sequence that it begins with";
    StoreError::ResyncRequired(why.into())
}
