//! The outcome: the effect of a verdict on the members, groups and memberships of its world. It is pure; the store writes it
//! as rows, and the property tests apply it to tables in memory.

mod departed;
mod groups;
mod keys;
mod members;
mod undo;
mod wipe;

pub use departed::Departed;

use crate::action::{Action, Item, Plan};
use crate::change::{Change, Facts, GroupFacts, Impossible, Inside, MemberFacts, Recorded, Target};
use crate::event::{Actor, Event};
use crate::guard::Verdict;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, RequestId, SharingGroupId};
use crate::roster::{MemberState, MemberStatus};
use crate::world::{Names, World};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// An item that its world does not hold, or that was planned on another state: a fault of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Unread(Target),
    /// An item that makes or links a member or group is not about a record.
    NoRecord,
    NotAsPlanned(Impossible),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unread(target) => write!(f, "the plan names {target:?} without having read it"),
            Self::NoRecord => f.write_str("an item that links a member or group is not about a record"),
            Self::NotAsPlanned(reason) => write!(f, "a step was planned on another state: {reason}"),
        }
    }
}

/// A record that was linked in this plan. Its memberships are touched next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLink<Record> {
    pub record: Record,
    pub request: Option<RequestId>,
}

/// An event and its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CausedEvent {
    pub event: Event,
    pub actor: Actor,
    pub request: Option<RequestId>,
}

/// A sharing group that was created, or follows another record, or has another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLinked {
    pub id: SharingGroupId,
    pub name: String,
    pub managed_by: Option<crate::ids::SourceId>,
    pub directory_group: Option<DirectoryGroupId>,
}

/// The name of an item's target at the time of the item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum KnownAs {
    Member { email: String, display_name: Option<String> },
    Group { name: Option<String> },
    Membership { email: String, display_name: Option<String>, group: Option<String> },
}

/// The record of one played item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    pub recorded: Recorded,
    pub known_as: KnownAs,
}

/// The result of playing a verdict.
#[derive(Debug)]
pub struct Outcome {
    /// Every member of the world, as the items leave them.
    members: BTreeMap<MemberId, MemberState>,
    /// The members that the items changed, as they were before.
    changed: BTreeMap<MemberId, MemberState>,
    pub created: Vec<MemberState>,
    pub created_groups: Vec<GroupLinked>,
    /// Groups that were adopted or renamed.
    pub updated_groups: Vec<GroupLinked>,
    pub removed_groups: Vec<SharingGroupId>,
    /// Groups that got an earlier state back, each once.
    pub restored_groups: Vec<(SharingGroupId, GroupFacts)>,
    /// Every sharing group of the world, as the items leave it.
    groups: HashMap<SharingGroupId, GroupFacts>,
    pub joined: Vec<(SharingGroupId, MemberId)>,
    pub left: Vec<(SharingGroupId, MemberId)>,
    pub events: Vec<CausedEvent>,
    /// One for each item, in their order.
    pub played: Vec<Played>,
    pub linked_users: Vec<NewLink<DirectoryUserId>>,
    pub linked_groups: Vec<NewLink<DirectoryGroupId>>,
    /// Directory groups whose sharing group another one took over; held items about them are void.
    pub left_records: Vec<DirectoryGroupId>,
    /// Folded addresses and names that a record in dispute may get now.
    pub freed: Vec<String>,
    pub seats_used: i64,
    pub managed: i64,
}

/// Plays the verdict's items on its world.
///
/// # Errors
/// A [`Fault`] when the verdict does not belong to the world.
pub fn play(world: &World, verdict: &Verdict, new_id: &mut dyn FnMut() -> Uuid) -> Result<Outcome, Fault> {
    play_items(world, &verdict.apply, &verdict.holding, new_id)
}

/// Plays the withheld items after the others, for the change that each would make.
///
/// # Errors
/// As [`play`].
pub fn rehearse(world: &World, verdict: &Verdict, new_id: &mut dyn FnMut() -> Uuid) -> Result<Vec<Played>, Fault> {
    let withheld = verdict.withheld.iter().map(|(item, _)| item);
    let outcome = play_items(world, verdict.apply.iter().chain(withheld), &verdict.holding, new_id)?;
    Ok(outcome.played.into_iter().skip(verdict.apply.len()).collect())
}

/// Plays a plan that no guard has reviewed, for the change that each item would make.
///
/// # Errors
/// As [`play`].
pub fn rehearse_plan(world: &World, plan: &Plan, new_id: &mut dyn FnMut() -> Uuid) -> Result<Vec<Played>, Fault> {
    Ok(play_items(world, &plan.items, &HashSet::new(), new_id)?.played)
}

