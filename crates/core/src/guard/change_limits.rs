//! What may happen by itself within a sliding window: so many removals (DA10), new members and changed profiles (PE8).

use super::{HoldReason, Review, is_simulated};
use crate::action::{ActionKind, ItemKey};
use crate::plan::{Action, Item, World};
use crate::policy::Limit;
use crate::roster::MemberStatus;
use std::collections::HashSet;

/// What is left of a limit, and what was taken of it.
pub(super) struct Budget {
    left: Option<u32>,
    taken: u32,
}

impl Budget {
    pub(super) fn new(limit: Option<&Limit>, managed: u32, before: u32) -> Self {
        Self { left: limit.map(|limit| limit.allowed(managed).saturating_sub(before)), taken: 0 }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left == Some(0)
    }

    pub(super) fn take(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.taken += 1;
    }

    /// What counts against the next run's; nothing where there is no limit.
    pub(super) fn taken(&self) -> u32 {
        self.left.map_or(0, |_| self.taken)
    }
}

/// Will this new member or changed profile be withheld whatever is left of its limit? It was before, in this plan's last
/// draft (`beyond`) or in a run that waits for an admin; so others may not count on it.
pub(crate) fn is_beyond_limit(world: &World, beyond: &HashSet<ItemKey>, item: ItemKey) -> bool {
    let (limit, reason) = match item.action {
        ActionKind::Provision => (&world.policy.creation_limit, HoldReason::CreationOverLimit),
        ActionKind::UpdateProfile => (&world.policy.modification_limit, HoldReason::ModificationOverLimit),
        _ => return false,
    };
    let held = beyond.contains(&item) || world.held.get(&item) == Some(&reason);
    limit.is_some() && held && !world.approved.contains(&item)
}

impl Review<'_> {
    /// In the order in which the directory announced the people.
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
        let beyond = is_beyond_limit(self.world, self.beyond, item.key());
        let budget =
            if reason == HoldReason::CreationOverLimit { &mut self.creations } else { &mut self.modifications };
        let over = beyond || budget.is_spent();
        if !over {
            budget.take();
        }
        over
    }

    fn limit_of(&self, item: &Item) -> Option<HoldReason> {
        if is_simulated(item) || self.is_approved(item) {
            return None;
        }
        match item.action {
            Action::Provision { .. } => self.may_provision(item).then_some(HoldReason::CreationOverLimit),
            // Who comes back does so with the address that is theirs by now: one change, and no limit's.
            Action::UpdateProfile { member, .. } => {
                let returns = self.members.get(&member).is_some_and(|member| member.status == MemberStatus::Removed);
                (!returns).then_some(HoldReason::ModificationOverLimit)
            }
            _ => None,
        }
    }
}
