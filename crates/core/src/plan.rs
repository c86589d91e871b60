//! From what the sources say to what the roster should become: pure, deterministic, and empty once it was applied.

use crate::directory::{Dispute, GroupState, GroupSubject, MembershipSubject, Origin, PersonRecord, UserSubject};
use crate::email::fold;
use crate::guard::Standing;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId};
use crate::matching::{Claim, Match, Matched, Weight, match_users, refused, takes_updates, wanted_email};
use crate::policy::{OnDeleted, Onboarding, Policy};
use crate::roster::{MemberState, MemberStatus, Profile, WaitingFor, text_enum};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Everything a plan may depend on: the touched subjects and a few counts, never the whole tenant.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub policy: Policy,
    /// Sorted by id.
    pub users: Vec<UserSubject>,
    /// Members by folded email, for every address the users ask for.
    pub holders: HashMap<String, MemberState>,
    /// Sorted by id.
    pub groups: Vec<GroupSubject>,
    /// Sharing groups by folded name, for every name the groups ask for.
    pub group_names: HashMap<String, GroupState>,
    pub memberships: Vec<MembershipSubject>,
    /// The head of the waitlist in the order the directory announced the people; at least as many as could get a seat.
    pub waiting: Vec<(DirectoryUserId, MemberState)>,
    /// Actions that an admin released for a person, although a guard withheld them.
    pub approved: HashSet<(DirectoryUserId, &'static str)>,
    pub standing: Standing,
}

text_enum! {
    /// Why an item is in the plan.
    Why {
        NewInDirectory = "new_in_directory",
        MatchedByEmail = "matched_by_email",
        MatchedByExternalId = "matched_by_external_id",
        ProfileChanged = "profile_changed",
        DisabledAtSource = "disabled_at_source",
        DeletedAtSource = "deleted_at_source",
        ActiveAtSource = "active_at_source",
        SeatBecameFree = "seat_became_free",
        RenamedAtSource = "renamed_at_source",
        AddedAtSource = "added_at_source",
        RemovedAtSource = "removed_at_source",
    }
}

/// What an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Subject {
    DirectoryUser(DirectoryUserId),
    DirectoryGroup(DirectoryGroupId),
    Member(MemberId),
    SharingGroup(SharingGroupId),
}

/// One change of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Makes a member. `Pending` exactly when `waiting_for` says for what; `Suspended` when the person left before a
    /// worker first looked.
    Provision {
        profile: Profile,
        status: MemberStatus,
        waiting_for: Option<WaitingFor>,
    },
    /// Lets a source manage a member that exists already.
    Adopt {
        member: MemberId,
        external_id: Option<String>,
    },
    /// Ties a returning person's new record to the member they had.
    Relink {
        member: MemberId,
        external_id: Option<String>,
    },
    UpdateProfile {
        member: MemberId,
        before: Profile,
        after: Profile,
    },
    /// Ends access; `from` is what a restore brings back. Without `release_seat` the irreversible part waits.
    Suspend {
        member: MemberId,
        from: MemberStatus,
        release_seat: bool,
    },
    /// Gives the seat of an already suspended member to whoever waits.
    ReleaseSeat {
        member: MemberId,
    },
    Remove {
        member: MemberId,
        from: MemberStatus,
    },
    /// Gives back exactly what a suspension or removal took (PE4), or lets in who waited for a seat.
    Restore {
        member: MemberId,
        from: MemberStatus,
        to: MemberStatus,
    },
    /// A suspended or removed member came back and no seat is free.
    Waitlist {
        member: MemberId,
    },
    /// No longer wanted, so no longer waiting.
    StopWaiting {
        member: MemberId,
    },
    CreateGroup {
        name: String,
    },
    AdoptGroup {
        group: SharingGroupId,
        name: String,
    },
    RenameGroup {
        group: SharingGroupId,
        before: String,
        after: String,
    },
    RemoveGroup {
        group: SharingGroupId,
    },
    AddToGroup {
        group: SharingGroupId,
        member: MemberId,
    },
    RemoveFromGroup {
        group: SharingGroupId,
        member: MemberId,
    },
}

