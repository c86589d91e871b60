//! A step of a rewind: the member or group gets back the fields that an earlier run changed.

use super::{Fault, Player};
use crate::action::Why;
use crate::change::{Change, GroupFacts, Inside, MemberFacts, Step, StepKind, Target};
use crate::email::fold;
use crate::event::{Difference, Event, GroupMoved, GroupName, GroupNamed, GroupRemoved, MemberDetail};
use crate::ids::{MemberId, SharingGroupId};
use crate::roster::MemberStatus;

impl Player<'_> {
    pub(super) fn undo(&mut self, step: &Step) -> Result<Event, Fault> {
        match step.target {
            Target::Member(id) => self.undo_member(step, id),
            Target::Group(id) => self.undo_group(step, id),
            Target::Membership(group, member) => {
                let joins = step.change.after == Change::made(&Inside { inside: true }).after;
                Ok(if joins { self.join(group, member) } else { self.leave(group, member) })
            }
        }
    }

    fn undo_member(&mut self, step: &Step, id: MemberId) -> Result<Event, Fault> {
        let member = self.member(id)?;
        let before = MemberFacts::of(member);
        let after: MemberFacts = step.change.applied_to(&before).map_err(Fault::NotAsPlanned)?;
        *member = after.clone().into_member(member);
        self.follow_again(id, &before, &after)?;
        let counts = |facts: &MemberFacts| facts.managed_by.is_some() && facts.status != MemberStatus::Removed;
        let outcome = &mut self.outcome;
        outcome.managed += i64::from(counts(&after)) - i64::from(counts(&before));
        outcome.seats_used += i64::from(after.seated) - i64::from(before.seated);
        let lets_go =
            after.status == MemberStatus::Removed || fold(&after.profile.email) != fold(&before.profile.email);
        if before.status != MemberStatus::Removed && lets_go {
            outcome.freed.push(fold(&before.profile.email));
        }
        Ok(member_event(step, id, before, after))
    }

    fn undo_group(&mut self, step: &Step, id: SharingGroupId) -> Result<Event, Fault> {
        let outcome = &mut self.outcome;
        let group = outcome.groups.get_mut(&id).ok_or(Fault::Unread(Target::Group(id)))?;
        let before = group.clone();
        let after: GroupFacts = step.change.applied_to(&before).map_err(Fault::NotAsPlanned)?;
        *group = after.clone();
        if !before.removed && (after.removed || fold(&after.name) != fold(&before.name)) {
            outcome.freed.push(fold(&before.name));
        }
        outcome.restored_groups.retain(|(other, _)| *other != id);
        outcome.restored_groups.push((id, after.clone()));
        Ok(match step.kind() {
            StepKind::RemoveGroup => Event::GroupRemoved(id, GroupRemoved { name: None, why: Why::TakenBack }),
            StepKind::RestoreGroup => {
                Event::GroupRestored(id, GroupNamed { after: GroupName { name: Some(after.name) } })
            }
            StepKind::RenameGroup => Event::GroupRenamed(id, Difference { before: before.name, after: after.name }),
            _ => Event::GroupRelinked(id, GroupMoved::TakenBack(Difference { before, after })),
        })
    }
}

/// The detail of a status change is the status before and after; that of any other change is all fields.
fn member_event(step: &Step, id: MemberId, before: MemberFacts, after: MemberFacts) -> Event {
    let why = Why::TakenBack;
    if before.status != after.status {
        let event = match (before.status, after.status) {
            (_, MemberStatus::Removed) => Event::MemberRemoved,
            (_, MemberStatus::Suspended) => Event::MemberSuspended,
            (_, MemberStatus::Pending) => Event::MemberPending,
            (MemberStatus::Pending, MemberStatus::Active) => Event::MemberActivated,
            (MemberStatus::Pending, MemberStatus::Invited) => Event::MemberInvited,
            (_, MemberStatus::Active | MemberStatus::Invited) => Event::MemberRestored,
        };
        return event(id, MemberDetail::StatusTakenBack { from: before.status, to: after.status, why });
    }
    let event = match step.kind() {
        StepKind::Unlink => Event::MemberUnlinked,
        StepKind::Adopt => Event::MemberAdopted,
        StepKind::Relink => Event::MemberRelinked,
        StepKind::TakeSeat => Event::SeatTaken,
        StepKind::ReleaseSeat => Event::SeatReleased,
        StepKind::Waitlist => Event::MemberWaitlisted,
        StepKind::StopWaiting => Event::MemberStoppedWaiting,
        _ => Event::MemberUpdated,
    };
    event(id, MemberDetail::TakenBack { before: Box::new(before), after: Box::new(after), why })
}
