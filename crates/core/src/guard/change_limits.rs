//! The limits of new members and of changed profiles within a sliding window (PE8).

use super::review::Review;
use crate::action::{Action, Item};
use crate::hold_reason::HoldReason;

impl Review<'_> {
    /// Withholds the items over a limit, in the order in which the directory announced the people.
    pub(super) fn limit_changes(&mut self, items: Vec<Item>) -> Vec<Item> {
        let mut others = Vec::with_capacity(items.len());
        for item in items {
            match self.limit_of(&item) {
                Some(reason) if self.is_over(&item, reason) => self.withhold(item, reason),
                _ => others.push(item),
            }
        }
        others
    }

    fn is_over(&mut self, item: &Item, reason: HoldReason) -> bool {
        let beyond = self.world.withholds_change(self.beyond, item.key());
        let allowance =
            if reason == HoldReason::CreationOverLimit { &mut self.creations } else { &mut self.modifications };
        let over = beyond || allowance.is_spent();
        if !over {
            allowance.take();
        }
        over
    }

    /// The limit that counts this item.
    fn limit_of(&self, item: &Item) -> Option<HoldReason> {
        if !item.is_live() || self.is_approved(item) {
            return None;
        }
        match item.action {
            Action::Provision { .. } => self.may_provision(item).then_some(HoldReason::CreationOverLimit),
            // A returning member takes on the present address with the same change, and no limit counts it.
            Action::UpdateProfile { member, .. } => {
                let holds = self.members.get(&member).is_none_or(|member| member.holds_address());
                holds.then_some(HoldReason::ModificationOverLimit)
            }
            _ => None,
        }
    }
}
