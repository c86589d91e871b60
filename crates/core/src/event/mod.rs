//! Audit events: the list of all events in the log. Every effective change has exactly one event, and every event one
//! change.

mod actor;
mod agent;
mod detail;
mod lists;
mod machine;
mod sign_in;
mod webhook;

pub use actor::Actor;
pub use agent::{AgentKeyDetail, UploadEnded};
pub use detail::{
    CredentialCreated, CredentialRotated, DeviceWipe, Difference, DirectoryGroupDetail, DirectoryMembershipDetail,
    DirectoryUserDetail, ExportMade, GroupLink, GroupMember, GroupMoved, GroupName, GroupNamed, GroupRemoved,
    MemberCreated, MemberDecided, MemberDetail, MemberLink, NoDetail, PolicyChanged, RunDecided, RunHeld, RunRewound,
    SeatsChanged, SeatsGrown, SharingKeys, SkippedRecord, SourceCreated, SourceDeleted, SourceDetached,
    SourceModeChanged, SourceName, SourcePromoted, SourceQuarantined, SourceReleased, TenantCreated, TenantNames,
};
pub use lists::ChangedList;
pub use machine::{
    AccessTokenEnd, AccessTokenIssued, AccessTokenRevoked, EnrolmentDecided, OauthClientCreated, SetupLinkCreated,
};
pub use sign_in::{
    ByRules, DomainName, IdentityDetail, SessionEnd, SessionEnded, SessionStarted, SignInConnectionDetail,
    SignInConnectionTested, SignInLinkCreated, SignInLinkUsed, SignInWay,
};
pub use webhook::{WebhookDetail, WebhookDisabled, WebhookKinds, WebhookReplayed, WebhookSecretRotated, outgoing};

use crate::directory::SourceSettings;
use crate::ids::{
    CredentialId, DirectoryGroupId, DirectoryUserId, DomainId, MemberId, OauthClientId, RunId, SharingGroupId,
    SignInConnectionId, SourceId, TenantId, WebhookId,
};
use crate::quota::QuotaOverrides;
use crate::text_enum::text_enum;
use serde_json::Value as Json;
use uuid::Uuid;

/// The subject of an event, as the log names it.
pub trait EventSubject {
    fn kind(&self) -> &'static str;
    fn id(&self) -> Uuid;
}

macro_rules! subjects {
    ($($id:ty = $kind:literal),+ $(,)?) => {
        /// The kinds of all subjects.
        pub const SUBJECT_KINDS: &[&str] = &[$($kind),+];

        $(
            impl EventSubject for $id {
                fn kind(&self) -> &'static str {
                    $kind
                }

                fn id(&self) -> Uuid {
                    self.0
                }
            }
        )+
    };
}

subjects! {
    TenantId = "tenant",
    SourceId = "source",
    CredentialId = "credential",
    OauthClientId = "oauth_client",
    DirectoryUserId = "directory_user",
    DirectoryGroupId = "directory_group",
    MemberId = "member",
    SharingGroupId = "sharing_group",
    RunId = "run",
    SignInConnectionId = "sign_in_connection",
    DomainId = "domain",
    WebhookId = "webhook",
}

/// The skipped record of a source: a user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordId {
    User(DirectoryUserId),
    Group(DirectoryGroupId),
}

