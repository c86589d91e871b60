//! Lines of the request log on the wire.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One request of an identity provider, and its answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedRequest {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub source_id: Uuid,
    pub subject_id: Option<Uuid>,
    pub request_id: Option<Uuid>,
    pub method: String,
    pub path: String,
    pub answer: LoggedAnswer,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedAnswer {
    pub status: i64,
    #[schema(value_type = Option<closed::ScimType>)]
    pub scim_type: Option<String>,
}

impl From<store::LoggedRequest> for LoggedRequest {
    fn from(row: store::LoggedRequest) -> Self {
        Self {
            id: row.id,
            at: row.at,
            source_id: row.source_id,
            subject_id: row.subject_id,
            request_id: row.request_id,
            method: row.method,
            path: row.path,
            answer: LoggedAnswer { status: row.status, scim_type: row.scim_type },
        }
    }
}
