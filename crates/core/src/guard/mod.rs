//! What a plan must not do by itself. Each guard is a named rule; what it withholds is the smallest part that
//! would break it, and the rest goes on (design §4).

mod change_limits;
mod group_wipe;
mod outlook;

pub(crate) use change_limits::is_beyond_limit;
pub(crate) use group_wipe::keeps_group;
pub use group_wipe::{GROUP_LOSSES_FREE, GroupStanding};
pub use outlook::would_hold;

use crate::action::{ActionKind, ItemKey};
use crate::change::{Impossible, Step, Target, plan_rewind};
use crate::email::fold;
use crate::hold_reason::HoldReason;
use crate::ids::{MemberId, SharingGroupId};
use crate::plan::{Action, Disputed, Item, Plan, World, plan_without};
use crate::policy::{OverLimit, SeatOrder};
use crate::roster::{MemberState, MemberStatus, Role, WaitingFor};
use change_limits::Budget;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The counts guards need. The lease holder keeps them; nothing counts over the tenant.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub seats_bought: u32,
    pub seats_used: u32,
    /// Members some source manages, removed ones left out.
    pub managed: u32,
    /// People who lost access in the policy's window, over all channels.
    pub removals_in_window: u32,
    /// Members made and profiles changed in the windows of their limits, as far as there are limits (PE8).
    pub creations_in_window: u32,
    pub modifications_in_window: u32,
    pub active_admins: HashSet<MemberId>,
    pub active_billing_contacts: HashSet<MemberId>,
}

/// What may happen, and what waits for an admin.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub apply: Vec<Item>,
    pub withheld: Vec<(Item, HoldReason)>,
    /// Records that are skipped.
    pub disputed: Vec<Disputed>,
    /// People in `apply` who lose access, come in, or get another profile: they count against the next run's limits.
    pub removals: u32,
    pub creations: u32,
    pub modifications: u32,
    /// Who leaves which sharing group in `apply`; it counts against the group's next losses.
    pub group_losses: Vec<(SharingGroupId, MemberId)>,
    /// Seats that are bought by themselves for people in `apply` (PE3).
    pub seats_grown: u32,
    /// Members whose irreversible part is among `withheld`.
    pub holding: HashSet<MemberId>,
    /// Steps of a rewind that cannot be, by their id.
    pub impossible: Vec<(Uuid, Impossible)>,
}

/// Splits a plan into what may happen now and what is withheld, with the reason.
pub fn review(mut plan: Plan, world: &World) -> Verdict {
    let mut blocked: HashMap<Uuid, Impossible> = HashMap::new();
    let mut beyond: HashSet<ItemKey> = HashSet::new();
    loop {
        let mut impossible = std::mem::take(&mut plan.impossible);
        let disputed = std::mem::take(&mut plan.disputed);
        let verdict = split(plan, world, &beyond);
        let over = verdict.withheld.iter().filter(|(_, reason)| reason.is_of_changes()).map(|(item, _)| item.key());
        let over: Vec<ItemKey> = over.filter(|key| !is_beyond_limit(world, &beyond, *key)).collect();
        if !over.is_empty() {
            // An address that stays where it is cannot be given to somebody else.
            beyond.extend(over);
            plan = plan_without(world, &beyond);
            continue;
        }
        if verdict.impossible.is_empty() {
            return Verdict { impossible, disputed, ..verdict };
        }
        // What is not taken back keeps what others counted on, such as an address: they are judged again without it.
        impossible.extend(verdict.impossible);
        blocked.extend(impossible);
        plan = plan_rewind(world, &blocked);
    }
}

fn split(plan: Plan, world: &World, beyond: &HashSet<ItemKey>) -> Verdict {
    let members = known_members(world);
    let mut back = coming_back(&plan.items, &members);
    // Who comes back as an admin lets the last one go; whether there is a seat to come back to shows in the end.
    while !back.is_empty() {
        let verdict = Review::new(world, &members, (&back, beyond)).run(plan.items.clone());
        let restored = coming_back(&verdict.apply, &members);
        if back.is_subset(&restored) {
            return verdict;
        }
        back.retain(|id| restored.contains(id));
    }
    Review::new(world, &members, (&back, beyond)).run(plan.items)
}

