//! Random histories: steps of sources, admins and invited people, and turns of the worker.

use crate::model::{DirectoryUser, Hub, Touch, record, scim};
use proptest::prelude::*;
use rollcall_core::directory::SourceMode;
use rollcall_core::email::{fold, strip_tombstone};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_core::policy::{GroupScope, Limit, OnDeleted, Onboarding, OverLimit, Policy};
use rollcall_core::roster::{Approval, MemberStatus, Role};
use std::collections::HashSet;
use uuid::Uuid;

/// Few, so that people collide; two of them are one address.
const ADDRESSES: [&str; 6] = ["ann@x", "bob@x", "ANN@X", "cy@x", "stra\u{df}e@x", "STRASSE@x"];
const NAMES: [&str; 4] = ["Design", "design ", "Sales", "Everyone"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create {
        second_source: bool,
        email: Option<usize>,
        anchor: Option<u8>,
        active: bool,
    },
    Mail {
        user: usize,
        email: Option<usize>,
    },
    Tombstone {
        user: usize,
    },
    Name {
        user: usize,
        name: u8,
    },
    Active {
        user: usize,
        active: bool,
    },
    Delete {
        user: usize,
    },
    CreateGroup {
        second_source: bool,
        name: usize,
    },
    RenameGroup {
        group: usize,
        name: usize,
    },
    DeleteGroup {
        group: usize,
    },
    Membership {
        group: usize,
        user: usize,
        inside: bool,
    },
    ByHand {
        email: usize,
    },
    Promote {
        member: usize,
        billing: bool,
    },
    /// The policy protects one member from now on.
    Protect {
        member: usize,
    },
    Accept {
        member: usize,
    },
    Decide {
        member: usize,
        approve: bool,
    },
    Seats(u32),
    /// The guards' window passes.
    Window,
    /// An admin sets the scope of users; `None`: everybody.
    Scope(Option<usize>),
    Mode {
        simulate: bool,
    },
    /// The worker takes this many changes.
    Run(usize),
}

/// The steps that a property allows.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Sources send external ids; otherwise none does.
    pub(crate) anchors: bool,
    pub(crate) runs: bool,
    /// Mode changes and a second source.
    pub(crate) simulation: bool,
    /// The policy's user scope changes.
    pub(crate) scopes: bool,
}

pub(crate) fn steps(shape: Shape, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(shape), count)
}

fn step(shape: Shape) -> impl Strategy<Value = Step> {
    let any_place = || 0..64_usize;
    let email = || prop::option::weighted(0.95, 0..ADDRESSES.len());
    let anchor = if shape.anchors { prop::option::weighted(0.9, 0..5_u8).boxed() } else { Just(None).boxed() };
    let second = if shape.simulation { prop::bool::weighted(0.4).boxed() } else { Just(false).boxed() };
    let create = (second.clone(), email(), anchor, prop::bool::weighted(0.85))
        .prop_map(|(second_source, email, anchor, active)| Step::Create { second_source, email, anchor, active });
    let create_group =
        (second, 0..NAMES.len()).prop_map(|(second_source, name)| Step::CreateGroup { second_source, name });
    let membership = (any_place(), any_place(), prop::bool::weighted(0.8));
    let never = || Just(Step::Window).boxed();
    let mode = any::<bool>().prop_map(|simulate| Step::Mode { simulate });
    let mode = if shape.simulation { mode.boxed() } else { never() };
    let scope = prop::option::weighted(0.5, 0..NAMES.len()).prop_map(Step::Scope);
    let scope = if shape.scopes { scope.boxed() } else { never() };
    let run = if shape.runs { (1..8_usize).prop_map(Step::Run).boxed() } else { never() };
    prop_oneof![
        8 => create,
        5 => (any_place(), email()).prop_map(|(user, email)| Step::Mail { user, email }),
        1 => any_place().prop_map(|user| Step::Tombstone { user }),
        1 => (any_place(), 0..3_u8).prop_map(|(user, name)| Step::Name { user, name }),
        4 => (any_place(), any::<bool>()).prop_map(|(user, active)| Step::Active { user, active }),
        3 => any_place().prop_map(|user| Step::Delete { user }),
        2 => create_group,
        2 => (any_place(), 0..NAMES.len()).prop_map(|(group, name)| Step::RenameGroup { group, name }),
        1 => any_place().prop_map(|group| Step::DeleteGroup { group }),
        4 => membership.prop_map(|(group, user, inside)| Step::Membership { group, user, inside }),
        1 => (0..ADDRESSES.len()).prop_map(|email| Step::ByHand { email }),
        1 => (any_place(), any::<bool>()).prop_map(|(member, billing)| Step::Promote { member, billing }),
        1 => any_place().prop_map(|member| Step::Protect { member }),
        2 => any_place().prop_map(|member| Step::Accept { member }),
        2 => (any_place(), any::<bool>()).prop_map(|(member, approve)| Step::Decide { member, approve }),
        1 => (0..6_u32).prop_map(Step::Seats),
        1 => Just(Step::Window),
        1 => scope,
        1 => mode,
        6 => run,
    ]
}

