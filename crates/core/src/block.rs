//! Blocks: an admin shuts a member out, and no sync lets them in until an admin lifts it (decision 0076); and removals of members made by
//! hand (decision 0090). Everything here is about one member after the other, so that of many members in one call the last admin stays.

use crate::action::Why;
use crate::event::{DeviceWipe, Event, MemberDetail};
use crate::ids::MemberId;
use crate::plan::restored_status;
use crate::policy::Policy;
use crate::roster::{MemberState, MemberStatus, Role};
use crate::text_enum::text_enum;
use crate::world::Standing;

text_enum! {
    /// The reason why a member is not blocked or taken out, or a block not lifted.
    BlockRefusal {
        /// The caller is the member.
        Yourself = "yourself",
        /// Only an owner decides about an owner.
        TakesOwner = "takes_owner",
        ProtectedMember = "protected_member",
        LastAdmin = "last_active_admin",
        /// Nobody else could make an owner again.
        LastOwner = "last_active_owner",
        LastBillingContact = "last_billing_contact",
        /// No source lets the member in again, and no seat is free.
        NoSeat = "no_seat",
        /// The next word of the source would bring back whom an admin took out.
        ManagedBySource = "managed_by_source",
    }
}

impl BlockRefusal {
    /// The reason for people, with the remedy.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Yourself => "nobody shuts themselves out: ask another admin",
            Self::TakesOwner => "only an owner blocks, unblocks or takes out an owner",
            Self::ProtectedMember => {
                "the policy protects the member: take them out of `protected_members` first (PATCH /api/v1/policy)"
            }
            Self::LastAdmin => "the member is the last active admin: make another active member an admin first",
            Self::LastOwner => "the member is the last active owner: make another active member an owner first",
            Self::LastBillingContact => {
                "the member is the last billing contact: make another active member the billing contact first"
            }
            Self::NoSeat => {
                "the member was made by hand and needs a seat, and none is free: have the operator set more seats, or block or \
                 take out somebody else"
            }
            Self::ManagedBySource => {
                "a source manages the member, and would bring them back: disable or delete the person there, or block the member (POST \
                 /api/v1/members/{id}/block)"
            }
        }
    }
}

/// An admin at work on blocks and removals, with the counts that the earlier ones of the call left.
#[derive(Debug)]
pub struct Blocks<'p> {
    policy: &'p Policy,
    by: Role,
    caller: Option<MemberId>,
    admins_left: usize,
    owners_left: usize,
    billing_contacts_left: usize,
    seats_free: i64,
}

/// A change of one member, and its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockChange {
    pub before: MemberState,
    pub after: MemberState,
    pub events: Vec<Event>,
}

impl BlockChange {
    /// True if the unblocked member is back only when an owner approves it.
    pub fn awaits_owner(&self) -> bool {
        let lifted = self.before.is_blocked() && !self.after.is_blocked();
        lifted && self.after.managed_by.is_some() && self.after.is_privileged() && !self.after.has_access()
    }

    /// Seats that the change takes; negative for those that it frees.
    pub fn seats(&self) -> i64 {
        i64::from(self.after.seated) - i64::from(self.before.seated)
    }
}

/// The rest of an unblock of such a member, whom their source lets in by a held run.
pub const AWAITS_OWNER: &str = "the source that manages this owner, admin or auditor lets them in by a run that waits for an \
                                owner (GET /api/v1/runs?state=held, then POST /api/v1/runs/{id}/approve)";

/// `None` when the member is as it was asked for already.
type Decided = Result<Option<BlockChange>, BlockRefusal>;

impl<'p> Blocks<'p> {
    /// `caller` is the member who signed in; none for a key or an operator. `owners` are the active ones.
    pub fn by(by: Role, caller: Option<MemberId>, policy: &'p Policy, standing: &Standing, owners: usize) -> Self {
        Self {
            policy,
            by,
            caller,
            admins_left: standing.active_admins.len(),
            owners_left: owners,
            billing_contacts_left: standing.active_billing_contacts.len(),
            seats_free: i64::from(standing.seats_bought) - i64::from(standing.seats_used),
        }
    }

    /// Ends a member's access and seat at once, under no limit, since an admin means it.
    ///
    /// # Errors
    /// [`BlockRefusal`]; then nothing is counted.
    pub fn block(&mut self, member: &MemberState) -> Decided {
        if member.is_blocked() {
            return Ok(None);
        }
        self.refuse(member)?;
        let before = member.clone();
        let mut after = MemberState { blocked_from: Some(before.status), ..before.clone() };
        if before.status != MemberStatus::Removed {
            if before.status != MemberStatus::Suspended {
                after.suspended_from = Some(before.status);
            }
            after.status = MemberStatus::Suspended;
            (after.seated, after.held, after.waiting_for) = (false, false, None);
        }
        let detail = MemberDetail::Blocked { from: before.status, seat_released: before.seated };
        let event = Event::MemberBlocked(before.id, detail);
        Ok(Some(self.leaves(before, after, event, Why::BlockedByAdmin)))
    }

