//! Actions: the changes of the roster that a plan consists of, and the key by which two plans mean the same item.

use crate::change::{Impossible, Step, Subject, Target};
use crate::digest::PlanDigest;
use crate::directory::{Dispute, Origin};
use crate::hold_reason::HoldReason;
use crate::ids::{MemberId, SharingGroupId};
use crate::roster::{MemberStatus, Profile, WaitingFor};
use crate::text_enum::text_enum;
use serde::Serialize;
use uuid::Uuid;

text_enum! {
    /// The cause of an item.
    Why {
        NewInDirectory = "new_in_directory",
        MatchedByEmail = "matched_by_email",
        /// Another person of the same source has the address now, and the member has no access.
        AddressGivenOn = "address_given_on",
        MatchedByExternalId = "matched_by_external_id",
        /// The record was linked to this member before another source took the member over.
        LinkedBefore = "linked_before",
        ProfileChanged = "profile_changed",
        DisabledAtSource = "disabled_at_source",
        DeletedAtSource = "deleted_at_source",
        /// No group of the policy's user scope has the person any more (DX6).
        OutOfScope = "out_of_scope",
        ActiveAtSource = "active_at_source",
        SeatBecameFree = "seat_became_free",
        ApprovedByAdmin = "approved_by_admin",
        BlockedByAdmin = "blocked_by_admin",
        /// An admin took a member out who was made by hand.
        RemovedByAdmin = "removed_by_admin",
        /// The identity provider named the group at a sign-in (DS8).
        AssertedAtSignIn = "asserted_at_sign_in",
        RenamedAtSource = "renamed_at_source",
        AddedAtSource = "added_at_source",
        RemovedAtSource = "removed_at_source",
        TakenBack = "taken_back",
        /// The member's source was detached and its people stay (PE7).
        SourceDetached = "source_detached",
        /// A promoted source does not have the member's record.
        NotInSource = "not_in_source",
        /// An admin deleted the sharing group in the product (DX20).
        DeletedInProduct = "deleted_in_the_product",
    }
}

/// One change of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Makes a member: `Pending` exactly when `waiting_for` is given, and `Suspended` when the person left before a worker
    /// first looked.
    Provision {
        profile: Profile,
        status: MemberStatus,
        waiting_for: Option<WaitingFor>,
    },
    /// Lets a source manage a member that exists already.
    Adopt {
        member: MemberId,
        external_id: Option<String>,
    },
    /// Links a returning person's new record to the member that they had.
    Relink {
        member: MemberId,
        external_id: Option<String>,
    },
    UpdateProfile {
        member: MemberId,
        before: Profile,
        after: Profile,
    },
    /// The member without access gives the address to the person of the item's record, and keeps everything else.
    GiveUpAddress {
        member: MemberId,
        before: String,
        after: String,
    },
    /// Ends access; a restore brings `from` back. Without `release_seat` the irreversible part waits.
    Suspend {
        member: MemberId,
        from: MemberStatus,
        release_seat: bool,
    },
    /// Frees the seat of a suspended member.
    ReleaseSeat {
        member: MemberId,
    },
    Remove {
        member: MemberId,
        from: MemberStatus,
    },
    /// Gives back exactly what a suspension or removal took (PE4), or admits a person who waited for a seat.
    Restore {
        member: MemberId,
        from: MemberStatus,
        to: MemberStatus,
    },
    /// A suspended or removed member returned, or a pending one was approved, and no seat is free.
    Waitlist {
        member: MemberId,
    },
    /// The source does not want the member any more, so the waiting ends.
    StopWaiting {
        member: MemberId,
    },
    CreateGroup {
        name: String,
    },
    AdoptGroup {
        group: SharingGroupId,
        name: String,
    },
    RenameGroup {
        group: SharingGroupId,
        before: String,
        after: String,
    },
    RemoveGroup {
        group: SharingGroupId,
    },
    AddToGroup {
        group: SharingGroupId,
        member: MemberId,
    },
    RemoveFromGroup {
        group: SharingGroupId,
        member: MemberId,
    },
    /// Takes back an item of an earlier run; only an approved rewind has it.
    Undo(Step),
}

/// One action of a plan, with its subject and its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub subject: Subject,
    #[serde(flatten)]
    pub action: Action,
    pub why: Why,
    /// `None` for an action of Rollcall itself, such as letting in the next person on the waitlist.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// A skipped record, and the text that is in dispute: an address, a name, or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    pub subject: Subject,
    pub dispute: Dispute,
    pub about: String,
}

/// The changes that the touched subjects ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub items: Vec<Item>,
    pub disputed: Vec<Disputed>,
    /// Steps of a rewind that are impossible, by their id.
    pub impossible: Vec<(Uuid, Impossible)>,
}

