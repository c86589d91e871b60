//! Audit events on the wire.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// One event, with its subject and its cause.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    #[schema(value_type = closed::AuditKind)]
    pub kind: String,
    pub actor: String,
    /// The name or address of the person or operator, or the name of the key or the set-up link; null for other actors.
    pub actor_name: Option<String>,
    pub subject: Subject,
    pub cause: Cause,
    #[schema(value_type = Option<Object>)]
    pub detail: Option<store::StoredJson>,
}

/// A row that an event or a skipped record is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subject {
    #[schema(value_type = closed::SubjectKind)]
    pub kind: String,
    pub id: Uuid,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Cause {
    pub request_id: Option<Uuid>,
    pub run_id: Option<Uuid>,
}

impl AuditEvent {
    pub(crate) fn named(row: store::AuditEvent, names: &HashMap<String, String>) -> Self {
        let actor_name = names.get(&row.actor).filter(|name| !name.is_empty()).cloned();
        Self {
            id: row.id,
            at: row.at,
            kind: row.kind,
            actor: row.actor,
            actor_name,
            subject: Subject { kind: row.subject_kind, id: row.subject_id },
            cause: Cause { request_id: row.request_id, run_id: row.run_id },
            detail: row.detail,
        }
    }
}
