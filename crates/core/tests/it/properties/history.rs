//! Random histories: steps of sources, admins and invited people, and turns of the worker.

use super::steps::{ADDRESSES, NAMES, Step, scope_of};
use crate::model::{DirectoryUser, Hub, Touch, record, scim};
use rollcall_core::directory::{PersonRecord, SourceMode};
use rollcall_core::email::{fold, strip_tombstone};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{Approval, MemberState, MemberStatus, Role};
use std::collections::HashSet;
use uuid::Uuid;

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

    /// A present record that feeds a member; any record while none does.
    fn person(&self, place: usize) -> usize {
        let is_present = |id: &DirectoryUserId| self.hub.users[id].record.is_some();
        let feeds =
            |user: &Option<DirectoryUserId>| user.filter(is_present).is_some_and(|id| self.hub.member_of(id).is_some());
        let places: Vec<usize> = (0..self.users.len()).filter(|place| feeds(&self.users[*place])).collect();
        places.get(place % places.len().max(1)).copied().unwrap_or(place)
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
            Step::Reissue { user, deleted } => {
                let user = self.person(user);
                let before = self.record_of(user);
                self.leave(user, deleted);
                let anchor = format!("new{}", self.users.len());
                let heir = before.map(|before| (before.email, before.external_id.map(|_| anchor)));
                self.create_beside(user, heir);
            }
            Step::Again { user, email, deleted } => {
                let user = self.person(user);
                let before = self.record_of(user);
                self.leave(user, deleted);
                let email = email.map(|email| ADDRESSES[email].to_owned());
                self.create_beside(user, before.map(|before| (email.or(before.email), before.external_id)));
            }
            Step::Correct { user, email } => {
                let email = self.free_address(email).to_owned();
                self.edit(self.person(user), |record| (record.email, record.active) = (Some(email), false));
            }
            Step::Revive { member } => {
                let older: Vec<_> = self.hub.members.values().filter_map(|member| member.former_record).collect();
                if let Some(record) = older.get(member % older.len().max(1)) {
                    self.hub.edit_user(*record, |record| record.active = true);
                }
            }
            Step::Return { member, email } => {
                let without = self.hub.members.values().filter(|member| member.gave_up().is_some());
                let records: Vec<_> = without.filter_map(|member| member.directory_user).collect();
                let email = self.free_address(email).to_owned();
                if let Some(record) = records.get(member % records.len().max(1)) {
                    self.hub.edit_user(*record, |record| (record.email, record.active) = (Some(email), true));
                }
            }
            _ => self.say_about_others(step),
        }
    }

    fn record_of(&self, user: usize) -> Option<PersonRecord> {
        self.hub.users[&self.user(user)?].record.clone()
    }

    fn leave(&mut self, user: usize, deleted: bool) {
        match self.user(user) {
            Some(id) if deleted => self.hub.delete_user(id),
            _ => self.edit(user, |record| record.active = false),
        }
    }

    /// Another record of the same source; nobody beside a person who is not there.
    fn create_beside(&mut self, user: usize, attributes: Option<(Option<String>, Option<String>)>) {
        let created = attributes.and_then(|(email, external_id)| {
            let source = self.hub.users[&self.user(user)?].source;
            Some(self.hub.create_user_of(source, PersonRecord { email, external_id, ..record("") }))
        });
        self.users.push(created);
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
            Step::Block { member, block } => {
                let place = member % self.hub.members.len();
                let id = *self.hub.members.keys().nth(place).expect("in range");
                // A refusal is a case of its own.
                let _ = self.hub.set_block(Role::Owner, id, block);
            }
            Step::Invite { email, admin } => {
                // A refusal is a case of its own.
                let _ = self.hub.invite(Role::Owner, ADDRESSES[email], if admin { Role::Admin } else { Role::Member });
            }
            Step::TakeOut { member } => {
                let place = member % self.hub.members.len();
                let id = *self.hub.members.keys().nth(place).expect("in range");
                let _ = self.hub.take_out(Role::Owner, id);
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

    /// A source never makes a record with the external id of an active one. A disabled person may be made anew.
    fn free_anchor(&self, second: bool, anchor: u8) -> String {
        let anchor = anchor.to_string();
        let of_source = self.hub.users.values().filter(|user| Some(user.source) == self.source(second));
        let mut records = of_source.filter_map(|user| user.record.as_ref()).filter(|record| record.active);
        let taken = records.any(|record| record.external_id.as_ref() == Some(&anchor));
        if taken { format!("new{}", self.users.len()) } else { anchor }
    }

    /// The first address from this place on that no member has.
    fn free_address(&self, place: usize) -> &'static str {
        let free = |email: &&&str| self.hub.members.values().all(|member| fold(&member.profile.email) != fold(email));
        ADDRESSES.iter().cycle().skip(place).take(ADDRESSES.len()).find(free).unwrap_or(&ADDRESSES[place])
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

    /// Gives every live record an address, an external id and a name of its own, because contested ones depend on the
    /// order. The address and the external id of a disabled record stay shared with the active one that takes them over.
    pub(crate) fn settle_contests(&mut self) {
        let (mut addresses, mut anchors) = (HashSet::new(), HashSet::new());
        for (n, user) in self.users.clone().into_iter().flatten().enumerate() {
            let Some(record) = self.hub.users[&user].record.clone() else { continue };
            let (source, member) = (self.hub.users[&user].source, self.hub.member_of(user));
            let known =
                |anchor: &String| self.hub.members.values().any(|m| m.profile.external_id.as_ref() == Some(anchor));
            let email = record.email.as_deref().map(|email| strip_tombstone(email).unwrap_or(email));
            let email = email.or_else(|| member.and_then(MemberState::gave_up)).map(fold);
            let keeps = |member: &MemberState| Some(fold(&member.profile.email)) == email;
            let gives_on = !record.active && member.is_some_and(keeps);
            // Without an address, or with that of a member made by hand, a person returns to the former one.
            let by_hand = |email: &String| {
                let mut by_hand = self.hub.members.values().filter(|member| member.managed_by.is_none());
                by_hand.any(|member| fold(&member.profile.email) == *email)
            };
            let returns = member.is_none() && record.external_id.as_ref().is_some_and(known);
            let nameless = returns && email.as_ref().is_none_or(by_hand);
            if nameless || email.is_some_and(|email| !gives_on && !addresses.insert(email)) {
                self.hub.edit_user(user, |record| record.email = Some(format!("unique{n}@x")));
            }
            let unlinked = record.external_id.filter(|_| self.hub.member_of(user).is_none());
            if unlinked.is_some_and(|anchor| !anchors.insert((source, anchor))) {
                self.hub.edit_user(user, |record| record.external_id = Some(format!("unique{n}")));
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
