//! The input of an explanation: what the store knows about one person.

use crate::directory::{Dispute, Origin, PersonRecord};
use crate::hold_reason::HoldReason;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, RequestId, RunId, SharingGroupId};
use crate::policy::Policy;
use crate::roster::{MemberState, MemberStatus};
use crate::text_enum::text_enum;
use chrono::{DateTime, Utc};

text_enum! {
    /// How a record and a member stand to each other (docs/design.md#matching).
    Situation {
        Linked = "linked",
        /// A member and a record that are not tied to each other, or one made by hand without any.
        Unlinked = "unlinked",
        /// Nobody in the roster is this person yet.
        Unmatched = "unmatched",
        Disputed = "disputed",
        Deleted = "deleted",
    }
}

/// What happened last: when, by whom, in which run, because of which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub run: Option<RunId>,
    pub request: Option<RequestId>,
}

/// What a source says of the person.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: DirectoryUserId,
    pub origin: Origin,
    /// `None` once the source deleted the record.
    pub record: Option<PersonRecord>,
    /// A group of the policy's user scope has the person, or the policy has none.
    pub in_scope: bool,
}

/// Why a record, or a group, is skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub dispute: Dispute,
    pub about: String,
    pub since: DateTime<Utc>,
}

text_enum! {
    /// What became of something that a guard withheld.
    Decision {
        Held = "held",
        /// Released; a worker has not applied it yet.
        Approved = "approved",
        Rejected = "rejected",
        /// Only planned: the source is not live.
        Simulated = "simulated",
    }
}

/// An item of a plan that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    pub action: String,
    pub reason: HoldReason,
    pub decision: Decision,
    pub run: RunId,
    pub request: Option<RequestId>,
    pub since: DateTime<Utc>,
}

/// A change that no worker has looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    pub since: DateTime<Utc>,
    pub request: Option<RequestId>,
}

/// What waits for the tenant's worker, as far as it was looked through.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// The oldest change of this person.
    pub unread: Option<Unread>,
    /// More changes wait than were looked through, this person's may be among them.
    pub deeper: bool,
    /// A worker has the tenant's lease until then.
    pub leased_until: Option<DateTime<Utc>>,
    /// After a failure the tenant is not tried before.
    pub retry_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// Seats, and the person's place among those who wait for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seats {
    pub bought: u32,
    pub used: u32,
    /// 1 is the next; `None` when the person does not wait, or so many do that nobody counted.
    pub place: Option<u32>,
}

/// How the person stands to one group.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    pub name: String,
    pub directory_group: Option<DirectoryGroupId>,
    pub sharing_group: Option<SharingGroupId>,
    /// The source of the directory group.
    pub origin: Option<Origin>,
    /// The source says the person is in it.
    pub desired: bool,
    /// The roster has it so.
    pub actual: bool,
    pub skipped: Option<Skipped>,
    pub withheld: Option<Withheld>,
    pub unread: Option<Unread>,
}

/// Everything an explanation depends on.
#[derive(Clone, Debug)]
pub struct Facts {
    pub now: DateTime<Utc>,
    pub policy: Policy,
    pub seats: Seats,
    pub member: Option<MemberState>,
    /// `None` when no source has said anything of the person.
    pub said: Option<Said>,
    /// The last event about the record.
    pub said_last: Option<Trace>,
    /// The last event that set the member's status.
    pub status_last: Option<Trace>,
    /// The last event by which an admin approved or declined the person.
    pub decided_last: Option<Trace>,
    /// Who has the record's address, when nobody is linked to it.
    pub holder: Option<MemberId>,
    pub skipped: Option<Skipped>,
    /// The newest first.
    pub withheld: Vec<Withheld>,
    pub backlog: Backlog,
    pub groups: Vec<GroupFacts>,
}

impl Facts {
    /// Should the person have access, as far as somebody decides about that who may?
    pub(super) fn wanted(&self) -> bool {
        match &self.said {
            Some(said) => said.in_scope && said.record.as_ref().is_some_and(|record| record.active),
            None => self.member.as_ref().is_some_and(|member| member.managed_by.is_none()),
        }
    }

    pub(super) fn let_in(&self) -> bool {
        self.member.as_ref().is_some_and(MemberState::has_access)
    }

    pub(super) fn has_access(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.status == MemberStatus::Active)
    }

    pub(super) fn situation(&self) -> Situation {
        match (&self.skipped, &self.said, &self.member) {
            (Some(_), _, _) => Situation::Disputed,
            (None, Some(said), _) if said.record.is_none() => Situation::Deleted,
            (None, Some(_), Some(_)) => Situation::Linked,
            (None, Some(_), None) if self.holder.is_some() => Situation::Unlinked,
            (None, None, Some(_)) => Situation::Unlinked,
            (None, _, None) => Situation::Unmatched,
        }
    }
}
