//! Skipped records on the wire.

use super::audit_events::Subject;
use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One skipped record, and what can be done about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SkippedRecord {
    pub subject: Subject,
    /// The source of the record.
    pub source_id: Option<Uuid>,
    /// The person's userName, or the group's name.
    pub name: Option<String>,
    /// The member who has the disputed address.
    pub holder_id: Option<Uuid>,
    #[schema(value_type = closed::DisputeKind)]
    pub dispute: String,
    pub about: String,
    pub since: DateTime<Utc>,
    pub last_tried_at: Option<DateTime<Utc>>,
    pub tries: i64,
    pub ignored_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
    pub remedy: &'static str,
}

impl From<store::SkippedRecord> for SkippedRecord {
    fn from(row: store::SkippedRecord) -> Self {
        let remedy = row.remedy();
        Self {
            subject: Subject { kind: row.subject_kind, id: row.subject_id },
            source_id: row.source_id,
            name: row.name,
            holder_id: row.holder_id,
            dispute: row.dispute,
            about: row.about,
            since: row.since,
            last_tried_at: row.last_tried_at,
            tries: row.tries,
            ignored_at: row.ignored_at,
            note: row.note,
            remedy,
        }
    }
}

/// A retry was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retried {
    pub status: &'static str,
}
