//! API keys on the wire. The secret is in the answer that made it, and in no other.

use crate::view::closed;
use crate::view::tokens::ReplacedToken;
use chrono::{DateTime, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_core::permission::Permissions;
use rollcall_core::roster::Role;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A key; the secret itself is not kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    #[schema(value_type = closed::Role)]
    pub role: String,
    #[schema(value_type = Vec<closed::Permission>)]
    pub permissions: Permissions,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute; null when it was never used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The one that a rotation put in its place: rotate that one from then on.
    pub replaced_by: Option<Uuid>,
    /// As `actor` of an audit event; null for those of earlier versions.
    pub created_by: Option<String>,
}

impl From<store::ApiKey> for ApiKey {
    fn from(row: store::ApiKey) -> Self {
        let store::ApiKey {
            id,
            name,
            prefix,
            role,
            permissions,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
            replaced_by,
            created_by,
        } = row;
        // A stored list that this version does not know allows nothing (`AdminScope::of_key`).
        let of_role = role.parse().map_or(Permissions::NONE, Permissions::of_role);
        let permissions = permissions.map_or(of_role, |names| names.parse().unwrap_or(Permissions::NONE));
        Self {
            id,
            name,
            prefix,
            role,
            permissions,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
            replaced_by,
            created_by,
        }
    }
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewApiKey {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub key: String,
    pub name: String,
    #[schema(value_type = closed::Role)]
    pub role: Role,
    #[schema(value_type = Vec<closed::Permission>)]
    pub permissions: Permissions,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that takes the place of another.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedApiKey {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub key: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub replaces: ReplacedToken,
}
