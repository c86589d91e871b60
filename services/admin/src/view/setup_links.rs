//! Set-up links on the wire. The address with the secret is in the answer that made it, and in no other.

use chrono::{DateTime, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The address that the link's holder opens.
pub fn url(base: &str, secret: &str) -> String {
    format!("{}/set-up?link={secret}", base.trim_end_matches('/'))
}

/// A link; its secret is not kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetupLink {
    pub id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last opened, to the minute; null when it never was.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The token, or the secret of the OAuth client, that was made with it; null while there is none.
    pub token_id: Option<Uuid>,
}

impl From<store::SetupLink> for SetupLink {
    fn from(row: store::SetupLink) -> Self {
        let store::SetupLink { id, name, created_at, expires_at, revoked_at, last_used_at, token_id } = row;
        Self { id, name, created_at, expires_at, revoked_at, last_used_at, token_id }
    }
}

/// A link that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSetupLink {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub name: String,
    pub url: String,
    pub expires_at: DateTime<Utc>,
}
