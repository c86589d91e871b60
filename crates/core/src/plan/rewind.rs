//! Rewinds: each step is judged against the present state.

use super::claims::{Claim, Weight, refused};
use crate::action::{Action, Item, Plan, Why};
use crate::change::{GroupFacts, Impossible, Inside, MemberFacts, Step, StepKind, Target};
use crate::email::fold;
use crate::ids::{MemberId, SharingGroupId};
use crate::roster::{MemberState, MemberStatus, former_address};
use crate::world::{Rewind, World};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use uuid::Uuid;

/// Plans every step that is possible now, and names the others; `blocked` ones are not tried.
pub(crate) fn plan_rewind(world: &World, blocked: &HashMap<Uuid, Impossible>) -> Plan {
    let steps = &world.rewind.steps;
    let mut refused: HashMap<usize, Impossible> = HashMap::new();
    refused.extend(steps.iter().enumerate().filter_map(|(index, step)| Some((index, *blocked.get(&step.id)?))));
    let mut wanted = Draft::new(&world.rewind);
    for (index, step) in steps.iter().enumerate() {
        if !refused.contains_key(&index) {
            // A step that is refused here is refused below, with the reason.
            let _ = wanted.play(step);
        }
    }
    refused.extend(refused_addresses(world, &wanted));
    refused.extend(refused_names(world, &wanted));
    let mut plan = Plan::default();
    let mut draft = Draft::new(&world.rewind);
    for (index, step) in steps.iter().enumerate() {
        match refused.get(&index).map_or_else(|| draft.play(step), |reason| Err(*reason)) {
            Ok(()) => {
                let (subject, action) = (step.subject, Action::Undo(step.clone()));
                plan.items.push(Item { subject, action, why: Why::TakenBack, origin: None });
            }
            Err(reason) => plan.impossible.push((step.id, reason)),
        }
    }
    plan
}

/// The members, groups and memberships of a rewind after its steps.
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
                if after.lets_in() && self.rewind.members.get(&id).is_some_and(MemberState::is_blocked) {
                    return Err(Impossible::Blocked);
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

/// The indexes of each target's steps.
fn indices_by_target(steps: &[Step]) -> HashMap<Target, Vec<usize>> {
    let mut indices: HashMap<Target, Vec<usize>> = HashMap::new();
    for (index, step) in steps.iter().enumerate() {
        indices.entry(step.target).or_default().push(index);
    }
    indices
}

/// Steps whose target would get a string that another owner keeps: all steps for that string, so that none of them is
/// left without the others.
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
    let (mut claims, mut wanting, mut refused) = (Vec::new(), HashMap::new(), HashMap::new());
    for (target, mut indices) in indices_by_target(steps) {
        let Target::Member(id) = target else { continue };
        if draft.members.get(&id).is_some_and(|after| lacks_address(id, after)) {
            let moving = indices.iter().filter(|i| steps[**i].status().is_some() || steps[**i].address().is_some());
            refused.extend(moving.map(|index| (*index, Impossible::AddressTaken)));
        }
        let (Some(now), Some(after)) = (world.rewind.members.get(&id), draft.members.get(&id)) else { continue };
        let (is_in, will_be) = (now.status != MemberStatus::Removed, after.status != MemberStatus::Removed);
        let key = fold(&after.profile.email);
        let comes_back = |step: &Step| step.status().is_some_and(|(before, _)| before == MemberStatus::Removed);
        indices.retain(|index| steps[*index].address().is_some() || comes_back(&steps[*index]));
        if is_in && !will_be {
            vacating.insert(id);
        } else if will_be
            && !(is_in && fold(&now.profile.email) == key)
            && let Some(subject) = indices.first().copied()
        {
            claims.push(Claim { subject, key, mover: is_in.then_some(id), weight: Weight::Live });
            wanting.insert(subject, indices);
        }
    }
    let taken = taken(wanting, claims, &vacating, |email| world.holders.get(email).map(|holder| holder.id));
    refused.extend(taken.map(|index| (index, Impossible::AddressTaken)));
    refused
}

/// True for a member who would be back while another person has the address.
fn lacks_address(id: MemberId, member: &MemberFacts) -> bool {
    let out = matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed);
    !out && former_address(id, &member.profile.email).is_some()
}

fn refused_names(world: &World, draft: &Draft<'_>) -> HashMap<usize, Impossible> {
    let steps = &world.rewind.steps;
    let mut vacating = world.rewind.leaving_groups.clone();
    let (mut claims, mut wanting) = (Vec::new(), HashMap::new());
    for (target, mut indices) in indices_by_target(steps) {
        let Target::Group(id) = target else { continue };
        let (Some(now), Some(after)) = (world.rewind.groups.get(&id), draft.groups.get(&id)) else { continue };
        let key = fold(&after.name);
        indices.retain(|index| steps[*index].name().is_some() || steps[*index].kind() == StepKind::RestoreGroup);
        if !now.removed && after.removed {
            vacating.insert(id);
        } else if !after.removed
            && (now.removed || fold(&now.name) != key)
            && let Some(subject) = indices.first().copied()
        {
            claims.push(Claim { subject, key, mover: (!now.removed).then_some(id), weight: Weight::Live });
            wanting.insert(subject, indices);
        }
    }
    let taken = taken(wanting, claims, &vacating, |name| world.group_names.get(name).map(|group| group.id));
    taken.map(|index| (index, Impossible::NameTaken)).collect()
}