fn play_items<'i>(
    world: &World,
    items: impl IntoIterator<Item = &'i Item>,
    holding: &HashSet<MemberId>,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Result<Outcome, Fault> {
    let mut player = Player::new(world, holding, new_id);
    items.into_iter().try_for_each(|item| player.play(item))?;
    Ok(player.outcome)
}

/// The roster while items are played on it.
struct Player<'a> {
    /// Members whose irreversible part a guard withholds.
    holding: &'a HashSet<MemberId>,
    names: &'a Names,
    wipes: bool,
    /// Members of the world's memberships that can use keys; `None` when the policy asks for no keys.
    key_users: Option<HashSet<MemberId>>,
    /// Records of the world that exist at their source.
    living_records: HashSet<DirectoryUserId>,
    /// Members that followed a record of the world before.
    former_of: HashMap<DirectoryUserId, MemberId>,
    new_id: &'a mut dyn FnMut() -> Uuid,
    outcome: Outcome,
}

impl<'a> Player<'a> {
    fn new(world: &'a World, holding: &'a HashSet<MemberId>, new_id: &'a mut dyn FnMut() -> Uuid) -> Self {
        Self {
            holding,
            names: &world.names,
            wipes: world.policy.wipe_on_suspend,
            key_users: Self::key_users(world),
            living_records: world.users.iter().filter(|user| user.record.is_some()).map(|user| user.id).collect(),
            former_of: world.former_members().filter_map(|member| Some((member.former_record?, member.id))).collect(),
            new_id,
            outcome: Outcome::unchanged(world),
        }
    }

    /// Plays one item and records it.
    fn play(&mut self, item: &Item) -> Result<(), Fault> {
        let target = item.action.target();
        let before = target.map(|target| self.outcome.facts(target, &item.action)).transpose()?;
        let (target, event) = self.perform(item)?;
        let added_to_group = matches!(event, Event::GroupMemberAdded(..));
        self.tell(item, event);
        self.ask_for_wipe(item);
        self.ask_for_keys(item, target, added_to_group, before.as_ref());
        let change = match (&item.action, target) {
            (Action::Undo(step), _) => step.change.clone(),
            (action, Target::Membership(..)) => {
                let inside = matches!(action, Action::AddToGroup { .. });
                Change::between(&Inside { inside: !inside }, &Inside { inside })
            }
            (action, target) => Facts::change(before.as_ref(), &self.outcome.facts(target, action)?),
        };
        let recorded = Recorded { subject: item.subject, target, change };
        self.outcome.played.push(Played { recorded, known_as: self.known_as(target) });
        Ok(())
    }

    /// Every arm with a change returns its target and exactly one event.
    fn perform(&mut self, item: &Item) -> Result<(Target, Event), Fault> {
        let event = match &item.action {
            Action::Provision { profile, status, waiting_for } => {
                return self.provision(item, profile, *status, *waiting_for);
            }
            Action::CreateGroup { name } => return self.create_group(item, name),
            Action::Adopt { member, external_id } => {
                Event::MemberAdopted(*member, self.link(item, *member, external_id.clone())?)
            }
            Action::Relink { member, external_id } => {
                Event::MemberRelinked(*member, self.link(item, *member, external_id.clone())?)
            }
            Action::UpdateProfile { member, before, after } => self.update_profile(*member, before, after)?,
            Action::GiveUpAddress { member, after, .. } => self.give_up_address(item, *member, after)?,
            Action::Suspend { member, from, release_seat } => self.suspend(*member, *from, *release_seat, item)?,
            Action::ReleaseSeat { member } => self.release_seat(*member)?,
            Action::Remove { member, from } => self.remove(*member, *from, item)?,
            Action::Restore { member, from, to } => self.restore(*member, *from, *to)?,
            Action::Waitlist { member } => self.waitlist(*member)?,
            Action::StopWaiting { member } => self.stop_waiting(*member)?,
            Action::AdoptGroup { group, name } => self.adopt_group(item, *group, name)?,
            Action::RenameGroup { group, before, after } => self.rename_group(item, *group, before, after),
            Action::RemoveGroup { group } => self.remove_group(item, *group),
            Action::AddToGroup { group, member } => self.join(*group, *member),
            Action::RemoveFromGroup { group, member } => self.leave(*group, *member),
            Action::Undo(step) => self.undo(step)?,
        };
        // Only the two arms that return early make a new target.
        Ok((item.action.target().ok_or(Fault::NoRecord)?, event))
    }

