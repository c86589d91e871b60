//! The roster: what the product holds about people (actual state).

use crate::ids::{DirectoryUserId, MemberId, SourceId};
use crate::policy::LocalAttribute;
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};

text_enum! {
    /// Where a member stands.
    MemberStatus {
        /// Known, takes no seat, got no mail: waits for an approval or a seat (PE2, LP5).
        Pending = "pending",
        /// Got an invitation and has not accepted it; profile changes wait until then (DX13).
        Invited = "invited",
        Active = "active",
        /// Has no access; keeps role, groups and vault for [`MemberState::suspended_from`] to bring back (PE4).
        Suspended = "suspended",
        /// Gone from the product; data is held for an admin (DX15).
        Removed = "removed",
    }
}

text_enum! {
    /// What a member may do in the product.
    Role { Owner = "owner", Admin = "admin", Member = "member" }
}

text_enum! {
    /// What a pending member waits for.
    WaitingFor { Seat = "seat", Approval = "approval" }
}

text_enum! {
    /// What an admin decided about a pending member (LP5). Only admins write it, and the last word counts.
    Approval {
        /// Comes in the normal way, also where the policy wants approvals.
        Approved = "approved",
        /// Does not come in by sync, whatever the policy says, until an admin approves.
        Declined = "declined",
    }
}

impl Role {
    /// May somebody of this role give a member another role? Owners are made, and unmade, by owners only.
    pub fn may_change(self, before: Self, after: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => before == after || (before != Self::Owner && after != Self::Owner),
            Self::Member => before == after,
        }
    }
}

/// What a directory may say about a person, and nothing else is ever copied (LP10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub email: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub external_id: Option<String>,
}

impl Profile {
    /// The value of an attribute that a policy may leave to the product (PE6).
    pub fn local(&self, attribute: LocalAttribute) -> &Option<String> {
        match attribute {
            LocalAttribute::DisplayName => &self.display_name,
            LocalAttribute::GivenName => &self.given_name,
            LocalAttribute::FamilyName => &self.family_name,
        }
    }

    pub fn local_mut(&mut self, attribute: LocalAttribute) -> &mut Option<String> {
        match attribute {
            LocalAttribute::DisplayName => &mut self.display_name,
            LocalAttribute::GivenName => &mut self.given_name,
            LocalAttribute::FamilyName => &mut self.family_name,
        }
    }
}

/// One member, as the planner needs to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    pub id: MemberId,
    pub profile: Profile,
    pub status: MemberStatus,
    pub role: Role,
    pub billing_contact: bool,
    /// The source that manages this member; unmanaged members are never touched (DX1).
    pub managed_by: Option<SourceId>,
    pub directory_user: Option<DirectoryUserId>,
    pub suspended_from: Option<MemberStatus>,
    pub waiting_for: Option<WaitingFor>,
    pub approval: Option<Approval>,
    /// Holds one of the bought seats.
    pub seated: bool,
    /// A guard withheld the irreversible part of this member's removal; only an approval lets it happen.
    pub held: bool,
}

impl MemberState {
    /// Can this member open anything now or by accepting an invitation? Losing it is what the removal limit counts.
    pub fn has_access(&self) -> bool {
        matches!(self.status, MemberStatus::Invited | MemberStatus::Active)
    }

    /// Waits, and an admin said that the waiting ends (LP5).
    pub fn is_let_in(&self) -> bool {
        self.waiting_for == Some(WaitingFor::Approval) && self.approval == Some(Approval::Approved)
    }

    /// Is this one of the people who can administer the tenant now (DA7)?
    pub fn is_active_admin(&self) -> bool {
        self.status == MemberStatus::Active && matches!(self.role, Role::Owner | Role::Admin)
    }

    /// Is this one of the people who can be reached about bills now (DA7)?
    pub fn is_active_billing_contact(&self) -> bool {
        self.status == MemberStatus::Active && self.billing_contact
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{Admin, Member, Owner};

    #[test]
    fn only_owners_make_and_unmake_owners() {
        for (by, before, after, may) in [
            (Owner, Member, Owner, true),
            (Owner, Owner, Member, true),
            (Admin, Member, Admin, true),
            (Admin, Admin, Member, true),
            (Admin, Member, Owner, false),
            (Admin, Owner, Admin, false),
            (Admin, Owner, Owner, true),
            (Member, Member, Admin, false),
        ] {
            assert_eq!(by.may_change(before, after), may, "{by}: {before} to {after}");
        }
    }
}
