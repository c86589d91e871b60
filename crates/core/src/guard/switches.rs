//! The policy's switches: provisioning and deprovisioning can be turned off (DA1, DA11).

use super::review::Review;
use crate::action::{Action, Item};
use crate::hold_reason::HoldReason;
use crate::roster::{MemberState, MemberStatus};

impl Review<'_> {
    pub(super) fn may_provision(&self, item: &Item) -> bool {
        self.world.policy.auto_provision || self.is_approved(item)
    }

    /// Decides a departure while deprovisioning is off. The switch is about access: a member who waits for a seat or an
    /// approval has none, and must not get it any more.
    pub(super) fn leave_without_deprovisioning(&mut self, item: Item, member: &MemberState, from: MemberStatus) {
        match (from, &item.action) {
            (MemberStatus::Pending, Action::Suspend { .. }) => self.verdict.apply.push(item),
            (MemberStatus::Pending, _) => self.suspend_only(item, member, from, HoldReason::DeprovisioningOff),
            _ => self.withhold(item, HoldReason::DeprovisioningOff),
        }
    }
}
