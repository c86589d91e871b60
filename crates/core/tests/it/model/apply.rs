//! Writes outcomes into tables in memory, and checks the invariants after each.

use super::read::looked_at;
use super::{Hub, SharingGroup, Touch};
use rollcall_core::action::{Action, Disputed, Item};
use rollcall_core::change::{GroupFacts, MemberFacts, Recorded, Subject, Target};
use rollcall_core::email::fold;
use rollcall_core::guard::Verdict;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId};
use rollcall_core::outcome::{Departed, Outcome, play};
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::World;
use std::collections::{BTreeSet, HashMap, HashSet};

impl Hub {
    /// Returns the effect of each applied item.
    pub(super) fn apply(
        &mut self,
        world: &World,
        touched: &[Touch],
        disputed: Vec<Disputed>,
        verdict: Verdict,
    ) -> Vec<Recorded> {
        let mut ids = std::mem::take(&mut self.ids);
        let outcome = play(world, &verdict, &mut || Hub::next_id(&mut ids)).expect("a verdict about this world");
        self.ids = ids;
        self.check_records(&verdict.apply, &outcome);
        self.write(&outcome);
        self.removals_in_window += verdict.removals;
        self.creations_in_window += verdict.creations;
        self.modifications_in_window += verdict.modifications;
        self.group_losses.extend(&verdict.group_losses);
        // An item that is not withheld again is applied, or withdrawn by the source.
        self.held.retain(|key, _| !looked_at(world, key));
        self.approved.retain(|key| !looked_at(world, key));
        self.approved_by_owner.retain(|key, _| !looked_at(world, key));
        for (item, reason) in verdict.withheld.iter().filter(|(_, reason)| *reason != HoldReason::Simulation) {
            self.held.insert(item.key(), *reason);
            self.held_digests.insert(item.key(), item.digest().expect("an item is JSON"));
        }
        // A group that was in dispute may have missed changes of its members meanwhile.
        let resumed = self.settle_disputes(world, &disputed);
        self.follow_up(world, touched, &outcome, &disputed, &resumed);
        self.changes.extend(self.people_of_changed_groups(touched));
        outcome.played.into_iter().map(|played| played.recorded).collect()
    }

    /// Returns the groups whose disputes are settled.
    fn settle_disputes(&mut self, world: &World, disputed: &[Disputed]) -> Vec<DirectoryGroupId> {
        let still = |group: &DirectoryGroupId| disputed.iter().any(|d| d.subject == Subject::DirectoryGroup(*group));
        let mut resumed: Vec<DirectoryGroupId> = world.groups.iter().map(|group| group.id).collect();
        resumed.retain(|id| self.disputes.contains_key(&Subject::DirectoryGroup(*id)) && !still(id));
        for user in &world.users {
            self.disputes.remove(&Subject::DirectoryUser(user.id));
        }
        for group in &world.groups {
            self.disputes.remove(&Subject::DirectoryGroup(group.id));
        }
        for Disputed { subject, dispute, about } in disputed {
            self.disputes.insert(*subject, (*dispute, about.clone()));
        }
        resumed
    }

