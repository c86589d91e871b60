//! The effect of an item on sharing groups and their memberships.

use super::{Fault, GroupLinked, NewLink, Player};
use crate::action::Item;
use crate::change::{GroupFacts, Subject, Target};
use crate::email::fold;
use crate::event::{Difference, Event, GroupMember, GroupMoved, GroupName, GroupNamed, GroupRemoved};
use crate::ids::{DirectoryGroupId, MemberId, SharingGroupId};

impl Player<'_> {
    /// The group follows the item's record from now on.
    fn follow_record(&mut self, item: &Item, group: &GroupLinked) {
        let Some(record) = group.directory_group else { return };
        let request = item.origin.and_then(|origin| origin.request);
        self.outcome.linked_groups.push(NewLink { record, request });
        let (name, managed_by) = (group.name.clone(), group.managed_by);
        let facts = GroupFacts { name, managed_by, directory_group: Some(record), removed: false };
        self.outcome.groups.insert(group.id, facts);
    }

    pub(super) fn create_group(&mut self, item: &Item, name: &str) -> Result<(Target, Event), Fault> {
        let id = SharingGroupId((self.new_id)());
        let group = linked(item, id, name);
        self.follow_record(item, &group);
        self.outcome.created_groups.push(group);
        let after = GroupName { name: Some(name.to_owned()) };
        Ok((Target::Group(id), Event::GroupCreated(id, GroupNamed { after })))
    }

    pub(super) fn adopt_group(&mut self, item: &Item, id: SharingGroupId, name: &str) -> Result<Event, Fault> {
        // The folded names are equal; a difference in case or spacing is reported (DS5).
        let former = self.outcome.groups.get(&id);
        self.outcome.left_records.extend(former.and_then(|group| group.directory_group));
        let before = former.map(|group| group.name.clone());
        let spelling_differs = before.as_ref().is_some_and(|before| before != name);
        let group = linked(item, id, name);
        self.follow_record(item, &group);
        self.outcome.updated_groups.push(group);
        let (before, after) = (GroupName { name: before }, GroupName { name: Some(name.to_owned()) });
        Ok(Event::GroupAdopted(id, GroupMoved::Named { before, after, spelling_differs }))
    }

    pub(super) fn rename_group(&mut self, item: &Item, id: SharingGroupId, before: &str, after: &str) -> Event {
        self.outcome.updated_groups.push(linked(item, id, after));
        if let Some(group) = self.outcome.groups.get_mut(&id) {
            after.clone_into(&mut group.name);
        }
        if fold(before) != fold(after) {
            self.outcome.freed.push(fold(before));
        }
        Event::GroupRenamed(id, Difference { before: before.to_owned(), after: after.to_owned() })
    }

    /// The memberships stay on record, so that the group can return unchanged.
    pub(super) fn remove_group(&mut self, item: &Item, id: SharingGroupId) -> Event {
        self.outcome.removed_groups.push(id);
        if let Some(group) = self.outcome.groups.get_mut(&id) {
            group.removed = true;
            self.outcome.freed.push(fold(&group.name));
        }
        Event::GroupRemoved(id, GroupRemoved { name: None, why: item.why })
    }

    pub(super) fn join(&mut self, group: SharingGroupId, member: MemberId) -> Event {
        self.outcome.joined.push((group, member));
        Event::GroupMemberAdded(group, GroupMember { member_id: member, sign_in_connection_id: None })
    }

    pub(super) fn leave(&mut self, group: SharingGroupId, member: MemberId) -> Event {
        self.outcome.left.push((group, member));
        Event::GroupMemberRemoved(group, GroupMember { member_id: member, sign_in_connection_id: None })
    }
}

fn linked(item: &Item, id: SharingGroupId, name: &str) -> GroupLinked {
    GroupLinked {
        id,
        name: name.to_owned(),
        managed_by: item.origin.map(|origin| origin.source),
        directory_group: directory_group(item),
    }
}

fn directory_group(item: &Item) -> Option<DirectoryGroupId> {
    match item.subject {
        Subject::DirectoryGroup(group) => Some(group),
        _ => None,
    }
}