impl Action {
    /// The word that the serialised form is tagged with.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Provision { .. } => "provision",
            Self::Adopt { .. } => "adopt",
            Self::Relink { .. } => "relink",
            Self::UpdateProfile { .. } => "update_profile",
            Self::Suspend { .. } => "suspend",
            Self::ReleaseSeat { .. } => "release_seat",
            Self::Remove { .. } => "remove",
            Self::Restore { .. } => "restore",
            Self::Waitlist { .. } => "waitlist",
            Self::StopWaiting { .. } => "stop_waiting",
            Self::CreateGroup { .. } => "create_group",
            Self::AdoptGroup { .. } => "adopt_group",
            Self::RenameGroup { .. } => "rename_group",
            Self::RemoveGroup { .. } => "remove_group",
            Self::AddToGroup { .. } => "add_to_group",
            Self::RemoveFromGroup { .. } => "remove_from_group",
        }
    }

    /// The names of actions that a guard may withhold and an admin release.
    pub fn approvable(name: &str) -> Option<&'static str> {
        ["provision", "suspend", "release_seat", "remove"].into_iter().find(|known| *known == name)
    }
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub subject: Subject,
    #[serde(flatten)]
    pub action: Action,
    pub why: Why,
    /// `None` for what Rollcall does by itself, e.g. letting in the next on the waitlist.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// A record that was skipped, and the text it is in dispute about (an address, a name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    pub subject: Subject,
    pub dispute: Dispute,
    pub about: String,
}

/// What the touched subjects would make of the roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub items: Vec<Item>,
    pub disputed: Vec<Disputed>,
}

/// Works out the difference between the directory and the roster for the touched subjects.
pub fn plan(world: &World) -> Plan {
    let mut plan = Plan::default();
    for (subject, matched) in world.users.iter().zip(match_users(world)) {
        plan_user(world, subject, matched, &mut plan);
    }
    admit_waiting(world, &mut plan);
    if world.policy.group_sync {
        plan_groups(world, &mut plan);
        plan_memberships(world, &mut plan);
    }
    plan
}

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
        let wanted = self.subject.record.as_ref().and_then(|record| wanted_email(record, known));
        // Who comes back to a former invitation needs the address that went to.
        let about =
            known.filter(|member| !takes_updates(member)).map(|member| member.profile.email.as_str()).or(wanted);
        let about = about.map(fold).unwrap_or_default();
        self.plan.disputed.push(Disputed { subject: Subject::DirectoryUser(self.subject.id), dispute, about });
    }
}

fn plan_user(world: &World, subject: &UserSubject, matched: Matched<'_>, plan: &mut Plan) {
    let mut items = UserItems { subject, plan };
    let record = subject.record.as_ref();
    match (matched.who, record) {
        (Match::Nobody, _) | (_, None) if subject.member.is_none() => {}
        (Match::Linked(member), None) => plan_deleted(&world.policy, member, &mut items),
        (Match::Linked(member), Some(record)) => {
            plan_present(&world.policy, member, record, matched.address_free, &mut items);
        }
        (Match::Returning(member), Some(record)) => {
            let by_anchor = subject.returning.as_ref().is_some_and(|anchored| anchored.id == member.id);
            let why = if by_anchor { Why::MatchedByExternalId } else { Why::MatchedByEmail };
            let external_id = record.external_id.clone();
            items.push(Action::Relink { member: member.id, external_id }, why);
            plan_present(&world.policy, &linked(member, record), record, matched.address_free, &mut items);
            // The waitlist knows the member by the former record, so does not ask for a seat in this plan.
            if record.active && member.status == MemberStatus::Pending && member.waiting_for == Some(WaitingFor::Seat) {
                let (from, to) = (member.status, restored_status(&world.policy, member));
                items.push(Action::Restore { member: member.id, from, to }, Why::SeatBecameFree);
            }
        }
        (Match::Adopted(member), Some(record)) => {
            let external_id = record.external_id.clone();
            items.push(Action::Adopt { member: member.id, external_id }, Why::MatchedByEmail);
            plan_present(&world.policy, &linked(member, record), record, true, &mut items);
        }
        (Match::New, Some(record)) => {
            items.push(provision(&world.policy, record), Why::NewInDirectory);
        }
        (Match::Disputed(dispute), _) => items.dispute(dispute),
        _ => {}
    }
}