impl EventSubject for RecordId {
    fn kind(&self) -> &'static str {
        match self {
            Self::User(user) => user.kind(),
            Self::Group(group) => group.kind(),
        }
    }

    fn id(&self) -> Uuid {
        match self {
            Self::User(user) => user.0,
            Self::Group(group) => group.0,
        }
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $kind:ident($subject:ty, $detail:ty) = $text:literal),+ $(,)?) => {
        text_enum! {
            /// The kind of an event.
            AuditKind { $($(#[$doc])* $kind = $text),+ }
        }

        /// One event: its kind, its subject, and its detail.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $kind($subject, $detail)),+
        }

        impl Event {
            pub const fn kind(&self) -> AuditKind {
                match self { $(Self::$kind(..) => AuditKind::$kind),+ }
            }

            /// The kind and the id of the subject.
            pub fn subject(&self) -> (&'static str, Uuid) {
                match self { $(Self::$kind(subject, _) => (subject.kind(), subject.id())),+ }
            }

            /// The detail as the log stores it.
            pub fn detail(&self) -> Option<Json> {
                let detail = match self { $(Self::$kind(_, detail) => serde_json::to_value(detail)),+ };
                // Details are structs with text keys, which always serialise.
                detail.ok().filter(|detail| !detail.is_null())
            }
        }
    };
}

events! {
    TenantCreated(TenantId, Box<TenantCreated>) = "tenant.created",
    TenantRenamed(TenantId, Difference<TenantNames>) = "tenant.renamed",
    TenantSeatsChanged(TenantId, SeatsChanged) = "tenant.seats_changed",
    TenantQuotasChanged(TenantId, Difference<QuotaOverrides>) = "tenant.quotas_changed",
    SourceCreated(SourceId, SourceCreated) = "source.created",
    /// A setting of the source other than its mode.
    SourceUpdated(SourceId, Difference<SourceSettings>) = "source.updated",
    SourceRenamed(SourceId, Difference<SourceName>) = "source.renamed",
    /// A source that never sent a record; one that did is detached.
    SourceDeleted(SourceId, SourceDeleted) = "source.deleted",
    SourceModeChanged(SourceId, SourceModeChanged) = "source.mode_changed",
    SourcePromoted(SourceId, SourcePromoted) = "source.promoted",
    SourceQuarantined(SourceId, SourceQuarantined) = "source.quarantined",
    SourceReleased(SourceId, SourceReleased) = "source.released",
    SourceDetached(SourceId, SourceDetached) = "source.detached",
    CredentialCreated(CredentialId, CredentialCreated) = "credential.created",
    CredentialRotated(CredentialId, CredentialRotated) = "credential.rotated",
    CredentialRevoked(CredentialId, NoDetail) = "credential.revoked",
    /// A program may get tokens for one source.
    OauthClientCreated(OauthClientId, OauthClientCreated) = "oauth_client.created",
    OauthClientRotated(OauthClientId, CredentialRotated) = "oauth_client.rotated",
    /// Its secrets and its tokens ended.
    OauthClientRevoked(OauthClientId, NoDetail) = "oauth_client.revoked",
    AccessTokenIssued(CredentialId, AccessTokenIssued) = "access_token.issued",
    AccessTokenRevoked(CredentialId, AccessTokenRevoked) = "access_token.revoked",
    /// An agent becomes the source's: it gets a token of an hour, once.
    EnrolmentApproved(SourceId, EnrolmentDecided) = "enrolment.approved",
    EnrolmentDenied(TenantId, EnrolmentDecided) = "enrolment.denied",
    /// An agent brought a key, which feeds nobody before an admin verifies it (DA4).
    AgentKeyAdded(SourceId, AgentKeyDetail) = "agent_key.added",
    AgentKeyVerified(SourceId, AgentKeyDetail) = "agent_key.verified",
    AgentKeyRevoked(SourceId, AgentKeyDetail) = "agent_key.revoked",
    /// An upload is in the directory.
    UploadApplied(SourceId, UploadEnded) = "upload.applied",
    /// An upload was refused whole, and changed nothing.
    UploadRefused(SourceId, UploadEnded) = "upload.refused",
    /// Its holder makes one token for the source, as this link.
    SetupLinkCreated(CredentialId, SetupLinkCreated) = "setup_link.created",
    /// A link with which one member signs in once, or a recovery code of an owner.
    SignInLinkCreated(CredentialId, SignInLinkCreated) = "sign_in_link.created",
    SignInLinkUsed(CredentialId, SignInLinkUsed) = "sign_in_link.used",
    /// A member signed in.
    SessionStarted(CredentialId, SessionStarted) = "session.started",
    SessionEnded(CredentialId, SessionEnded) = "session.ended",
    SignInConnectionCreated(SignInConnectionId, SignInConnectionDetail) = "sign_in_connection.created",
    SignInConnectionUpdated(SignInConnectionId, Difference<SignInConnectionDetail>) = "sign_in_connection.updated",
    /// Somebody tried a connection, and was recognised or not.
    SignInConnectionTested(SignInConnectionId, SignInConnectionTested) = "sign_in_connection.tested",
    SignInConnectionDeleted(SignInConnectionId, SignInConnectionDetail) = "sign_in_connection.deleted",
    DomainAdded(DomainId, DomainName) = "domain.added",
    /// The domain's DNS record shows that it is the tenant's.
    DomainVerified(DomainId, DomainName) = "domain.verified",
    DomainLapsed(DomainId, DomainName) = "domain.lapsed",
    DomainRemoved(DomainId, DomainName) = "domain.removed",
    /// A person of an identity provider is this member from now on.
    IdentityTied(MemberId, IdentityDetail) = "identity.tied",
    IdentityReleased(MemberId, IdentityDetail) = "identity.released",
    DirectoryUserCreated(DirectoryUserId, DirectoryUserDetail) = "directory_user.created",
    DirectoryUserUpdated(DirectoryUserId, Difference<DirectoryUserDetail>) = "directory_user.updated",
    DirectoryUserDeleted(DirectoryUserId, DirectoryUserDetail) = "directory_user.deleted",
    DirectoryGroupCreated(DirectoryGroupId, DirectoryGroupDetail) = "directory_group.created",
    DirectoryGroupUpdated(DirectoryGroupId, Difference<DirectoryGroupDetail>) = "directory_group.updated",
    DirectoryGroupDeleted(DirectoryGroupId, DirectoryGroupDetail) = "directory_group.deleted",
    DirectoryMembershipAdded(DirectoryGroupId, DirectoryMembershipDetail) = "directory_membership.added",
    DirectoryMembershipRemoved(DirectoryGroupId, DirectoryMembershipDetail) = "directory_membership.removed",
    MemberCreated(MemberId, MemberCreated) = "member.created",
    MemberPending(MemberId, MemberDetail) = "member.pending",
    MemberWaitlisted(MemberId, MemberDetail) = "member.waitlisted",
    MemberStoppedWaiting(MemberId, MemberDetail) = "member.stopped_waiting",
    MemberInvited(MemberId, MemberDetail) = "member.invited",
    /// An open invitation is sent once more.
    MemberInvitedAgain(MemberId, MemberDetail) = "member.invited_again",
    MemberActivated(MemberId, MemberDetail) = "member.activated",
    MemberApproved(MemberId, MemberDecided) = "member.approved",
    MemberDeclined(MemberId, MemberDecided) = "member.declined",
    MemberBlocked(MemberId, MemberDetail) = "member.blocked",
    MemberUnblocked(MemberId, MemberDetail) = "member.unblocked",
    MemberAdopted(MemberId, MemberDetail) = "member.adopted",
    MemberRelinked(MemberId, MemberDetail) = "member.relinked",
    MemberDetached(MemberId, MemberDetail) = "member.detached",
    MemberUpdated(MemberId, MemberDetail) = "member.updated",
    MemberSuspended(MemberId, MemberDetail) = "member.suspended",
    MemberRestored(MemberId, MemberDetail) = "member.restored",
    MemberRemoved(MemberId, MemberDetail) = "member.removed",
    /// The product is asked to wipe the member's devices (DX16).
    DeviceWipeRequested(MemberId, DeviceWipe) = "device.wipe_requested",
    /// The product is asked to make the member's keys for sharing groups (LP9).
    SharingKeysRequested(MemberId, SharingKeys) = "sharing_keys.requested",
    MemberUnlinked(MemberId, MemberDetail) = "member.unlinked",
    /// The tenant's seats grew automatically (PE3).
    SeatsGrown(TenantId, SeatsGrown) = "seats.grown",
    SeatReleased(MemberId, MemberDetail) = "seat.released",
    SeatTaken(MemberId, MemberDetail) = "seat.taken",
    GroupCreated(SharingGroupId, GroupNamed) = "sharing_group.created",
    GroupAdopted(SharingGroupId, GroupMoved) = "sharing_group.adopted",
    GroupRelinked(SharingGroupId, GroupMoved) = "sharing_group.relinked",
    GroupDetached(SharingGroupId, GroupMoved) = "sharing_group.detached",
    GroupRenamed(SharingGroupId, Difference<String>) = "sharing_group.renamed",
    GroupRemoved(SharingGroupId, GroupRemoved) = "sharing_group.removed",
    GroupRestored(SharingGroupId, GroupNamed) = "sharing_group.restored",
    GroupMemberAdded(SharingGroupId, GroupMember) = "sharing_group.member_added",
    GroupMemberRemoved(SharingGroupId, GroupMember) = "sharing_group.member_removed",
    WebhookCreated(WebhookId, WebhookDetail) = "webhook.created",
    WebhookUpdated(WebhookId, Difference<WebhookDetail>) = "webhook.updated",
    WebhookSecretRotated(WebhookId, WebhookSecretRotated) = "webhook.secret_rotated",
    /// The hub stopped an endpoint that failed for too long.
    WebhookDisabled(WebhookId, WebhookDisabled) = "webhook.disabled",
    WebhookReplayed(WebhookId, WebhookReplayed) = "webhook.replayed",
    WebhookDeleted(WebhookId, WebhookDetail) = "webhook.deleted",
    /// Somebody took a whole list away.
    ExportMade(TenantId, ExportMade) = "export.made",
    PolicyChanged(TenantId, Box<PolicyChanged>) = "policy.changed",
    SkippedRecordRetried(RecordId, SkippedRecord) = "skipped_record.retried",
    SkippedRecordIgnored(RecordId, SkippedRecord) = "skipped_record.ignored",
    ReconcileRequested(DirectoryUserId, NoDetail) = "reconcile.requested",
    RunHeld(RunId, RunHeld) = "run.held",
    RunApproved(RunId, RunDecided) = "run.approved",
    RunRejected(RunId, RunDecided) = "run.rejected",
    RunRewindPlanned(RunId, RunRewound) = "run.rewind_planned",
    RunRewound(RunId, RunRewound) = "run.rewound",
}

impl AuditKind {
    /// True if the product is notified of this event. The product keeps members, seats and sharing groups; all other
    /// events concern the hub alone.
    #[expect(clippy::too_many_lines, reason = "it is one list")]
    pub const fn is_outgoing(self) -> bool {
        match self {
            Self::MemberCreated
            | Self::MemberPending
            | Self::MemberWaitlisted
            | Self::MemberStoppedWaiting
            | Self::MemberInvited
            | Self::MemberInvitedAgain
            | Self::MemberActivated
            | Self::MemberApproved
            | Self::MemberDeclined
            | Self::MemberBlocked
            | Self::MemberUnblocked
            | Self::MemberAdopted
            | Self::MemberRelinked
            | Self::MemberDetached
            | Self::MemberUpdated
            | Self::MemberSuspended
            | Self::MemberRestored
            | Self::MemberRemoved
            | Self::DeviceWipeRequested
            | Self::SharingKeysRequested
            | Self::MemberUnlinked
            | Self::SeatReleased
            | Self::SeatTaken
            | Self::GroupCreated
            | Self::GroupAdopted
            | Self::GroupRelinked
            | Self::GroupDetached
            | Self::GroupRenamed
            | Self::GroupRemoved
            | Self::GroupRestored
            | Self::GroupMemberAdded
            | Self::GroupMemberRemoved => true,
            Self::TenantCreated
            | Self::TenantRenamed
            | Self::TenantSeatsChanged
            | Self::TenantQuotasChanged
            | Self::SourceCreated
            | Self::SourceUpdated
            | Self::SourceRenamed
            | Self::SourceDeleted
            | Self::SourceModeChanged
            | Self::SourcePromoted
            | Self::SourceQuarantined
            | Self::SourceReleased
            | Self::SourceDetached
            | Self::CredentialCreated
            | Self::CredentialRotated
            | Self::CredentialRevoked
            | Self::OauthClientCreated
            | Self::OauthClientRotated
            | Self::OauthClientRevoked
            | Self::AccessTokenIssued
            | Self::AccessTokenRevoked
            | Self::EnrolmentApproved
            | Self::EnrolmentDenied
            | Self::AgentKeyAdded
            | Self::AgentKeyVerified
            | Self::AgentKeyRevoked
            | Self::UploadApplied
            | Self::UploadRefused
            | Self::SetupLinkCreated
            | Self::SignInLinkCreated
            | Self::SignInLinkUsed
            | Self::SessionStarted
            | Self::SessionEnded
            | Self::SignInConnectionCreated
            | Self::SignInConnectionUpdated
            | Self::SignInConnectionTested
            | Self::SignInConnectionDeleted
            | Self::DomainAdded
            | Self::DomainVerified
            | Self::DomainLapsed
            | Self::DomainRemoved
            | Self::IdentityTied
            | Self::IdentityReleased
            | Self::DirectoryUserCreated
            | Self::DirectoryUserUpdated
            | Self::DirectoryUserDeleted
            | Self::DirectoryGroupCreated
            | Self::DirectoryGroupUpdated
            | Self::DirectoryGroupDeleted
            | Self::DirectoryMembershipAdded
            | Self::DirectoryMembershipRemoved
            | Self::SeatsGrown
            | Self::PolicyChanged
            | Self::WebhookCreated
            | Self::WebhookUpdated
            | Self::WebhookSecretRotated
            | Self::WebhookDisabled
            | Self::WebhookReplayed
            | Self::WebhookDeleted
            | Self::ExportMade
            | Self::SkippedRecordRetried
            | Self::SkippedRecordIgnored
            | Self::ReconcileRequested
            | Self::RunHeld
            | Self::RunApproved
            | Self::RunRejected
            | Self::RunRewindPlanned
            | Self::RunRewound => false,
        }
    }

    /// True if the event causes a mail: to the invited person, to the admins (DX10, PE9), or to the owners when a link signed somebody in.
    pub const fn causes_mail(self) -> bool {
        matches!(
            self,
            Self::MemberInvited
                | Self::MemberInvitedAgain
                | Self::RunHeld
                | Self::SourceQuarantined
                | Self::SignInLinkUsed
                | Self::WebhookDisabled
        )
    }
}

#[cfg(test)]
mod tests;
