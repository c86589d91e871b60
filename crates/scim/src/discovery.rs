//! What the server says about itself (RFC 7644 §4): exactly what it serves.

use serde_json::Value;

use crate::list::PageLimits;

/// What is served, hence advertised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Bulk limits; `None` when `/Bulk` answers 501.
    pub bulk: Option<BulkCapability>,
    pub pages: PageLimits,
    /// Cursor lifetime in seconds when cursors are served (RFC 9865).
    pub cursor_timeout_seconds: Option<u64>,
    pub sort: bool,
    pub etag: bool,
    /// Whether `Prefer: respond-async` is honoured (RFC 9967).
    pub respond_async: bool,
    /// `false` for a users-only source: groups are then absent everywhere.
    pub groups: bool,
    /// A page for admins.
    pub documentation_uri: Option<String>,
}

/// Limits of `/Bulk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkCapability {
    pub max_operations: usize,
    pub max_payload_bytes: usize,
}

/// `GET /ServiceProviderConfig`. `base` is the URL in front of it, without a slash at the end.
#[must_use]
pub fn service_provider_config(capabilities: &Capabilities, base: &str) -> Value {
    todo!("{capabilities:?} {base}")
}

/// `GET /ResourceTypes`: a ListResponse.
#[must_use]
pub fn resource_types(capabilities: &Capabilities, base: &str) -> Value {
    todo!("{capabilities:?} {base}")
}

/// `GET /ResourceTypes/{name}`.
#[must_use]
pub fn resource_type(capabilities: &Capabilities, base: &str, name: &str) -> Option<Value> {
    todo!("{capabilities:?} {base} {name}")
}

/// `GET /Schemas`: a ListResponse.
#[must_use]
pub fn schemas(capabilities: &Capabilities, base: &str) -> Value {
    todo!("{capabilities:?} {base}")
}

/// `GET /Schemas/{urn}`.
#[must_use]
pub fn schema(capabilities: &Capabilities, base: &str, urn: &str) -> Option<Value> {
    todo!("{capabilities:?} {base} {urn}")
}
