//! The plan of a promotion on the wire.

use super::detachment::RemovalOutlook;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The summary of a promotion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Promotion {
    pub source_id: Uuid,
    /// The source that is live now; it would continue in simulation.
    pub authority: Option<Uuid>,
    /// The open run that holds the items about records of the source.
    pub run_id: Option<Uuid>,
    /// Identifies the plan; `promote` accepts no other.
    pub digest: String,
    /// Changes of the source that are not in the plan yet.
    pub pending_changes: i64,
    pub people: PeopleCounts,
    pub groups: GroupCounts,
    pub memberships: MembershipCounts,
    /// Records that would be skipped.
    pub disputed: i64,
    pub removal_limit: RemovalOutlook,
    pub seats: SeatOutlook,
    /// Groups that differ only in case or spacing (DS5), the first 200.
    pub spelled_differently: Vec<Respelled>,
    /// Warnings for the admin.
    pub warnings: Vec<String>,
}

impl From<store::Promotion> for Promotion {
    fn from(row: store::Promotion) -> Self {
        let store::Promotion {
            source_id,
            authority,
            run_id,
            digest,
            pending_changes,
            people,
            groups,
            memberships,
            disputed,
            removal_limit,
            seats,
            spelled_differently,
            warnings,
        } = row;
        Self {
            source_id,
            authority,
            run_id,
            digest,
            pending_changes,
            people: people.into(),
            groups: groups.into(),
            memberships: memberships.into(),
            disputed,
            removal_limit: removal_limit.into(),
            seats: seats.into(),
            spelled_differently: spelled_differently.into_iter().map(Into::into).collect(),
            warnings,
        }
    }
}

/// The effect of the promotion on people.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeopleCounts {
    /// Members that keep their identity and follow the source from then on.
    pub transferred: i64,
    pub new: i64,
    /// Unmanaged members that the source would manage.
    pub adopted: i64,
    /// Members of the authority that the source does not have; suspended ones only if the policy removes them.
    pub leaving: i64,
    /// Members that the source has disabled.
    pub suspended: i64,
    pub restored: i64,
    pub profile_changes: i64,
}

impl From<store::PeopleCounts> for PeopleCounts {
    fn from(row: store::PeopleCounts) -> Self {
        let store::PeopleCounts { transferred, new, adopted, leaving, suspended, restored, profile_changes } = row;
        Self { transferred, new, adopted, leaving, suspended, restored, profile_changes }
    }
}

/// The effect of the promotion on groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupCounts {
    /// Taken over under the identical name.
    pub same: i64,
    /// Taken over, with any spelling of the name.
    pub adopted: i64,
    /// Those of them whose spelling changes, and groups that get another name.
    pub renamed: i64,
    pub created: i64,
    pub removed: i64,
}

impl From<store::GroupCounts> for GroupCounts {
    fn from(row: store::GroupCounts) -> Self {
        let store::GroupCounts { same, adopted, renamed, created, removed } = row;
        Self { same, adopted, renamed, created, removed }
    }
}

/// Memberships of people and groups that are taken over; those of new ones are not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipCounts {
    pub added: i64,
    pub removed: i64,
}

impl From<store::MembershipCounts> for MembershipCounts {
    fn from(row: store::MembershipCounts) -> Self {
        let store::MembershipCounts { added, removed } = row;
        Self { added, removed }
    }
}

/// Seats that are free, and seats that the plan needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeatOutlook {
    pub free: i64,
    pub wanted: i64,
}

impl From<store::SeatOutlook> for SeatOutlook {
    fn from(row: store::SeatOutlook) -> Self {
        let store::SeatOutlook { free, wanted } = row;
        Self { free, wanted }
    }
}

/// A group whose name is spelled differently.
#[derive(Debug, Serialize, ToSchema)]
pub struct Respelled {
    pub group_id: Uuid,
    pub before: String,
    pub after: String,
}

impl From<store::Respelled> for Respelled {
    fn from(row: store::Respelled) -> Self {
        let store::Respelled { group_id, before, after } = row;
        Self { group_id, before, after }
    }
}
