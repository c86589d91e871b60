//! Taking a run back: the inverse of each of its items, judged against what is there now.
//!
//! An applied item is recorded as a [`Change`]: the fields it changed of its member, group or membership, before and
//! after. Its inverse is the same change read backwards. It is possible while those fields are as the item left them and
//! nobody else has what it needs by now; otherwise it is named with an [`Impossible`] and the rest goes on. A rewind is
//! recorded the same way, so it can be taken back too.

use crate::directory::GroupState;
use crate::email::fold;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use crate::plan::matching::{Claim, Weight, refused};
use crate::plan::{Action, Item, Plan, Subject, Why, World};
use crate::roster::{MemberState, MemberStatus, Profile, WaitingFor, text_enum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use uuid::Uuid;

text_enum! {
    /// Why an item cannot be taken back.
    Impossible {
        /// A later run, or a person, changed the same fields.
        ChangedSince = "changed_since",
        /// It is as it was before already.
        AlreadyBack = "already_back",
        /// Somebody else has the address now.
        AddressTaken = "address_taken",
        /// Another sharing group has the name now.
        NameTaken = "name_taken",
        /// Another member or group follows the record now.
        RecordTaken = "record_taken",
        /// The group of a membership, or the member or group itself, is not there any more.
        Gone = "gone",
        /// No seat is free for somebody who would come back.
        NoSeat = "no_seat",
        /// The policy protects this member.
        ProtectedMember = "protected_member",
        /// Nobody could administer the tenant any more (DA7).
        LastAdmin = "last_active_admin",
        /// Nobody could be reached about bills any more (DA7).
        LastBillingContact = "last_billing_contact",
        /// It was not recorded what was there before: the run is older than this ability.
        NotReversible = "not_reversible",
        /// Applying it failed in a way that Rollcall does not know; the error is in the worker's log.
        Failed = "failed",
    }
}

/// The managed part of a member: what runs change and a rewind brings back. Role and billing contact are not in it,
/// because no run changes them; nor are the memberships, which are items of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberFacts {
    pub status: MemberStatus,
    pub suspended_from: Option<MemberStatus>,
    pub waiting_for: Option<WaitingFor>,
    pub seated: bool,
    pub held: bool,
    #[serde(flatten)]
    pub profile: Profile,
    pub managed_by: Option<SourceId>,
    pub directory_user: Option<DirectoryUserId>,
}

impl MemberFacts {
    pub fn of(member: &MemberState) -> Self {
        Self {
            status: member.status,
            suspended_from: member.suspended_from,
            waiting_for: member.waiting_for,
            seated: member.seated,
            held: member.held,
            profile: member.profile.clone(),
            managed_by: member.managed_by,
            directory_user: member.directory_user,
        }
    }

    /// The member with these facts, role, billing contact and approval as they are.
    pub fn into_member(self, member: &MemberState) -> MemberState {
        MemberState {
            id: member.id,
            role: member.role,
            billing_contact: member.billing_contact,
            approval: member.approval,
            profile: self.profile,
            status: self.status,
            suspended_from: self.suspended_from,
            waiting_for: self.waiting_for,
            seated: self.seated,
            held: self.held,
            managed_by: self.managed_by,
            directory_user: self.directory_user,
        }
    }

    /// Nobody is both gone and in, and nobody is in without a seat; a change that was mixed with a later one could say so.
    fn is_sound(&self) -> bool {
        let free = self.waiting_for.is_none() && !self.held;
        match self.status {
            MemberStatus::Invited | MemberStatus::Active => self.seated && free,
            MemberStatus::Removed => !self.seated && free,
            MemberStatus::Pending | MemberStatus::Suspended => true,
        }
    }
}

/// What runs change of a sharing group. Its members are items of their own; those of a removed group stay on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFacts {
    pub name: String,
    pub managed_by: Option<SourceId>,
    /// The directory group it is tied to, alive or not.
    pub directory_group: Option<DirectoryGroupId>,
    pub removed: bool,
}

