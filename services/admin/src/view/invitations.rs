//! Outcomes of invitations on the wire.

use crate::view::closed;
use rollcall_core::ids::MemberId;
use rollcall_core::invitation::{InvitationRefusal, Repeats};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;

/// The outcome for one person of a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationDecided {
    /// As it was given.
    pub email: String,
    pub result: InvitationResult,
    /// The new member, or the one because of whom the invitation was refused.
    #[schema(value_type = Option<Uuid>)]
    pub member_id: Option<MemberId>,
    /// The new member's status; null for a refusal.
    #[schema(value_type = Option<closed::MemberStatus>)]
    pub status: Option<&'static str>,
    /// A stable code, for a refusal; else null.
    #[schema(value_type = Option<closed::InvitationRefusal>)]
    pub reason: Option<InvitationRefusal>,
    /// The reason in a sentence, with the remedy.
    pub detail: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationResult {
    Done,
    Refused,
}

impl InvitationDecided {
    pub(crate) fn of(email: String, result: store::InvitationResult) -> Self {
        match result {
            store::InvitationResult::Done(id, status) => Self {
                email,
                result: InvitationResult::Done,
                member_id: Some(id),
                status: Some(status.as_str()),
                reason: None,
                detail: None,
            },
            store::InvitationResult::Refused(refusal, member) => Self {
                email,
                result: InvitationResult::Refused,
                member_id: member,
                status: None,
                reason: Some(refusal),
                detail: Some(refusal.sentence()),
            },
        }
    }
}

/// The results of one call, in the order of its people.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationsDecided {
    pub items: Vec<InvitationDecided>,
}

/// The outcome of a repetition for one member.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitedAgain {
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    pub result: RepeatResult,
    /// How often the invitation went out again by now; null where it did not.
    pub repeats: Option<u32>,
    /// How often it may still go out again before a week's pause; null where it did not go out.
    pub repeats_left: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepeatResult {
    Done,
    /// The member has no open invitation.
    NotInvited,
    TooManyInvitations,
    NotFound,
}

impl InvitedAgain {
    pub(crate) fn of(member_id: MemberId, result: store::RepeatResult) -> Self {
        let (result, repeats) = match result {
            store::RepeatResult::Done(repeats) => (RepeatResult::Done, Some(repeats)),
            store::RepeatResult::NotInvited => (RepeatResult::NotInvited, None),
            store::RepeatResult::TooMany => (RepeatResult::TooManyInvitations, None),
            store::RepeatResult::NotFound => (RepeatResult::NotFound, None),
        };
        let left = repeats.map(|repeats| Repeats::MAX.saturating_sub(repeats));
        Self { member_id, result, repeats, repeats_left: left }
    }
}

/// The results of one call, in the order of its ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllInvitedAgain {
    pub items: Vec<InvitedAgain>,
}