    /// Marks the follow-ups of the outcome.
    fn follow_up(
        &mut self,
        world: &World,
        touched: &[Touch],
        outcome: &Outcome,
        disputed: &[Disputed],
        resumed: &[DirectoryGroupId],
    ) {
        let linked_users: Vec<DirectoryUserId> = outcome.linked_users.iter().map(|link| link.record).collect();
        let linked_groups = outcome.linked_groups.iter().map(|link| link.record);
        let linked_groups: Vec<DirectoryGroupId> = linked_groups.chain(resumed.iter().copied()).collect();
        let departed = outcome.departed(world, |user| touched.contains(&Touch::User(user)), disputed);
        let orphaned = |about: &str, looked_at: bool| {
            let is_theirs = |member: &MemberState| fold(member.own_address()) == about;
            departed.iter().any(|departed| (departed.just_now || !looked_at) && is_theirs(departed.member))
        };
        let mut touched: BTreeSet<Touch> = outcome.left_records.iter().map(|record| Touch::Group(*record)).collect();
        for (group, user) in &self.memberships {
            if linked_users.contains(user) || linked_groups.contains(group) {
                touched.insert(Touch::Membership(*group, *user));
            }
        }
        for pair in &self.group_members {
            let Some(Touch::Membership(group, user)) = self.membership_of(*pair) else { continue };
            if linked_users.contains(&user) || linked_groups.contains(&group) {
                touched.insert(Touch::Membership(group, user));
            }
        }
        let looked_at: HashSet<Subject> = world.users.iter().map(|user| Subject::DirectoryUser(user.id)).collect();
        for (subject, (_, about)) in &self.disputes {
            let orphan = orphaned(about, looked_at.contains(subject));
            if outcome.freed.contains(about) || orphan {
                touched.insert(match subject {
                    Subject::DirectoryUser(id) => Touch::User(*id),
                    Subject::DirectoryGroup(id) => Touch::Group(*id),
                    other => panic!("a dispute about {other:?}"),
                });
            }
        }
        for Departed { member, followed, just_now } in &departed {
            let heirs = self.users.iter().filter(|(id, user)| {
                let same_id = user.record.as_ref().and_then(|record| record.external_id.as_ref());
                let same = Some(user.source) == member.managed_by && same_id.is_some();
                let heir = same && same_id == member.profile.external_id.as_ref();
                heir && Some(**id) != *followed
                    && self.member_of(**id).is_none()
                    && (*just_now || !looked_at.contains(&Subject::DirectoryUser(**id)))
            });
            touched.extend(heirs.map(|(id, _)| Touch::User(*id)));
        }
        touched.extend(outcome.reopened_records().map(Touch::User));
        // The groups of an older record of the member go with it.
        let replaced = world.users.iter().filter(|user| user.record.is_none());
        let of_older = replaced.filter_map(|user| user.former.as_ref()?.directory_user);
        let of_older: Vec<DirectoryUserId> = of_older.chain(outcome.parted_records()).collect();
        let pairs = self.group_members.iter().filter_map(|pair| self.membership_of(*pair));
        touched.extend(pairs.filter(|touch| matches!(touch, Touch::Membership(_, user) if of_older.contains(user))));
        self.changes.extend(touched);
    }

    /// Each recorded change fits the state that the changes before it left, an item's `before` and `from` are that state, and
    /// all changes together lead to the outcome.
    fn check_records(&self, items: &[Item], outcome: &Outcome) {
        let members = self.members.iter().map(|(id, member)| (*id, MemberFacts::of(member)));
        let mut members: HashMap<MemberId, MemberFacts> = members.collect();
        let groups = self.sharing_groups.keys().map(|id| (*id, self.group_facts(*id)));
        let mut groups: HashMap<SharingGroupId, GroupFacts> = groups.collect();
        assert_eq!(items.len(), outcome.played.len(), "one record for each item");
        for (item, played) in items.iter().zip(&outcome.played) {
            let Recorded { subject, target, change } = &played.recorded;
            assert_eq!(*subject, item.subject);
            match *target {
                Target::Member(id) if change.before.is_none() => {
                    members.insert(id, MemberFacts::of(outcome.member(id).expect("made")));
                }
                Target::Member(id) => {
                    let now = members.get_mut(&id).expect("a known member");
                    check_planned(&item.action, now);
                    *now = change.applied_to(now).expect("a change of this state");
                }
                Target::Group(id) => {
                    let now = groups.get_mut(&id).filter(|_| change.before.is_some());
                    let Some(now) = now else { continue };
                    if let Action::RenameGroup { before, .. } = &item.action {
                        assert_eq!(now.name, *before);
                    }
                    *now = change.applied_to(now).expect("a change of this state");
                }
                Target::Membership(..) => {}
            }
        }
        for (_, after) in outcome.changed() {
            assert_eq!(members[&after.id], MemberFacts::of(after), "the records tell the whole change");
        }
    }