    /// Takes out a member who was made by hand: an open invitation is withdrawn, a wait ends, and the address is free. A block stays, so
    /// that nobody comes back by an invitation.
    ///
    /// # Errors
    /// [`BlockRefusal`]; then nothing is counted.
    pub fn remove(&mut self, member: &MemberState) -> Decided {
        if member.status == MemberStatus::Removed {
            return Ok(None);
        }
        if member.managed_by.is_some() {
            return Err(BlockRefusal::ManagedBySource);
        }
        self.refuse(member)?;
        let before = member.clone();
        let after = MemberState {
            status: MemberStatus::Removed,
            suspended_from: Some(before.suspended_from.unwrap_or(before.status)),
            waiting_for: None,
            seated: false,
            held: false,
            ..before.clone()
        };
        let why = Why::RemovedByAdmin;
        let event = Event::MemberRemoved(before.id, MemberDetail::Removed { from: before.status, why });
        Ok(Some(self.leaves(before, after, event, why)))
    }

    /// Counts a member who has no access any more.
    fn leaves(&mut self, before: MemberState, after: MemberState, event: Event, why: Why) -> BlockChange {
        self.admins_left -= usize::from(before.is_active_admin());
        self.owners_left -= usize::from(is_active_owner(&before));
        self.billing_contacts_left -= usize::from(before.is_active_billing_contact());
        self.seats_free += i64::from(before.seated);
        let mut events = vec![event];
        // A member who was never active has no data on a device.
        if before.status == MemberStatus::Active && self.policy.wipe_on_suspend {
            events.push(Event::DeviceWipeRequested(before.id, DeviceWipe { why }));
        }
        BlockChange { before, after, events }
    }

    /// Lifts a block. A managed member comes in by their source, in the normal way; nobody else would let a member in who was made
    /// by hand, so they get back what the block took. A member whose address went to another person has left.
    ///
    /// # Errors
    /// [`BlockRefusal`]; then nothing is counted.
    pub fn unblock(&mut self, member: &MemberState) -> Decided {
        let Some(from) = member.blocked_from else { return Ok(None) };
        self.refuse_lesser(member)?;
        let before = member.clone();
        let mut after = MemberState { blocked_from: None, ..before.clone() };
        let out = before.status == MemberStatus::Suspended && before.holds_address();
        if before.managed_by.is_none() && out && gives_access(from) {
            if self.seats_free < 1 {
                return Err(BlockRefusal::NoSeat);
            }
            (after.status, after.suspended_from, after.seated) = (from, None, true);
            self.seats_free -= 1;
        }
        self.admins_left += usize::from(after.is_active_admin());
        self.owners_left += usize::from(is_active_owner(&after));
        self.billing_contacts_left += usize::from(after.is_active_billing_contact());
        let detail = MemberDetail::Unblocked { to: after.status, seat_taken: after.seated };
        Ok(Some(BlockChange { before, after, events: vec![Event::MemberUnblocked(member.id, detail)] }))
    }

    fn refuse(&self, member: &MemberState) -> Result<(), BlockRefusal> {
        self.refuse_lesser(member)?;
        if self.caller == Some(member.id) {
            return Err(BlockRefusal::Yourself);
        }
        if self.policy.protected_members.contains(&member.id) {
            return Err(BlockRefusal::ProtectedMember);
        }
        if member.is_active_admin() && self.admins_left <= 1 {
            return Err(BlockRefusal::LastAdmin);
        }
        if is_active_owner(member) && self.owners_left <= 1 {
            return Err(BlockRefusal::LastOwner);
        }
        if member.is_active_billing_contact() && self.billing_contacts_left <= 1 {
            return Err(BlockRefusal::LastBillingContact);
        }
        Ok(())
    }

    fn refuse_lesser(&self, member: &MemberState) -> Result<(), BlockRefusal> {
        let may = self.by == Role::Owner || member.role != Role::Owner;
        if may { Ok(()) } else { Err(BlockRefusal::TakesOwner) }
    }
}

/// The status that a member would have without their block, when their source loses its say and they stay as a member made by
/// hand: the source is not asked again at the unblock. `wanted`: by its last word the source wants the person in. `None` for a
/// member who is not blocked.
pub fn without_block(policy: &Policy, member: &MemberState, wanted: bool, seat_is_free: bool) -> Option<MemberStatus> {
    let found = member.blocked_from?;
    let left = !wanted || !member.holds_address();
    Some(match found {
        MemberStatus::Removed => found,
        _ if left => MemberStatus::Suspended,
        // A person who had left came back behind the block. An owner or admin comes back by an owner's approval alone.
        MemberStatus::Suspended if seat_is_free && !member.is_privileged() => restored_status(policy, member),
        _ => found,
    })
}

fn gives_access(status: MemberStatus) -> bool {
    matches!(status, MemberStatus::Invited | MemberStatus::Active)
}

fn is_active_owner(member: &MemberState) -> bool {
    member.role == Role::Owner && member.status == MemberStatus::Active
}
