//! Rows of an explanation, and their conversion into facts. Unknown actions, reasons and decisions are left out.

use crate::entity::{disputes, run_items};
use chrono::{DateTime, Utc};
use rollcall_core::explain::{Decision, Skipped, Trace, Unread, Withheld};
use sea_orm::{DerivePartialModel, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

#[derive(FromQueryResult)]
pub(super) struct PersonRow {
    pub(super) member_id: Option<Uuid>,
    pub(super) user_id: Option<Uuid>,
}

#[derive(FromQueryResult)]
pub(super) struct CountRow {
    pub(super) counted: i64,
}

#[derive(FromQueryResult)]
pub(super) struct StandingRow {
    pub(super) seats: i64,
    pub(super) policy: Json,
    pub(super) seats_used: i64,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) retry_at: Option<DateTime<Utc>>,
    pub(super) last_error: Option<String>,
    /// Waiting changes, counted up to a limit.
    pub(super) waiting: i64,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "disputes::Entity")]
pub(super) struct DisputeRow {
    pub(super) dispute: String,
    pub(super) about: String,
    pub(super) since: DateTime<Utc>,
}

impl DisputeRow {
    pub(super) fn skipped(self) -> Option<Skipped> {
        Some(Skipped { dispute: self.dispute.parse().ok()?, about: self.about, since: self.since })
    }
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "run_items::Entity")]
pub(super) struct ItemRow {
    id: Uuid,
    run_id: Uuid,
    action: String,
    subject_id: Uuid,
    pub(super) object_id: Uuid,
    decision: String,
    held_reason: Option<String>,
    request_id: Option<Uuid>,
}

impl ItemRow {
    /// Whether the item is about a membership; its object is then the sharing group.
    pub(super) fn is_about_a_group(&self) -> bool {
        self.object_id != self.subject_id
    }

    pub(super) fn withheld(&self) -> Option<Withheld> {
        let decision: Decision = self.decision.parse().ok()?;
        // The id holds the time of the item (UUIDv7).
        let (seconds, nanos) = self.id.get_timestamp()?.to_unix();
        Some(Withheld {
            action: self.action.clone(),
            reason: self.held_reason.as_deref()?.parse().ok()?,
            decision,
            run: self.run_id.into(),
            request: self.request_id.map(Into::into),
            since: DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)?,
        })
    }
}

#[derive(FromQueryResult)]
pub(super) struct UnreadChange {
    /// Null for the person without a group.
    pub(super) group_id: Option<Uuid>,
    request_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

impl UnreadChange {
    pub(super) fn unread(&self) -> Unread {
        Unread { since: self.created_at, request: self.request_id.map(Into::into) }
    }
}

#[derive(FromQueryResult)]
pub(super) struct TraceRow {
    pub(super) what: String,
    at: DateTime<Utc>,
    actor: String,
    run_id: Option<Uuid>,
    request_id: Option<Uuid>,
}

impl TraceRow {
    pub(super) fn trace(&self) -> Trace {
        let (run, request) = (self.run_id.map(Into::into), self.request_id.map(Into::into));
        Trace { at: self.at, actor: self.actor.clone(), run, request }
    }
}
