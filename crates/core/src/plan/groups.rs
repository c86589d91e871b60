//! Sharing groups: the directory group that each follows, its name, and its people.

use super::claims::{Claim, Weight, refused};
use crate::action::{Action, ActionKind, Disputed, Item, ItemKey, Plan, Why};
use crate::change::Subject;
use crate::directory::{Dispute, GroupState, GroupSubject};
use crate::email::fold;
use crate::ids::SharingGroupId;
use crate::world::World;
use std::collections::{HashMap, HashSet};

pub(super) fn plan_groups(world: &World, plan: &mut Plan) {
    let refused = refused_names(world);
    let granted = |index: &usize| !refused.contains(index);
    let adopted = adopted_groups(world, (0..world.groups.len()).filter(granted));
    plan.disputed.extend(world.groups.iter().filter(|subject| !followed(subject)).filter_map(unfollowed));
    for (index, subject) in world.groups.iter().enumerate().filter(|(_, subject)| followed(subject)) {
        if refused.contains(&index) {
            let about = subject.name.as_deref().map(fold).unwrap_or_default();
            let subject = Subject::DirectoryGroup(subject.id);
            plan.disputed.push(Disputed { subject, dispute: Dispute::GroupNameTaken, about });
        } else if let Some((action, why)) = group_action(world, subject, &adopted) {
            let origin = Some(subject.origin);
            plan.items.push(Item { subject: Subject::DirectoryGroup(subject.id), action, why, origin });
        }
    }
}

/// True if this group follows the directory (DX6, DX20).
fn followed(subject: &GroupSubject) -> bool {
    subject.fed && !(subject.deleted_here && subject.name.is_some())
}

/// The dispute of a group that does not.
fn unfollowed(subject: &GroupSubject) -> Option<Disputed> {
    let name = subject.name.as_deref()?;
    let dispute = match (subject.fed, &subject.sharing_group) {
        (true, _) => Dispute::GroupDeletedHere,
        (false, Some(_)) => Dispute::GroupOutOfScope,
        (false, None) => return None,
    };
    Some(Disputed { subject: Subject::DirectoryGroup(subject.id), dispute, about: fold(name) })
}

/// Groups that cannot have their name now, because another group keeps it (DX8).
fn refused_names(world: &World) -> HashSet<usize> {
    let mut claims = Vec::new();
    for (index, subject) in world.groups.iter().enumerate().filter(|(_, subject)| followed(subject)) {
        let Some(key) = subject.name.as_deref().map(fold) else { continue };
        let own = subject.sharing_group.as_ref();
        let has_it = own.is_some_and(|group| fold(&group.name) == key);
        let mover = own.or_else(|| adoptable(world, &key)).map(|group| group.id);
        let weight = if subject.origin.is_live() { Weight::Live } else { Weight::Simulated };
        if !has_it {
            claims.push(Claim { subject: index, key, mover, weight });
        }
    }
    let gone = |subject: &&GroupSubject| subject.name.is_none() && subject.origin.is_live() && followed(subject);
    let going = world.groups.iter().filter(gone).filter_map(|subject| {
        let removal = ItemKey::of(Subject::DirectoryGroup(subject.id), ActionKind::RemoveGroup);
        let group = subject.sharing_group.as_ref()?.id;
        (!world.withholds_group_removal(removal, group)).then_some(group)
    });
    let going = going.collect();
    refused(claims, &going, |name| world.group_names.get(name).map(|group| group.id)).into_iter().collect()
}

/// Sharing groups that one of these subjects adopts, and whether the adoption has an effect.
fn adopted_groups(world: &World, subjects: impl Iterator<Item = usize>) -> HashMap<SharingGroupId, bool> {
    let mut adopted = HashMap::new();
    let subjects = subjects.map(|index| &world.groups[index]).filter(|subject| followed(subject));
    for subject in subjects.filter(|subject| subject.sharing_group.is_none()) {
        if let Some(group) = subject.name.as_deref().and_then(|name| adoptable(world, &fold(name))) {
            *adopted.entry(group.id).or_default() |= subject.origin.is_live();
        }
    }
    adopted
}

/// A sharing group that a source made and whose directory group is gone, or that a sign-in made: the same name is the same group
/// (DS5, DS8).
fn adoptable<'w>(world: &'w World, folded_name: &str) -> Option<&'w GroupState> {
    let named = world.group_names.get(folded_name);
    named.filter(|group| group.directory_group.is_none() && (group.managed_by.is_some() || group.from_sign_in))
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

pub(super) fn plan_memberships(world: &World, plan: &mut Plan) {
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