impl GroupFacts {
    /// Of a group that is there.
    pub fn of(group: &GroupState) -> Self {
        let (name, managed_by) = (group.name.clone(), group.managed_by);
        Self { name, managed_by, directory_group: group.tied_to, removed: false }
    }
}

/// Whether a member is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    pub inside: bool,
}

/// The fields that one item changed. Who or what the item made has nothing `before`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub before: Option<Map<String, Value>>,
    pub after: Map<String, Value>,
}

impl Change {
    /// The fields in which the two differ.
    pub fn between<T: Serialize>(before: &T, after: &T) -> Self {
        let (mut before, mut after) = (fields(before), fields(after));
        before.retain(|key, value| after.get(key) != Some(value));
        after.retain(|key, _| before.contains_key(key));
        Self { before: Some(before), after }
    }

    /// All of what was made.
    pub fn made<T: Serialize>(after: &T) -> Self {
        Self { before: None, after: fields(after) }
    }

    fn backwards(&self, target: Target) -> Option<Self> {
        match (&self.before, target) {
            (Some(before), _) => Some(Self { before: Some(self.after.clone()), after: before.clone() }),
            (None, Target::Member(_)) => {
                let made: MemberFacts = read(&self.after)?;
                let gone = MemberFacts {
                    status: MemberStatus::Removed,
                    suspended_from: made.suspended_from.or(Some(made.status)),
                    waiting_for: None,
                    seated: false,
                    held: false,
                    ..made.clone()
                };
                Some(Self::between(&made, &gone))
            }
            (None, Target::Group(_)) => {
                let made: GroupFacts = read(&self.after)?;
                Some(Self::between(&made, &GroupFacts { removed: true, ..made.clone() }))
            }
            (None, Target::Membership(..)) => None,
        }
    }

    /// The state after this change.
    pub fn applied_to<T: Serialize + DeserializeOwned>(&self, state: &T) -> Result<T, Impossible> {
        let mut now = fields(state);
        let is_at = |there: &Map<String, Value>| there.iter().all(|(key, value)| now.get(key) == Some(value));
        if self.before.as_ref().is_none_or(|before| !is_at(before)) {
            return Err(if is_at(&self.after) { Impossible::AlreadyBack } else { Impossible::ChangedSince });
        }
        now.extend(self.after.clone());
        read(&now).ok_or(Impossible::NotReversible)
    }

    fn field<T: DeserializeOwned>(side: Option<&Map<String, Value>>, key: &str) -> Option<T> {
        serde_json::from_value(side?.get(key)?.clone()).ok()
    }

    /// A field's value before and after, when it changes.
    fn moves<T: DeserializeOwned>(&self, key: &str) -> Option<(T, T)> {
        Some((Self::field(self.before.as_ref(), key)?, Self::field(Some(&self.after), key)?))
    }
}

fn fields<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn read<T: DeserializeOwned>(fields: &Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(fields.clone())).ok()
}

/// What an item changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Member(MemberId),
    Group(SharingGroupId),
    Membership(SharingGroupId, MemberId),
}

impl Action {
    /// The member, group or membership that it changes; `None` when it makes one.
    pub fn target(&self) -> Option<Target> {
        match *self {
            Self::Provision { .. } | Self::CreateGroup { .. } => None,
            Self::Adopt { member, .. }
            | Self::Relink { member, .. }
            | Self::UpdateProfile { member, .. }
            | Self::Suspend { member, .. }
            | Self::ReleaseSeat { member }
            | Self::Remove { member, .. }
            | Self::Restore { member, .. }
            | Self::Waitlist { member }
            | Self::StopWaiting { member } => Some(Target::Member(member)),
            Self::AdoptGroup { group, .. } | Self::RenameGroup { group, .. } | Self::RemoveGroup { group } => {
                Some(Target::Group(group))
            }
            Self::AddToGroup { group, member } | Self::RemoveFromGroup { group, member } => {
                Some(Target::Membership(group, member))
            }
            Self::Undo(ref step) => Some(step.target),
        }
    }
}

/// What is recorded of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    Member(MemberFacts),
    Group(GroupFacts),
    Membership(Inside),
}

