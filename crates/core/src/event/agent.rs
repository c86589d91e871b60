//! Details of events about agents: their keys, and their uploads.

use crate::ids::{AgentKeyId, UploadId};
use serde::Serialize;
use serde_json::Value as Json;

/// A key of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentKeyDetail {
    pub key_id: AgentKeyId,
    /// The text that admin and agent compare.
    pub fingerprint: String,
    /// The agent's own name for its machine.
    pub name: String,
}

/// The end of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UploadEnded {
    pub upload_id: UploadId,
    pub key_id: AgentKeyId,
    /// The word for it, such as `member_removal_over_limit`; null for one that was applied.
    pub reason: Option<String>,
    /// Numbers of records by what was done with them.
    pub counts: Json,
}
