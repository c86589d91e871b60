//! Worlds as the store reads them: touched subjects, holders of their addresses and names, and those holders' records.

use super::{DirectoryGroup, DirectoryUser, Hub, SharingGroup, Touch};
use rollcall_core::action::ItemKey;
use rollcall_core::change::Subject;
use rollcall_core::directory::{GroupState, GroupSubject, MembershipSubject, Origin, SourceMode, UserSubject};
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use rollcall_core::policy::{Policy, SeatOrder};
use rollcall_core::roster::{Approval, MemberState, MemberStatus, WaitingFor};
use rollcall_core::world::{GroupStanding, Standing, World};
use std::collections::{BTreeSet, HashSet};

/// True if a plan for this world decides about the item.
pub(super) fn looked_at(world: &World, key: &ItemKey) -> bool {
    match (key.subject, key.group) {
        (Subject::Member(member), Some(group)) => {
            world.memberships.iter().any(|membership| (membership.group, membership.member) == (group, member))
        }
        (Subject::DirectoryUser(id), _) => world.users.iter().any(|user| user.id == id),
        (Subject::DirectoryGroup(id), _) => world.groups.iter().any(|group| group.id == id),
        _ => false,
    }
}

impl Hub {
    /// The world of a chunk.
    pub(super) fn read(&self, touched: &[Touch]) -> World {
        let source_policies = self.policy.by_source().expect("a valid policy");
        let policy = self.policy.clone();
        let mut world = World { policy, source_policies, standing: self.standing(), ..World::default() };
        let touched: BTreeSet<Touch> = touched.iter().copied().collect();
        let of = |pick: fn(&Touch) -> Option<DirectoryUserId>| -> BTreeSet<DirectoryUserId> {
            touched.iter().filter_map(pick).collect()
        };
        let mut users: BTreeSet<_> = of(|touch| if let Touch::User(id) = touch { Some(*id) } else { None });
        // A change of a person's groups may change their scope.
        users.extend(
            of(|touch| if let Touch::Membership(_, id) = touch { Some(*id) } else { None })
                .into_iter()
                .filter(|user: &DirectoryUserId| self.policy_of(self.users[user].source).user_scope.is_some()),
        );
        self.read_users(&mut world, users);
        let groups = touched.iter().filter_map(|touch| if let Touch::Group(id) = touch { Some(*id) } else { None });
        self.read_groups(&mut world, groups.collect());
        for touch in &touched {
            if let Touch::Membership(group, user) = touch {
                let planned = self.membership(*group, *user);
                let known = |other: &MembershipSubject| {
                    planned.as_ref().is_some_and(|m| (m.group, m.member) == (other.group, other.member))
                };
                if !world.memberships.iter().any(known) {
                    world.memberships.extend(planned);
                }
            }
        }
        let shrinking = world.memberships.iter().filter(|m| m.actual && !m.desired).map(|m| m.group);
        let gone = world.groups.iter().filter(|group| group.name.is_none());
        let shrinking = shrinking.chain(gone.filter_map(|group| group.sharing_group.as_ref()).map(|group| group.id));
        world.group_standing = shrinking.map(|group| (group, self.group_standing(group))).collect();
        world.held = self.held.iter().filter(|(key, _)| looked_at(&world, key)).map(|(k, r)| (*k, *r)).collect();
        world.approved = self.approved.iter().filter(|key| looked_at(&world, key)).copied().collect();
        let by_owner = self.approved_by_owner.iter().filter(|(key, _)| looked_at(&world, key));
        world.approved_by_owner = by_owner.map(|(key, digest)| (*key, *digest)).collect();
        world
    }

    pub(super) fn standing(&self) -> Standing {
        let ids = |wanted: fn(&MemberState) -> bool| -> HashSet<MemberId> {
            self.members.values().filter(|member| wanted(member)).map(|member| member.id).collect()
        };
        let count = |value: i64| u32::try_from(value).expect("a count is never negative");
        Standing {
            seats_bought: self.seats,
            seats_used: count(self.seats_used),
            managed: count(self.managed),
            removals_in_window: self.removals_in_window,
            removals_allowed: 0,
            creations_in_window: self.creations_in_window,
            modifications_in_window: self.modifications_in_window,
            active_admins: ids(MemberState::is_active_admin),
            active_billing_contacts: ids(MemberState::is_active_billing_contact),
        }
    }

    fn origin(&self, source: SourceId) -> Origin {
        let mode = self.modes.get(&source).copied().unwrap_or(SourceMode::Off);
        Origin { source, mode, quarantined: self.quarantined.contains(&source), request: None }
    }

