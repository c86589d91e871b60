//! Protected members: the policy names them, and no sync suspends or removes them.

use super::review::Review;
use crate::action::{Action, Item};
use crate::hold_reason::HoldReason;

impl Review<'_> {
    /// Runs before anything is counted, because a protected admin who stays lets other admins go.
    pub(super) fn keep_protected(&mut self, items: Vec<Item>) -> Vec<Item> {
        let is_protected = |item: &Item| match item.action {
            Action::Suspend { member, .. } | Action::Remove { member, .. } | Action::ReleaseSeat { member } => {
                self.world.policy.protected_members.contains(&member) && item.is_live()
            }
            _ => false,
        };
        let (protected, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_protected);
        for item in protected {
            self.withhold(item, HoldReason::ProtectedMember);
        }
        others
    }
}