    fn known_as(&self, target: Target) -> KnownAs {
        let member = |id: MemberId| {
            let profile = self.outcome.member(id).map(|member| &member.profile);
            let known = profile.map(|profile| (profile.email.clone(), profile.display_name.clone()));
            known.or_else(|| self.names.members.get(&id).cloned()).unwrap_or_default()
        };
        match target {
            Target::Member(id) => {
                let (email, display_name) = member(id);
                KnownAs::Member { email, display_name }
            }
            Target::Group(id) => KnownAs::Group { name: self.outcome.groups.get(&id).map(|group| group.name.clone()) },
            Target::Membership(group, id) => {
                let (email, display_name) = member(id);
                KnownAs::Membership { email, display_name, group: self.names.groups.get(&group).cloned() }
            }
        }
    }

    fn tell(&mut self, item: &Item, event: Event) {
        let actor = item.origin.map_or(Actor::System, |origin| Actor::Source(origin.source));
        let request = item.origin.and_then(|origin| origin.request);
        self.outcome.events.push(CausedEvent { event, actor, request });
    }

    /// The member, for a change.
    fn member(&mut self, id: MemberId) -> Result<&mut MemberState, Fault> {
        let outcome = &mut self.outcome;
        let member = outcome.members.get_mut(&id).ok_or(Fault::Unread(Target::Member(id)))?;
        outcome.changed.entry(id).or_insert_with(|| member.clone());
        Ok(member)
    }
}

impl Outcome {
    fn unchanged(world: &World) -> Self {
        let groups = world.groups.iter().filter_map(|group| group.sharing_group.as_ref());
        let groups = groups.chain(world.group_names.values()).map(|group| (group.id, GroupFacts::of(group)));
        let rewound = world.rewind.groups.iter().map(|(id, group)| (*id, group.clone()));
        Self {
            members: world.members().map(|member| (member.id, member.clone())).collect(),
            changed: BTreeMap::new(),
            created: Vec::new(),
            created_groups: Vec::new(),
            updated_groups: Vec::new(),
            removed_groups: Vec::new(),
            restored_groups: Vec::new(),
            groups: groups.chain(rewound).collect(),
            joined: Vec::new(),
            left: Vec::new(),
            events: Vec::new(),
            played: Vec::new(),
            linked_users: Vec::new(),
            linked_groups: Vec::new(),
            left_records: Vec::new(),
            freed: Vec::new(),
            seats_used: i64::from(world.standing.seats_used),
            managed: i64::from(world.standing.managed),
        }
    }

    /// A member of the world, or a new one.
    pub fn member(&self, id: MemberId) -> Option<&MemberState> {
        self.members.get(&id).or_else(|| self.created.iter().rfind(|member| member.id == id))
    }

    /// The members that changed, before and after.
    pub fn changed(&self) -> impl Iterator<Item = (&MemberState, &MemberState)> {
        self.changed.values().filter_map(|before| Some((before, self.members.get(&before.id)?)))
    }

    /// Records to be planned again: the profile of an invitation that ended may be brought in line, and a record that another
    /// one replaced is its own person once the member has another external id.
    pub fn reopened_records(&self) -> impl Iterator<Item = DirectoryUserId> {
        self.changed().flat_map(|(before, after)| {
            let ended = before.status == MemberStatus::Invited && after.status == MemberStatus::Suspended;
            let other_id = before.profile.external_id != after.profile.external_id;
            let record = after.directory_user.filter(|_| ended);
            record.into_iter().chain(after.former_record.filter(|_| other_id))
        })
    }

    /// Records of members whose older record became another person's: the groups of that record are not theirs any more.
    pub fn parted_records(&self) -> impl Iterator<Item = DirectoryUserId> {
        let parted = |(before, after): &(&MemberState, &MemberState)| {
            before.former_record.is_some()
                && after.former_record.is_none()
                && before.directory_user == after.directory_user
        };
        self.changed().filter(parted).filter_map(|(_, after)| after.directory_user)
    }

    /// The recorded fields of a target as it is now.
    fn facts(&self, target: Target, action: &Action) -> Result<Facts, Fault> {
        let unread = Fault::Unread(target);
        Ok(match target {
            Target::Member(id) => Facts::Member(MemberFacts::of(self.member(id).ok_or(unread)?)),
            Target::Group(id) => Facts::Group(self.groups.get(&id).cloned().ok_or(unread)?),
            Target::Membership(..) => {
                Facts::Membership(Inside { inside: matches!(action, Action::RemoveFromGroup { .. }) })
            }
        })
    }
}
