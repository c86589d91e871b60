//! One step of a rewind, played: the member or group gets back the fields that an earlier run changed.

use super::event;
use super::roster::RosterChange;
use super::rows::GroupFactsRow;
use crate::engine::error::StoreError;
use crate::log::audit_events::NewEvent;
use rollcall_core::action::Why;
use rollcall_core::change::{Change, GroupFacts, Impossible, Inside, MemberFacts, Step, StepKind, Target};
use rollcall_core::email::fold;
use rollcall_core::event::AuditKind;
use rollcall_core::ids::{MemberId, SharingGroupId};
use rollcall_core::roster::MemberStatus;
use serde_json::json;

impl RosterChange<'_> {
    pub(super) fn undo(&mut self, step: &Step) -> Result<NewEvent, StoreError> {
        match step.target {
            Target::Member(id) => self.undo_member(step, id),
            Target::Group(id) => self.undo_group(step, id),
            Target::Membership(group, member) => {
                let joins = step.change.after == Change::made(&Inside { inside: true }).after;
                Ok(self.join(group, member, joins))
            }
        }
    }

    fn undo_member(&mut self, step: &Step, id: MemberId) -> Result<NewEvent, StoreError> {
        let member = self.member(id)?;
        let before = MemberFacts::of(member);
        let after: MemberFacts = step.change.applied_to(&before).map_err(not_as_planned)?;
        *member = after.clone().into_member(member);
        let counts = |facts: &MemberFacts| facts.managed_by.is_some() && facts.status != MemberStatus::Removed;
        self.managed += i64::from(counts(&after)) - i64::from(counts(&before));
        self.seats_used += i64::from(after.seated) - i64::from(before.seated);
        let lets_go =
            after.status == MemberStatus::Removed || fold(&after.profile.email) != fold(&before.profile.email);
        if before.status != MemberStatus::Removed && lets_go {
            self.freed.push(fold(&before.profile.email));
        }
        Ok(event(member_kind(step, &before, &after), "member", id.0, member_detail(&before, &after)))
    }

    fn undo_group(&mut self, step: &Step, id: SharingGroupId) -> Result<NewEvent, StoreError> {
        let unread = || StoreError::database(format!("the plan names {id} without having read it"));
        let group = self.group_facts.get_mut(&id).ok_or_else(unread)?;
        let before = group.clone();
        let after: GroupFacts = step.change.applied_to(&before).map_err(not_as_planned)?;
        *group = after.clone();
        if !before.removed && (after.removed || fold(&after.name) != fold(&before.name)) {
            self.freed.push(fold(&before.name));
        }
        let row = GroupFactsRow {
            tenant_id: self.tx.tenant.0,
            id: id.0,
            name_folded: fold(&after.name),
            name: after.name.clone(),
            managed_by: after.managed_by.map(|source| source.0),
            directory_group_id: after.directory_group.map(|group| group.0),
            removed_at: after.removed.then_some(self.now),
            modified_at: self.now,
        };
        self.taken_back.retain(|other| other.id != id.0);
        self.taken_back.push(row);
        let (kind, detail) = match step.kind() {
            StepKind::RemoveGroup => (AuditKind::GroupRemoved, json!({ "why": Why::TakenBack })),
            StepKind::RestoreGroup => (AuditKind::GroupRestored, json!({ "after": { "name": after.name } })),
            StepKind::RenameGroup => (AuditKind::GroupRenamed, json!({ "before": before.name, "after": after.name })),
            _ => (AuditKind::GroupRelinked, json!({ "before": before, "after": after })),
        };
        Ok(event(kind, "sharing_group", id.0, detail))
    }
}

fn not_as_planned(reason: Impossible) -> StoreError {
    StoreError::database(format!("a step was planned on another state: {reason}"))
}

fn member_kind(step: &Step, before: &MemberFacts, after: &MemberFacts) -> AuditKind {
    if before.status != after.status {
        return match (before.status, after.status) {
            (_, MemberStatus::Removed) => AuditKind::MemberRemoved,
            (_, MemberStatus::Suspended) => AuditKind::MemberSuspended,
            (_, MemberStatus::Pending) => AuditKind::MemberPending,
            (MemberStatus::Pending, MemberStatus::Active) => AuditKind::MemberActivated,
            (MemberStatus::Pending, MemberStatus::Invited) => AuditKind::MemberInvited,
            (_, MemberStatus::Active | MemberStatus::Invited) => AuditKind::MemberRestored,
        };
    }
    match step.kind() {
        StepKind::Unlink => AuditKind::MemberUnlinked,
        StepKind::Adopt => AuditKind::MemberAdopted,
        StepKind::Relink => AuditKind::MemberRelinked,
        StepKind::TakeSeat => AuditKind::SeatTaken,
        StepKind::ReleaseSeat => AuditKind::SeatReleased,
        StepKind::Waitlist => AuditKind::MemberWaitlisted,
        StepKind::StopWaiting => AuditKind::MemberStoppedWaiting,
        _ => AuditKind::MemberUpdated,
    }
}

/// A change of status tells from what to what; any other change what was there before and is after.
fn member_detail(before: &MemberFacts, after: &MemberFacts) -> serde_json::Value {
    if before.status != after.status {
        return json!({ "from": before.status, "to": after.status, "why": Why::TakenBack });
    }
    json!({ "before": before, "after": after, "why": Why::TakenBack })
}