impl Facts {
    /// What became of a target; without facts from before, it was made. A member does not become a group.
    pub fn change(before: Option<&Self>, after: &Self) -> Change {
        match (before, after) {
            (Some(Self::Member(before)), Self::Member(after)) => Change::between(before, after),
            (Some(Self::Group(before)), Self::Group(after)) => Change::between(before, after),
            (Some(Self::Membership(before)), Self::Membership(after)) => Change::between(before, after),
            (_, Self::Member(after)) => Change::made(after),
            (_, Self::Group(after)) => Change::made(after),
            (_, Self::Membership(after)) => Change::made(after),
        }
    }
}

/// What an applied item did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub subject: Subject,
    pub target: Target,
    pub change: Change,
}

/// The inverse of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Names the item in the verdict.
    pub id: Uuid,
    pub subject: Subject,
    pub target: Target,
    pub change: Change,
}

impl Step {
    /// `None` when it was not recorded what was there before.
    pub fn inverse(id: Uuid, item: &Recorded) -> Option<Self> {
        let change = item.change.backwards(item.target)?;
        Some(Self { id, subject: item.subject, target: item.target, change })
    }

    /// The word for what it does; on the wire an item's `action`.
    pub fn word(&self) -> &'static str {
        match self.target {
            Target::Member(_) => self.member_word(),
            Target::Group(_) => match self.change.moves("removed") {
                Some((_, true)) => "remove_group",
                Some((_, false)) => "restore_group",
                None if self.change.after.contains_key("directory_group") => "relink_group",
                None => "rename_group",
            },
            Target::Membership(..) => match self.change.moves("inside") {
                Some((_, true)) => "add_to_group",
                _ => "remove_from_group",
            },
        }
    }

    fn member_word(&self) -> &'static str {
        let change = &self.change;
        match self.status() {
            Some((_, MemberStatus::Removed)) => return "remove",
            Some((_, MemberStatus::Suspended)) => return "suspend",
            Some((_, MemberStatus::Pending)) => return "wait",
            Some((_, MemberStatus::Invited | MemberStatus::Active)) => return "restore",
            None => {}
        }
        match change.moves::<Option<SourceId>>("managed_by") {
            Some((_, None)) => return "unlink",
            Some((None, Some(_))) => return "adopt",
            _ if change.after.contains_key("directory_user") => return "relink",
            _ => {}
        }
        match (change.moves("seated"), change.moves("waiting_for")) {
            (Some((_, true)), _) => "take_seat",
            (Some((_, false)), _) => "release_seat",
            (None, Some((_, Some(WaitingFor::Seat | WaitingFor::Approval)))) => "waitlist",
            (None, Some((_, None::<WaitingFor>))) => "stop_waiting",
            (None, None) => "update_profile",
        }
    }

    /// Where the member stands before and after, when that changes.
    pub fn status(&self) -> Option<(MemberStatus, MemberStatus)> {
        self.change.moves("status")
    }

    /// Seats it takes: 1, 0 or -1.
    pub fn seats(&self) -> i64 {
        self.change.moves("seated").map_or(0, |(before, after): (bool, bool)| i64::from(after) - i64::from(before))
    }

    /// The member who is active now and will not be.
    pub(crate) fn deactivates(&self) -> Option<MemberId> {
        match (self.target, self.status()) {
            (Target::Member(member), Some((MemberStatus::Active, _))) => Some(member),
            _ => None,
        }
    }

    /// The member who will be suspended or removed and is not yet.
    pub(crate) fn takes_away(&self) -> Option<MemberId> {
        match (self.target, self.status()?) {
            (_, (MemberStatus::Removed, _)) => None,
            (Target::Member(member), (_, MemberStatus::Suspended | MemberStatus::Removed)) => Some(member),
            _ => None,
        }
    }

    /// The member who will be active and is not.
    pub(crate) fn activates(&self) -> Option<MemberId> {
        match (self.target, self.status()) {
            (Target::Member(member), Some((_, MemberStatus::Active))) => Some(member),
            _ => None,
        }
    }

    /// The address whose holder has to be known.
    pub fn address(&self) -> Option<String> {
        Change::field(Some(&self.change.after), "email")
    }

    /// The name whose holder has to be known.
    pub fn name(&self) -> Option<String> {
        Change::field(Some(&self.change.after), "name")
    }

    /// The record that the member would follow again.
    pub fn directory_user(&self) -> Option<DirectoryUserId> {
        Change::field::<Option<_>>(Some(&self.change.after), "directory_user").flatten()
    }

    /// The record that the group would follow again.
    pub fn directory_group(&self) -> Option<DirectoryGroupId> {
        Change::field::<Option<_>>(Some(&self.change.after), "directory_group").flatten()
    }
}