/// A member as the link to this record leaves it.
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

/// Where a new member starts, a seat given.
fn entry_status(policy: &Policy) -> MemberStatus {
    match (policy.approval, policy.onboarding) {
        (true, _) => MemberStatus::Pending,
        (false, Onboarding::Invite) => MemberStatus::Invited,
        (false, Onboarding::Federated) => MemberStatus::Active,
    }
}

/// What a restore brings back. Who never had access starts over.
fn restored_status(policy: &Policy, member: &MemberState) -> MemberStatus {
    match member.suspended_from {
        Some(former @ (MemberStatus::Invited | MemberStatus::Active)) => former,
        _ => entry_status(policy),
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

/// A linked member whose record is still there.
fn plan_present(
    policy: &Policy,
    member: &MemberState,
    record: &PersonRecord,
    address_free: bool,
    items: &mut UserItems<'_>,
) {
    if !record.active {
        plan_leaving(member, Why::DisabledAtSource, items);
    } else if matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed) {
        let (from, to) = (member.status, restored_status(policy, member));
        items.push(Action::Restore { member: member.id, from, to }, Why::ActiveAtSource);
    }
    if !takes_updates(member) || (member.status == MemberStatus::Removed && !record.active) {
        return;
    }
    let wanted = wanted_email(record, Some(member)).filter(|_| address_free);
    let email = wanted.unwrap_or(&member.profile.email);
    if !address_free {
        items.dispute(Dispute::EmailTaken);
    }
    let after = profile(record, email);
    if after != member.profile {
        let before = member.profile.clone();
        items.push(Action::UpdateProfile { member: member.id, before, after }, Why::ProfileChanged);
    }
}

fn plan_deleted(policy: &Policy, member: &MemberState, items: &mut UserItems<'_>) {
    match (policy.on_deleted, member.status) {
        (_, MemberStatus::Removed) => {}
        (OnDeleted::Suspend, _) => plan_leaving(member, Why::DeletedAtSource, items),
        (OnDeleted::Remove, from) => items.push(Action::Remove { member: member.id, from }, Why::DeletedAtSource),
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

/// Everybody at the head of the waitlist asks for a seat again; `review` gives out those that are free.
fn admit_waiting(world: &World, plan: &mut Plan) {
    let touched: HashSet<DirectoryUserId> = world.users.iter().map(|user| user.id).collect();
    for (user, member) in &world.waiting {
        let touched_and_leaving = touched.contains(user)
            && world.users.iter().any(|u| u.id == *user && !u.record.as_ref().is_some_and(|r| r.active));
        let restored_already = touched.contains(user) && member.status == MemberStatus::Suspended;
        if touched_and_leaving || restored_already {
            continue;
        }
        let to = restored_status(&world.policy, member);
        let action = Action::Restore { member: member.id, from: member.status, to };
        plan.items.push(Item {
            subject: Subject::DirectoryUser(*user),
            action,
            why: Why::SeatBecameFree,
            origin: None,
        });
    }
}

fn plan_groups(world: &World, plan: &mut Plan) {
    let refused = refused_names(world);
    let granted = |place: &usize| !refused.contains(place);
    let adopted = adopted_groups(world, (0..world.groups.len()).filter(granted));
    for (place, subject) in world.groups.iter().enumerate() {
        if refused.contains(&place) {
            let about = subject.name.as_deref().map(fold).unwrap_or_default();
            let subject = Subject::DirectoryGroup(subject.id);
            plan.disputed.push(Disputed { subject, dispute: Dispute::GroupNameTaken, about });
        } else if let Some((action, why)) = group_action(world, subject, &adopted) {
            let origin = Some(subject.origin);
            plan.items.push(Item { subject: Subject::DirectoryGroup(subject.id), action, why, origin });
        }
    }
}

/// Groups whose name cannot be theirs now: another group has it and keeps it (DX8).
fn refused_names(world: &World) -> HashSet<usize> {
    let mut claims = Vec::new();
    for (place, subject) in world.groups.iter().enumerate() {
        let Some(key) = subject.name.as_deref().map(fold) else { continue };
        let own = subject.sharing_group.as_ref();
        let has_it = own.is_some_and(|group| fold(&group.name) == key);
        let mover = own.or_else(|| adoptable(world, &key)).map(|group| group.id);
        let weight = if subject.origin.is_live() { Weight::Live } else { Weight::Simulated };
        if !has_it {
            claims.push(Claim { subject: place, key, mover, weight });
        }
    }
    let going = world.groups.iter().filter(|subject| subject.name.is_none() && subject.origin.is_live());
    let going = going.filter_map(|subject| subject.sharing_group.as_ref()).map(|group| group.id).collect();
    refused(claims, &going, |name| world.group_names.get(name).map(|group| group.id)).into_iter().collect()
}

/// Sharing groups that one of these subjects takes over, and whether that really happens.
fn adopted_groups(world: &World, subjects: impl Iterator<Item = usize>) -> HashMap<SharingGroupId, bool> {
    let mut adopted = HashMap::new();
    for subject in subjects.map(|place| &world.groups[place]).filter(|subject| subject.sharing_group.is_none()) {
        if let Some(group) = subject.name.as_deref().and_then(|name| adoptable(world, &fold(name))) {
            *adopted.entry(group.id).or_default() |= subject.origin.is_live();
        }
    }
    adopted
}

/// A sharing group that a source made and whose directory group is gone: the same name is the same group (DS5).
fn adoptable<'w>(world: &'w World, folded_name: &str) -> Option<&'w GroupState> {
    world.group_names.get(folded_name).filter(|group| group.directory_group.is_none() && group.managed_by.is_some())
}

fn group_action(
    world: &World,
    subject: &GroupSubject,
    adopted: &HashMap<SharingGroupId, bool>,
) -> Option<(Action, Why)> {
    match (&subject.name, &subject.sharing_group) {
        (None, None) => None,
        // Deleted and made again: the new record has the group now.
        (None, Some(group)) if adopted.get(&group.id).is_some_and(|live| *live || !subject.origin.is_live()) => None,
        (None, Some(group)) => Some((Action::RemoveGroup { group: group.id }, Why::DeletedAtSource)),
        (Some(name), Some(group)) if group.name == *name => None,
        (Some(name), Some(group)) => {
            let (before, after) = (group.name.clone(), name.clone());
            Some((Action::RenameGroup { group: group.id, before, after }, Why::RenamedAtSource))
        }
        (Some(name), None) => Some(match adoptable(world, &fold(name)) {
            Some(group) => (Action::AdoptGroup { group: group.id, name: name.clone() }, Why::NewInDirectory),
            None => (Action::CreateGroup { name: name.clone() }, Why::NewInDirectory),
        }),
    }
}

fn plan_memberships(world: &World, plan: &mut Plan) {
    for membership in &world.memberships {
        let (group, member) = (membership.group, membership.member);
        let (action, why) = match (membership.desired, membership.actual) {
            (true, false) => (Action::AddToGroup { group, member }, Why::AddedAtSource),
            (false, true) => (Action::RemoveFromGroup { group, member }, Why::RemovedAtSource),
            _ => continue,
        };
        let origin = Some(membership.origin);
        plan.items.push(Item { subject: Subject::Member(member), action, why, origin });
    }
}
