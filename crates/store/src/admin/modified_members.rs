//! Members in the order of their last changes (decision 0055). Each change of a member has an audit event, and the events are in
//! commit order, so the audit log is read instead of an index that every change would have to write.

use super::member_search::MemberFilter;
use super::members::Member;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{ListOrder, Page, PageRequest, RowPlace, Rows};
use crate::engine::row_sets::{Columns, Type, json_rows};
use crate::engine::transaction::TenantTx;
use crate::entity::{RowList, audit_events, members};
use crate::scope::AdminScope;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

/// Most events that one page reads. A page has fewer members than its limit when these name fewer.
const EVENTS_READ: u64 = 2_000;
/// The event of a change and the change itself have times of their own.
const APART: TimeDelta = TimeDelta::minutes(1);

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit_events::Entity")]
struct ToldEvent {
    subject_kind: String,
    subject_id: Uuid,
}

/// A member, and the last event about it that was read.
#[derive(Serialize)]
struct LastChange {
    id: Uuid,
    position: i64,
    event_id: Uuid,
}

const LAST_CHANGE: Columns = &[("id", Type::Uuid), ("position", Type::Int), ("event_id", Type::Uuid)];

impl Store {
    /// Members that changed since the filter's time. A member is shown once, at its last change.
    #[tracing::instrument(name = "store.modified_members.modified_members", skip_all)]
    pub async fn modified_members(
        &self,
        scope: &AdminScope,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> Result<Page<Member>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let since = filter.modified_since.unwrap_or(DateTime::UNIX_EPOCH);
        let list = RowList::new("members by change").searched("modified", Some("since"));
        let list = list.filtered("status", filter.status).filtered("email", filter.email.as_deref());
        let list = list.filtered("former_email", filter.former_email.as_deref());
        let list = filter.named_in(list.filtered("q", filter.asked()));
        let name = list.name();
        let events = PageRequest { limit: EVENTS_READ - 1, since: Some(since - APART), until: None, ..*page };
        // These rows are short, so the bytes of a page hold all of them.
        let Rows { found: events, examined: end, .. } =
            tx.find::<audit_events::Entity>().rows::<ToldEvent>(&events, list).await?;
        let is_all = (events.len() as u64) < EVENTS_READ;
        let mut last = events.last().map(|(place, _)| *place);
        let mut changes = last_changes(events, page.order);
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let fit = changes.len() <= limit;
        changes.truncate(limit);
        if !fit {
            last = changes.last().map(|(place, _)| *place);
        } else if is_all {
            last = last.max(end);
        }
        let mut found = tx.changed(&changes, since, filter, page).await?;
        let items = changes.iter().filter_map(|(_, id)| found.remove(id)).collect();
        Ok(page.up_to(name, items, last, !fit || !is_all))
    }
}

/// Each member at its last event, in the order of the list.
fn last_changes(events: Vec<(RowPlace, ToldEvent)>, order: ListOrder) -> Vec<(RowPlace, Uuid)> {
    let mut last: HashMap<Uuid, RowPlace> = HashMap::new();
    for (place, told) in events.into_iter().filter(|(_, told)| told.subject_kind == "member") {
        let latest = last.entry(told.subject_id).or_insert(place);
        *latest = place.max(*latest);
    }
    let mut changes: Vec<(RowPlace, Uuid)> = last.into_iter().map(|(id, place)| (place, id)).collect();
    changes.sort_unstable();
    if order == ListOrder::Descending {
        changes.reverse();
    }
    changes
}

impl TenantTx {
    /// The members that have no later event, by id.
    async fn changed(
        &self,
        changes: &[(RowPlace, Uuid)],
        since: DateTime<Utc>,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> Result<HashMap<Uuid, Member>, StoreError> {
        if changes.is_empty() {
            return Ok(HashMap::new());
        }
        let row = |(place, id): &(RowPlace, Uuid)| LastChange { id: *id, position: place.position, event_id: place.id };
        let rows: Vec<LastChange> = changes.iter().map(row).collect();
        let last = format!(
            "members.id IN (SELECT r.id FROM {} WHERE NOT EXISTS (SELECT 1 FROM audit_events e \
             WHERE e.tenant_id = $2 AND e.subject_id = r.id AND (e.position, e.id) > (r.position, r.event_id)))",
            self.tx.rows(LAST_CHANGE)
        );
        use members::{Column, Entity};
        let mut members = self.find::<Entity>().of_filter(filter).filter(Column::ModifiedAt.gte(since));
        if let Some(since) = page.since {
            members = members.filter(Column::CreatedAt.gte(since));
        }
        if let Some(until) = page.until {
            members = members.filter(Column::CreatedAt.lt(until));
        }
        let members = members.filter(self.condition(&last, [json_rows(&rows)?, self.tenant.0.into()]));
        let members: Vec<Member> = members.all().await?;
        Ok(members.into_iter().map(|member| (member.id, member)).collect())
    }
}
