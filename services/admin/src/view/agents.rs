//! Agents on the wire: their keys, their uploads, and install tokens.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_store as store;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// The key of an agent; the hub has its public half alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentKey {
    pub id: Uuid,
    /// Compare it with the one that the agent shows.
    pub fingerprint: String,
    /// `pending`, `active`, `superseded` or `revoked`.
    #[schema(value_type = closed::AgentKeyState)]
    pub state: String,
    /// The agent's own name for its machine.
    pub name: String,
    /// The agent's version.
    pub program: String,
    pub created_at: DateTime<Utc>,
    pub verified_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

impl From<store::AgentKey> for AgentKey {
    fn from(row: store::AgentKey) -> Self {
        let store::AgentKey { id, fingerprint, state, name, program, created_at, verified_at, ended_at, last_used_at } =
            row;
        Self { id, fingerprint, state, name, program, created_at, verified_at, ended_at, last_used_at }
    }
}

/// An upload of an agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentUpload {
    pub id: Uuid,
    pub key_id: Uuid,
    #[schema(value_type = closed::UploadKind)]
    pub kind: String,
    #[schema(value_type = closed::UploadState)]
    pub state: String,
    /// Nothing was changed; it was tried.
    pub simulate: bool,
    /// The outcome as the agent hears it: 200, or a number like that of HTTP; null while there is none.
    pub code: Option<i64>,
    #[schema(value_type = Option<closed::UploadRefusal>)]
    pub reason: Option<String>,
    pub outcome: Option<String>,
    /// Numbers of records by what was done with them; null before it was checked.
    pub counts: Option<Json>,
    pub parts: i64,
    pub applied_parts: i64,
    pub created_at: DateTime<Utc>,
    pub committed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<store::Upload> for AgentUpload {
    fn from(row: store::Upload) -> Self {
        let has_ended = row.has_ended();
        Self {
            id: row.id,
            key_id: row.key_id,
            kind: row.kind,
            state: row.state,
            simulate: row.simulate,
            code: Some(row.code).filter(|_| has_ended),
            reason: row.reason,
            outcome: row.message,
            counts: row.counts,
            parts: row.parts,
            applied_parts: row.applied_parts,
            created_at: row.created_at,
            committed_at: row.committed_at,
            ended_at: row.ended_at,
        }
    }
}

/// An install token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewInstallToken {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    pub token: String,
    pub expires_at: DateTime<Utc>,
}
