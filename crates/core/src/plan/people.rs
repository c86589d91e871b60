//! People: newcomers, changes, departures and returns.

use super::matching::{Match, Matched, readdressed, wanted_email};
use crate::action::{Action, Disputed, Item, Plan, Why};
use crate::change::Subject;
use crate::directory::{Dispute, PersonRecord, UserSubject};
use crate::email::fold;
use crate::ids::MemberId;
use crate::policy::{LocalAttribute, OnDeleted, Onboarding, Policy};
use crate::roster::{Approval, MemberState, MemberStatus, Profile, WaitingFor, given_up as given_up_address};
use crate::world::World;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Collects one user's items under one origin.
struct UserItems<'p> {
    subject: &'p UserSubject,
    plan: &'p mut Plan,
}

impl UserItems<'_> {
    fn push(&mut self, action: Action, why: Why) {
        let subject = Subject::DirectoryUser(self.subject.id);
        self.plan.items.push(Item { subject, action, why, origin: Some(self.subject.origin) });
    }

    fn dispute(&mut self, dispute: Dispute) {
        let known = self.subject.member.as_ref().or(self.subject.returning.as_ref());
        let record = self.subject.record.as_ref();
        if dispute == Dispute::ExternalIdTaken {
            let about = record.and_then(|record| record.external_id.clone()).unwrap_or_default();
            return self.dispute_about(dispute, about);
        }
        let wanted = record.and_then(|record| wanted_email(record, known));
        // A person who returns without an address needs the former one.
        let about = wanted.or(known.filter(|member| !member.holds_address()).map(MemberState::own_address));
        self.dispute_about(dispute, about.map(fold).unwrap_or_default());
    }

    fn dispute_about(&mut self, dispute: Dispute, about: String) {
        self.plan.disputed.push(Disputed { subject: Subject::DirectoryUser(self.subject.id), dispute, about });
    }
}

