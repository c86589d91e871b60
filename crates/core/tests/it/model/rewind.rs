//! Rewinds as the store does them: the change of each item is recorded, and its inverse is planned on the present
//! state.

use super::{Hub, RunReport};
use rollcall_core::change::{GroupFacts, MemberFacts, Recorded, Step, Target};
use rollcall_core::email::fold;
use rollcall_core::guard::review;
use rollcall_core::ids::{MemberId, SharingGroupId};
use rollcall_core::plan::plan;
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::{Rewind, World};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The managed state, which a rewind restores. Removed members and groups are left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    pub(crate) members: BTreeMap<MemberId, MemberFacts>,
    pub(crate) groups: BTreeMap<SharingGroupId, GroupFacts>,
    pub(crate) memberships: BTreeSet<(SharingGroupId, MemberId)>,
}

impl Managed {
    /// Without the subjects of these items, and their memberships.
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

    pub(super) fn group_facts(&self, id: SharingGroupId) -> GroupFacts {
        let group = &self.sharing_groups[&id];
        GroupFacts {
            name: group.name.clone(),
            managed_by: group.managed_by,
            directory_group: group.directory_group,
            removed: group.removed,
        }
    }

    /// Rewinds these items; steps are named by their index.
    pub(crate) fn take_back(&mut self, recorded: &[Recorded]) -> RunReport {
        let world = self.read_rewind(recorded);
        let verdict = review(plan(&world), &world);
        let (applied, withheld) = (verdict.apply.clone(), verdict.withheld.clone());
        let impossible = verdict.impossible.clone();
        let recorded = self.apply(&world, &[], Vec::new(), verdict);
        self.check();
        RunReport { applied, withheld, recorded, impossible }
    }

    fn read_rewind(&self, recorded: &[Recorded]) -> World {
        let steps = recorded.iter().enumerate().rev();
        let steps = steps.map(|(place, item)| Step::inverse(Uuid::from_u128(place as u128), item).expect("recorded"));
        let mut rewind = Rewind { steps: steps.collect(), reaches_privileged: !self.no_owner, ..Rewind::default() };
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
        let formerly = |member: &&MemberState| {
            let again = |step: &Step| member.former_record.is_some() && step.directory_user() == member.former_record;
            rewind.steps.iter().any(again)
        };
        rewind.former_members = self.members.values().filter(formerly).cloned().collect();
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
