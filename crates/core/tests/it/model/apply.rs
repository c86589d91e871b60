//! Verdicts, played as the store plays them, and what must be true after every one of them.

use super::read::looked_at;
use super::{Hub, SharingGroup, Touch};
use rollcall_core::action::{Action, Disputed, Item};
use rollcall_core::change::{Recorded, Subject};
use rollcall_core::email::fold;
use rollcall_core::guard::Verdict;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId};
use rollcall_core::roster::{MemberState, MemberStatus, Profile, Role, WaitingFor};
use rollcall_core::world::World;
use std::collections::{BTreeSet, HashSet};

/// What an application makes worth looking at next.
#[derive(Default)]
struct News {
    linked_users: Vec<DirectoryUserId>,
    linked_groups: Vec<DirectoryGroupId>,
    left_records: Vec<DirectoryGroupId>,
    freed: Vec<String>,
    /// Addresses of members whose record is gone: whoever was refused one may be the same person.
    orphaned: Vec<String>,
}

impl Hub {
    /// Answers what each applied item did.
    pub(super) fn apply(
        &mut self,
        world: &World,
        touched: &[Touch],
        disputed: Vec<Disputed>,
        verdict: Verdict,
    ) -> Vec<Recorded> {
        let mut news = News::default();
        let mut recorded = Vec::new();
        for item in &verdict.apply {
            let before = item.action.target().map(|target| (target, self.facts(target)));
            self.perform(item, &verdict.holding, &mut news);
            recorded.push(self.record(item, before));
        }
        self.removals_in_window += verdict.removals;
        self.creations_in_window += verdict.creations;
        self.modifications_in_window += verdict.modifications;
        self.group_losses.extend(&verdict.group_losses);
        // What is not withheld again is applied, or withdrawn by the source.
        self.held.retain(|key, _| !looked_at(world, key));
        self.approved.retain(|key| !looked_at(world, key));
        let withheld = verdict.withheld.iter().filter(|(_, reason)| *reason != HoldReason::Simulation);
        self.held.extend(withheld.map(|(item, reason)| (item.key(), *reason)));
        let gone = world.users.iter().filter(|u| u.record.is_none() && touched.contains(&Touch::User(u.id)));
        news.orphaned.extend(gone.filter_map(|user| user.member.as_ref()).map(|member| fold(&member.profile.email)));
        // A group that was in dispute may have missed changes of its members meanwhile.
        news.linked_groups.extend(self.settle_disputes(world, disputed));
        self.follow_up(world, news);
        self.changes.extend(self.people_of_changed_groups(touched));
        recorded
    }

