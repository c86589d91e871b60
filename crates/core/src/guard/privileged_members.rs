//! Privileged members: no source takes over, re-addresses, suspends, restores or removes an owner, admin or auditor before
//! an owner approved exactly that change. An account that may change the policy, or read everything, is worth more than the directory
//! that feeds it.

use super::review::Review;
use crate::action::{Action, Item};
use crate::change::{Step, Subject};
use crate::hold_reason::HoldReason;
use crate::ids::MemberId;
use std::collections::HashSet;

/// The member whose link, address or status a source changes by this action. Names and groups open nobody's account.
pub(super) fn account_of(action: &Action) -> Option<MemberId> {
    match action {
        Action::Adopt { member, .. }
        | Action::Relink { member, .. }
        | Action::Suspend { member, .. }
        | Action::ReleaseSeat { member }
        | Action::Remove { member, .. }
        | Action::Restore { member, .. } => Some(*member),
        Action::UpdateProfile { member, before, after } => (before.email != after.email).then_some(*member),
        _ => None,
    }
}

impl Review<'_> {
    /// Runs before anything is counted, because an admin who stays uses no limit up and lets other admins go.
    pub(super) fn keep_privileged(&mut self, items: Vec<Item>) -> Vec<Item> {
        // A link that waits for an owner leaves the rest of the record without a member.
        let links = |item: &&Item| matches!(item.action, Action::Adopt { .. } | Action::Relink { .. });
        let unlinked = items.iter().filter(links).filter(|item| self.awaits_owner(item));
        let unlinked: HashSet<Subject> = unlinked.map(|item| item.subject).collect();
        let mut others = Vec::with_capacity(items.len());
        for item in items {
            let of_link = item.origin.is_some() && unlinked.contains(&item.subject);
            if of_link || self.awaits_owner(&item) {
                self.withhold(item, HoldReason::PrivilegedMember);
            } else {
                others.push(item);
            }
        }
        others
    }

    /// Would a source change a privileged member by this item, and did no owner approve this very item?
    fn awaits_owner(&self, item: &Item) -> bool {
        let asked = item.origin.is_some() && item.is_live();
        asked && account_of(&item.action).is_some_and(|id| self.is_privileged(id)) && !self.owner_approved(item)
    }

    fn owner_approved(&self, item: &Item) -> bool {
        let approved = self.world.approved_by_owner.get(&item.key());
        approved.is_some_and(|approved| item.digest().is_ok_and(|digest| digest == *approved))
    }

    /// Would this step of a rewind change a privileged member, and did no owner approve the rewind?
    pub(super) fn is_kept_from(&self, step: &Step) -> bool {
        let reaches = self.world.rewind.reaches_privileged;
        !reaches && step.changes_account().is_some_and(|id| self.is_privileged(id))
    }

    fn is_privileged(&self, id: MemberId) -> bool {
        self.members.get(&id).is_some_and(|member| member.is_privileged())
    }
}
