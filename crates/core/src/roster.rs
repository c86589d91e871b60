//! The roster: the actual state, in the product.

use crate::ids::{DirectoryUserId, MemberId, SourceId};
use crate::policy::LocalAttribute;
use crate::search;
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};

text_enum! {
    /// Status of a member.
    MemberStatus {
        /// Known, without a seat or a mail: waits for an approval or a seat (PE2, LP5).
        Pending = "pending",
        /// Has an open invitation; profile changes wait until it is accepted (DX13).
        Invited = "invited",
        Active = "active",
        /// Has no access; keeps role, groups and vault, which a return to [`MemberState::suspended_from`] restores
        /// (PE4).
        Suspended = "suspended",
        /// Gone from the product; an admin still has the data (DX15).
        Removed = "removed",
    }
}

text_enum! {
    /// A member's role in the product.
    Role {
        Owner = "owner",
        Admin = "admin",
        /// Reads what an admin reads, and changes nothing.
        Auditor = "auditor",
        Member = "member",
    }
}

text_enum! {
    /// Reason for a pending member to wait.
    WaitingFor { Seat = "seat", Approval = "approval" }
}

text_enum! {
    /// An admin's decision about a pending member (LP5). Only admins write it, and the last one counts.
    Approval {
        /// Joins in the normal way, also where the policy requires approvals.
        Approved = "approved",
        /// Does not join by sync, whatever the policy is, until an admin approves.
        Declined = "declined",
    }
}

impl Role {
    /// True if a caller of this role may do what the least role may.
    pub const fn is_at_least(self, least: Self) -> bool {
        match least {
            Self::Owner => matches!(self, Self::Owner),
            Self::Admin => self.is_admin(),
            Self::Auditor => self.is_privileged(),
            Self::Member => true,
        }
    }

    /// True for the roles that change things: a tenant keeps at least one active member who has one (DA7).
    pub const fn is_admin(self) -> bool {
        match self {
            Self::Owner | Self::Admin => true,
            Self::Auditor | Self::Member => false,
        }
    }

    /// True for the roles that open more than a member's own account: no source takes one over by itself.
    pub const fn is_privileged(self) -> bool {
        match self {
            Self::Owner | Self::Admin | Self::Auditor => true,
            Self::Member => false,
        }
    }

    /// The role with which a member signs in; none for members without authority. A billing contact may read.
    pub const fn signs_in_as(self, billing_contact: bool) -> Option<Self> {
        match self {
            Self::Owner | Self::Admin | Self::Auditor => Some(self),
            Self::Member if billing_contact => Some(Self::Member),
            Self::Member => None,
        }
    }

    /// True if a member of this role may change another's role from `before` to `after`. Only owners may make or unmake
    /// owners.
    pub fn may_change(self, before: Self, after: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => before == after || (before != Self::Owner && after != Self::Owner),
            Self::Auditor | Self::Member => before == after,
        }
    }
}

/// The attributes of a person that are copied from a directory; no other attribute ever is (LP10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub email: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub external_id: Option<String>,
}

impl Profile {
    /// The value of an attribute that the product may own (PE6).
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

/// One member, as the planner needs it.
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
    /// The record that fed the member before another one of the same external id took over, and that still exists.
    pub former_record: Option<DirectoryUserId>,
    pub suspended_from: Option<MemberStatus>,
    pub waiting_for: Option<WaitingFor>,
    pub approval: Option<Approval>,
    /// The status that an admin's block found. Only admins write it; no sync lets a blocked member in.
    pub blocked_from: Option<MemberStatus>,
    /// Holds one of the bought seats.
    pub seated: bool,
    /// A guard withheld the irreversible part of this member's removal; only an approval releases it.
    pub held: bool,
}

/// The address that stands for one which a member gave up: the member's own id before it, as Entra names deleted people.
/// It is unique, it is nobody's mailbox, and the former address can be read from it.
pub fn given_up(id: MemberId, email: &str) -> String {
    format!("{}{email}", id.0.simple())
}

/// The address that this member gave up, if `email` stands for one.
pub fn former_address(id: MemberId, email: &str) -> Option<&str> {
    let mut buffer = uuid::Uuid::encode_buffer();
    email.strip_prefix(&*id.0.simple().encode_lower(&mut buffer))
}

impl MemberState {
    /// The address that the member had before another person got it.
    pub fn gave_up(&self) -> Option<&str> {
        former_address(self.id, &self.profile.email)
    }

    /// The member's address, or the one that the member gave up and would have again.
    pub fn own_address(&self) -> &str {
        self.gave_up().unwrap_or(&self.profile.email)
    }

    /// The words by which the person is found, also by an address that they gave up.
    pub fn search_text(&self) -> String {
        let Profile { display_name, given_name, family_name, .. } = &self.profile;
        search::text(self.own_address(), [display_name, given_name, family_name].map(Option::as_deref))
    }

    /// False for a removed member, and for one who gave the address up: they return only to a free address.
    pub fn holds_address(&self) -> bool {
        self.status != MemberStatus::Removed && self.gave_up().is_none()
    }

    /// True if the member has access now or by accepting an invitation. The removal limit counts losses of it.
    pub fn has_access(&self) -> bool {
        matches!(self.status, MemberStatus::Invited | MemberStatus::Active)
    }

    /// True while an admin's block is in force. Such a member is suspended or removed, and has no seat.
    pub fn is_blocked(&self) -> bool {
        self.blocked_from.is_some()
    }

    /// True for a pending member whose wait an admin has ended (LP5).
    pub fn is_let_in(&self) -> bool {
        self.waiting_for == Some(WaitingFor::Approval) && self.approval == Some(Approval::Approved)
    }

    /// True for an owner, admin or auditor, whatever the status: a return gives the role back.
    pub fn is_privileged(&self) -> bool {
        self.role.is_privileged()
    }

    /// True for an active admin or owner (DA7).
    pub fn is_active_admin(&self) -> bool {
        self.status == MemberStatus::Active && self.role.is_admin()
    }

    /// True for an active billing contact (DA7).
    pub fn is_active_billing_contact(&self) -> bool {
        self.status == MemberStatus::Active && self.billing_contact
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{self, Admin, Auditor, Member, Owner};

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
            (Admin, Member, Auditor, true),
            (Admin, Auditor, Member, true),
            (Auditor, Member, Auditor, false),
            (Auditor, Auditor, Member, false),
            (Member, Member, Admin, false),
        ] {
            assert_eq!(by.may_change(before, after), may, "{by}: {before} to {after}");
        }
    }

    #[test]
    fn the_roles_are_in_one_order() {
        let order = [Owner, Admin, Auditor, Member];
        assert_eq!(order.as_slice(), Role::ALL);
        for (place, role) in order.iter().enumerate() {
            for (other, least) in order.iter().enumerate() {
                assert_eq!(role.is_at_least(*least), place <= other, "{role}, {least}");
            }
            assert_eq!((role.is_admin(), role.is_privileged()), (place < 2, place < 3), "{role}");
        }
    }
}
