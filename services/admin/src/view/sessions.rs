//! Sessions on the wire, as a list.

use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A session in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedSession {
    pub id: Uuid,
    pub member_id: Option<Uuid>,
    /// The caller's own session.
    pub current: bool,
    /// The `User-Agent` of the sign-in.
    pub agent: String,
    pub address: Option<String>,
    pub signed_in_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute; null when it was not used since the sign-in.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ListedSession {
    pub(crate) fn of(row: store::ListedSession, own: Option<Uuid>) -> Self {
        let store::ListedSession { id, member_id, agent, address, created_at, expires_at, last_used_at } = row;
        let current = own == Some(id);
        Self { id, member_id, current, agent, address, signed_in_at: created_at, expires_at, last_used_at }
    }
}
