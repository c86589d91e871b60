//! Gates: the questions between a person and access, with the evidence for each answer.

use super::facts::{Decision, Skipped, Trace, Unread, Withheld};
use crate::hold_reason::HoldReason;
use crate::ids::{MemberId, RequestId, RunId, SourceId};
use crate::remedy::Remedy;
use crate::text_enum::text_enum;
use chrono::{DateTime, Utc};
use serde::Serialize;

text_enum! {
    /// The gates in the order of evaluation.
    GateName {
        /// Does the source have an active record of this person?
        SourceRecord = "source_record",
        /// Do the source's changes have an effect?
        SourceMode = "source_mode",
        /// Does a group of the policy's user scope have the person (DX6)?
        Scope = "scope",
        /// Is the match of the record unambiguous?
        Match = "match",
        /// Did an admin decline the person (LP5)?
        Declined = "declined",
        /// Did an admin block the person (DW9)?
        Blocked = "blocked",
        /// Do the tenant's switches allow it?
        Policy = "policy",
        /// Is there a seat?
        Seat = "seat",
        /// Does a guard withhold it?
        Hold = "hold",
        /// Has a worker read the last change?
        Reconcile = "reconcile",
        /// The member's status in the roster.
        Status = "status",
    }
}

text_enum! {
    /// State of a gate.
    GateState { Ok = "ok", Blocked = "blocked", Unknown = "unknown" }
}

/// Ids, times and values behind a gate's answer; each gate fills some.
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
    /// The code of a dispute or of a held reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Subject of a dispute: an address, a name, an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The withheld action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The position on the waitlist; 1 is the next.
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
    /// The remedy for an admin; only for a blocked gate.
    pub remedy: Option<&'static str>,
    pub evidence: Evidence,
}

impl Gate {
    pub(super) fn ok(gate: GateName, sentence: impl Into<String>) -> Self {
        Self { gate, state: GateState::Ok, sentence: sentence.into(), remedy: None, evidence: Evidence::default() }
    }

    pub(super) fn unknown(gate: GateName, sentence: impl Into<String>) -> Self {
        Self { state: GateState::Unknown, ..Self::ok(gate, sentence) }
    }

    pub(super) fn blocked(gate: GateName, sentence: impl Into<String>, remedy: &Remedy) -> Self {
        Self { state: GateState::Blocked, remedy: Some(remedy.sentence), ..Self::ok(gate, sentence) }
    }

    pub(super) fn with(self, evidence: impl Into<Evidence>) -> Self {
        Self { evidence: evidence.into(), ..self }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.state == GateState::Blocked
    }
}

/// The gate of a held reason. No wildcard, so that a new reason must be assigned a gate.
pub fn gate_of(reason: HoldReason) -> GateName {
    match reason {
        HoldReason::ProvisioningOff | HoldReason::DeprovisioningOff => GateName::Policy,
        HoldReason::Simulation | HoldReason::Quarantined => GateName::SourceMode,
        HoldReason::RemovalOverLimit
        | HoldReason::CreationOverLimit
        | HoldReason::ModificationOverLimit
        | HoldReason::GroupWipe
        | HoldReason::ProtectedMember
        | HoldReason::PrivilegedMember
        | HoldReason::LastAdmin
        | HoldReason::LastBillingContact => GateName::Hold,
    }
}
