//! Steps: the inverse of an applied item, and its effect.

use super::{Change, Recorded, Subject, Target};
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SourceId};
use crate::roster::{MemberStatus, WaitingFor};
use crate::text_enum::text_enum;
use serde::Serialize;
use serde_json::Map;
use uuid::Uuid;

text_enum! {
    /// The kind of a step, as the API names it in an item's `action`.
    StepKind {
        Remove = "remove",
        Suspend = "suspend",
        Wait = "wait",
        Restore = "restore",
        Unlink = "unlink",
        Adopt = "adopt",
        Relink = "relink",
        TakeSeat = "take_seat",
        ReleaseSeat = "release_seat",
        Waitlist = "waitlist",
        StopWaiting = "stop_waiting",
        UpdateProfile = "update_profile",
        RemoveGroup = "remove_group",
        RestoreGroup = "restore_group",
        RelinkGroup = "relink_group",
        RenameGroup = "rename_group",
        AddToGroup = "add_to_group",
        RemoveFromGroup = "remove_from_group",
    }
}

/// The inverse of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Identifies the item in the verdict.
    pub id: Uuid,
    pub subject: Subject,
    pub target: Target,
    pub change: Change,
}

impl Step {
    /// `None` when the former state was not recorded.
    pub fn inverse(id: Uuid, item: &Recorded) -> Option<Self> {
        let change = item.change.inverse(item.target)?;
        Some(Self { id, subject: item.subject, target: item.target, change })
    }

    /// The net effect of the inverses of one target's items, the latest item first, and how many of them it covers: it ends
    /// at the first that does not continue the others, because something else changed the target in between. `None` when
    /// the target stays as it is.
    pub fn net(steps: &[Self]) -> (Option<Self>, usize) {
        let (mut before, mut after) = (Map::new(), Map::new());
        let mut covered = 0;
        for step in steps {
            let Some(from) = &step.change.before else { break };
            if from.iter().any(|(key, value)| after.get(key).is_some_and(|now| now != value)) {
                break;
            }
            for (key, value) in from {
                before.entry(key.clone()).or_insert_with(|| value.clone());
            }
            after.extend(step.change.after.clone());
            covered += 1;
        }
        before.retain(|key, value| after.get(key) != Some(value));
        after.retain(|key, _| before.contains_key(key));
        let first = steps.first().filter(|_| !after.is_empty());
        let net = first.map(|first| Self { change: Change { before: Some(before), after }, ..first.clone() });
        (net, covered)
    }

    pub fn kind(&self) -> StepKind {
        match self.target {
            Target::Member(_) => self.member_kind(),
            Target::Group(_) => match self.change.moves("removed") {
                Some((_, true)) => StepKind::RemoveGroup,
                Some((_, false)) => StepKind::RestoreGroup,
                None if self.change.after.contains_key("directory_group") => StepKind::RelinkGroup,
                None => StepKind::RenameGroup,
            },
            Target::Membership(..) => match self.change.moves("inside") {
                Some((_, true)) => StepKind::AddToGroup,
                _ => StepKind::RemoveFromGroup,
            },
        }
    }

    fn member_kind(&self) -> StepKind {
        let change = &self.change;
        match self.status() {
            Some((_, MemberStatus::Removed)) => return StepKind::Remove,
            Some((_, MemberStatus::Suspended)) => return StepKind::Suspend,
            Some((_, MemberStatus::Pending)) => return StepKind::Wait,
            Some((_, MemberStatus::Invited | MemberStatus::Active)) => return StepKind::Restore,
            None => {}
        }
        match change.moves::<Option<SourceId>>("managed_by") {
            Some((_, None)) => return StepKind::Unlink,
            Some((None, Some(_))) => return StepKind::Adopt,
            _ if change.after.contains_key("directory_user") => return StepKind::Relink,
            _ => {}
        }
        match (change.moves("seated"), change.moves("waiting_for")) {
            (Some((_, true)), _) => StepKind::TakeSeat,
            (Some((_, false)), _) => StepKind::ReleaseSeat,
            (None, Some((_, Some(WaitingFor::Seat | WaitingFor::Approval)))) => StepKind::Waitlist,
            (None, Some((_, None::<WaitingFor>))) => StepKind::StopWaiting,
            (None, None) => StepKind::UpdateProfile,
        }
    }

    /// The member's status before and after, if it changes.
    pub fn status(&self) -> Option<(MemberStatus, MemberStatus)> {
        self.change.moves("status")
    }

    /// The seats that the step takes: 1, 0 or -1.
    pub fn seats(&self) -> i64 {
        self.change.moves("seated").map_or(0, |(before, after): (bool, bool)| i64::from(after) - i64::from(before))
    }

    /// The member who is active now and will not be after the step.
    pub(crate) fn deactivates(&self) -> Option<MemberId> {
        match (self.target, self.status()) {
            (Target::Member(member), Some((MemberStatus::Active, _))) => Some(member),
            _ => None,
        }
    }

    /// The member that the step suspends or removes.
    pub(crate) fn takes_away(&self) -> Option<MemberId> {
        match (self.target, self.status()?) {
            (_, (MemberStatus::Removed, _)) => None,
            (Target::Member(member), (_, MemberStatus::Suspended | MemberStatus::Removed)) => Some(member),
            _ => None,
        }
    }

    /// The member whose link, address or status the step changes.
    pub(crate) fn changes_account(&self) -> Option<MemberId> {
        let changes = ["status", "email", "managed_by", "directory_user"];
        match self.target {
            Target::Member(id) => changes.iter().any(|field| self.change.after.contains_key(*field)).then_some(id),
            Target::Group(_) | Target::Membership(..) => None,
        }
    }

    /// The member that the step makes active.
    pub(crate) fn activates(&self) -> Option<MemberId> {
        match (self.target, self.status()) {
            (Target::Member(member), Some((_, MemberStatus::Active))) => Some(member),
            _ => None,
        }
    }

    /// The address that the step gives back; its holder must be known.
    pub fn address(&self) -> Option<String> {
        Change::field(Some(&self.change.after), "email")
    }

    /// The name that the step gives back; its holder must be known.
    pub fn name(&self) -> Option<String> {
        Change::field(Some(&self.change.after), "name")
    }

    /// The record that the member would follow again.
    pub fn directory_user(&self) -> Option<DirectoryUserId> {
        Change::field::<Option<_>>(Some(&self.change.after), "directory_user").flatten()
    }

    /// The record that the group would follow again.
    pub fn directory_group(&self) -> Option<DirectoryGroupId> {
        Change::field::<Option<_>>(Some(&self.change.after), "directory_group").flatten()
    }
}