text_enum! {
    /// The kind of an action, as the database, the API and the serialised action name it.
    ActionKind {
        Provision = "provision",
        Adopt = "adopt",
        Relink = "relink",
        UpdateProfile = "update_profile",
        GiveUpAddress = "give_up_address",
        Suspend = "suspend",
        ReleaseSeat = "release_seat",
        Remove = "remove",
        Restore = "restore",
        Waitlist = "waitlist",
        StopWaiting = "stop_waiting",
        CreateGroup = "create_group",
        AdoptGroup = "adopt_group",
        RenameGroup = "rename_group",
        RemoveGroup = "remove_group",
        AddToGroup = "add_to_group",
        RemoveFromGroup = "remove_from_group",
        /// A step of a rewind; it is shown under the name of its [`StepKind`](crate::change::StepKind).
        Undo = "undo",
    }
}

/// The identity of an item across plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    pub subject: Subject,
    pub action: ActionKind,
    /// Only for a membership, because one person has one in each group.
    pub group: Option<SharingGroupId>,
}

impl ItemKey {
    /// The key of an action that is not about a membership.
    pub const fn of(subject: Subject, action: ActionKind) -> Self {
        Self { subject, action, group: None }
    }
}

impl Item {
    pub fn key(&self) -> ItemKey {
        ItemKey { subject: self.subject, action: self.action.kind(), group: self.action.membership_group() }
    }

    /// The digest of its subject, action and cause.
    ///
    /// # Errors
    /// An item that is no JSON, which no item is.
    pub fn digest(&self) -> Result<PlanDigest, serde_json::Error> {
        Ok(PlanDigest::of(&serde_json::to_string(self)?))
    }

    /// Does a live source ask for it, or Rollcall itself?
    pub(crate) fn is_live(&self) -> bool {
        self.origin.is_none_or(|origin| origin.is_live())
    }

    /// The reason why all items of this item's source are withheld now.
    pub(crate) fn silenced(&self) -> Option<HoldReason> {
        let origin = self.origin.filter(|origin| !origin.is_live())?;
        Some(if origin.quarantined { HoldReason::Quarantined } else { HoldReason::Simulation })
    }
}

impl Action {
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Provision { .. } => ActionKind::Provision,
            Self::Adopt { .. } => ActionKind::Adopt,
            Self::Relink { .. } => ActionKind::Relink,
            Self::UpdateProfile { .. } => ActionKind::UpdateProfile,
            Self::GiveUpAddress { .. } => ActionKind::GiveUpAddress,
            Self::Suspend { .. } => ActionKind::Suspend,
            Self::ReleaseSeat { .. } => ActionKind::ReleaseSeat,
            Self::Remove { .. } => ActionKind::Remove,
            Self::Restore { .. } => ActionKind::Restore,
            Self::Waitlist { .. } => ActionKind::Waitlist,
            Self::StopWaiting { .. } => ActionKind::StopWaiting,
            Self::CreateGroup { .. } => ActionKind::CreateGroup,
            Self::AdoptGroup { .. } => ActionKind::AdoptGroup,
            Self::RenameGroup { .. } => ActionKind::RenameGroup,
            Self::RemoveGroup { .. } => ActionKind::RemoveGroup,
            Self::AddToGroup { .. } => ActionKind::AddToGroup,
            Self::RemoveFromGroup { .. } => ActionKind::RemoveFromGroup,
            Self::Undo(_) => ActionKind::Undo,
        }
    }

    /// The name in the database and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Undo(step) => step.kind().as_str(),
            action => action.kind().as_str(),
        }
    }

    /// The group whose membership changes.
    pub const fn membership_group(&self) -> Option<SharingGroupId> {
        match self {
            Self::AddToGroup { group, .. } | Self::RemoveFromGroup { group, .. } => Some(*group),
            _ => None,
        }
    }

    /// The member, group or membership that the action changes; `None` when it makes a new one.
    pub fn target(&self) -> Option<Target> {
        match *self {
            Self::Provision { .. } | Self::CreateGroup { .. } => None,
            Self::Adopt { member, .. }
            | Self::Relink { member, .. }
            | Self::UpdateProfile { member, .. }
            | Self::GiveUpAddress { member, .. }
            | Self::Suspend { member, .. }
            | Self::ReleaseSeat { member }
            | Self::Remove { member, .. }
            | Self::Restore { member, .. }
            | Self::Waitlist { member }
            | Self::StopWaiting { member } => Some(Target::Member(member)),
            Self::AdoptGroup { group, .. } | Self::RenameGroup { group, .. } | Self::RemoveGroup { group } => {
                Some(Target::Group(group))
            }
            Self::AddToGroup { group, member } | Self::RemoveFromGroup { group, member } => {
                Some(Target::Membership(group, member))
            }
            Self::Undo(ref step) => Some(step.target),
        }
    }
}
