//! The lists that an event changes, for those who watch them.

use super::AuditKind;
use crate::text_enum::text_enum;

text_enum! {
    /// A list whose changes can be watched, by its name in the API.
    ChangedList {
        Members = "members",
        Groups = "groups",
        Runs = "runs",
        Policy = "policy",
        Sources = "sources",
        Tokens = "tokens",
        OauthClients = "oauth-clients",
        SetupLinks = "setup-links",
        AgentKeys = "agent-keys",
        Uploads = "uploads",
        ApiKeys = "api-keys",
        SignInConnections = "sign-in-connections",
        Domains = "domains",
        Sessions = "sessions",
        Webhooks = "webhooks",
        AuditEvents = "audit-events",
    }
}

impl AuditKind {
    /// The lists in which an event of this kind shows, besides the audit log itself. A kind that may be about things of two lists has
    /// both: who watches looks once too often, and misses nothing.
    #[expect(clippy::too_many_lines, reason = "it is one list")]
    pub const fn changes(self) -> &'static [ChangedList] {
        use ChangedList::{
            AgentKeys, ApiKeys, Domains, Groups, Members, OauthClients, Policy, Runs, Sessions, SetupLinks,
            SignInConnections, Sources, Tokens, Uploads, Webhooks,
        };
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
            | Self::MemberUnlinked
            | Self::SeatReleased
            | Self::SeatTaken => &[Members],
            // A new organisation has an owner.
            Self::TenantCreated => &[Members, Policy],
            Self::GroupCreated
            | Self::GroupAdopted
            | Self::GroupRelinked
            | Self::GroupDetached
            | Self::GroupRenamed
            | Self::GroupRemoved
            | Self::GroupRestored
            | Self::GroupMemberAdded
            | Self::GroupMemberRemoved => &[Groups],
            Self::RunHeld | Self::RunApproved | Self::RunRejected | Self::RunRewindPlanned | Self::RunRewound => {
                &[Runs]
            }
            Self::PolicyChanged => &[Policy],
            Self::SourceCreated
            | Self::SourceUpdated
            | Self::SourceRenamed
            | Self::SourceDeleted
            | Self::SourceModeChanged
            | Self::SourcePromoted
            | Self::SourceQuarantined
            | Self::SourceReleased
            | Self::SourceDetached => &[Sources],
            // Its subject is a key, a token or a link alike.
            Self::CredentialCreated | Self::CredentialRotated | Self::CredentialRevoked => {
                &[ApiKeys, Tokens, SetupLinks]
            }
            Self::OauthClientCreated | Self::OauthClientRotated | Self::OauthClientRevoked => &[OauthClients],
            Self::SetupLinkCreated => &[SetupLinks],
            Self::AgentKeyAdded | Self::AgentKeyVerified | Self::AgentKeyRevoked => &[AgentKeys],
            Self::UploadApplied | Self::UploadRefused => &[Uploads],
            Self::SessionStarted | Self::SessionEnded => &[Sessions],
            Self::SignInConnectionCreated
            | Self::SignInConnectionUpdated
            | Self::SignInConnectionTested
            | Self::SignInConnectionDeleted => &[SignInConnections],
            Self::DomainAdded | Self::DomainVerified | Self::DomainLapsed | Self::DomainRemoved => &[Domains],
            Self::WebhookCreated
            | Self::WebhookUpdated
            | Self::WebhookSecretRotated
            | Self::WebhookDisabled
            | Self::WebhookReplayed
            | Self::WebhookDeleted => &[Webhooks],
            Self::TenantRenamed
            | Self::TenantSeatsChanged
            | Self::TenantQuotasChanged
            | Self::AccessTokenIssued
            | Self::EnrolmentApproved
            | Self::EnrolmentDenied
            | Self::AccessTokenRevoked
            | Self::SignInLinkCreated
            | Self::SignInLinkUsed
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
            | Self::DeviceWipeRequested
            | Self::SharingKeysRequested
            | Self::SeatsGrown
            | Self::ExportMade
            | Self::SkippedRecordRetried
            | Self::SkippedRecordIgnored
            | Self::ReconcileRequested => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watched_list_is_changed_by_some_event() {
        for list in ChangedList::ALL {
            let by_some = AuditKind::ALL.iter().any(|kind| kind.changes().contains(list));
            assert_eq!(by_some, *list != ChangedList::AuditEvents, "{list}");
        }
    }
}
