//! Taking runs back, as the store does it: what each item did is recorded, and the inverse of it is planned on what is
//! there now.

use super::{Hub, Outcome};
use rollcall_core::action::Item;
use rollcall_core::change::{Facts, GroupFacts, Inside, MemberFacts, Recorded, Step, Target};
use rollcall_core::email::fold;
use rollcall_core::guard::review;
use rollcall_core::ids::{MemberId, SharingGroupId};
use rollcall_core::plan::plan;
use rollcall_core::roster::MemberStatus;
use rollcall_core::world::{Rewind, World};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The managed state: what a rewind brings back. Who or what is removed is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    pub(crate) members: BTreeMap<MemberId, MemberFacts>,
    pub(crate) groups: BTreeMap<SharingGroupId, GroupFacts>,
    pub(crate) memberships: BTreeSet<(SharingGroupId, MemberId)>,
}

impl Managed {
    /// Without what these items are about, and the memberships of those.
    pub(crate) fn without(mut self, targets: &[Target]) -> Self {
        for target in targets {
            match target {
                Target::Member(id) => {
                    self.members.remove(id);
                    self.memberships.retain(|(_, member)| member != id);
                }
                Target::Group(id) => {
                    self.groups.remove(id);
                    self.memberships.retain(|(group, _)| group != id);
                }
                Target::Membership(group, member) => {
                    self.memberships.remove(&(*group, *member));
                }
            }
        }
        self
    }
}

impl Hub {
    pub(crate) fn managed(&self) -> Managed {
        let present = self.members.values().filter(|member| member.status != MemberStatus::Removed);
        let members: BTreeMap<_, _> = present.map(|member| (member.id, MemberFacts::of(member))).collect();
        let groups: BTreeMap<_, _> = self
            .sharing_groups
            .keys()
            .map(|id| (*id, self.group_facts(*id)))
            .filter(|(_, group)| !group.removed)
            .collect();
        let inside =
            |(group, member): &&(SharingGroupId, MemberId)| groups.contains_key(group) && members.contains_key(member);
        let memberships = self.group_members.iter().filter(inside).copied().collect();
        Managed { members, groups, memberships }
    }

    fn group_facts(&self, id: SharingGroupId) -> GroupFacts {
        let group = &self.sharing_groups[&id];
        GroupFacts {
            name: group.name.clone(),
            managed_by: group.managed_by,
            directory_group: group.directory_group,
            removed: group.removed,
        }
    }

    pub(super) fn facts(&self, target: Target) -> Facts {
        match target {
            Target::Member(id) => Facts::Member(MemberFacts::of(&self.members[&id])),
            Target::Group(id) => Facts::Group(self.group_facts(id)),
            Target::Membership(group, member) => {
                Facts::Membership(Inside { inside: self.group_members.contains(&(group, member)) })
            }
        }
    }

    /// Without a target from before, the item made the newest member or group.
    pub(super) fn record(&self, item: &Item, before: Option<(Target, Facts)>) -> Recorded {
        let newest = || match item.action.name() {
            "provision" => Target::Member(*self.members.keys().next_back().expect("made just now")),
            _ => Target::Group(*self.sharing_groups.keys().next_back().expect("made just now")),
        };
        let target = before.as_ref().map_or_else(newest, |(target, _)| *target);
        let change = Facts::change(before.map(|(_, facts)| facts).as_ref(), &self.facts(target));
        Recorded { subject: item.subject, target, change }
    }

    /// Plays a step; answers the text that somebody else may have now.
    pub(super) fn undo(&mut self, step: &Step) -> Option<String> {
        match (step.target, self.facts(step.target)) {
            (Target::Member(id), Facts::Member(before)) => {
                let after = step.change.applied_to(&before).expect("planned on what is there");
                let counts = |facts: &MemberFacts| {
                    i64::from(facts.managed_by.is_some() && facts.status != MemberStatus::Removed)
                };
                self.managed += counts(&after) - counts(&before);
                self.seats_used += i64::from(after.seated) - i64::from(before.seated);
                let member = self.members.get_mut(&id).expect("a member");
                *member = after.into_member(member);
                Some(fold(&before.profile.email))
            }
            (Target::Group(id), Facts::Group(before)) => {
                let after: GroupFacts = step.change.applied_to(&before).expect("planned on what is there");
                let group = self.sharing_groups.get_mut(&id).expect("a group");
                (group.name, group.managed_by) = (after.name, after.managed_by);
                (group.directory_group, group.removed) = (after.directory_group, after.removed);
                Some(fold(&before.name))
            }
            (Target::Membership(group, member), Facts::Membership(before)) => {
                let after = step.change.applied_to(&before).expect("planned on what is there");
                let pair = (group, member);
                let changed =
                    if after.inside { self.group_members.insert(pair) } else { self.group_members.remove(&pair) };
                assert!(changed, "no change without a change");
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// Takes back what these items did; steps are named by their place in the list.
    pub(crate) fn take_back(&mut self, recorded: &[Recorded]) -> Outcome {
        let world = self.read_rewind(recorded);
        let verdict = review(plan(&world), &world);
        let (applied, withheld) = (verdict.apply.clone(), verdict.withheld.clone());
        let impossible = verdict.impossible.clone();
        let recorded = self.apply(&world, &[], Vec::new(), verdict);
        self.check();
        Outcome { applied, withheld, recorded, impossible }
    }

    fn read_rewind(&self, recorded: &[Recorded]) -> World {
        let steps = recorded.iter().enumerate().rev();
        let steps = steps.map(|(place, item)| Step::inverse(Uuid::from_u128(place as u128), item).expect("recorded"));
        let mut rewind = Rewind { steps: steps.collect(), ..Rewind::default() };
        for step in &rewind.steps {
            let (member, group) = match step.target {
                Target::Member(member) => (Some(member), None),
                Target::Group(group) => (None, Some(group)),
                Target::Membership(group, member) => (None, Some(group).filter(|_| self.members.contains_key(&member))),
            };
            rewind.members.extend(member.map(|id| (id, self.members[&id].clone())));
            rewind.groups.extend(group.map(|id| (id, self.group_facts(id))));
        }
        rewind.memberships = self.group_members.iter().copied().collect();
        rewind.linked_users = self.members.values().filter_map(|m| Some((m.directory_user?, m.id))).collect();
        rewind.linked_groups =
            self.sharing_groups.iter().filter_map(|(id, group)| Some((group.directory_group?, *id))).collect();
        let mut world = World { policy: self.policy.clone(), standing: self.standing(), rewind, ..World::default() };
        let present = self.members.values().filter(|member| member.status != MemberStatus::Removed);
        world.holders = present.map(|member| (fold(&member.profile.email), member.clone())).collect();
        let present = self.sharing_groups.iter().filter(|(_, group)| !group.removed);
        world.group_names = present.map(|(id, group)| (fold(&group.name), self.group_state(*id))).collect();
        world
    }
}
