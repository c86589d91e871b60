//! The directory: the desired state, from the sources.

use crate::email::strip_tombstone;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, RequestId, SharingGroupId, SourceId};
use crate::remedy::{self, Remedy};
use crate::roster::MemberState;
use crate::text_enum::text_enum;
use serde::Serialize;

text_enum! {
    /// Kind of a source.
    SourceKind { Scim = "scim", Agent = "agent" }
}

text_enum! {
    /// Mode of a source: whether its changes have an effect.
    SourceMode {
        /// Its requests are refused.
        Off = "off",
        /// Recorded and planned, without an effect (DX3).
        Simulate = "simulate",
        Live = "live",
    }
}

/// Switches of a source, beside its mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceSettings {
    /// Groups are neither shown nor accepted (DS3).
    pub users_only: bool,
    /// Discovery shows nothing beyond RFC 7643, for clients that refuse attributes they do not know.
    pub plain_discovery: bool,
}

text_enum! {
    /// Effect of a detachment on the people of the source (PE7).
    PeopleAfter {
        /// They stay, with their groups, as unmanaged members.
        Keep = "keep",
        /// They leave, as if the source had deleted them all.
        Remove = "remove",
    }
}

text_enum! {
    /// Reason for skipping a record. Each has a remedy in `docs/operations.md`.
    Dispute {
        /// The record has no usable email address (DA2, LP12).
        NoEmail = "no_email",
        /// The policy's mapping failed for this record (PE13).
        MappingFailed = "mapping_failed",
        /// Another member, fed by another live record, has the address.
        EmailTaken = "email_taken",
        /// Another active record with the same external id feeds the member.
        ExternalIdTaken = "external_id_taken",
        /// A member made by hand has the address and the policy does not adopt existing members (DX2).
        AdoptionOff = "adoption_off",
        /// The directory group of a sharing group is not among those that the policy syncs any more (DX20).
        GroupOutOfScope = "group_out_of_scope",
        /// The sharing group was deleted in the product, and the source still has it (DX20).
        GroupDeletedHere = "group_deleted_here",
        /// Another group has this name (DX8).
        GroupNameTaken = "group_name_taken",
        /// Applying it failed for an unknown reason; the error is in the worker's log.
        Failed = "failed",
    }
}

impl Dispute {
    /// The remedy for an admin.
    pub const fn remedy(self) -> &'static Remedy {
        match self {
            Self::NoEmail => &remedy::NO_EMAIL,
            Self::MappingFailed => &remedy::MAPPING_FAILED,
            Self::EmailTaken => &remedy::EMAIL_TAKEN,
            Self::ExternalIdTaken => &remedy::EXTERNAL_ID_TAKEN,
            Self::AdoptionOff => &remedy::ADOPTION_OFF,
            Self::GroupOutOfScope => &remedy::GROUP_OUT_OF_SCOPE,
            Self::GroupDeletedHere => &remedy::GROUP_DELETED_HERE,
            Self::GroupNameTaken => &remedy::GROUP_NAME_TAKEN,
            Self::Failed => &remedy::FAILED,
        }
    }
}

/// A source's data about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRecord {
    /// The address in the policy's email attribute, if usable.
    pub email: Option<String>,
    pub external_id: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub active: bool,
    /// The person was active at the source at some time, and is therefore a member, suspended if necessary, even when
    /// they left before a worker first looked. So the result does not depend on the time of that look
    /// (docs/design.md#any-order-one-result).
    pub was_active: bool,
}

/// Origin of a fact: it connects a request with an audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub source: SourceId,
    pub mode: SourceMode,
    /// The source is live, and its changes are planned and held, not applied (PE9).
    pub quarantined: bool,
    pub request: Option<RequestId>,
}

impl Origin {
    /// True if the source's changes have an effect (DX3).
    pub fn is_live(&self) -> bool {
        self.mode == SourceMode::Live && !self.quarantined
    }
}

/// One touched person: the source's record, and the members that it may match.
#[derive(Clone, Debug)]
pub struct UserSubject {
    pub id: DirectoryUserId,
    pub origin: Origin,
    /// `None` once the source deleted the record.
    pub record: Option<PersonRecord>,
    /// The member that this record is linked to.
    pub member: Option<MemberState>,
    /// A member of the same source with the same external id whose record is deleted or disabled: the same person again.
    pub returning: Option<MemberState>,
    /// The member that followed this record before another one of the same external id took over.
    pub former: Option<MemberState>,
    /// The record has ended, and another one is in dispute about its member's address or has the external id.
    pub contested: bool,
    /// The expression of the policy's mapping that failed for this record, and the error. A person who left is
    /// suspended or removed all the same.
    pub unmapped: Option<String>,
    /// A group of the policy's user scope has the person, or the policy has none (DX6).
    pub in_scope: bool,
}

impl UserSubject {
    /// True if the source, within the policy's scope, wants this person in.
    pub fn is_wanted(&self) -> bool {
        self.in_scope && self.record.as_ref().is_some_and(|record| record.active)
    }

    /// True if the source wants this person in as this member, whom no admin blocked.
    pub fn lets_in(&self, member: &MemberState) -> bool {
        self.is_wanted() && !member.is_blocked()
    }

    /// The record is deleted or disabled.
    pub fn has_ended(&self) -> bool {
        self.record.as_ref().is_none_or(|record| !record.active)
    }

    /// The addresses whose holders a plan must know: those that the record may claim, and the former one of a member who
    /// holds none and returns only when it is free.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let email = self.record.as_ref().and_then(|record| record.email.as_deref());
        let known = self.member.iter().chain(&self.returning);
        let without = known.filter(|member| !member.holds_address());
        email.into_iter().chain(email.and_then(strip_tombstone)).chain(without.map(MemberState::own_address))
    }

    /// The records that the members of a possible match follow now; their state decides the match.
    pub fn records_of_matches(&self) -> impl Iterator<Item = DirectoryUserId> {
        let known = self.returning.iter().chain(&self.former);
        known.filter_map(|member| member.directory_user).filter(|id| *id != self.id)
    }
}

/// One touched group.
#[derive(Clone, Debug)]
pub struct GroupSubject {
    pub id: DirectoryGroupId,
    pub origin: Origin,
    /// The source's name; `None` once it deleted the group.
    pub name: Option<String>,
    pub sharing_group: Option<GroupState>,
    /// The policy of the source syncs it (DX6).
    pub fed: bool,
    /// Its sharing group was deleted in the product (DX20).
    pub deleted_here: bool,
}

/// One sharing group, as the planner needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    pub id: SharingGroupId,
    pub name: String,
    pub managed_by: Option<SourceId>,
    /// The live directory group that it follows.
    pub directory_group: Option<DirectoryGroupId>,
    /// The directory group that it is linked to, also when that is gone.
    pub tied_to: Option<DirectoryGroupId>,
    /// A sign-in made it, so it is the group of a source that has the same name (DS8).
    pub from_sign_in: bool,
}

/// One touched membership of a synced group. Both ends exist in the roster: a membership without its person or group is touched
/// again when that is linked.
#[derive(Clone, Debug)]
pub struct MembershipSubject {
    pub origin: Origin,
    pub group: SharingGroupId,
    pub member: MemberId,
    /// The member can open what the group opens, now or by accepting an invitation.
    pub has_access: bool,
    /// The source has this person in this group.
    pub desired: bool,
    /// The roster has this person in this group.
    pub actual: bool,
}
