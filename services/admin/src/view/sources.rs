//! Sources on the wire.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A source.
#[derive(Debug, Serialize, ToSchema)]
pub struct Source {
    pub id: Uuid,
    /// `scim` or `agent`.
    #[schema(value_type = closed::SourceKind)]
    pub kind: String,
    /// `off`, `simulate` or `live`.
    #[schema(value_type = closed::SourceMode)]
    pub mode: String,
    pub name: String,
    /// Groups are neither shown nor accepted (DS3).
    pub users_only: bool,
    /// Discovery shows nothing beyond RFC 7643.
    pub plain_discovery: bool,
    /// Since when the source is in quarantine, so that its changes are planned and held only (PE9).
    pub quarantined_at: Option<DateTime<Utc>>,
    pub quarantine_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The last use of any of its tokens, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A source that was just made. The token is in this answer and in no other: a SCIM token, or the install token of an agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSource {
    #[serde(flatten)]
    pub source: Source,
    /// The address for the identity provider; null for a source of agents.
    pub scim_url: Option<String>,
    /// The address for the agent; null for a SCIM source.
    pub agent_url: Option<String>,
    #[schema(value_type = Uuid)]
    pub token_id: CredentialId,
    pub token: String,
}

impl From<store::Source> for Source {
    fn from(row: store::Source) -> Self {
        let store::Source {
            id,
            kind,
            mode,
            name,
            users_only,
            plain_discovery,
            quarantined_at,
            quarantine_reason,
            created_at,
            last_used_at,
        } = row;
        Self {
            id,
            kind,
            mode,
            name,
            users_only,
            plain_discovery,
            quarantined_at,
            quarantine_reason,
            created_at,
            last_used_at,
        }
    }
}
