//! What an admin released although a guard withheld it: an action, by what it is about. And the states of a run.

use crate::ids::SharingGroupId;
use crate::plan::{Action, Item, Subject};
use crate::roster::text_enum;

text_enum! {
    /// The word for an action, in the database, the API and the serialised form of the action itself.
    ActionKind {
        Provision = "provision",
        Adopt = "adopt",
        Relink = "relink",
        UpdateProfile = "update_profile",
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
        /// Of a rewind's step; it is shown by the word of the action that it is.
        Undo = "undo",
    }
}

text_enum! {
    /// Where a run stands.
    RunState {
        Applied = "applied",
        /// A guard withholds its items; an admin decides, or the source takes them back.
        Held = "held",
        /// Released, and not applied yet.
        Approved = "approved",
        Rejected = "rejected",
        /// The source took back everything that was held.
        Withdrawn = "withdrawn",
        /// What a promotion would do, or a rewind that waits for an approval.
        Planned = "planned",
        /// Was planned when its source was promoted.
        Promoted = "promoted",
        /// A rewind that a worker is still working out.
        Planning = "planning",
        /// Another run has taken it back.
        Rewound = "rewound",
    }
}

/// What makes two items of different plans the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    pub subject: Subject,
    pub action: ActionKind,
    /// Of a membership: one person has one in each group.
    pub group: Option<SharingGroupId>,
}

impl ItemKey {
    /// An action that is not about a membership.
    pub const fn of(subject: Subject, action: ActionKind) -> Self {
        Self { subject, action, group: None }
    }
}

impl Item {
    pub fn key(&self) -> ItemKey {
        ItemKey { subject: self.subject, action: self.action.kind(), group: self.action.membership_group() }
    }
}

impl Action {
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Provision { .. } => ActionKind::Provision,
            Self::Adopt { .. } => ActionKind::Adopt,
            Self::Relink { .. } => ActionKind::Relink,
            Self::UpdateProfile { .. } => ActionKind::UpdateProfile,
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

    /// The word for it, in the database and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Undo(step) => step.word(),
            action => action.kind().as_str(),
        }
    }

    /// The group of a membership that comes or goes.
    pub const fn membership_group(&self) -> Option<SharingGroupId> {
        match self {
            Self::AddToGroup { group, .. } | Self::RemoveFromGroup { group, .. } => Some(*group),
            _ => None,
        }
    }
}
