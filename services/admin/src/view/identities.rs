//! People of identity providers on the wire.

use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A person of an identity provider who is a member.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identity {
    pub id: Uuid,
    pub issuer: String,
    /// The provider's own name for the person, which never changes.
    pub subject: String,
    /// The address at the first sign-in.
    pub email: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The last sign-in.
    pub last_used_at: DateTime<Utc>,
}

impl From<store::Identity> for Identity {
    fn from(row: store::Identity) -> Self {
        let store::Identity { id, issuer, subject, email, created_at, last_used_at } = row;
        Self { id, issuer, subject, email, created_at, last_used_at }
    }
}
