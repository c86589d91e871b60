//! The effect of an item on members, and the seats and counts that follow.

use super::{Fault, NewLink, Player};
use crate::action::Item;
use crate::change::{MemberFacts, Subject, Target};
use crate::email::fold;
use crate::event::{Difference, Event, MemberDetail, MemberLink};
use crate::ids::{DirectoryUserId, MemberId};
use crate::roster::{MemberState, MemberStatus, Profile, Role, WaitingFor};

impl Player<'_> {
    pub(super) fn provision(
        &mut self,
        item: &Item,
        profile: &Profile,
        status: MemberStatus,
        waiting_for: Option<WaitingFor>,
    ) -> Result<(Target, Event), Fault> {
        let id = MemberId((self.new_id)());
        let seated = matches!(status, MemberStatus::Invited | MemberStatus::Active);
        self.outcome.seats_used += i64::from(seated);
        self.outcome.managed += 1;
        self.link_user(item);
        self.outcome.created.push(MemberState {
            id,
            profile: profile.clone(),
            status,
            role: Role::Member,
            billing_contact: false,
            managed_by: item.origin.map(|origin| origin.source),
            directory_user: directory_user(item),
            former_record: None,
            suspended_from: None,
            waiting_for,
            approval: None,
            blocked_from: None,
            seated,
            held: false,
        });
        let event = match (waiting_for, status) {
            (Some(WaitingFor::Seat), _) => Event::MemberWaitlisted,
            (Some(WaitingFor::Approval), _) => Event::MemberPending,
            (None, MemberStatus::Active) => Event::MemberActivated,
            (None, MemberStatus::Suspended) => Event::MemberSuspended,
            (None, _) => Event::MemberInvited,
        };
        let detail = MemberDetail::Provisioned { after: profile.clone(), why: item.why };
        Ok((Target::Member(id), event(id, detail)))
    }

    fn link_user(&mut self, item: &Item) {
        if let Some(record) = directory_user(item) {
            self.feed_by(record);
            let request = item.origin.and_then(|origin| origin.request);
            self.outcome.linked_users.push(NewLink { record, request });
        }
    }

    /// The record feeds a member from now on, so nobody has it as a former one.
    fn feed_by(&mut self, record: DirectoryUserId) {
        if let Some(member) = self.former_of.get(&record).copied()
            && let Ok(member) = self.member(member)
            && member.former_record == Some(record)
        {
            member.former_record = None;
        }
    }

    /// A rewind moves a member between two records of one person as a relink does: the one that is left becomes the former
    /// record. Beside any other record it says nothing about the member.
    pub(super) fn follow_again(
        &mut self,
        id: MemberId,
        before: &MemberFacts,
        after: &MemberFacts,
    ) -> Result<(), Fault> {
        if before.directory_user == after.directory_user {
            return Ok(());
        }
        let anchor = |facts: &MemberFacts| facts.profile.external_id.clone().map(|id| (facts.managed_by, id));
        let one_person = anchor(before).is_some() && anchor(before) == anchor(after);
        let left = before.directory_user.filter(|_| one_person && after.directory_user.is_some());
        self.member(id)?.former_record = left;
        self.former_of.extend(left.map(|record| (record, id)));
        if let Some(record) = after.directory_user {
            self.feed_by(record);
        }
        Ok(())
    }

    /// Links the member to the item's record.
    pub(super) fn link(
        &mut self,
        item: &Item,
        id: MemberId,
        external_id: Option<String>,
    ) -> Result<MemberDetail, Fault> {
        let (user, source) = (directory_user(item), item.origin.map(|origin| origin.source));
        let followed = self.outcome.member(id).and_then(|member| member.directory_user);
        let followed = followed.filter(|record| self.living_records.contains(record) && Some(*record) != user);
        let member = self.member(id)?;
        member.former_record = followed.or(member.former_record).filter(|record| Some(*record) != user);
        let counts = member.managed_by.is_none() && member.status != MemberStatus::Removed;
        let before = MemberLink {
            directory_user_id: member.directory_user,
            external_id: member.profile.external_id.clone(),
            managed_by: None,
        };
        member.directory_user = user;
        member.managed_by = source;
        member.profile.external_id = external_id.clone().or(member.profile.external_id.take());
        self.outcome.managed += i64::from(counts);
        self.link_user(item);
        let after = MemberLink { directory_user_id: user, external_id, managed_by: Some(source) };
        Ok(MemberDetail::Linked { before, after, why: item.why })
    }

    pub(super) fn update_profile(&mut self, id: MemberId, before: &Profile, after: &Profile) -> Result<Event, Fault> {
        self.member(id)?.profile = after.clone();
        if fold(&before.email) != fold(&after.email) {
            self.outcome.freed.push(fold(&before.email));
        }
        if before.external_id != after.external_id {
            self.outcome.freed.extend(before.external_id.clone());
        }
        let difference = Difference { before: before.clone(), after: after.clone() };
        Ok(Event::MemberUpdated(id, MemberDetail::Profile(difference)))
    }

    /// Everything but the address stays, so a return or a rewind gives all of it back.
    pub(super) fn give_up_address(&mut self, item: &Item, id: MemberId, after: &str) -> Result<Event, Fault> {
        let member = self.member(id)?;
        let before = member.profile.clone();
        after.clone_into(&mut member.profile.email);
        let after = member.profile.clone();
        self.outcome.freed.push(fold(&before.email));
        let directory_user_id = directory_user(item);
        Ok(Event::MemberUpdated(id, MemberDetail::AddressGivenOn { before, after, why: item.why, directory_user_id }))
    }

    pub(super) fn suspend(
        &mut self,
        id: MemberId,
        from: MemberStatus,
        release_seat: bool,
        item: &Item,
    ) -> Result<Event, Fault> {
        let held = self.holding.contains(&id);
        let member = self.member(id)?;
        member.status = MemberStatus::Suspended;
        member.suspended_from = Some(from);
        member.waiting_for = None;
        member.held = held;
        let released = release_seat && member.seated;
        member.seated &= !release_seat;
        self.outcome.seats_used -= i64::from(released);
        let detail = MemberDetail::Suspended { from, why: item.why, seat_released: released };
        Ok(Event::MemberSuspended(id, detail))
    }

    pub(super) fn release_seat(&mut self, id: MemberId) -> Result<Event, Fault> {
        let member = self.member(id)?;
        let released = member.seated;
        (member.seated, member.held) = (false, false);
        self.outcome.seats_used -= i64::from(released);
        Ok(Event::SeatReleased(id, MemberDetail::Nothing {}))
    }

    pub(super) fn remove(&mut self, id: MemberId, from: MemberStatus, item: &Item) -> Result<Event, Fault> {
        let member = self.member(id)?;
        let released = member.seated;
        member.suspended_from = Some(member.suspended_from.unwrap_or(from));
        member.status = MemberStatus::Removed;
        (member.seated, member.held, member.waiting_for) = (false, false, None);
        let email = fold(&member.profile.email);
        self.outcome.freed.push(email);
        self.outcome.seats_used -= i64::from(released);
        self.outcome.managed -= 1;
        Ok(Event::MemberRemoved(id, MemberDetail::Removed { from, why: item.why }))
    }

    pub(super) fn restore(&mut self, id: MemberId, from: MemberStatus, to: MemberStatus) -> Result<Event, Fault> {
        let member = self.member(id)?;
        let takes_seat = !member.seated && matches!(to, MemberStatus::Invited | MemberStatus::Active);
        member.seated |= takes_seat;
        member.status = to;
        member.suspended_from = None;
        member.held = false;
        // A member who was suspended while waiting for an approval waits for it again.
        member.waiting_for = (to == MemberStatus::Pending).then_some(WaitingFor::Approval);
        self.outcome.seats_used += i64::from(takes_seat);
        self.outcome.managed += i64::from(from == MemberStatus::Removed);
        let event = match (from, to) {
            (MemberStatus::Pending, MemberStatus::Active) => Event::MemberActivated,
            (MemberStatus::Pending, _) => Event::MemberInvited,
            _ => Event::MemberRestored,
        };
        Ok(event(id, MemberDetail::Status { from, to }))
    }

    pub(super) fn waitlist(&mut self, id: MemberId) -> Result<Event, Fault> {
        let member = self.member(id)?;
        let returned = member.status == MemberStatus::Removed;
        if member.status != MemberStatus::Pending {
            member.status = MemberStatus::Suspended;
        }
        member.waiting_for = Some(WaitingFor::Seat);
        self.outcome.managed += i64::from(returned);
        Ok(Event::MemberWaitlisted(id, MemberDetail::Nothing {}))
    }

    pub(super) fn stop_waiting(&mut self, id: MemberId) -> Result<Event, Fault> {
        self.member(id)?.waiting_for = None;
        Ok(Event::MemberStoppedWaiting(id, MemberDetail::Nothing {}))
    }
}

fn directory_user(item: &Item) -> Option<DirectoryUserId> {
    match item.subject {
        Subject::DirectoryUser(user) => Some(user),
        _ => None,
    }
}
