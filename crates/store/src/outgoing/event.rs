//! One event that products hear of.

use super::sequence::Sequence;
use crate::admin::members::{Member, SharingGroup};
use crate::engine::page::RowPlace;
use crate::log::audit_events::AuditEvent;
use rollcall_core::event::AuditKind;
use rollcall_core::ids::TenantId;

/// An event that products hear of, with the state of its subject.
#[derive(Clone, Debug)]
pub struct OutgoingEvent {
    pub tenant: TenantId,
    pub sequence: Sequence,
    pub kind: AuditKind,
    pub event: AuditEvent,
    /// The member that the event is about, as it is now.
    pub member: Option<Member>,
    /// The group that the event is about, as it is now; none once it is removed.
    pub group: Option<SharingGroup>,
    /// For an event of a membership: whether the member is in the group now.
    pub is_in_group: Option<bool>,
}

impl OutgoingEvent {
    /// The event of a row, still without its state; none for an event that concerns the hub alone, or of a kind that this program does
    /// not know.
    pub(crate) fn of(tenant: TenantId, place: RowPlace, event: AuditEvent) -> Option<Self> {
        let kind: AuditKind = event.kind.parse().ok()?;
        let sequence = Sequence(place);
        kind.is_outgoing().then_some(Self {
            tenant,
            sequence,
            kind,
            event,
            member: None,
            group: None,
            is_in_group: None,
        })
    }
}