fn known_members(world: &World) -> HashMap<MemberId, &MemberState> {
    let touched = world.users.iter().flat_map(|user| user.member.iter().chain(&user.returning));
    let known = touched.chain(world.holders.values()).chain(world.waiting.iter().map(|(_, member)| member));
    let known = known.chain(world.rewind.members.values());
    known.map(|member| (member.id, member)).collect()
}

/// Admins and billing contacts whom these items make active again.
fn coming_back(items: &[Item], members: &HashMap<MemberId, &MemberState>) -> HashSet<MemberId> {
    let restored = items.iter().filter(|item| !is_simulated(item)).filter_map(|item| match &item.action {
        Action::Restore { member, to: MemberStatus::Active, .. } => members.get(member),
        Action::Undo(step) => members.get(&step.activates()?),
        _ => None,
    });
    restored.filter(|member| member.role != Role::Member || member.billing_contact).map(|member| member.id).collect()
}

fn claims_seat(item: &Item) -> bool {
    match &item.action {
        Action::Provision { status, .. } => matches!(status, MemberStatus::Invited | MemberStatus::Active),
        Action::Restore { to, .. } => matches!(to, MemberStatus::Invited | MemberStatus::Active),
        Action::Undo(step) => step.seats() > 0,
        _ => false,
    }
}

/// The words by which somebody leaves.
const LEAVING: [ActionKind; 3] = [ActionKind::Suspend, ActionKind::ReleaseSeat, ActionKind::Remove];

struct Review<'w> {
    world: &'w World,
    members: &'w HashMap<MemberId, &'w MemberState>,
    admins_left: usize,
    billing_contacts_left: usize,
    /// Stays, where otherwise an admin and a billing contact would have to: one person is less than two.
    keeper: Option<MemberId>,
    removals: Budget,
    creations: Budget,
    modifications: Budget,
    /// What an earlier draft of this plan withheld over a limit.
    beyond: &'w HashSet<ItemKey>,
    seats_free: i64,
    verdict: Verdict,
}

