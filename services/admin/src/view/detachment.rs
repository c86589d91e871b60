//! The plan of a detachment on the wire.

use crate::view::closed;
use rollcall_core::directory::PeopleAfter;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The plan of a detachment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detachment {
    pub source_id: Uuid,
    #[schema(value_type = closed::PeopleAfter)]
    pub people: PeopleAfter,
    /// Identifies the plan; `detach` accepts no other.
    pub digest: String,
    /// Members of the source, which would become unmanaged or leave.
    pub members: i64,
    /// Sharing groups likewise.
    pub groups: i64,
    /// The outlook of the removal limit; keeping people removes nobody.
    pub removal_limit: RemovalOutlook,
}

impl From<store::Detachment> for Detachment {
    fn from(row: store::Detachment) -> Self {
        let store::Detachment { source_id, people, digest, members, groups, removal_limit } = row;
        Self { source_id, people, digest, members, groups, removal_limit: removal_limit.into() }
    }
}

/// The part of a plan that the removal limit allows.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovalOutlook {
    /// People who may lose access now without an approval.
    pub allowed: i64,
    /// People beyond that, to whom the policy's `over_limit` applies.
    pub over: i64,
}

impl From<store::RemovalOutlook> for RemovalOutlook {
    fn from(row: store::RemovalOutlook) -> Self {
        let store::RemovalOutlook { allowed, over } = row;
        Self { allowed, over }
    }
}