/// The people of one group, whatever the case and spacing of its name.
pub(crate) fn scope_of(name: usize) -> GroupScope {
    GroupScope { names: vec![NAMES[name].to_owned()], ..GroupScope::default() }
}

/// Any policy, with limits that a handful of people can reach.
pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    let switches = (prop::bool::weighted(0.85), prop::bool::weighted(0.85), prop::bool::weighted(0.2), any::<bool>());
    let limits = (0..5_u32, prop::option::weighted(0.2, 0..4_u32), prop::option::weighted(0.2, 0..4_u32));
    let limit = |count| Limit { count, percent: 0, ..Limit::default() };
    let disabled = prop_oneof![5 => Just(OnDeleted::Suspend), 1 => Just(OnDeleted::Remove)];
    let outside = prop_oneof![3 => Just(OnDeleted::Suspend), 1 => Just(OnDeleted::Remove)];
    let scope = (prop::option::weighted(0.2, 0..NAMES.len()), outside);
    let seats = (disabled, prop::option::weighted(0.2, 0..8_u32), scope);
    (switches, any::<bool>(), any::<bool>(), any::<bool>(), limits, seats).prop_map(
        move |((auto_provision, auto_deprovision, approval, adopt_existing), invite, remove, hold, limits, seats)| {
            Policy {
                on_disabled: seats.0,
                seat_cap: seats.1,
                user_scope: seats.2.0.map(scope_of),
                on_out_of_scope: seats.2.1,
                auto_provision,
                auto_deprovision,
                approval,
                adopt_existing,
                onboarding: if invite { Onboarding::Invite } else { Onboarding::Federated },
                on_deleted: if remove { OnDeleted::Remove } else { OnDeleted::Suspend },
                over_limit: if hold { OverLimit::Hold } else { OverLimit::SuspendOnly },
                removal_limit: limit(limits.0),
                creation_limit: limits.1.map(limit),
                modification_limit: limits.2.map(limit),
                ..Policy::default()
            }
        },
    )
}

pub(crate) fn second_source() -> SourceId {
    Uuid::from_u128(2).into()
}

/// Plays steps on a hub. Records are numbered as they are announced, including those that a hub does not have, so that
/// two hubs can play one history.
#[derive(Clone)]
pub(crate) struct Player {
    pub(crate) hub: Hub,
    pub(crate) users: Vec<Option<DirectoryUserId>>,
    pub(crate) groups: Vec<Option<DirectoryGroupId>>,
    /// The second source is silent.
    pub(crate) mute_second: bool,
}

impl Player {
    pub(crate) fn new(policy: Policy, seats: u32) -> Self {
        let mut hub = Hub::new();
        // Short reads of the waitlist, so that a handful of people can need more than one.
        (hub.policy, hub.seats, hub.waiting_max) = (policy, seats.max(1), 2);
        hub.modes.insert(second_source(), SourceMode::Live);
        hub.owner_agrees = true;
        let owner = hub.unmanaged("owner@x", Role::Owner);
        hub.members.get_mut(&owner).expect("the owner").billing_contact = true;
        Self { hub, users: Vec::new(), groups: Vec::new(), mute_second: false }
    }

    pub(crate) fn play(&mut self, steps: &[Step], before_run: &mut dyn FnMut(&Hub), after_run: &mut dyn FnMut(&Hub)) {
        for step in steps {
            if let Step::Run(size) = step {
                let size = (*size).min(self.hub.changes.len());
                let touched: Vec<Touch> = self.hub.changes.drain(..size).collect();
                before_run(&self.hub);
                self.hub.reconcile(&touched);
                after_run(&self.hub);
            } else {
                self.say(step);
            }
        }
    }

    fn user(&self, place: usize) -> Option<DirectoryUserId> {
        *self.users.get(place % self.users.len().max(1))?
    }

    fn group(&self, place: usize) -> Option<DirectoryGroupId> {
        *self.groups.get(place % self.groups.len().max(1))?
    }

    fn source(&self, second: bool) -> Option<SourceId> {
        match (second, self.mute_second) {
            (true, true) => None,
            (true, false) => Some(second_source()),
            (false, _) => Some(scim()),
        }
    }

    fn say(&mut self, step: &Step) {
        match *step {
            Step::Create { second_source, email, anchor, active } => {
                let mut new = record("");
                new.email = email.map(|email| ADDRESSES[email].to_owned());
                new.external_id = anchor.map(|anchor| self.free_anchor(second_source, anchor));
                new.active = active;
                let created = self.source(second_source).map(|source| self.hub.create_user_of(source, new));
                self.users.push(created);
            }
            Step::CreateGroup { second_source, name } => {
                let created = self.source(second_source).map(|source| self.hub.create_group_of(source, NAMES[name]));
                self.groups.push(created);
            }
            Step::Mail { user, email } => self.edit(user, |r| r.email = email.map(|email| ADDRESSES[email].to_owned())),
            Step::Tombstone { user } => self.edit(user, |r| {
                r.active = false;
                r.email = r.email.as_ref().map(|email| format!("{}{email}", "0".repeat(32)));
            }),
            Step::Name { user, name } => self.edit(user, |r| r.display_name = Some(format!("Name {name}"))),
            Step::Active { user, active } => self.edit(user, |r| r.active = active),
            Step::Delete { user } => {
                if let Some(id) = self.user(user) {
                    self.hub.delete_user(id);
                }
            }
            _ => self.say_about_others(step),
        }
    }