impl<'w> Review<'w> {
    fn new(
        world: &'w World,
        members: &'w HashMap<MemberId, &'w MemberState>,
        (back, beyond): (&HashSet<MemberId>, &'w HashSet<ItemKey>),
    ) -> Self {
        let (policy, standing) = (&world.policy, &world.standing);
        let budget = |limit, before| Budget::new(limit, standing.managed, before);
        let returning = || back.iter().filter_map(|id| members.get(id));
        Self {
            world,
            members,
            admins_left: standing.active_admins.len() + returning().filter(|m| m.role != Role::Member).count(),
            billing_contacts_left: standing.active_billing_contacts.len()
                + returning().filter(|m| m.billing_contact).count(),
            keeper: None,
            removals: budget(Some(&policy.removal_limit), standing.removals_in_window),
            creations: budget(policy.creation_limit.as_ref(), standing.creations_in_window),
            modifications: budget(policy.modification_limit.as_ref(), standing.modifications_in_window),
            beyond,
            seats_free: i64::from(standing.seats_bought) - i64::from(standing.seats_used),
            verdict: Verdict::default(),
        }
    }

    fn run(mut self, items: Vec<Item>) -> Verdict {
        let items = self.keep_protected(items);
        let items = self.keep_groups(items);
        let items = self.limit_changes(items);
        let (claims, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(claims_seat);
        self.keeper = self.choose_keeper(&others);
        for item in others {
            self.decide(item);
        }
        self.give_seats(claims);
        self.verdict.removals = self.removals.taken();
        self.verdict.creations = self.creations.taken();
        self.verdict.modifications = self.modifications.taken();
        self.verdict
    }

    /// Before anything is counted: who stays anyway lets others go.
    fn keep_protected(&mut self, items: Vec<Item>) -> Vec<Item> {
        let is_protected = |item: &Item| match item.action {
            Action::Suspend { member, .. } | Action::Remove { member, .. } | Action::ReleaseSeat { member } => {
                self.world.policy.protected_members.contains(&member) && !is_simulated(item)
            }
            _ => false,
        };
        let (protected, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_protected);
        for item in protected {
            self.withhold(item, HoldReason::ProtectedMember);
        }
        others
    }

    /// Somebody who is both, when all admins and all billing contacts would leave; the last one, because a limit that
    /// is reached keeps the later ones anyway.
    fn choose_keeper(&self, items: &[Item]) -> Option<MemberId> {
        let leaving = || {
            items.iter().filter(|item| !is_simulated(item)).filter_map(|item| match &item.action {
                Action::Suspend { member, .. } | Action::Remove { member, .. } => self.members.get(member),
                Action::Undo(step) => self.members.get(&step.deactivates()?),
                _ => None,
            })
        };
        let admins = leaving().filter(|member| member.is_active_admin()).count();
        let billing_contacts = leaving().filter(|member| member.is_active_billing_contact()).count();
        if admins < self.admins_left || billing_contacts < self.billing_contacts_left {
            return None;
        }
        leaving().rfind(|m| m.is_active_admin() && m.is_active_billing_contact()).map(|member| member.id)
    }

    fn decide(&mut self, item: Item) {
        if let Some(reason) = silenced(&item) {
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
            return self.without_deprovisioning(item, member, from);
        }
        if member.is_active_admin() && (self.admins_left <= 1 || self.keeper == Some(id)) {
            return self.withhold(item, HoldReason::LastAdmin);
        }
        if member.is_active_billing_contact() && self.billing_contacts_left <= 1 {
            return self.withhold(item, HoldReason::LastBillingContact);
        }
        let loses_access = member.has_access();
        let held = member.held || self.stays_held(&item, HoldReason::RemovalOverLimit);
        let over_limit = !approved && ((loses_access && self.removals.is_spent()) || held);
        if over_limit && self.world.policy.over_limit == OverLimit::Hold {
            return self.withhold(item, HoldReason::RemovalOverLimit);
        }
        if loses_access {
            // What an admin released does not use up what may happen by itself.
            if !approved {
                self.removals.take();
            }
            self.admins_left -= usize::from(member.is_active_admin());
            self.billing_contacts_left -= usize::from(member.is_active_billing_contact());
        }
        if over_limit {
            self.suspend_only(item, member, from, HoldReason::RemovalOverLimit);
        } else {
            self.seats_free += i64::from(member.seated);
            self.verdict.apply.push(item);
        }
    }

    /// An admin asked for it, so no limit and no switch counts; the invariants do.
    fn take_back(&mut self, item: Item, step: &Step) {
        if step.takes_away().is_some_and(|id| self.world.policy.protected_members.contains(&id)) {
            return self.verdict.impossible.push((step.id, Impossible::ProtectedMember));
        }
        if let Some(member) = step.deactivates().and_then(|id| self.members.get(&id).copied()) {
            if member.is_active_admin() && (self.admins_left <= 1 || self.keeper == Some(member.id)) {
                return self.verdict.impossible.push((step.id, Impossible::LastAdmin));
            }
            if member.is_active_billing_contact() && self.billing_contacts_left <= 1 {
                return self.verdict.impossible.push((step.id, Impossible::LastBillingContact));
            }
            self.admins_left -= usize::from(member.is_active_admin());
            self.billing_contacts_left -= usize::from(member.is_active_billing_contact());
        }
        self.seats_free -= step.seats();
        self.verdict.apply.push(item);
    }

    /// The switch is about access. Who waits for a seat or an approval has none, and must not get it any more.
    fn without_deprovisioning(&mut self, item: Item, member: &MemberState, from: MemberStatus) {
        match (from, &item.action) {
            (MemberStatus::Pending, Action::Suspend { .. }) => self.verdict.apply.push(item),
            (MemberStatus::Pending, _) => self.suspend_only(item, member, from, HoldReason::DeprovisioningOff),
            _ => self.withhold(item, HoldReason::DeprovisioningOff),
        }
    }

    /// Ends access at once and withholds what could not be taken back: the seat, and the removal itself.
    fn suspend_only(&mut self, item: Item, member: &MemberState, from: MemberStatus, reason: HoldReason) {
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

    /// Gives the free seats to the people in the order the policy states; the rest wait.
    fn give_seats(&mut self, mut claims: Vec<Item>) {
        match self.world.policy.seat_order {
            SeatOrder::Announced => claims.sort_by_key(|item| item.subject),
            SeatOrder::Email => claims.sort_by_cached_key(|item| (self.address_of(item), item.subject)),
        }
        for item in claims {
            if let Some(reason) = silenced(&item) {
                self.withhold(item, reason);
            } else if matches!(item.action, Action::Provision { .. }) && !self.may_provision(&item) {
                self.withhold(item, HoldReason::ProvisioningOff);
            } else if self.has_seat(&item) {
                self.verdict.apply.push(item);
            } else if self.seats_free > 0 || self.grow(&item) {
                self.seats_free -= 1;
                self.verdict.apply.push(item);
            } else {
                self.wait_for_seat(item);
            }
        }
    }

    /// The address by which the waitlist knows somebody, in its folded form.
    fn address_of(&self, item: &Item) -> Option<String> {
        let profile = match (&item.action, item.action.target()) {
            (Action::Provision { profile, .. }, _) => Some(profile),
            (_, Some(Target::Member(id))) => self.members.get(&id).map(|member| &member.profile),
            _ => None,
        };
        profile.map(|profile| fold(&profile.email))
    }

    /// Buys as many seats as one more person needs, if the tenant's cap allows (PE3). A rewind buys none.
    fn grow(&mut self, item: &Item) -> bool {
        let bought = i64::from(self.world.standing.seats_bought) + i64::from(self.verdict.seats_grown);
        let missing = 1 - self.seats_free;
        let allowed = self.world.policy.seat_cap.is_some_and(|cap| bought + missing <= i64::from(cap));
        if !allowed || matches!(item.action, Action::Undo(_)) {
            return false;
        }
        self.verdict.seats_grown += u32::try_from(missing).unwrap_or_default();
        self.seats_free += missing;
        true
    }

    fn may_provision(&self, item: &Item) -> bool {
        self.world.policy.auto_provision || self.is_approved(item)
    }

    /// Did an admin release this action? An approval lifts limits and switches, never an invariant.
    fn is_approved(&self, item: &Item) -> bool {
        self.world.approved.contains(&item.key())
    }

    /// Was this withheld before for the same reason, and has no admin decided since? Time alone releases nothing.
    fn stays_held(&self, item: &Item, reason: HoldReason) -> bool {
        let key = item.key();
        // Whoever was disabled and is deleted now leaves once, under another word.
        let words = if LEAVING.contains(&key.action) { LEAVING.as_slice() } else { std::slice::from_ref(&key.action) };
        words.iter().any(|action| self.world.held.get(&ItemKey { action: *action, ..key }) == Some(&reason))
    }

    fn has_seat(&self, item: &Item) -> bool {
        match item.action {
            Action::Restore { member, .. } => self.members.get(&member).is_some_and(|m| m.seated),
            _ => false,
        }
    }

    fn wait_for_seat(&mut self, item: Item) {
        match item.action {
            Action::Undo(step) => self.verdict.impossible.push((step.id, Impossible::NoSeat)),
            Action::Provision { profile, .. } => {
                let (status, waiting_for) = (MemberStatus::Pending, Some(WaitingFor::Seat));
                let action = Action::Provision { profile, status, waiting_for };
                self.verdict.apply.push(Item { action, ..item });
            }
            Action::Restore { member, .. } => {
                let waits_already = self.members.get(&member).is_some_and(|m| m.waiting_for == Some(WaitingFor::Seat));
                if !waits_already {
                    self.verdict.apply.push(Item { action: Action::Waitlist { member }, ..item });
                }
            }
            _ => {}
        }
    }

    fn withhold(&mut self, item: Item, reason: HoldReason) {
        if reason == HoldReason::RemovalOverLimit
            && let Action::ReleaseSeat { member } | Action::Remove { member, .. } = item.action
        {
            self.verdict.holding.insert(member);
        }
        self.verdict.withheld.push((item, reason));
    }
}

fn is_simulated(item: &Item) -> bool {
    item.origin.is_some_and(|origin| !origin.is_live())
}

/// Why nothing that this item's source says happens now.
fn silenced(item: &Item) -> Option<HoldReason> {
    let origin = item.origin.filter(|origin| !origin.is_live())?;
    Some(if origin.quarantined { HoldReason::Quarantined } else { HoldReason::Simulation })
}