    /// Answers the groups that were in dispute and are no longer.
    fn settle_disputes(&mut self, world: &World, disputed: Vec<Disputed>) -> Vec<DirectoryGroupId> {
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
            self.disputes.insert(subject, (dispute, about));
        }
        resumed
    }

    fn follow_up(&mut self, world: &World, news: News) {
        let mut touched: BTreeSet<Touch> = news.left_records.iter().map(|record| Touch::Group(*record)).collect();
        for (group, user) in &self.memberships {
            if news.linked_users.contains(user) || news.linked_groups.contains(group) {
                touched.insert(Touch::Membership(*group, *user));
            }
        }
        for pair in &self.group_members {
            let Some(Touch::Membership(group, user)) = self.membership_of(*pair) else { continue };
            if news.linked_users.contains(&user) || news.linked_groups.contains(&group) {
                touched.insert(Touch::Membership(group, user));
            }
        }
        let looked_at: HashSet<Subject> = world.users.iter().map(|user| Subject::DirectoryUser(user.id)).collect();
        for (subject, (_, about)) in &self.disputes {
            let orphan = news.orphaned.contains(about) && !looked_at.contains(subject);
            if news.freed.contains(about) || orphan {
                touched.insert(match subject {
                    Subject::DirectoryUser(id) => Touch::User(*id),
                    Subject::DirectoryGroup(id) => Touch::Group(*id),
                    other => panic!("a dispute about {other:?}"),
                });
            }
        }
        self.changes.extend(touched);
    }

    fn member(&mut self, id: MemberId) -> &mut MemberState {
        self.members.get_mut(&id).expect("a plan names only members it has read")
    }

    fn perform(&mut self, item: &Item, holding: &HashSet<MemberId>, news: &mut News) {
        match &item.action {
            Action::Provision { profile, status, waiting_for } => {
                self.provision(item, profile, *status, *waiting_for, news);
            }
            Action::Adopt { member, external_id } | Action::Relink { member, external_id } => {
                self.link(item, *member, external_id.clone(), news);
            }
            Action::UpdateProfile { member, before, after } => {
                let member = self.member(*member);
                assert_eq!(member.profile, *before, "the event's `before` is what was there");
                member.profile = after.clone();
                if fold(&before.email) != fold(&after.email) {
                    news.freed.push(fold(&before.email));
                }
            }
            Action::CreateGroup { name } => self.create_sharing_group(item, name, news),
            Action::AdoptGroup { group, name } => {
                let Subject::DirectoryGroup(record) = item.subject else { panic!("{item:?}") };
                let source = item.origin.map(|origin| origin.source);
                let group = self.sharing_groups.get_mut(group).expect("a known group");
                news.left_records.extend(group.directory_group);
                (group.directory_group, group.managed_by, group.name) = (Some(record), source, name.clone());
                news.linked_groups.push(record);
            }
            Action::RenameGroup { group, before, after } => {
                let group = self.sharing_groups.get_mut(group).expect("a known group");
                assert_eq!(group.name, *before);
                group.name = after.clone();
                if fold(before) != fold(after) {
                    news.freed.push(fold(before));
                }
            }
            Action::RemoveGroup { group } => {
                let group = self.sharing_groups.get_mut(group).expect("a known group");
                group.removed = true;
                news.freed.push(fold(&group.name));
            }
            Action::AddToGroup { group, member } => {
                assert!(self.group_members.insert((*group, *member)), "no change without a change");
            }
            Action::RemoveFromGroup { group, member } => {
                assert!(self.group_members.remove(&(*group, *member)), "no change without a change");
            }
            Action::Undo(step) => news.freed.extend(self.undo(step)),
            _ => self.change_status(item, holding, news),
        }
    }

    fn change_status(&mut self, item: &Item, holding: &HashSet<MemberId>, news: &mut News) {
        match item.action {
            Action::Suspend { member: id, from, release_seat } => {
                let member = self.member(id);
                assert_eq!(member.status, from);
                let released = release_seat && member.seated;
                member.status = MemberStatus::Suspended;
                member.suspended_from = Some(from);
                member.waiting_for = None;
                member.held = holding.contains(&id);
                member.seated &= !release_seat;
                self.seats_used -= i64::from(released);
            }
            Action::ReleaseSeat { member: id } => {
                let member = self.member(id);
                let released = member.seated;
                (member.seated, member.held) = (false, false);
                self.seats_used -= i64::from(released);
            }
            Action::Remove { member: id, from } => {
                let member = self.member(id);
                assert_eq!(member.status, from);
                let released = member.seated;
                member.suspended_from = Some(member.suspended_from.unwrap_or(from));
                member.status = MemberStatus::Removed;
                (member.seated, member.held, member.waiting_for) = (false, false, None);
                news.freed.push(fold(&member.profile.email));
                self.seats_used -= i64::from(released);
                self.managed -= 1;
            }
            Action::Restore { member: id, from, to } => {
                let member = self.member(id);
                assert_eq!(member.status, from);
                let takes_seat = !member.seated && matches!(to, MemberStatus::Invited | MemberStatus::Active);
                member.seated |= takes_seat;
                member.status = to;
                member.suspended_from = None;
                member.held = false;
                member.waiting_for = (to == MemberStatus::Pending).then_some(WaitingFor::Approval);
                self.seats_used += i64::from(takes_seat);
                self.managed += i64::from(from == MemberStatus::Removed);
            }
            Action::Waitlist { member: id } => {
                let member = self.member(id);
                let returned = member.status == MemberStatus::Removed;
                if member.status != MemberStatus::Pending {
                    member.status = MemberStatus::Suspended;
                }
                member.waiting_for = Some(WaitingFor::Seat);
                self.managed += i64::from(returned);
            }
            Action::StopWaiting { member } => self.member(member).waiting_for = None,
            ref other => panic!("not a change of status: {other:?}"),
        }
    }

    fn provision(
        &mut self,
        item: &Item,
        profile: &Profile,
        status: MemberStatus,
        waiting_for: Option<WaitingFor>,
        news: &mut News,
    ) {
        let Subject::DirectoryUser(user) = item.subject else { panic!("{item:?}") };
        let id = self.new_id();
        let seated = matches!(status, MemberStatus::Invited | MemberStatus::Active);
        self.seats_used += i64::from(seated);
        self.managed += 1;
        news.linked_users.push(user);
        let member = MemberState {
            id,
            profile: profile.clone(),
            status,
            role: Role::Member,
            billing_contact: false,
            managed_by: item.origin.map(|origin| origin.source),
            directory_user: Some(user),
            suspended_from: None,
            waiting_for,
            approval: None,
            seated,
            held: false,
        };
        self.members.insert(id, member);
    }

    fn link(&mut self, item: &Item, id: MemberId, external_id: Option<String>, news: &mut News) {
        let Subject::DirectoryUser(user) = item.subject else { panic!("{item:?}") };
        let source = item.origin.map(|origin| origin.source);
        let member = self.member(id);
        let counts = member.managed_by.is_none() && member.status != MemberStatus::Removed;
        member.directory_user = Some(user);
        member.managed_by = source;
        member.profile.external_id = external_id.or(member.profile.external_id.take());
        self.managed += i64::from(counts);
        news.linked_users.push(user);
    }

    fn create_sharing_group(&mut self, item: &Item, name: &str, news: &mut News) {
        let Subject::DirectoryGroup(record) = item.subject else { panic!("{item:?}") };
        let id: SharingGroupId = self.new_id();
        let managed_by = item.origin.map(|origin| origin.source);
        let group = SharingGroup { name: name.to_owned(), managed_by, directory_group: Some(record), removed: false };
        self.sharing_groups.insert(id, group);
        news.linked_groups.push(record);
    }

    /// What the database's unique indexes and the counts of the lease holder demand after every run.
    pub(crate) fn check(&self) {
        let mut emails = HashSet::new();
        let mut records = HashSet::new();
        for member in self.members.values() {
            let removed = member.status == MemberStatus::Removed;
            assert!(removed || emails.insert(fold(&member.profile.email)), "members_email refuses {member:?}");
            assert!(member.directory_user.is_none_or(|id| records.insert(id)), "members_directory_user: {member:?}");
            let has_access = matches!(member.status, MemberStatus::Invited | MemberStatus::Active);
            assert!(!has_access || member.seated, "nobody has access without a seat: {member:?}");
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
