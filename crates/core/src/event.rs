//! The vocabulary of the audit log: every change has exactly one event, every event one change
//! (docs/design.md#one-change-one-audit-event).

use crate::ids::{CredentialId, SourceId};
use crate::text_enum::text_enum;

text_enum! {
    /// What happened.
    AuditKind {
        TenantCreated = "tenant.created",
        TenantSeatsChanged = "tenant.seats_changed",
        SourceCreated = "source.created",
        /// What is taken of it, other than its mode.
        SourceUpdated = "source.updated",
        SourceModeChanged = "source.mode_changed",
        SourcePromoted = "source.promoted",
        SourceQuarantined = "source.quarantined",
        SourceReleased = "source.released",
        SourceDetached = "source.detached",
        CredentialCreated = "credential.created",
        CredentialRotated = "credential.rotated",
        CredentialRevoked = "credential.revoked",
        DirectoryUserCreated = "directory_user.created",
        DirectoryUserUpdated = "directory_user.updated",
        DirectoryUserDeleted = "directory_user.deleted",
        DirectoryGroupCreated = "directory_group.created",
        DirectoryGroupUpdated = "directory_group.updated",
        DirectoryGroupDeleted = "directory_group.deleted",
        DirectoryMembershipAdded = "directory_membership.added",
        DirectoryMembershipRemoved = "directory_membership.removed",
        MemberCreated = "member.created",
        MemberPending = "member.pending",
        MemberWaitlisted = "member.waitlisted",
        MemberStoppedWaiting = "member.stopped_waiting",
        MemberInvited = "member.invited",
        MemberActivated = "member.activated",
        MemberApproved = "member.approved",
        MemberDeclined = "member.declined",
        MemberAdopted = "member.adopted",
        MemberRelinked = "member.relinked",
        MemberDetached = "member.detached",
        MemberUpdated = "member.updated",
        MemberSuspended = "member.suspended",
        MemberRestored = "member.restored",
        MemberRemoved = "member.removed",
        /// The product is to wipe the member's devices (DX16).
        DeviceWipeRequested = "device.wipe_requested",
        /// The product is to make the member's keys for sharing groups (LP9).
        SharingKeysRequested = "sharing_keys.requested",
        MemberUnlinked = "member.unlinked",
        /// The tenant's seats grew by themselves (PE3).
        SeatsGrown = "seats.grown",
        SeatReleased = "seat.released",
        SeatTaken = "seat.taken",
        GroupCreated = "sharing_group.created",
        GroupAdopted = "sharing_group.adopted",
        GroupRelinked = "sharing_group.relinked",
        GroupDetached = "sharing_group.detached",
        GroupRenamed = "sharing_group.renamed",
        GroupRemoved = "sharing_group.removed",
        GroupRestored = "sharing_group.restored",
        GroupMemberAdded = "sharing_group.member_added",
        GroupMemberRemoved = "sharing_group.member_removed",
        PolicyChanged = "policy.changed",
        SkippedRecordRetried = "skipped_record.retried",
        SkippedRecordIgnored = "skipped_record.ignored",
        ReconcileRequested = "reconcile.requested",
        RunHeld = "run.held",
        RunApproved = "run.approved",
        RunRejected = "run.rejected",
        RunRewindPlanned = "run.rewind_planned",
        RunRewound = "run.rewound",
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Source(SourceId),
    ApiKey(CredentialId),
    /// Somebody with the hosted service's command line.
    Operator,
    /// Rollcall by itself, e.g. a seat that became free.
    System,
}

impl Actor {
    /// The form stored and shown: `source:<id>`, `api_key:<id>`, `operator`, `system`.
    pub fn to_text(self) -> String {
        match self {
            Self::Source(id) => format!("source:{id}"),
            Self::ApiKey(id) => format!("api_key:{id}"),
            Self::Operator => "operator".into(),
            Self::System => "system".into(),
        }
    }
}
