//! Tokens of a source on the wire. The secret is in the answer that made it, and in no other.

use chrono::{DateTime, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A token; the secret itself is not kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceToken {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
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

impl From<store::SourceToken> for SourceToken {
    fn from(row: store::SourceToken) -> Self {
        let store::SourceToken {
            id,
            name,
            prefix,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
            replaced_by,
            created_by,
        } = row;
        Self { id, name, prefix, created_at, expires_at, revoked_at, last_used_at, replaced_by, created_by }
    }
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewToken {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub token: String,
    pub name: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token that takes the place of another.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedToken {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub token: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub replaces: ReplacedToken,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReplacedToken {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub expires_at: DateTime<Utc>,
}
