//! The removal limit: the number of people who may lose access automatically within the policy's window (DA10).

use super::review::Review;
use crate::action::{Action, Item};
use crate::hold_reason::HoldReason;
use crate::roster::{MemberState, MemberStatus};

impl Review<'_> {
    /// Would this departure exceed the limit, or was it withheld over the limit before?
    pub(super) fn is_over_removal_limit(&self, item: &Item, member: &MemberState) -> bool {
        let held = member.held || self.stays_held(item, HoldReason::RemovalOverLimit);
        held || (member.has_access() && self.removals.is_spent())
    }

    /// Ends access at once and withholds the irreversible part: the seat, and the removal itself.
    pub(super) fn suspend_only(&mut self, item: Item, member: &MemberState, from: MemberStatus, reason: HoldReason) {
        let id = member.id;
        let rest = match item.action {
            Action::Remove { .. } => Action::Remove { member: id, from: MemberStatus::Suspended },
            _ => Action::ReleaseSeat { member: id },
        };
        if from != MemberStatus::Suspended {
            let action = Action::Suspend { member: id, from, release_seat: false };
            self.verdict.apply.push(Item { action, ..item.clone() });
        }
        self.withhold(Item { action: rest, ..item }, reason);
    }
}