    fn say_about_others(&mut self, step: &Step) {
        match *step {
            Step::RenameGroup { group, name } => {
                if let Some(id) = self.group(group) {
                    self.hub.rename_group(id, NAMES[name]);
                }
            }
            Step::DeleteGroup { group } => {
                if let Some(id) = self.group(group) {
                    self.hub.delete_group(id);
                }
            }
            Step::Membership { group, user, inside } => {
                if let (Some(group), Some(user)) = (self.group(group), self.user(user)) {
                    // A source knows only its own.
                    if self.hub.groups[&group].source == self.hub.users[&user].source {
                        self.hub.set_membership(group, user, inside);
                    }
                }
            }
            Step::ByHand { email } => self.by_hand(ADDRESSES[email]),
            Step::Promote { member, billing } => {
                let place = member % self.hub.members.len();
                let member = self.hub.members.values_mut().nth(place).expect("in range");
                member.role = if billing { member.role } else { Role::Admin };
                member.billing_contact |= billing;
            }
            Step::Protect { member } => {
                let place = member % self.hub.members.len();
                let id = *self.hub.members.keys().nth(place).expect("in range");
                self.hub.policy.protected_members.insert(id);
            }
            Step::Accept { member } => {
                let place = member % self.hub.members.len();
                let id = *self.hub.members.keys().nth(place).expect("in range");
                self.hub.accept(id);
            }
            Step::Decide { member, approve } => {
                let place = member % self.hub.members.len();
                let id = *self.hub.members.keys().nth(place).expect("in range");
                self.hub.decide(id, if approve { Approval::Approved } else { Approval::Declined });
            }
            Step::Seats(seats) => self.hub.set_seats(seats),
            Step::Window => self.hub.pass_window(),
            Step::Scope(name) => {
                self.hub.policy.user_scope = name.map(scope_of);
                self.hub.touch_everything();
            }
            Step::Mode { simulate } => {
                let mode = if simulate { SourceMode::Simulate } else { SourceMode::Live };
                self.hub.modes.insert(second_source(), mode);
                self.hub.touch_everything();
            }
            ref other => panic!("not said here: {other:?}"),
        }
    }

    /// A source never gives one external id to two records at one time.
    fn free_anchor(&self, second: bool, anchor: u8) -> String {
        let anchor = anchor.to_string();
        let of_source = self.hub.users.values().filter(|user| Some(user.source) == self.source(second));
        let mut records = of_source.filter_map(|user| user.record.as_ref());
        let taken = records.any(|record| record.external_id.as_ref() == Some(&anchor));
        if taken { format!("new{}", self.users.len()) } else { anchor }
    }

    /// An admin adds an unmanaged member, when there is a seat and the address is free.
    fn by_hand(&mut self, email: &str) {
        let has_it = |email: &str| {
            let mut present = self.hub.members.values().filter(|m| m.status != MemberStatus::Removed);
            present.any(|member| fold(&member.profile.email) == fold(email))
        };
        if !has_it(email) && self.hub.seats_used < i64::from(self.hub.seats) {
            self.hub.unmanaged(email, Role::Member);
            // Adding a member by hand must touch the records that ask for the address.
            let asks = |user: &DirectoryUser| {
                let wanted = user.record.as_ref().and_then(|record| record.email.as_deref());
                wanted.is_some_and(|wanted| fold(strip_tombstone(wanted).unwrap_or(wanted)) == fold(email))
            };
            let records = self.hub.users.iter().filter(|(_, user)| asks(user));
            let marks: Vec<Touch> = records.map(|(id, _)| Touch::User(*id)).collect();
            self.hub.changes.extend(marks);
        }
    }

    fn edit(&mut self, user: usize, edit: impl FnOnce(&mut rollcall_core::directory::PersonRecord)) {
        if let Some(id) = self.user(user) {
            self.hub.edit_user(id, edit);
        }
    }

    /// Gives every live record an address and a name of its own, because contested ones depend on the order.
    pub(crate) fn settle_contests(&mut self) {
        let mut addresses = HashSet::new();
        for (n, user) in self.users.clone().into_iter().flatten().enumerate() {
            let email = self.hub.users[&user].record.as_ref().and_then(|record| record.email.as_deref());
            let email = email.map(|email| strip_tombstone(email).unwrap_or(email));
            if email.is_some_and(|email| !addresses.insert(fold(email))) {
                self.hub.edit_user(user, |record| record.email = Some(format!("unique{n}@x")));
            }
        }
        let mut names = HashSet::new();
        for (n, group) in self.groups.clone().into_iter().flatten().enumerate() {
            let Some(name) = self.hub.groups[&group].name.clone() else { continue };
            if !names.insert(fold(&name)) {
                self.hub.rename_group(group, &format!("unique {n}"));
            }
        }
    }
}
