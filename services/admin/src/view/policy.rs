//! The policy on the wire.

use rollcall_core::policy::Policy;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;

/// The policy in force, and its version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionedPolicy {
    #[schema(value_type = Object)]
    pub policy: Policy,
    pub version: i64,
    /// Entries of a scope that match no group of the source; there only where the request gave such a scope, so that an answer can be
    /// sent back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<String>,
}

impl From<store::VersionedPolicy> for VersionedPolicy {
    fn from(store::VersionedPolicy { policy, version, warnings }: store::VersionedPolicy) -> Self {
        Self { policy, version, warnings }
    }
}
