//! What a plan must not do by itself. Each guard is a named rule; what it withholds is the smallest part that
//! would break it, and the rest goes on (design §4).

use crate::ids::MemberId;
use crate::plan::{Action, Item, Plan, Subject, World};
use crate::policy::OverLimit;
use crate::roster::{MemberState, MemberStatus, Role, WaitingFor, text_enum};
use std::collections::{HashMap, HashSet};

text_enum! {
    /// Why an item was withheld; on the wire in a run's `held_reasons`.
    HoldReason {
        /// More people would lose access than the tenant allows in its window (DA10).
        RemovalOverLimit = "member_removal_over_limit",
        /// Nobody could administer the tenant any more (DA7).
        LastAdmin = "last_active_admin",
        /// Nobody could be reached about bills any more (DA7).
        LastBillingContact = "last_billing_contact",
        ProvisioningOff = "provisioning_off",
        /// The switch for deprovisioning is off; this is what it would do (DA11).
        DeprovisioningOff = "deprovisioning_off",
        /// The source is in simulation: nothing of its plan happens (DX3).
        Simulation = "simulation",
    }
}

impl HoldReason {
    /// What an admin can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::RemovalOverLimit => "Check that these people really left, then approve the run, or raise the limit.",
            Self::LastAdmin => "Make another active member an admin first.",
            Self::LastBillingContact => "Make another active member the billing contact first.",
            Self::ProvisioningOff => "Turn automatic provisioning on, or invite the person by hand.",
            Self::DeprovisioningOff => "Turn automatic deprovisioning on, after checking that everybody is in scope.",
            Self::Simulation => "Set the source to live when the plan is what you want.",
        }
    }
}

/// The counts guards need. The lease holder keeps them; nothing counts over the tenant.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub seats_bought: u32,
    pub seats_used: u32,
    /// Members some source manages, removed ones left out.
    pub managed: u32,
    /// People who lost access in the policy's window, over all channels.
    pub removals_in_window: u32,
    pub active_admins: HashSet<MemberId>,
    pub active_billing_contacts: HashSet<MemberId>,
}

/// What may happen, and what waits for an admin.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub apply: Vec<Item>,
    pub withheld: Vec<(Item, HoldReason)>,
    /// People in `apply` who lose access; they count against the next run's limit.
    pub removals: u32,
    /// Members whose irreversible part is among `withheld`.
    pub holding: HashSet<MemberId>,
}

/// Splits a plan into what may happen now and what is withheld, with the reason.
pub fn review(plan: Plan, world: &World) -> Verdict {
    let members = known_members(world);
    let mut back = coming_back(&plan.items, &members);
    // Who comes back as an admin lets the last one go; whether there is a seat to come back to shows in the end.
    while !back.is_empty() {
        let verdict = Review::new(world, &members, &back).run(plan.items.clone());
        let restored = coming_back(&verdict.apply, &members);
        if back.is_subset(&restored) {
            return verdict;
        }
        back.retain(|id| restored.contains(id));
    }
    Review::new(world, &members, &back).run(plan.items)
}

fn known_members(world: &World) -> HashMap<MemberId, &MemberState> {
    let touched = world.users.iter().flat_map(|user| user.member.iter().chain(&user.returning));
    let known = touched.chain(world.holders.values()).chain(world.waiting.iter().map(|(_, member)| member));
    known.map(|member| (member.id, member)).collect()
}

/// Admins and billing contacts whom these items make active again.
fn coming_back(items: &[Item], members: &HashMap<MemberId, &MemberState>) -> HashSet<MemberId> {
    let restored = items.iter().filter(|item| !is_simulated(item)).filter_map(|item| match item.action {
        Action::Restore { member, to: MemberStatus::Active, .. } => members.get(&member),
        _ => None,
    });
    restored.filter(|member| member.role != Role::Member || member.billing_contact).map(|member| member.id).collect()
}

fn claims_seat(item: &Item) -> bool {
    match &item.action {
        Action::Provision { status, .. } => matches!(status, MemberStatus::Invited | MemberStatus::Active),
        Action::Restore { to, .. } => matches!(to, MemberStatus::Invited | MemberStatus::Active),
        _ => false,
    }
}