/// Plans the members without access who give their address to another person, and returns them as they are then. These
/// items come first, because everything else about those members is planned on them.
pub(super) fn give_up_addresses(
    world: &World,
    matched: &[Matched<'_>],
    plan: &mut Plan,
) -> HashMap<MemberId, MemberState> {
    let mut given_up = HashMap::new();
    for (subject, matched) in world.users.iter().zip(matched) {
        let Some(holder) = matched.takes_from else { continue };
        let (before, after) = (holder.profile.email.clone(), given_up_address(holder.id, &holder.profile.email));
        let mut without = holder.clone();
        without.profile.email.clone_from(&after);
        given_up.insert(holder.id, without);
        let action = Action::GiveUpAddress { member: holder.id, before, after };
        let (subject, origin) = (Subject::DirectoryUser(subject.id), Some(subject.origin));
        plan.items.push(Item { subject, action, why: Why::AddressGivenOn, origin });
    }
    given_up
}

pub(super) fn plan_user(world: &World, subject: &UserSubject, matched: Matched<'_>, plan: &mut Plan) {
    let policy = world.policy_of(subject.origin.source);
    let mut items = UserItems { subject, plan };
    let record = subject.record.as_ref();
    if let (Some(record), Some(why)) = (record, &subject.unmapped) {
        return plan_unmapped(policy, matched.who, record, why, &mut items);
    }
    let address = Address { free: matched.address_free, frozen: matched.who.is_frozen(world) };
    match (matched.who, record) {
        (Match::Nobody, _) | (_, None) if subject.member.is_none() => {}
        (Match::Linked(member), None) => plan_gone(policy.on_deleted, member, Why::DeletedAtSource, &mut items),
        (Match::Linked(member), Some(record)) => {
            plan_access(policy, member, record, &mut items);
            plan_profile(member, record, &policy.local_attributes, address, &mut items);
        }
        (Match::Returning(member), Some(record)) => {
            let by_anchor = subject.returning.as_ref().is_some_and(|anchored| anchored.id == member.id);
            let why = match (by_anchor, member.directory_user == Some(subject.id)) {
                (true, true) => Why::LinkedBefore,
                (true, false) => Why::MatchedByExternalId,
                (false, _) => Why::MatchedByEmail,
            };
            let external_id = record.external_id.clone();
            items.push(Action::Relink { member: member.id, external_id }, why);
            let linked = linked(member, record);
            plan_access(policy, &linked, record, &mut items);
            plan_profile(&linked, record, &policy.local_attributes, address, &mut items);
            // The waitlist knows the member by the former record, so the member asks for no seat in this plan.
            let waits = member.status == MemberStatus::Pending && member.waiting_for == Some(WaitingFor::Seat);
            if subject.is_wanted() && waits && member.approval != Some(Approval::Declined) {
                let (from, to) = (member.status, restored_status(policy, member));
                items.push(Action::Restore { member: member.id, from, to }, Why::SeatBecameFree);
            }
        }
        (Match::Adopted(member), Some(record)) => {
            let external_id = record.external_id.clone();
            items.push(Action::Adopt { member: member.id, external_id }, Why::MatchedByEmail);
            let linked = linked(member, record);
            plan_access(policy, &linked, record, &mut items);
            let kept = held_locally(&policy.local_attributes, &linked.profile);
            plan_profile(&linked, record, &kept, Address { free: true, ..address }, &mut items);
        }
        (Match::New, Some(record)) => {
            items.push(provision(policy, record), Why::NewInDirectory);
        }
        (Match::Disputed(dispute), _) => items.dispute(dispute),
        _ => {}
    }
}

/// A record for which the policy's mapping fails makes no member and changes no profile; access follows the record all
/// the same.
fn plan_unmapped(policy: &Policy, who: Match<'_>, record: &PersonRecord, why: &str, items: &mut UserItems<'_>) {
    match who {
        Match::Nobody => return,
        // Nobody returns without an address.
        Match::Linked(member) if member.gave_up().is_some() => {}
        Match::Linked(member) => plan_access(policy, member, record, items),
        _ => {}
    }
    items.dispute_about(Dispute::MappingFailed, why.to_owned());
}

/// A member after the link to this record.
fn linked(member: &MemberState, record: &PersonRecord) -> MemberState {
    let mut linked = member.clone();
    linked.profile.external_id = record.external_id.clone().or(linked.profile.external_id);
    linked
}

fn provision(policy: &Policy, record: &PersonRecord) -> Action {
    let status = if record.active { entry_status(policy) } else { MemberStatus::Suspended };
    let waiting_for = (status == MemberStatus::Pending).then_some(WaitingFor::Approval);
    let email = wanted_email(record, None).unwrap_or_default();
    Action::Provision { profile: profile(record, email), status, waiting_for }
}

/// Status of a new member with a seat.
fn entry_status(policy: &Policy) -> MemberStatus {
    if policy.approval { MemberStatus::Pending } else { admitted_status(policy) }
}

/// Status of a new member who needs no approval, or has it.
pub(crate) fn admitted_status(policy: &Policy) -> MemberStatus {
    match policy.onboarding {
        Onboarding::Invite => MemberStatus::Invited,
        Onboarding::Federated => MemberStatus::Active,
    }
}

/// Status after a restore. A member who never had access starts over, by an admin's decision if there is one (LP5).
pub(crate) fn restored_status(policy: &Policy, member: &MemberState) -> MemberStatus {
    match (member.suspended_from, member.approval) {
        (Some(former @ (MemberStatus::Invited | MemberStatus::Active)), _) => former,
        (_, Some(Approval::Approved)) => admitted_status(policy),
        (_, Some(Approval::Declined)) => MemberStatus::Pending,
        (_, None) => entry_status(policy),
    }
}

fn profile(record: &PersonRecord, email: &str) -> Profile {
    Profile {
        email: email.to_owned(),
        display_name: record.display_name.clone(),
        given_name: record.given_name.clone(),
        family_name: record.family_name.clone(),
        external_id: record.external_id.clone(),
    }
}

/// Effect of an existing record on its member's access.
fn plan_access(policy: &Policy, member: &MemberState, record: &PersonRecord, items: &mut UserItems<'_>) {
    if !items.subject.is_wanted() {
        let (fate, why) = left_by(policy, record, items.subject.in_scope);
        plan_gone(fate, member, why, items);
    } else if member.is_blocked() {
        // The wish of the source waits until an admin lifts the block.
    } else if matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed) {
        let (from, to) = (member.status, restored_status(policy, member));
        items.push(Action::Restore { member: member.id, from, to }, Why::ActiveAtSource);
    } else if member.is_let_in() {
        let (from, to) = (member.status, admitted_status(policy));
        items.push(Action::Restore { member: member.id, from, to }, Why::ApprovedByAdmin);
    }
}

