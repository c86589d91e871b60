//! The bodies of `/agent/v1`.

use super::error::AgentError;
use chrono::{DateTime, Utc};
use rollcall_core::ids::UploadId;
use rollcall_core::upload::UploadKind;
use rollcall_snapshot::Ranges;
use rollcall_snapshot::bucket::are_ranges;
use rollcall_store::{NewUpload, Settled, Upload};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

/// Longest cursor, in bytes.
const CURSOR_BYTES_MAX: usize = 4_096;

#[derive(Serialize)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// A key that an agent brings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    pub(super) public_key: String,
    pub(super) proof: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) machine: String,
    #[serde(default)]
    pub(super) program: String,
}

#[derive(Serialize)]
pub(super) struct EnrolledKey {
    pub(super) code: u16,
    pub(super) message: &'static str,
    pub(super) key_id: Uuid,
    pub(super) fingerprint: String,
    pub(super) state: &'static str,
}

/// The hub's view of the source, and its limits.
#[derive(Serialize)]
pub(super) struct State {
    pub(super) code: u16,
    pub(super) message: &'static str,
    pub(super) source_id: Uuid,
    /// `off`, `simulate` or `live` decide what uploads do; an upload to a source that is off is refused.
    pub(super) provisioning: bool,
    pub(super) users_only: bool,
    pub(super) key_state: String,
    pub(super) fingerprint: String,
    pub(super) sequence: i64,
    pub(super) cursor: Option<String>,
    pub(super) applied_at: Option<DateTime<Utc>>,
    pub(super) now: DateTime<Utc>,
    pub(super) root: String,
    pub(super) nodes: Vec<String>,
    pub(super) part_bytes_max: usize,
    pub(super) part_inflated_bytes_max: u64,
    pub(super) part_entries_max: usize,
}

/// The digests of the buckets below nodes.
#[derive(Serialize)]
pub(super) struct Nodes {
    pub(super) code: u16,
    pub(super) message: &'static str,
    pub(super) sequence: i64,
    pub(super) nodes: Vec<Node>,
}

#[derive(Serialize)]
pub(super) struct Node {
    pub(super) node: u16,
    pub(super) buckets: Vec<String>,
}

/// The terms of an upload. The names of removalLimit and simulate are those of DA10 and DX3.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    pub(super) id: UploadId,
    pub(super) machine: String,
    kind: UploadKind,
    #[serde(default)]
    covers: Option<Ranges>,
    users: u64,
    groups: u64,
    sequence: i64,
    #[serde(default, rename = "removalLimit")]
    removal_limit: Option<u32>,
    #[serde(default)]
    simulate: bool,
    #[serde(default)]
    from_cursor: Option<String>,
    #[serde(default)]
    to_cursor: Option<String>,
}

impl Begin {
    pub(super) fn terms(self) -> Result<NewUpload, AgentError> {
        let wrong = |why: &str| Err(AgentError::BadRequest(why.to_owned()));
        let covers = self.covers.unwrap_or_else(|| rollcall_snapshot::bucket::ALL.to_vec());
        if !are_ranges(&covers) {
            return wrong("covers is no list of ranges of buckets, in order and apart from each other");
        }
        let too_long = |cursor: &Option<String>| cursor.as_ref().is_some_and(|cursor| cursor.len() > CURSOR_BYTES_MAX);
        if too_long(&self.from_cursor) || too_long(&self.to_cursor) {
            return wrong("a cursor has at most 4096 bytes");
        }
        if self.kind == UploadKind::Delta && covers != rollcall_snapshot::bucket::ALL {
            return wrong("a delta covers all buckets");
        }
        if self.kind == UploadKind::Delta && self.to_cursor.is_none() {
            return wrong("a delta has a to_cursor");
        }
        if self.kind == UploadKind::Snapshot && self.from_cursor.is_some() {
            return wrong("a snapshot has no from_cursor");
        }
        Ok(NewUpload {
            id: self.id,
            kind: self.kind,
            covers,
            users: self.users,
            groups: self.groups,
            sequence: self.sequence,
            removal_limit: self.removal_limit,
            simulate: self.simulate,
            from_cursor: self.from_cursor,
            to_cursor: self.to_cursor,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Commit {
    pub(super) parts: u32,
    /// The digest of the manifest in hexadecimal digits.
    pub(super) manifest: String,
}

/// An upload as it stands; `code` and `message` are its outcome once it has one (DA3).
#[derive(Serialize)]
pub(super) struct Shown {
    code: u16,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    id: Uuid,
    state: String,
    /// Nothing more will happen to the upload, and the roster has caught up with it.
    settled: bool,
    /// Why changes of the source wait for an admin.
    held_reasons: Vec<String>,
    parts: i64,
    applied_parts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Json>,
}

impl Shown {
    pub(super) fn of(upload: Upload, settled: Option<Settled>) -> Self {
        let (code, message) = match upload.state.as_str() {
            "open" => (202, "parts are awaited".to_owned()),
            "unverified" => {
                let why =
                    "the upload is kept until an admin compares the fingerprint of this agent's key and verifies it";
                (202, why.to_owned())
            }
            "waiting" | "applying" => (202, "the upload is being applied".to_owned()),
            _ => (u16::try_from(upload.code).unwrap_or(500), upload.message.unwrap_or_default()),
        };
        let (is_settled, held_reasons) =
            settled.map_or((false, Vec::new()), |settled| (settled.is_settled, settled.held_reasons));
        Self {
            code,
            message,
            reason: upload.reason,
            id: upload.id,
            state: upload.state,
            settled: is_settled,
            held_reasons,
            parts: upload.parts,
            applied_parts: upload.applied_parts,
            counts: upload.counts,
            plan: upload.items,
        }
    }
}

#[derive(Serialize)]
pub(super) struct StoredPart {
    pub(super) code: u16,
    pub(super) message: &'static str,
    pub(super) number: u32,
}

/// The parts of an upload that are here, for an agent that resumes.
#[derive(Serialize)]
pub(super) struct Parts {
    pub(super) code: u16,
    pub(super) message: &'static str,
    pub(super) numbers: Vec<i64>,
}
