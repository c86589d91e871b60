//! Why a person has access or lacks it, now: facts in, gates out.
//!
//! Each gate says whether it stands in the way, in a sentence for people, with its evidence and what to do about it. They
//! are asked in one order, so that the first one that is blocked is the reason and those behind it are its consequences.
//! Reasons of guards and disputes are matched one by one: a new one cannot be added without a word to say here.

mod groups;
mod person;

use crate::directory::{Dispute, Origin, PersonRecord};
use crate::hold_reason::HoldReason;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, RequestId, RunId, SharingGroupId, SourceId};
use crate::policy::Policy;
use crate::roster::{MemberState, MemberStatus, text_enum};
use chrono::{DateTime, Utc};
use serde::Serialize;

text_enum! {
    /// What stands between a person and access, in the order in which it is asked.
    GateName {
        /// Does the source say that this person is there and active?
        SourceRecord = "source_record",
        /// Does the source's word count?
        SourceMode = "source_mode",
        /// Does a group of the policy's user scope have the person (DX6)?
        Scope = "scope",
        /// Is it clear whom the record means?
        Match = "match",
        /// Did an admin decline the person (LP5)?
        Declined = "declined",
        /// Do the tenant's switches let it happen?
        Policy = "policy",
        /// Is there a seat?
        Seat = "seat",
        /// Does a guard withhold it?
        Hold = "hold",
        /// Has a worker looked at the last change?
        Reconcile = "reconcile",
        /// What the roster says.
        Status = "status",
    }
}

text_enum! {
    /// What a gate answers.
    GateState { Ok = "ok", Blocked = "blocked", Unknown = "unknown" }
}

text_enum! {
    /// How a record and a member stand to each other (design §3).
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
    fn wanted(&self) -> bool {
        match &self.said {
            Some(said) => said.in_scope && said.record.as_ref().is_some_and(|record| record.active),
            None => self.member.as_ref().is_some_and(|member| member.managed_by.is_none()),
        }
    }

    fn let_in(&self) -> bool {
        self.member.as_ref().is_some_and(MemberState::has_access)
    }

    fn has_access(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.status == MemberStatus::Active)
    }

    fn situation(&self) -> Situation {
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

/// Ids, times and words that a gate's answer rests on; each gate fills some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<SourceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<MemberId>,
    /// The word of a dispute or of a guard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What a dispute is about: an address, a name, an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The action that was withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The place on the waitlist; 1 is the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&Trace> for Evidence {
    fn from(trace: &Trace) -> Self {
        let Trace { at, actor, run, request } = trace.clone();
        Self { since: Some(at), actor: Some(actor), run_id: run, request_id: request, ..Self::default() }
    }
}

impl From<&Skipped> for Evidence {
    fn from(skipped: &Skipped) -> Self {
        let Skipped { dispute, about, since } = skipped.clone();
        Self { since: Some(since), reason: Some(dispute.as_str()), about: Some(about), ..Self::default() }
    }
}

impl From<&Withheld> for Evidence {
    fn from(withheld: &Withheld) -> Self {
        let Withheld { action, reason, decision, run, request, since } = withheld.clone();
        Self {
            since: Some(since),
            run_id: Some(run),
            request_id: request,
            reason: Some(reason.as_str()),
            action: Some(action),
            decision: Some(decision),
            ..Self::default()
        }
    }
}

impl From<&Unread> for Evidence {
    fn from(unread: &Unread) -> Self {
        Self { since: Some(unread.since), request_id: unread.request, ..Self::default() }
    }
}

/// One gate's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    pub gate: GateName,
    pub state: GateState,
    pub sentence: String,
    /// What an admin can do about it; only where something stands in the way.
    pub remedy: Option<String>,
    pub evidence: Evidence,
}

impl Gate {
    fn ok(gate: GateName, sentence: impl Into<String>) -> Self {
        Self { gate, state: GateState::Ok, sentence: sentence.into(), remedy: None, evidence: Evidence::default() }
    }

    fn unknown(gate: GateName, sentence: impl Into<String>) -> Self {
        Self { state: GateState::Unknown, ..Self::ok(gate, sentence) }
    }

    fn blocked(gate: GateName, sentence: impl Into<String>, remedy: &str) -> Self {
        Self { state: GateState::Blocked, remedy: Some(remedy.to_owned()), ..Self::ok(gate, sentence) }
    }

    fn with(self, evidence: impl Into<Evidence>) -> Self {
        Self { evidence: evidence.into(), ..self }
    }

    fn is_blocked(&self) -> bool {
        self.state == GateState::Blocked
    }
}

/// How the person stands to one group, and what decided it when the source and the roster differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupPath {
    pub name: String,
    pub sharing_group_id: Option<SharingGroupId>,
    pub directory_group_id: Option<DirectoryGroupId>,
    /// The source says the person is in it.
    pub wanted: bool,
    /// The roster has the person in it.
    pub inside: bool,
    pub sentence: String,
    pub decided_by: Option<Gate>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub member_id: Option<MemberId>,
    pub directory_user_id: Option<DirectoryUserId>,
    pub source_id: Option<SourceId>,
    pub email: Option<String>,
    pub status: Option<MemberStatus>,
    /// May use the product now.
    pub access: bool,
    pub situation: Situation,
    /// The gate that decides: the first in the way, or the one that keeps access although the source says otherwise.
    /// None when everything agrees that the person has access.
    pub decided_by: Option<GateName>,
    pub sentence: String,
    /// All of them, in their order.
    pub gates: Vec<Gate>,
    pub groups: Vec<GroupPath>,
}

/// Why this person has access, or has none.
pub fn explain(facts: &Facts) -> Explanation {
    let gates = person::gates(facts);
    let decided_by = person::deciding(facts, &gates);
    let sentence = match decided_by {
        Some(gate) => format!("{} {}", person::in_short(facts), gate.sentence),
        None => person::in_short(facts).to_owned(),
    };
    let said = facts.said.as_ref();
    let known_as = facts.member.as_ref().map(|member| member.profile.email.clone());
    let spelled = || said.and_then(|said| said.record.as_ref()).and_then(|record| record.email.clone());
    Explanation {
        member_id: facts.member.as_ref().map(|member| member.id),
        directory_user_id: said.map(|said| said.id),
        source_id: said.map(|said| said.origin.source),
        email: known_as.or_else(spelled),
        status: facts.member.as_ref().map(|member| member.status),
        access: facts.has_access(),
        situation: facts.situation(),
        decided_by: decided_by.map(|gate| gate.gate),
        sentence,
        groups: facts.groups.iter().map(|group| groups::path(facts, group)).collect(),
        gates,
    }
}

/// The gate at which a guard's reason is told. No wildcard: a new reason has to find its gate.
pub fn gate_of(reason: HoldReason) -> GateName {
    match reason {
        HoldReason::ProvisioningOff | HoldReason::DeprovisioningOff => GateName::Policy,
        HoldReason::Simulation | HoldReason::Quarantined => GateName::SourceMode,
        HoldReason::RemovalOverLimit
        | HoldReason::CreationOverLimit
        | HoldReason::ModificationOverLimit
        | HoldReason::GroupWipe
        | HoldReason::ProtectedMember
        | HoldReason::LastAdmin
        | HoldReason::LastBillingContact => GateName::Hold,
    }
}