/// The action for a person whose record exists, and its cause. The stricter of two causes counts, so that their order does not
/// matter.
fn left_by(policy: &Policy, record: &PersonRecord, in_scope: bool) -> (OnDeleted, Why) {
    let stricter = policy.on_out_of_scope == OnDeleted::Remove && policy.on_disabled == OnDeleted::Suspend;
    if record.active || (!in_scope && stricter) {
        (policy.on_out_of_scope, Why::OutOfScope)
    } else {
        (policy.on_disabled, Why::DisabledAtSource)
    }
}

/// Whether a member can take the record's address on.
#[derive(Clone, Copy)]
struct Address {
    free: bool,
    /// Profile changes wait for an open invitation.
    frozen: bool,
}

/// Brings a member's profile in line with the record, except for local attributes (PE6).
fn plan_profile(
    member: &MemberState,
    record: &PersonRecord,
    local: &BTreeSet<LocalAttribute>,
    address: Address,
    items: &mut UserItems<'_>,
) {
    let wanted = items.subject.lets_in(member);
    if address.frozen || (member.status == MemberStatus::Removed && !wanted) {
        return;
    }
    let email = match (member.holds_address(), wanted, address.free) {
        (true, _, true) => wanted_email(record, Some(member)).unwrap_or(&member.profile.email),
        // A member who gave the address up gets one again on return.
        (false, true, true) => wanted_email(record, Some(member)).unwrap_or_else(|| member.own_address()),
        (false, false, true) => {
            readdressed(wanted_email(record, Some(member)), member).unwrap_or(&member.profile.email)
        }
        _ => &member.profile.email,
    };
    if !address.free {
        items.dispute(Dispute::EmailTaken);
    }
    let mut after = profile(record, email);
    for attribute in local {
        *after.local_mut(*attribute) = member.profile.local(*attribute).clone();
    }
    if after != member.profile {
        let before = member.profile.clone();
        items.push(Action::UpdateProfile { member: member.id, before, after }, Why::ProfileChanged);
    }
}

/// Local attributes in which an unmanaged member has a value; the source fills the others when it adopts.
fn held_locally(local: &BTreeSet<LocalAttribute>, profile: &Profile) -> BTreeSet<LocalAttribute> {
    local.iter().copied().filter(|attribute| profile.local(*attribute).is_some()).collect()
}

fn plan_gone(fate: OnDeleted, member: &MemberState, why: Why, items: &mut UserItems<'_>) {
    match (fate, member.status) {
        (_, MemberStatus::Removed) => {}
        (OnDeleted::Suspend, _) => plan_leaving(member, why, items),
        (OnDeleted::Remove, from) => items.push(Action::Remove { member: member.id, from }, why),
    }
}

fn plan_leaving(member: &MemberState, why: Why, items: &mut UserItems<'_>) {
    let id = member.id;
    match member.status {
        MemberStatus::Removed => {}
        MemberStatus::Suspended if member.held && member.seated => items.push(Action::ReleaseSeat { member: id }, why),
        MemberStatus::Suspended if member.waiting_for.is_some() => items.push(Action::StopWaiting { member: id }, why),
        MemberStatus::Suspended => {}
        from => items.push(Action::Suspend { member: id, from, release_seat: true }, why),
    }
}

/// Members made by hand whom a record takes over that does not want them in: they leave by the same plan, and ask for no seat.
pub(super) fn adopted_leavers(world: &World, matched: &[Matched<'_>]) -> HashSet<MemberId> {
    let leaver = |(subject, matched): (&UserSubject, &Matched<'_>)| match matched.who {
        Match::Adopted(member) if !subject.is_wanted() => Some(member.id),
        _ => None,
    };
    world.users.iter().zip(matched).filter_map(leaver).collect()
}

/// Every person at the head of the waitlist asks for a seat again; `review` gives out the free ones.
pub(super) fn admit_waiting(world: &World, leaving: &HashSet<MemberId>, plan: &mut Plan) {
    for member in &world.waiting {
        let touched = member.directory_user.and_then(|user| world.user(user));
        let leaves = touched.is_some_and(|user| !user.is_wanted()) || leaving.contains(&member.id);
        let restored_already = touched.is_some() && member.status == MemberStatus::Suspended;
        if leaves || restored_already {
            continue;
        }
        let policy = member.managed_by.map_or(&world.policy, |source| world.policy_of(source));
        let to = restored_status(policy, member);
        let action = Action::Restore { member: member.id, from: member.status, to };
        let subject = Subject::of_waiting(member);
        plan.items.push(Item { subject, action, why: Why::SeatBecameFree, origin: None });
    }
}