    fn read_users(&self, world: &mut World, touched: BTreeSet<DirectoryUserId>) {
        let mut wanted = touched;
        let mut known_emails: HashSet<String> = HashSet::new();
        while !wanted.is_empty() {
            let users: Vec<UserSubject> = wanted.iter().map(|id| self.user_subject(*id)).collect();
            let emails = users.iter().flat_map(UserSubject::addresses).map(fold);
            let emails: Vec<String> = emails.filter(|email| known_emails.insert(email.clone())).collect();
            world.users.extend(users);
            let present = self.members.values().filter(|member| member.status != MemberStatus::Removed);
            let holders: Vec<&MemberState> = present.filter(|m| emails.contains(&fold(&m.profile.email))).collect();
            let seen: HashSet<DirectoryUserId> = world.users.iter().map(|user| user.id).collect();
            let matches = world.users.iter().flat_map(UserSubject::records_of_matches);
            let follow = holders.iter().filter_map(|holder| holder.directory_user).chain(matches);
            wanted = follow.filter(|id| !seen.contains(id)).collect();
            world.holders.extend(holders.into_iter().map(|holder| (fold(&holder.profile.email), holder.clone())));
        }
        world.users.sort_by_key(|user| user.id);
    }

    fn user_subject(&self, id: DirectoryUserId) -> UserSubject {
        let user = &self.users[&id];
        let member = self.member_of(id).cloned();
        let anchor = user.record.as_ref().filter(|_| member.is_none()).and_then(|record| record.external_id.clone());
        let same = |m: &&MemberState| m.managed_by == Some(user.source) && m.profile.external_id == anchor;
        // An external id that a present person has is no evidence of another one who left.
        let of_present = self.members.values().filter(same).any(|m| !self.has_ended(m));
        let mut ended: Vec<&MemberState> = self.members.values().filter(same).filter(|m| self.has_ended(m)).collect();
        ended.sort_by_key(|m| (m.status != MemberStatus::Removed, std::cmp::Reverse(m.id)));
        let returning = anchor.as_ref().filter(|_| !of_present).and_then(|_| ended.last().copied().cloned());
        let former = self.members.values().find(|m| m.former_record == Some(id)).filter(|_| member.is_none()).cloned();
        let (origin, record) = (self.origin(user.source), user.record.clone());
        let in_scope = self.in_scope(id);
        let unmapped = user.unmapped.clone();
        let subject =
            UserSubject { id, origin, record, member, returning, former, contested: false, unmapped, in_scope };
        let contested = subject.has_ended() && subject.member.as_ref().is_some_and(|member| self.is_contested(member));
        UserSubject { contested, ..subject }
    }

    /// A record is in dispute about the member's address, or another one than the member's has the external id.
    fn is_contested(&self, member: &MemberState) -> bool {
        let address = fold(member.own_address());
        let anchor = member.profile.external_id.as_ref();
        let has_anchor = |(id, user): (&DirectoryUserId, &DirectoryUser)| {
            let same = Some(user.source) == member.managed_by && Some(*id) != member.directory_user;
            same && anchor.is_some() && user.record.as_ref().is_some_and(|record| record.external_id.as_ref() == anchor)
        };
        self.disputes.values().any(|(_, about)| *about == address) || self.users.iter().any(has_anchor)
    }

    /// The record that this member follows is deleted or disabled.
    pub(super) fn has_ended(&self, member: &MemberState) -> bool {
        let record = member.directory_user.and_then(|id| self.users[&id].record.as_ref());
        record.is_none_or(|record| !record.active)
    }

    pub(super) fn policy_of(&self, source: SourceId) -> Policy {
        self.policy.of_source(source).expect("a valid policy")
    }

    /// True if a live group of the scope has this person.
    pub(crate) fn in_scope(&self, id: DirectoryUserId) -> bool {
        let Some(scope) = self.policy_of(self.users[&id].source).user_scope else { return true };
        let mut groups = self.memberships.iter().filter(|(_, user)| *user == id).map(|(group, _)| &self.groups[group]);
        groups.any(|group| group.name.as_deref().is_some_and(|name| scope.holds(name, None)))
    }

    /// People of the changed groups of a source with a scope, because the group may have entered or left it.
    pub(super) fn people_of_changed_groups(&self, touched: &[Touch]) -> BTreeSet<Touch> {
        let changed = |group: &DirectoryGroupId| touched.contains(&Touch::Group(*group));
        let scoped = |group: &DirectoryGroupId| self.policy_of(self.groups[group].source).user_scope.is_some();
        let people = self.memberships.iter().filter(|(group, _)| changed(group) && scoped(group));
        people.map(|(_, user)| Touch::User(*user)).collect()
    }