struct Review<'w> {
    world: &'w World,
    members: &'w HashMap<MemberId, &'w MemberState>,
    admins_left: usize,
    billing_contacts_left: usize,
    /// Stays, where otherwise an admin and a billing contact would have to: one person is less than two.
    keeper: Option<MemberId>,
    removals_left: u32,
    seats_free: i64,
    verdict: Verdict,
}

impl<'w> Review<'w> {
    fn new(world: &'w World, members: &'w HashMap<MemberId, &'w MemberState>, back: &HashSet<MemberId>) -> Self {
        let standing = &world.standing;
        let allowed = world.policy.removal_limit.allowed(standing.managed);
        let returning = || back.iter().filter_map(|id| members.get(id));
        Self {
            world,
            members,
            admins_left: standing.active_admins.len() + returning().filter(|m| m.role != Role::Member).count(),
            billing_contacts_left: standing.active_billing_contacts.len()
                + returning().filter(|m| m.billing_contact).count(),
            keeper: None,
            removals_left: allowed.saturating_sub(standing.removals_in_window),
            seats_free: i64::from(standing.seats_bought) - i64::from(standing.seats_used),
            verdict: Verdict::default(),
        }
    }

    fn run(mut self, items: Vec<Item>) -> Verdict {
        let (claims, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(claims_seat);
        self.keeper = self.choose_keeper(&others);
        for item in others {
            self.decide(item);
        }
        self.give_seats(claims);
        self.verdict
    }

    /// Somebody who is both, when all admins and all billing contacts would leave; the last one, because a limit that
    /// is reached keeps the later ones anyway.
    fn choose_keeper(&self, items: &[Item]) -> Option<MemberId> {
        let leaving = || {
            items.iter().filter(|item| !is_simulated(item)).filter_map(|item| match item.action {
                Action::Suspend { member, .. } | Action::Remove { member, .. } => self.members.get(&member),
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
        if is_simulated(&item) {
            return self.withhold(item, HoldReason::Simulation);
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
        let over_limit = !approved && ((loses_access && self.removals_left == 0) || member.held);
        if over_limit && self.world.policy.over_limit == OverLimit::Hold {
            return self.withhold(item, HoldReason::RemovalOverLimit);
        }
        if loses_access {
            // What an admin released does not use up what may happen by itself.
            self.removals_left = self.removals_left.saturating_sub(u32::from(!approved));
            self.verdict.removals += u32::from(!approved);
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

    /// Gives the free seats to the people in the order the directory announced them; the rest wait.
    fn give_seats(&mut self, mut claims: Vec<Item>) {
        claims.sort_by_key(|item| item.subject);
        for item in claims {
            if is_simulated(&item) {
                self.withhold(item, HoldReason::Simulation);
            } else if matches!(item.action, Action::Provision { .. }) && !self.may_provision(&item) {
                self.withhold(item, HoldReason::ProvisioningOff);
            } else if self.has_seat(&item) {
                self.verdict.apply.push(item);
            } else if self.seats_free > 0 {
                self.seats_free -= 1;
                self.verdict.apply.push(item);
            } else {
                self.wait_for_seat(item);
            }
        }
    }

    fn may_provision(&self, item: &Item) -> bool {
        self.world.policy.auto_provision || self.is_approved(item)
    }

    /// Did an admin release this action? An approval lifts limits and switches, never an invariant.
    fn is_approved(&self, item: &Item) -> bool {
        match item.subject {
            Subject::DirectoryUser(user) => self.world.approved.contains(&(user, item.action.name())),
            _ => false,
        }
    }

    fn has_seat(&self, item: &Item) -> bool {
        match item.action {
            Action::Restore { member, .. } => self.members.get(&member).is_some_and(|m| m.seated),
            _ => false,
        }
    }

    fn wait_for_seat(&mut self, item: Item) {
        match item.action {
            Action::Provision { profile, .. } => {
                let (status, waiting_for) = (MemberStatus::Pending, Some(WaitingFor::Seat));
                let action = Action::Provision { profile, status, waiting_for };
                self.verdict.apply.push(Item { action, ..item });
            }
            Action::Restore { member, .. } => {
                let waits_already = self.members.get(&member).is_some_and(|m| m.waiting_for.is_some());
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