/// What a rewind, or a part of it, depends on.
#[derive(Clone, Debug, Default)]
pub struct Rewind {
    /// The last item of the run first.
    pub steps: Vec<Step>,
    pub members: HashMap<MemberId, MemberState>,
    pub groups: HashMap<SharingGroupId, GroupFacts>,
    /// Memberships of the steps that are there now.
    pub memberships: HashSet<(SharingGroupId, MemberId)>,
    /// Who follows the records that the steps name.
    pub linked_users: HashMap<DirectoryUserId, MemberId>,
    pub linked_groups: HashMap<DirectoryGroupId, SharingGroupId>,
    /// Who lets go of an address or a name by another part of the same rewind.
    pub leaving_members: HashSet<MemberId>,
    pub leaving_groups: HashSet<SharingGroupId>,
}

/// Plans every step that is possible now, and names the others; `blocked` ones are not tried.
pub(crate) fn plan_rewind(world: &World, blocked: &HashMap<Uuid, Impossible>) -> Plan {
    let steps = &world.rewind.steps;
    let mut refused: HashMap<usize, Impossible> = HashMap::new();
    refused.extend(steps.iter().enumerate().filter_map(|(place, step)| Some((place, *blocked.get(&step.id)?))));
    let mut wanted = Draft::new(&world.rewind);
    for (place, step) in steps.iter().enumerate() {
        if !refused.contains_key(&place) {
            // Who is refused here is refused below, with the reason.
            let _ = wanted.play(step);
        }
    }
    refused.extend(refused_addresses(world, &wanted));
    refused.extend(refused_names(world, &wanted));
    let mut plan = Plan::default();
    let mut draft = Draft::new(&world.rewind);
    for (place, step) in steps.iter().enumerate() {
        match refused.get(&place).map_or_else(|| draft.play(step), |reason| Err(*reason)) {
            Ok(()) => {
                let (subject, action) = (step.subject, Action::Undo(step.clone()));
                plan.items.push(Item { subject, action, why: Why::TakenBack, origin: None });
            }
            Err(reason) => plan.impossible.push((step.id, reason)),
        }
    }
    plan
}

/// The members, groups and memberships of a rewind as its steps leave them.
struct Draft<'r> {
    rewind: &'r Rewind,
    members: HashMap<MemberId, MemberFacts>,
    groups: HashMap<SharingGroupId, GroupFacts>,
    memberships: HashSet<(SharingGroupId, MemberId)>,
}

impl<'r> Draft<'r> {
    fn new(rewind: &'r Rewind) -> Self {
        let members = rewind.members.iter().map(|(id, member)| (*id, MemberFacts::of(member))).collect();
        Self { rewind, members, groups: rewind.groups.clone(), memberships: rewind.memberships.clone() }
    }

    fn play(&mut self, step: &Step) -> Result<(), Impossible> {
        match step.target {
            Target::Member(id) => {
                let member = self.members.get_mut(&id).ok_or(Impossible::Gone)?;
                let after: MemberFacts = step.change.applied_to(member)?;
                if !after.is_sound() {
                    return Err(Impossible::ChangedSince);
                }
                let follower = after.directory_user.and_then(|record| self.rewind.linked_users.get(&record));
                if follower.is_some_and(|other| *other != id) {
                    return Err(Impossible::RecordTaken);
                }
                *member = after;
            }
            Target::Group(id) => {
                let group = self.groups.get_mut(&id).ok_or(Impossible::Gone)?;
                let after: GroupFacts = step.change.applied_to(group)?;
                let follower = after.directory_group.and_then(|record| self.rewind.linked_groups.get(&record));
                if follower.is_some_and(|other| *other != id) {
                    return Err(Impossible::RecordTaken);
                }
                *group = after;
            }
            Target::Membership(group, member) => {
                let now = Inside { inside: self.memberships.contains(&(group, member)) };
                let after: Inside = step.change.applied_to(&now)?;
                if self.groups.get(&group).is_none_or(|group| group.removed) {
                    return Err(Impossible::Gone);
                }
                if after.inside {
                    self.memberships.insert((group, member));
                } else {
                    self.memberships.remove(&(group, member));
                }
            }
        }
        Ok(())
    }
}