    /// Writes an outcome into the tables, as the store does.
    fn write(&mut self, outcome: &Outcome) {
        for (before, after) in outcome.changed() {
            assert_eq!(self.members.get(&before.id), Some(before), "a plan is about what is there");
            self.members.insert(after.id, after.clone());
        }
        self.members.extend(outcome.created.iter().map(|member| (member.id, member.clone())));
        for id in &outcome.removed_groups {
            self.group(*id).removed = true;
        }
        for linked in outcome.created_groups.iter().chain(&outcome.updated_groups) {
            let (name, managed_by) = (linked.name.clone(), linked.managed_by);
            let group = SharingGroup { name, managed_by, directory_group: linked.directory_group, removed: false };
            self.sharing_groups.insert(linked.id, group);
        }
        for (id, facts) in &outcome.restored_groups {
            let group = self.group(*id);
            (group.name, group.managed_by) = (facts.name.clone(), facts.managed_by);
            (group.directory_group, group.removed) = (facts.directory_group, facts.removed);
        }
        for pair in &outcome.joined {
            assert!(self.group_members.insert(*pair), "no change without a change");
        }
        for pair in &outcome.left {
            assert!(self.group_members.remove(pair), "no change without a change");
        }
        (self.seats_used, self.managed) = (outcome.seats_used, outcome.managed);
    }

    fn group(&mut self, id: SharingGroupId) -> &mut SharingGroup {
        self.sharing_groups.get_mut(&id).expect("a plan names only groups it has read")
    }

    /// The conditions of the database's unique indexes and of the lease holder's counts, after every run.
    pub(crate) fn check(&self) {
        let mut emails = HashSet::new();
        let mut records = HashSet::new();
        for member in self.members.values() {
            let removed = member.status == MemberStatus::Removed;
            assert!(removed || emails.insert(fold(&member.profile.email)), "members_email refuses {member:?}");
            assert!(member.directory_user.is_none_or(|id| records.insert(id)), "members_directory_user: {member:?}");
            let has_access = matches!(member.status, MemberStatus::Invited | MemberStatus::Active);
            let out = matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed);
            assert!(out || member.gave_up().is_none(), "nobody is in without an address: {member:?}");
            let followed = member.former_record.is_none_or(|record| self.member_of(record).is_none());
            assert!(followed, "a former record feeds nobody: {member:?}");
            assert!(!has_access || member.seated, "nobody has access without a seat: {member:?}");
            let shut_out = out && !member.seated && !member.held && member.waiting_for.is_none();
            assert!(!member.is_blocked() || shut_out, "DW9: blocked, and in: {member:?}");
            let may_wait = matches!(member.status, MemberStatus::Pending | MemberStatus::Suspended);
            assert!(member.waiting_for.is_none() || may_wait, "{member:?}");
        }
        let mut names = HashSet::new();
        let mut records = HashSet::new();
        for group in self.sharing_groups.values() {
            assert!(group.removed || names.insert(fold(&group.name)), "sharing_groups_name refuses {group:?}");
            assert!(
                group.directory_group.is_none_or(|id| records.insert(id)),
                "sharing_groups_directory_group: {group:?}"
            );
        }
        let seated = self.members.values().filter(|member| member.seated).count();
        assert_eq!(usize::try_from(self.seats_used), Ok(seated), "the seats are counted right");
        let managed = |m: &&MemberState| m.managed_by.is_some() && m.status != MemberStatus::Removed;
        assert_eq!(usize::try_from(self.managed), Ok(self.members.values().filter(managed).count()));
    }
}

fn check_planned(action: &Action, now: &MemberFacts) {
    match action {
        Action::UpdateProfile { before, .. } => assert_eq!(now.profile, *before, "the event tells what was there"),
        Action::Suspend { from, .. } | Action::Remove { from, .. } | Action::Restore { from, .. } => {
            assert_eq!(now.status, *from, "the event tells what was there");
        }
        _ => {}
    }
}
