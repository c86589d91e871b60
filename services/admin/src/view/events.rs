//! Outgoing events on the wire: the same object in the feeds, in a webhook's body and in a message of the broker.

use crate::view::audit_events::Subject;
use crate::view::closed;
use crate::view::groups::SharingGroup;
use crate::view::members::Member;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One event, with the present state of its subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutgoingEvent {
    /// The same in each repetition.
    pub id: Uuid,
    #[schema(value_type = closed::OutgoingKind)]
    pub r#type: &'static str,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    pub tenant_id: Uuid,
    /// Later events have greater ones, compared as texts. A reader goes on after it.
    pub sequence: String,
    pub data: EventData,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EventData {
    pub subject: Subject,
    pub cause: EventCause,
    /// As in the audit log.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<store::StoredJson>,
    /// The member as it is now; null for an event of a group alone.
    pub member: Option<Member>,
    /// The group as it is now; null for an event of a member alone, and once the group is removed.
    pub group: Option<SharingGroup>,
    /// For an event of a membership, whether the member is in the group now.
    pub is_in_group: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EventCause {
    pub actor: String,
    pub request_id: Option<Uuid>,
    pub run_id: Option<Uuid>,
}

impl From<store::OutgoingEvent> for OutgoingEvent {
    fn from(row: store::OutgoingEvent) -> Self {
        let store::OutgoingEvent { tenant, sequence, kind, event, member, group, is_in_group } = row;
        Self {
            id: event.id,
            r#type: kind.as_str(),
            timestamp: event.at,
            tenant_id: tenant.0,
            sequence: sequence.to_string(),
            data: EventData {
                subject: Subject { kind: event.subject_kind, id: event.subject_id },
                cause: EventCause { actor: event.actor, request_id: event.request_id, run_id: event.run_id },
                detail: event.detail,
                member: member.map(Into::into),
                group: group.map(Into::into),
                is_in_group,
            },
        }
    }
}

/// The body of a message.
pub fn body(event: store::OutgoingEvent) -> Vec<u8> {
    // A struct with text keys always serialises.
    serde_json::to_vec(&OutgoingEvent::from(event)).unwrap_or_default()
}

/// A page of a feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    pub items: Vec<OutgoingEvent>,
    /// The `after` of the next call; a reader keeps it with what the events changed.
    pub next_after: String,
    /// More events can be read at once.
    pub more: bool,
}

impl From<store::EventPage> for EventPage {
    fn from(page: store::EventPage) -> Self {
        let store::EventPage { events, next, more } = page;
        Self { items: events.into_iter().map(Into::into).collect(), next_after: next.to_string(), more }
    }
}