    fn read_groups(&self, world: &mut World, touched: BTreeSet<DirectoryGroupId>) {
        let mut wanted = touched;
        while !wanted.is_empty() {
            let groups: Vec<GroupSubject> = wanted.iter().map(|id| self.group_subject(*id)).collect();
            let names: HashSet<String> = groups.iter().filter_map(|group| group.name.as_deref()).map(fold).collect();
            world.groups.extend(groups);
            let present = self.sharing_groups.iter().filter(|(_, group)| !group.removed);
            let holders = present.filter(|(_, group)| names.contains(&fold(&group.name)));
            let holders: Vec<GroupState> = holders.map(|(id, _)| self.group_state(*id)).collect();
            let seen: HashSet<DirectoryGroupId> = world.groups.iter().map(|group| group.id).collect();
            wanted = holders.iter().filter_map(|group| group.directory_group).filter(|id| !seen.contains(id)).collect();
            world.group_names.extend(holders.into_iter().map(|group| (fold(&group.name), group)));
        }
        world.groups.sort_by_key(|group| group.id);
    }

    fn group_subject(&self, id: DirectoryGroupId) -> GroupSubject {
        let group = &self.groups[&id];
        let linked = self.sharing_group_of(id).map(|id| self.group_state(id));
        let (origin, name) = (self.origin(group.source), group.name.clone());
        let removed = |other: &SharingGroup| other.removed && other.directory_group == Some(id);
        let deleted_here = self.sharing_groups.values().any(removed);
        GroupSubject { id, origin, fed: self.feeds(group), name, sharing_group: linked, deleted_here }
    }

    fn group_standing(&self, id: SharingGroupId) -> GroupStanding {
        let back = |pair: &(SharingGroupId, MemberId)| self.group_members.contains(pair);
        let lost = self.group_losses.iter().filter(|pair| pair.0 == id && !back(pair)).count();
        let wanted = self.memberships.iter().filter(|(group, _)| self.sharing_group_of(*group) == Some(id)).count();
        let size = |count: usize| u32::try_from(count).expect("a small world");
        GroupStanding { lost: size(lost), inside: size(self.people_in(id)), wanted: size(wanted) }
    }

    /// Its people with access.
    pub(crate) fn people_in(&self, id: SharingGroupId) -> usize {
        self.group_members.iter().filter(|(group, member)| *group == id && self.members[member].has_access()).count()
    }

    fn feeds(&self, group: &DirectoryGroup) -> bool {
        self.policy_of(group.source).feeds_group(group.name.as_deref().unwrap_or_default(), None)
    }

    pub(crate) fn sharing_group_of(&self, id: DirectoryGroupId) -> Option<SharingGroupId> {
        let mut present = self.sharing_groups.iter().filter(|(_, group)| !group.removed);
        present.find(|(_, group)| group.directory_group == Some(id)).map(|(id, _)| *id)
    }

    pub(super) fn group_state(&self, id: SharingGroupId) -> GroupState {
        let group = &self.sharing_groups[&id];
        let live = group.directory_group.filter(|id| self.groups[id].name.is_some());
        GroupState {
            id,
            name: group.name.clone(),
            managed_by: group.managed_by,
            directory_group: live,
            tied_to: group.directory_group,
            from_sign_in: false,
        }
    }

    fn membership(&self, group: DirectoryGroupId, user: DirectoryUserId) -> Option<MembershipSubject> {
        self.groups[&group].name.as_ref().filter(|_| self.feeds(&self.groups[&group]))?;
        let formerly = || self.members.values().find(|member| member.former_record == Some(user));
        let (sharing_group, member) = (self.sharing_group_of(group)?, self.member_of(user).or_else(formerly)?);
        let mut records = member.directory_user.into_iter().chain(member.former_record);
        let desired = records.any(|record| self.memberships.contains(&(group, record)));
        let (has_access, member) = (member.has_access(), member.id);
        Some(MembershipSubject {
            origin: self.origin(self.groups[&group].source),
            group: sharing_group,
            member,
            has_access,
            desired,
            actual: self.group_members.contains(&(sharing_group, member)),
        })
    }

    /// Reads as many waiting people as a plan could admit; returns whether there may be more.
    pub(super) fn read_waiting(&self, world: &mut World) -> bool {
        let limit = world.waiting_to_read().min(self.waiting_max);
        let mut waiting: Vec<&MemberState> =
            self.members.values().filter(|m| m.waiting_for == Some(WaitingFor::Seat) && self.is_wanted(m)).collect();
        match world.policy.seat_order {
            SeatOrder::Announced => waiting.sort_by_key(|member| Subject::of_waiting(member).id()),
            SeatOrder::Email => waiting.sort_by_key(|member| fold(&member.profile.email)),
        }
        waiting.truncate(limit);
        let present = waiting.iter().filter(|member| member.status != MemberStatus::Removed);
        world.waiting = present.map(|member| (*member).clone()).collect();
        limit > 0 && waiting.len() == limit
    }

    fn is_wanted(&self, member: &MemberState) -> bool {
        if member.approval == Some(Approval::Declined) {
            return false;
        }
        if member.managed_by.is_none() {
            return true;
        }
        let user = member.directory_user.filter(|user| self.in_scope(*user));
        user.and_then(|user| self.users[&user].record.as_ref()).is_some_and(|record| record.active)
    }
}
