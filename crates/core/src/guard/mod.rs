//! The guards: they withhold the items that need an admin's decision. Each guard is a named rule in a file of its own; it
//! withholds the smallest part that would break it, and the rest goes on.

mod allowance;
mod change_limits;
mod group_wipe;
mod invariants;
mod outlook;
mod privileged_members;
mod protected_members;
mod removal_limit;
mod review;
mod seats;
mod switches;

pub use outlook::would_hold;
pub use review::Verdict;

use crate::action::{Action, Item, ItemKey, Plan};
use crate::change::{Impossible, Step};
use crate::hold_reason::HoldReason;
use crate::ids::MemberId;
use crate::plan::{plan_rewind, plan_without};
use crate::policy::OverLimit;
use crate::roster::{MemberState, MemberStatus};
use crate::world::World;
use invariants::returning;
use review::Review;
use seats::claims_seat;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Splits a plan into the items that may happen now and those that are withheld, with the reason.
pub fn review(mut plan: Plan, world: &World) -> Verdict {
    let mut blocked: HashMap<Uuid, Impossible> = HashMap::new();
    let mut beyond: HashSet<ItemKey> = HashSet::new();
    loop {
        let mut impossible = std::mem::take(&mut plan.impossible);
        let disputed = std::mem::take(&mut plan.disputed);
        let verdict = split(plan, world, &beyond);
        let over = verdict.withheld.iter().filter(|(item, reason)| keeps_address(item, *reason));
        let over = over.map(|(item, _)| item.key());
        let over: Vec<ItemKey> = over.filter(|key| !world.withholds_change(&beyond, *key)).collect();
        if !over.is_empty() {
            // An address that stays with its member cannot be given to another one.
            beyond.extend(over);
            plan = plan_without(world, &beyond);
            continue;
        }
        if verdict.impossible.is_empty() {
            return Verdict { impossible, disputed, ..verdict };
        }
        // A step that is not taken back keeps an address that others counted on, so they are judged again without it.
        impossible.extend(verdict.impossible);
        blocked.extend(impossible);
        plan = plan_rewind(world, &blocked);
    }
}

/// Does an address stay where it is because this item is withheld?
fn keeps_address(item: &Item, reason: HoldReason) -> bool {
    let moves = matches!(item.action, Action::UpdateProfile { .. } | Action::Restore { .. });
    reason.is_of_changes() || (reason == HoldReason::PrivilegedMember && moves)
}

fn split(plan: Plan, world: &World, beyond: &HashSet<ItemKey>) -> Verdict {
    let members: HashMap<MemberId, &MemberState> = world.members().map(|member| (member.id, member)).collect();
    let mut back = returning(&plan.items, &members);
    // An admin who returns lets the last one go, but only the verdict shows whether there is a seat to return to.
    while !back.is_empty() {
        let verdict = Review::new(world, &members, (&back, beyond)).run(plan.items.clone());
        let restored = returning(&verdict.apply, &members);
        if back.is_subset(&restored) {
            return verdict;
        }
        back.retain(|id| restored.contains(id));
    }
    Review::new(world, &members, (&back, beyond)).run(plan.items)
}

impl<'w> Review<'w> {
    fn run(mut self, items: Vec<Item>) -> Verdict {
        let items = self.keep_protected(items);
        let items = self.keep_privileged(items);
        let items = self.keep_groups(items);
        let items = self.limit_changes(items);
        let (claims, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(claims_seat);
        let leaving: Vec<&'w MemberState> = others.iter().filter_map(|item| self.leaver(item)).collect();
        self.invariants.choose_keeper(&leaving);
        for item in others {
            self.decide(item);
        }
        self.give_seats(claims);
        self.verdict.removals = self.removals.taken();
        self.verdict.creations = self.creations.taken();
        self.verdict.modifications = self.modifications.taken();
        self.verdict
    }

    /// The member who would leave by this item.
    fn leaver(&self, item: &Item) -> Option<&'w MemberState> {
        let id = match &item.action {
            Action::Suspend { member, .. } | Action::Remove { member, .. } => *member,
            Action::Undo(step) => step.deactivates()?,
            _ => return None,
        };
        self.members.get(&id).copied().filter(|_| item.is_live())
    }

    fn decide(&mut self, item: Item) {
        if let Some(reason) = item.silenced() {
            let before = HoldReason::RemovalOverLimit;
            let reason = if self.stays_held(&item, before) { before } else { reason };
            return self.withhold(item, reason);
        }
        match item.action {
            Action::Suspend { member, from, .. } | Action::Remove { member, from } => {
                self.decide_leaving(item, member, from)
            }
            Action::ReleaseSeat { .. } if self.is_approved(&item) => {
                self.seats_free += 1;
                self.verdict.apply.push(item);
            }
            Action::ReleaseSeat { .. } => self.withhold(item, HoldReason::RemovalOverLimit),
            Action::Undo(ref step) => {
                let step = step.clone();
                self.take_back(item, &step);
            }
            Action::Provision { .. } if !self.may_provision(&item) => {
                self.withhold(item, HoldReason::ProvisioningOff);
            }
            _ => self.verdict.apply.push(item),
        }
    }

    fn decide_leaving(&mut self, item: Item, id: MemberId, from: MemberStatus) {
        let Some(member) = self.members.get(&id).copied() else { return };
        let approved = self.is_approved(&item);
        if !self.world.policy.auto_deprovision && !approved {
            return self.leave_without_deprovisioning(item, member, from);
        }
        if let Some(broken) = self.invariants.broken_without(member) {
            return self.withhold(item, broken.into());
        }
        let over_limit = !approved && self.is_over_removal_limit(&item, member);
        if over_limit && self.world.policy.over_limit == OverLimit::Hold {
            return self.withhold(item, HoldReason::RemovalOverLimit);
        }
        if member.has_access() {
            // A departure that an admin released does not count against the allowance of automatic ones.
            if !approved {
                self.removals.take();
            }
            self.invariants.count_departure(member);
        }
        if over_limit {
            self.suspend_only(item, member, from, HoldReason::RemovalOverLimit);
        } else {
            self.seats_free += i64::from(member.seated);
            self.verdict.apply.push(item);
        }
    }

    /// Decides a step of a rewind. An admin requested it, so limits and switches do not apply; the invariants do.
    fn take_back(&mut self, item: Item, step: &Step) {
        if step.takes_away().is_some_and(|id| self.world.policy.protected_members.contains(&id)) {
            return self.verdict.impossible.push((step.id, Impossible::ProtectedMember));
        }
        if self.is_kept_from(step) {
            return self.verdict.impossible.push((step.id, Impossible::PrivilegedMember));
        }
        if let Some(member) = step.deactivates().and_then(|id| self.members.get(&id).copied()) {
            if let Some(broken) = self.invariants.broken_without(member) {
                return self.verdict.impossible.push((step.id, broken.into()));
            }
            self.invariants.count_departure(member);
        }
        self.seats_free -= step.seats();
        self.verdict.apply.push(item);
    }
}
