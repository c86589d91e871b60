//! Why a person has access or lacks it, now: facts in, gates out.
//!
//! Each gate says whether it stands in the way, in a sentence for people, with its evidence and what to do about it. They
//! are asked in one order, so that the first one that is blocked is the reason and those behind it are its consequences.
//! Reasons of guards and disputes are matched one by one: a new one cannot be added without a word to say here.

mod facts;
mod gate;
mod groups;
mod person;

pub use facts::{Backlog, Decision, Facts, GroupFacts, Said, Seats, Situation, Skipped, Trace, Unread, Withheld};
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
