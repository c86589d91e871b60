//! Input of an explanation: the store's data about one person.

use crate::directory::{Dispute, Origin, PersonRecord};
use crate::hold_reason::HoldReason;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, RequestId, RunId, SharingGroupId};
use crate::policy::Policy;
use crate::roster::{MemberState, MemberStatus};
use crate::text_enum::text_enum;
use chrono::{DateTime, Utc};

text_enum! {
    /// Situation of a record and a member (docs/design.md#matching).
    Situation {
        Linked = "linked",
        /// A member and a record without a link, or an unmanaged member without a record.
        Unlinked = "unlinked",
        /// No member matches the record yet.
        Unmatched = "unmatched",
        Disputed = "disputed",
        Deleted = "deleted",
    }
}

/// The latest event: its time, actor, run and request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub run: Option<RunId>,
    pub request: Option<RequestId>,
}

/// A source's record of the person.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    pub id: DirectoryUserId,
    pub origin: Origin,
    /// `None` once the source deleted the record.
    pub record: Option<PersonRecord>,
    /// A group of the policy's user scope has the person, or the policy has none.
    pub in_scope: bool,
}

/// Reason for skipping a record or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub dispute: Dispute,
    pub about: String,
    pub since: DateTime<Utc>,
}

text_enum! {
    /// Decision about a withheld item.
    Decision {
        Held = "held",
        /// Released; a worker has not applied it yet.
        Approved = "approved",
        Rejected = "rejected",
        /// Only planned: the source is not live.
        Simulated = "simulated",
    }
}

/// A planned item that was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    pub action: String,
    pub reason: HoldReason,
    pub decision: Decision,
    pub run: RunId,
    pub request: Option<RequestId>,
    pub since: DateTime<Utc>,
}

/// An unread change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    pub since: DateTime<Utc>,
    pub request: Option<RequestId>,
}

/// Work that waits for the tenant's worker, within the part that was read.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// The oldest change of this person.
    pub unread: Option<Unread>,
    /// More changes wait than were read; this person's may be among them.
    pub deeper: bool,
    /// End of a worker's lease on the tenant.
    pub leased_until: Option<DateTime<Utc>>,
    /// End of the back-off after a failure.
    pub retry_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// Seats, and the person's position on the waitlist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seats {
    pub bought: u32,
    pub used: u32,
    /// 1 is the next; `None` when the person does not wait, or the waitlist is too long to count.
    pub place: Option<u32>,
}

/// State of the person in one group.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    pub name: String,
    pub directory_group: Option<DirectoryGroupId>,
    pub sharing_group: Option<SharingGroupId>,
    /// The source of the directory group.
    pub origin: Option<Origin>,
    /// The source has the person in it.
    pub desired: bool,
    /// The roster has the person in it.
    pub actual: bool,
    pub skipped: Option<Skipped>,
    pub withheld: Option<Withheld>,
    pub unread: Option<Unread>,
}

/// All facts of an explanation.
#[derive(Clone, Debug)]
pub struct Facts {
    pub now: DateTime<Utc>,
    pub policy: Policy,
    pub seats: Seats,
    pub member: Option<MemberState>,
    /// `None` without a source's record of the person.
    pub said: Option<SourceRecord>,
    /// The last event about the record.
    pub said_last: Option<Trace>,
    /// The last event that set the member's status.
    pub status_last: Option<Trace>,
    /// The last event by which an admin approved or declined the person.
    pub decided_last: Option<Trace>,
    /// The last event by which an admin blocked or unblocked the person.
    pub blocked_last: Option<Trace>,
    /// The member with the record's address, when the record is not linked.
    pub holder: Option<MemberId>,
    pub skipped: Option<Skipped>,
    /// The newest first.
    pub withheld: Vec<Withheld>,
    pub backlog: Backlog,
    pub groups: Vec<GroupFacts>,
}

impl Facts {
    /// True if the person should have access, by the source or an admin.
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
