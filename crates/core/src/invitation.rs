//! Invitations by hand (DW1, DW2): an admin brings a person in whom no source announces, under the same seats and the same order of
//! the waitlist as everybody else (decision 0090).

use crate::event::{Event, MemberDetail};
use crate::ids::MemberId;
use crate::plan::admitted_status;
use crate::policy::Policy;
use crate::roster::{Approval, MemberState, MemberStatus, Profile, Role, WaitingFor};
use crate::text_enum::text_enum;
use crate::world::Standing;
use chrono::{DateTime, TimeDelta, Utc};

text_enum! {
    /// The reason why a person is not invited.
    InvitationRefusal {
        NotAnAddress = "not_an_address",
        /// Only an owner makes an owner.
        TooStrong = "role_too_strong",
        Active = "is_member",
        Invited = "is_invited",
        Pending = "is_waiting",
        Suspended = "is_suspended",
        /// An admin shut the person out.
        Blocked = "is_blocked",
        /// The live source has a record with the address, and decides about the person.
        InDirectory = "in_directory",
        /// The address was written to as often as it may be for now.
        TooMany = "too_many_invitations",
    }
}

impl InvitationRefusal {
    /// The reason for people, with the remedy.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotAnAddress => "this is no email address",
            Self::TooStrong => "only an owner makes an owner: invite them in another role, or ask an owner",
            Self::Active => "a member has the address: change them instead (PATCH /api/v1/members/{id})",
            Self::Invited => {
                "a member with the address has an open invitation: send it again (POST /api/v1/members/{id}/invite-again)"
            }
            Self::Pending => {
                "a member with the address waits for a seat or an approval: approve them (POST /api/v1/members/{id}/approve), or have \
                 the operator set more seats"
            }
            Self::Suspended => {
                "a suspended member has the address: enable them at their source, or take out a member who was made by hand (DELETE \
                 /api/v1/members/{id}) and invite them then"
            }
            Self::Blocked => "an admin blocked the person: lift the block first (POST /api/v1/members/{id}/unblock)",
            Self::InDirectory => {
                "the directory has a person with this address, who comes in by it: assign them to the application there; GET \
                 /api/v1/explain says what keeps them out"
            }
            Self::TooMany => {
                "the address was invited as often as it may be within a week: reach the person in another way"
            }
        }
    }
}

/// A person whom an admin invites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub profile: Profile,
    pub role: Role,
    pub billing_contact: bool,
    /// Words of the admin to the person.
    pub message: Option<String>,
}

/// How often an invitation went out again, so that nobody's mailbox is filled from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    pub count: u32,
    /// The time of the latest invitation.
    pub last: DateTime<Utc>,
}

impl Repeats {
    /// Most repetitions in a row; after a week without one the count begins anew.
    pub const MAX: u32 = 10;
    const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(7);

    /// The count after one more repetition.
    ///
    /// # Errors
    /// [`InvitationRefusal::TooMany`].
    pub fn again(self, now: DateTime<Utc>) -> Result<Self, InvitationRefusal> {
        let count = if now - self.last >= Self::FORGOTTEN_AFTER { 0 } else { self.count };
        if count >= Self::MAX {
            return Err(InvitationRefusal::TooMany);
        }
        Ok(Self { count: count + 1, last: now })
    }
}

/// A person who was invited before, never came in, and was taken out again: the invitation goes on where it ended.
#[derive(Clone, Debug)]
pub struct Withdrawn {
    pub member: MemberId,
    pub repeats: Repeats,
}

/// The facts about an address that an invitation depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addressee<'m> {
    /// The member who has the address, or a blocked one who had it.
    pub member: Option<&'m MemberState>,
    pub withdrawn: Option<&'m Withdrawn>,
    pub in_directory: bool,
}

/// An invited person as a member, and the event that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub member: MemberState,
    /// The count of a member who was there before, and is invited again.
    pub repeats: Option<Repeats>,
    pub event: Event,
}

/// An admin at work on invitations, with the seats that the earlier ones of the call left.
#[derive(Debug)]
pub struct Invitations<'p> {
    policy: &'p Policy,
    by: Role,
    seats_free: i64,
    /// Somebody waits for a seat, who comes before a person invited now.
    others_wait: bool,
    now: DateTime<Utc>,
}

impl<'p> Invitations<'p> {
    pub fn by(by: Role, policy: &'p Policy, standing: &Standing, others_wait: bool, now: DateTime<Utc>) -> Self {
        let seats_free = i64::from(standing.seats_bought) - i64::from(standing.seats_used);
        Self { policy, by, seats_free, others_wait, now }
    }

    /// Makes a member of a person: with a seat at once while one is free and nobody waits, else at their place on the waitlist, from
    /// which a worker takes them. The admin's word counts as the approval.
    ///
    /// # Errors
    /// [`InvitationRefusal`]; then nothing is counted.
    pub fn invite(
        &mut self,
        new: &Invitation,
        known: Addressee<'_>,
        new_id: impl FnOnce() -> MemberId,
    ) -> Result<Invited, InvitationRefusal> {
        if !self.by.may_change(Role::Member, new.role) {
            return Err(InvitationRefusal::TooStrong);
        }
        if let Some(member) = known.member {
            return Err(refusal_of(member));
        }
        if known.in_directory {
            return Err(InvitationRefusal::InDirectory);
        }
        let repeats = known.withdrawn.map(|withdrawn| withdrawn.repeats.again(self.now)).transpose()?;
        let seated = self.seats_free > 0 && !self.others_wait;
        let (status, waiting_for) =
            if seated { (admitted_status(self.policy), None) } else { (MemberStatus::Pending, Some(WaitingFor::Seat)) };
        self.seats_free -= i64::from(seated);
        self.others_wait |= !seated;
        let member = MemberState {
            id: known.withdrawn.map_or_else(new_id, |withdrawn| withdrawn.member),
            profile: new.profile.clone(),
            status,
            role: new.role,
            billing_contact: new.billing_contact,
            managed_by: None,
            directory_user: None,
            former_record: None,
            suspended_from: None,
            waiting_for,
            approval: Some(Approval::Approved),
            blocked_from: None,
            seated,
            held: false,
        };
        let event = match status {
            MemberStatus::Invited => Event::MemberInvited,
            MemberStatus::Active => Event::MemberActivated,
            _ => Event::MemberWaitlisted,
        };
        let Invitation { profile, role, billing_contact, message } = new.clone();
        let detail = MemberDetail::InvitedByHand { after: profile, role, billing_contact, message };
        let event = event(member.id, detail);
        Ok(Invited { member, repeats, event })
    }
}

fn refusal_of(member: &MemberState) -> InvitationRefusal {
    match member.status {
        _ if member.is_blocked() => InvitationRefusal::Blocked,
        MemberStatus::Active => InvitationRefusal::Active,
        MemberStatus::Invited => InvitationRefusal::Invited,
        MemberStatus::Pending => InvitationRefusal::Pending,
        MemberStatus::Suspended | MemberStatus::Removed => InvitationRefusal::Suspended,
    }
}
