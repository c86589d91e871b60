//! Worlds, as the store reads them: touched subjects, whoever holds what they ask for, and those holders' records.

use super::{Hub, Touch};
use rollcall_core::directory::{GroupState, GroupSubject, MembershipSubject, Origin, SourceMode, UserSubject};
use rollcall_core::email::fold;
use rollcall_core::guard::Standing;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use rollcall_core::plan::World;
use rollcall_core::roster::{MemberState, MemberStatus, WaitingFor};
use std::collections::{BTreeSet, HashSet};

impl Hub {
    /// The world of a chunk.
    pub(super) fn read(&self, touched: &[Touch]) -> World {
        let mut world = World { policy: self.policy.clone(), standing: self.standing(), ..World::default() };
        let touched: BTreeSet<Touch> = touched.iter().copied().collect();
        let of = |pick: fn(&Touch) -> Option<DirectoryUserId>| touched.iter().filter_map(pick).collect();
        self.read_users(&mut world, of(|touch| if let Touch::User(id) = touch { Some(*id) } else { None }));
        let groups = touched.iter().filter_map(|touch| if let Touch::Group(id) = touch { Some(*id) } else { None });
        self.read_groups(&mut world, groups.collect());
        for touch in &touched {
            if let Touch::Membership(group, user) = touch {
                world.memberships.extend(self.membership(*group, *user));
            }
        }
        world
    }

    fn standing(&self) -> Standing {
        let ids = |wanted: fn(&MemberState) -> bool| -> HashSet<MemberId> {
            self.members.values().filter(|member| wanted(member)).map(|member| member.id).collect()
        };
        let count = |value: i64| u32::try_from(value).expect("a count is never negative");
        Standing {
            seats_bought: self.seats,
            seats_used: count(self.seats_used),
            managed: count(self.managed),
            removals_in_window: self.removals_in_window,
            active_admins: ids(MemberState::is_active_admin),
            active_billing_contacts: ids(MemberState::is_active_billing_contact),
        }
    }

    fn origin(&self, source: SourceId) -> Origin {
        Origin { source, mode: self.modes.get(&source).copied().unwrap_or(SourceMode::Off), request: None }
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
            wanted =
                holders.iter().filter_map(|holder| holder.directory_user).filter(|id| !seen.contains(id)).collect();
            world.holders.extend(holders.into_iter().map(|holder| (fold(&holder.profile.email), holder.clone())));
        }
        world.users.sort_by_key(|user| user.id);
    }

    fn user_subject(&self, id: DirectoryUserId) -> UserSubject {
        let user = &self.users[&id];
        let member = self.member_of(id).cloned();
        let anchor = user.record.as_ref().filter(|_| member.is_none()).and_then(|record| record.external_id.clone());
        let gone = |m: &&MemberState| m.directory_user.is_none_or(|id| self.users[&id].record.is_none());
        let same = |m: &&MemberState| m.managed_by == Some(user.source) && m.profile.external_id == anchor && gone(m);
        let returning = anchor.as_ref().and_then(|_| self.members.values().rfind(same).cloned());
        UserSubject { id, origin: self.origin(user.source), record: user.record.clone(), member, returning }
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
        GroupSubject { id, origin: self.origin(group.source), name: group.name.clone(), sharing_group: linked }
    }

    pub(crate) fn sharing_group_of(&self, id: DirectoryGroupId) -> Option<SharingGroupId> {
        let mut present = self.sharing_groups.iter().filter(|(_, group)| !group.removed);
        present.find(|(_, group)| group.directory_group == Some(id)).map(|(id, _)| *id)
    }

    fn group_state(&self, id: SharingGroupId) -> GroupState {
        let group = &self.sharing_groups[&id];
        let live = group.directory_group.filter(|id| self.groups[id].name.is_some());
        GroupState { id, name: group.name.clone(), managed_by: group.managed_by, directory_group: live }
    }

    fn membership(&self, group: DirectoryGroupId, user: DirectoryUserId) -> Option<MembershipSubject> {
        self.groups[&group].name.as_ref()?;
        let (sharing_group, member) = (self.sharing_group_of(group)?, self.member_of(user)?.id);
        Some(MembershipSubject {
            origin: self.origin(self.groups[&group].source),
            group: sharing_group,
            member,
            desired: self.memberships.contains(&(group, user)),
            actual: self.group_members.contains(&(sharing_group, member)),
        })
    }

    /// As many waiting people as a plan could let in; answers whether there may be more of them.
    pub(super) fn read_waiting(&self, world: &mut World) -> bool {
        let leaving = |user: &&UserSubject| {
            let mut known = user.member.iter().chain(&user.returning);
            let counts = known.any(|member| member.seated || member.waiting_for.is_some());
            counts && !user.record.as_ref().is_some_and(|record| record.active)
        };
        // One made by hand may turn out to have left.
        let by_hand = world.holders.values().filter(|holder| holder.seated && holder.managed_by.is_none());
        let released = world.users.iter().filter(leaving).count() + by_hand.count();
        let free = world.standing.seats_bought.saturating_sub(world.standing.seats_used);
        let limit = (free as usize + released).min(self.waiting_max);
        let mut waiting: Vec<&MemberState> =
            self.members.values().filter(|m| m.waiting_for == Some(WaitingFor::Seat) && self.is_wanted(m)).collect();
        waiting.sort_by_key(|member| member.directory_user);
        waiting.truncate(limit);
        let present = waiting.iter().filter(|member| member.status != MemberStatus::Removed);
        world.waiting = present.filter_map(|member| Some((member.directory_user?, (*member).clone()))).collect();
        limit > 0 && waiting.len() == limit
    }

    fn is_wanted(&self, member: &MemberState) -> bool {
        let record = member.directory_user.and_then(|user| self.users[&user].record.as_ref());
        record.is_some_and(|record| record.active)
    }
}
