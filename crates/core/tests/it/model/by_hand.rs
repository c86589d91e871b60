//! An admin invites people by hand, and takes out members who were made by hand, as the store does.

use super::{Hub, Touch};
use chrono::{DateTime, Utc};
use rollcall_core::block::{BlockRefusal, Blocks};
use rollcall_core::email::{fold, strip_tombstone};
use rollcall_core::ids::{DirectoryUserId, MemberId};
use rollcall_core::invitation::{Addressee, Invitation, InvitationRefusal, Invitations, Repeats, Withdrawn};
use rollcall_core::roster::{MemberState, MemberStatus, Profile, Role, WaitingFor};

impl Hub {
    pub(super) fn owners(&self) -> usize {
        self.members.values().filter(|m| m.role == Role::Owner && m.is_active_admin()).count()
    }

    /// An admin invites a person whose address no record of a live source has, or one that is not known yet to have it.
    pub(crate) fn invite(&mut self, by: Role, email: &str, role: Role) -> Result<MemberId, InvitationRefusal> {
        let profile = Profile { email: email.to_owned(), ..Profile::default() };
        let new = Invitation { profile, role, billing_contact: false, message: None };
        let standing = self.standing();
        let others_wait = self.members.values().any(|member| member.waiting_for == Some(WaitingFor::Seat));
        let had_it = |member: &&MemberState| fold(&member.profile.email) == fold(email);
        let of_address: Vec<&MemberState> = self.members.values().filter(had_it).collect();
        let holder = of_address.iter().find(|member| member.status != MemberStatus::Removed);
        let holder = holder.or_else(|| of_address.iter().find(|member| member.is_blocked())).copied();
        let never_in = |member: &&&MemberState| {
            let began = member.suspended_from;
            member.managed_by.is_none() && matches!(began, Some(MemberStatus::Invited | MemberStatus::Pending))
        };
        let withdrawn = of_address.iter().find(never_in).map(|member| Withdrawn {
            member: member.id,
            repeats: Repeats { count: 0, last: DateTime::<Utc>::UNIX_EPOCH },
        });
        let known = Addressee { member: holder, withdrawn: withdrawn.as_ref(), in_directory: false };
        let policy = self.policy.clone();
        let mut desk = Invitations::by(by, &policy, &standing, others_wait, DateTime::<Utc>::UNIX_EPOCH);
        let new_id = MemberId(Hub::next_id(&mut self.ids));
        let invited = desk.invite(&new, known, || new_id)?;
        self.seats_used += i64::from(invited.member.seated);
        let id = invited.member.id;
        self.members.insert(id, invited.member);
        self.changes.extend(self.records_asking_for(email).map(Touch::User).collect::<Vec<_>>());
        self.changes.push_back(Touch::Tenant);
        Ok(id)
    }

    /// An admin takes out a member who was made by hand.
    pub(crate) fn take_out(&mut self, by: Role, id: MemberId) -> Result<(), BlockRefusal> {
        let standing = self.standing();
        let mut blocks = Blocks::by(by, None, &self.policy, &standing, self.owners());
        let Some(change) = blocks.remove(&self.members[&id])? else { return Ok(()) };
        self.seats_used += change.seats();
        let email = change.after.profile.email.clone();
        self.members.insert(id, change.after);
        self.changes.extend(self.records_asking_for(&email).map(Touch::User).collect::<Vec<_>>());
        self.changes.push_back(Touch::Tenant);
        Ok(())
    }

    fn records_asking_for(&self, email: &str) -> impl Iterator<Item = DirectoryUserId> {
        let asks = move |(id, user): (&DirectoryUserId, &super::DirectoryUser)| {
            let wanted = user.record.as_ref()?.email.as_deref()?;
            let wanted = fold(strip_tombstone(wanted).unwrap_or(wanted));
            (wanted == fold(email)).then_some(*id)
        };
        self.users.iter().filter_map(asks)
    }
}
