//! Rejected requests on the wire, without names.

use crate::redact;
use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_hub::Replayed;
use rollcall_store as store;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A request that was not understood.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedRequest {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    #[schema(value_type = Json)]
    pub body: Option<Json>,
    pub body_bytes: i64,
    pub answer: RejectedAnswer,
    pub replayed_at: Option<DateTime<Utc>>,
    pub replayable: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedAnswer {
    pub status: i64,
    #[schema(value_type = Option<closed::ScimType>)]
    pub scim_type: Option<String>,
    pub detail: String,
}

impl From<store::RejectedRequest> for RejectedRequest {
    fn from(row: store::RejectedRequest) -> Self {
        Self {
            replayable: replayable(&row),
            id: row.id,
            at: row.at,
            expires_at: row.expires_at,
            method: row.method,
            path: redact::path(&row.path),
            body: row.body.as_deref().map(redact::body),
            body_bytes: row.body_bytes,
            answer: RejectedAnswer {
                status: row.status,
                scim_type: row.scim_type,
                detail: redact::sentence(&row.detail),
            },
            replayed_at: row.replayed_at,
        }
    }
}

/// True if a replay is possible: not done yet, kept whole, and about users or groups.
fn replayable(one: &store::RejectedRequest) -> bool {
    let about = ["/Users", "/Groups"].iter().any(|collection| one.path.starts_with(collection));
    about && one.replayed_at.is_none() && (one.body.is_some() || one.body_bytes == 0)
}

/// The outcome of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replay {
    pub replayed: bool,
    pub changed: bool,
    pub status: u16,
    /// Null when it was replayed, as `detail` is.
    #[schema(value_type = Option<closed::ScimType>)]
    pub scim_type: Option<&'static str>,
    pub detail: Option<String>,
}

impl From<Replayed> for Replay {
    fn from(replayed: Replayed) -> Self {
        match replayed {
            Replayed::Done { status, changed } => {
                Self { replayed: true, changed, status, scim_type: None, detail: None }
            }
            Replayed::Refused(error) => Self {
                replayed: false,
                changed: false,
                status: error.status,
                scim_type: error.scim_type.map(|kind| kind.as_str()),
                detail: Some(redact::sentence(&error.detail)),
            },
        }
    }
}
