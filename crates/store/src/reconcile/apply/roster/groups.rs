//! What a verdict does to sharing groups and to who is in them.

use super::{NewLink, RosterChange};
use crate::log::audit_events::NewEvent;
use crate::reconcile::apply::rows::{GroupChangeRow, GroupMemberRow, source_of};
use crate::reconcile::apply::{event, request_of};
use rollcall_core::action::Item;
use rollcall_core::change::{GroupFacts, Subject};
use rollcall_core::email::fold;
use rollcall_core::event::AuditKind;
use rollcall_core::ids::{MemberId, SharingGroupId};
use serde_json::json;

impl RosterChange<'_> {
    fn group_row(&self, item: &Item, id: SharingGroupId, name: &str) -> GroupChangeRow {
        GroupChangeRow {
            tenant_id: self.tx.tenant.0,
            id: id.0,
            name: name.to_owned(),
            name_folded: fold(name),
            managed_by: source_of(item),
            directory_group_id: match item.subject {
                Subject::DirectoryGroup(group) => Some(group.0),
                _ => None,
            },
            modified_at: self.now,
            created_at: self.now,
        }
    }

    /// The group follows the item's record from now on.
    fn follow_record(&mut self, item: &Item, id: SharingGroupId, name: &str) {
        let Subject::DirectoryGroup(record) = item.subject else { return };
        self.linked_groups.push(NewLink { id: record.0, request: request_of(item) });
        let (name, managed_by) = (name.to_owned(), source_of(item).map(Into::into));
        let facts = GroupFacts { name, managed_by, directory_group: Some(record), removed: false };
        self.group_facts.insert(id, facts);
    }

    /// Who was in it stays on record, so that the group can come back as it was.
    pub(super) fn remove_group(&mut self, item: &Item, id: SharingGroupId) -> NewEvent {
        self.removed_groups.push(id.0);
        if let Some(group) = self.group_facts.get_mut(&id) {
            group.removed = true;
            self.freed.push(fold(&group.name));
        }
        event(AuditKind::GroupRemoved, "sharing_group", id.0, json!({ "why": item.why }))
    }

    pub(super) fn create_group(&mut self, item: &Item, name: &str) -> NewEvent {
        let id: SharingGroupId = self.tx.clock.new_id();
        self.groups.push(self.group_row(item, id, name));
        self.follow_record(item, id, name);
        event(AuditKind::GroupCreated, "sharing_group", id.0, json!({ "after": { "name": name } }))
    }

    pub(super) fn adopt_group(&mut self, item: &Item, id: SharingGroupId, name: &str) -> NewEvent {
        self.renamed.push(self.group_row(item, id, name));
        // The names are the same when folded; a difference in case or spacing is reported (DS5).
        let former = self.group_facts.get(&id);
        self.left_records.extend(former.and_then(|group| group.directory_group));
        let before = former.map(|group| group.name.clone());
        let differs = before.as_ref().is_some_and(|before| before != name);
        self.follow_record(item, id, name);
        let detail = json!({ "before": { "name": before }, "after": { "name": name }, "spelling_differs": differs });
        event(AuditKind::GroupAdopted, "sharing_group", id.0, detail)
    }

    pub(super) fn rename_group(&mut self, item: &Item, id: SharingGroupId, before: &str, after: &str) -> NewEvent {
        self.renamed.push(self.group_row(item, id, after));
        if let Some(group) = self.group_facts.get_mut(&id) {
            after.clone_into(&mut group.name);
        }
        if fold(before) != fold(after) {
            self.freed.push(fold(before));
        }
        event(AuditKind::GroupRenamed, "sharing_group", id.0, json!({ "before": before, "after": after }))
    }

    pub(in crate::reconcile::apply) fn join(
        &mut self,
        group: SharingGroupId,
        member: MemberId,
        joins: bool,
    ) -> NewEvent {
        let row = GroupMemberRow { tenant_id: self.tx.tenant.0, group_id: group.0, member_id: member.0 };
        let kind = if joins { AuditKind::GroupMemberAdded } else { AuditKind::GroupMemberRemoved };
        if joins {
            self.added.push(row)
        } else {
            self.left.push(row)
        }
        event(kind, "sharing_group", group.0, json!({ "member_id": member }))
    }
}
