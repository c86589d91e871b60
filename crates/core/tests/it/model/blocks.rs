//! An admin blocks members, lifts blocks, and detaches a source, as the store does.

use super::{Hub, Touch};
use rollcall_core::block::{BlockRefusal, Blocks, without_block};
use rollcall_core::change::Subject;
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::{DirectoryUserId, MemberId, SourceId};
use rollcall_core::roster::{MemberState, MemberStatus, Role};

impl Hub {
    /// An admin blocks a member, or lifts the block; the member's record is planned again, and a free seat is given away.
    pub(crate) fn set_block(&mut self, by: Role, id: MemberId, block: bool) -> Result<(), BlockRefusal> {
        let standing = self.standing();
        let mut blocks = Blocks::by(by, None, &self.policy, &standing, self.owners());
        let member = &self.members[&id];
        let Some(change) = (if block { blocks.block(member)? } else { blocks.unblock(member)? }) else { return Ok(()) };
        self.seats_used += change.seats();
        self.changes.extend(change.after.directory_user.map(Touch::User).into_iter().chain([Touch::Tenant]));
        self.members.insert(id, change.after);
        Ok(())
    }

    /// An admin detaches a source and keeps its people: they stay as members made by hand.
    pub(crate) fn detach(&mut self, source: SourceId) {
        let policy = self.policy_of(source);
        let seat_is_free = self.seats_used < i64::from(self.seats);
        let of_source =
            |member: &&MemberState| member.managed_by == Some(source) && member.status != MemberStatus::Removed;
        let kept: Vec<MemberState> = self.members.values().filter(of_source).cloned().collect();
        for member in kept {
            let wanted = member.directory_user.is_some_and(|record| self.is_wanted_at_source(record));
            let blocked_from = without_block(&policy, &member, wanted, seat_is_free);
            let links = MemberState { managed_by: None, directory_user: None, former_record: None, ..member };
            let mut after = MemberState { blocked_from, ..links };
            if after.status == MemberStatus::Pending {
                (after.status, after.suspended_from) = (MemberStatus::Suspended, Some(MemberStatus::Pending));
            }
            if after.status == MemberStatus::Suspended {
                self.seats_used -= i64::from(after.seated);
                (after.seated, after.held, after.waiting_for) = (false, false, None);
            }
            self.managed -= 1;
            self.members.insert(after.id, after);
        }
        self.modes.insert(source, SourceMode::Off);
        self.check();
    }

    fn is_wanted_at_source(&self, record: DirectoryUserId) -> bool {
        let active = self.users[&record].record.as_ref().is_some_and(|record| record.active);
        active && self.in_scope(record)
    }

    /// True if nothing but an admin keeps this record's person out.
    pub(crate) fn wants(&self, record: DirectoryUserId) -> bool {
        let user = &self.users[&record];
        let is_live = self.modes.get(&user.source) == Some(&SourceMode::Live);
        let in_dispute = self.disputes.contains_key(&Subject::DirectoryUser(record));
        is_live && !in_dispute && self.is_wanted_at_source(record)
    }
}
