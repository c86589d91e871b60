//! Explanation of a person's access or lack of it, now: facts in, gates out.
//!
//! Each gate has a state, a sentence for people, its evidence and its remedy. The gates have one order: the first blocked
//! one is the reason, and those behind it are its consequences. Held reasons and disputes are matched one by one, so that
//! a new one cannot be added without a sentence here.

mod facts;
mod gate;
mod groups;
mod person;

pub use facts::{
    Backlog, Decision, Facts, GroupFacts, Seats, Situation, Skipped, SourceRecord, Trace, Unread, Withheld,
};
pub use gate::{Evidence, Gate, GateName, GateState, gate_of};
pub use groups::GroupPath;

use crate::ids::{DirectoryUserId, MemberId, SourceId};
use crate::roster::MemberStatus;
use serde::Serialize;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub member_id: Option<MemberId>,
    pub directory_user_id: Option<DirectoryUserId>,
    pub source_id: Option<SourceId>,
    pub email: Option<String>,
    pub status: Option<MemberStatus>,
    /// The person has access to the product now.
    pub access: bool,
    pub situation: Situation,
    /// The deciding gate: the first blocked one, or the one that keeps access against the source's record. None when
    /// all gates agree that the person has access.
    pub decided_by: Option<GateName>,
    pub sentence: String,
    /// All gates, in their order.
    pub gates: Vec<Gate>,
    pub groups: Vec<GroupPath>,
}

/// Explains the access of this person.
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
