//! Audit events on the wire.

use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

/// One event, with its subject and its cause.
#[derive(Debug, Serialize)]
pub struct AuditEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor: String,
    pub subject: Subject,
    pub cause: Cause,
    pub detail: Option<Json>,
}

/// A row that an event or a skipped record is about.
#[derive(Debug, Serialize)]
pub struct Subject {
    pub kind: String,
    pub id: Uuid,
}

#[derive(Debug, Serialize)]
pub struct Cause {
    pub request_id: Option<Uuid>,
    pub run_id: Option<Uuid>,
}

impl From<store::AuditEvent> for AuditEvent {
    fn from(row: store::AuditEvent) -> Self {
        Self {
            id: row.id,
            at: row.at,
            kind: row.kind,
            actor: row.actor,
            subject: Subject { kind: row.subject_kind, id: row.subject_id },
            cause: Cause { request_id: row.request_id, run_id: row.run_id },
            detail: row.detail,
        }
    }
}