/// The places of each target's steps.
fn places_by_target(steps: &[Step]) -> HashMap<Target, Vec<usize>> {
    let mut places: HashMap<Target, Vec<usize>> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        places.entry(step.target).or_default().push(place);
    }
    places
}

/// Steps whose target would get a text that somebody else keeps: all of those that make it want the text, so that none
/// of them is left without the others.
fn taken<Owner: Copy + Eq + Hash>(
    wanting: HashMap<usize, Vec<usize>>,
    claims: Vec<Claim<Owner>>,
    vacating: &HashSet<Owner>,
    holder: impl Fn(&str) -> Option<Owner>,
) -> impl Iterator<Item = usize> {
    refused(claims, vacating, holder)
        .into_iter()
        .flat_map(move |first| wanting.get(&first).cloned().unwrap_or_default())
}

fn refused_addresses(world: &World, draft: &Draft<'_>) -> HashMap<usize, Impossible> {
    let steps = &world.rewind.steps;
    let mut vacating = world.rewind.leaving_members.clone();
    let (mut claims, mut wanting) = (Vec::new(), HashMap::new());
    for (target, mut places) in places_by_target(steps) {
        let Target::Member(id) = target else { continue };
        let (Some(now), Some(after)) = (world.rewind.members.get(&id), draft.members.get(&id)) else { continue };
        let (is_in, will_be) = (now.status != MemberStatus::Removed, after.status != MemberStatus::Removed);
        let key = fold(&after.profile.email);
        let comes_back = |step: &Step| step.status().is_some_and(|(before, _)| before == MemberStatus::Removed);
        places.retain(|place| steps[*place].address().is_some() || comes_back(&steps[*place]));
        if is_in && !will_be {
            vacating.insert(id);
        } else if will_be
            && !(is_in && fold(&now.profile.email) == key)
            && let Some(subject) = places.first().copied()
        {
            claims.push(Claim { subject, key, mover: is_in.then_some(id), weight: Weight::Live });
            wanting.insert(subject, places);
        }
    }
    let taken = taken(wanting, claims, &vacating, |email| world.holders.get(email).map(|holder| holder.id));
    taken.map(|place| (place, Impossible::AddressTaken)).collect()
}

fn refused_names(world: &World, draft: &Draft<'_>) -> HashMap<usize, Impossible> {
    let steps = &world.rewind.steps;
    let mut vacating = world.rewind.leaving_groups.clone();
    let (mut claims, mut wanting) = (Vec::new(), HashMap::new());
    for (target, mut places) in places_by_target(steps) {
        let Target::Group(id) = target else { continue };
        let (Some(now), Some(after)) = (world.rewind.groups.get(&id), draft.groups.get(&id)) else { continue };
        let key = fold(&after.name);
        places.retain(|place| steps[*place].name().is_some() || steps[*place].word() == "restore_group");
        if !now.removed && after.removed {
            vacating.insert(id);
        } else if !after.removed
            && (now.removed || fold(&now.name) != key)
            && let Some(subject) = places.first().copied()
        {
            claims.push(Claim { subject, key, mover: (!now.removed).then_some(id), weight: Weight::Live });
            wanting.insert(subject, places);
        }
    }
    let taken = taken(wanting, claims, &vacating, |name| world.group_names.get(name).map(|group| group.id));
    taken.map(|place| (place, Impossible::NameTaken)).collect()
}
