//! The explanation of a person's access on the wire. `core` makes and writes it; the shapes here describe it, and the suite compares
//! answers with them.

use crate::view::closed;
use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a person has access, or has none.
#[derive(ToSchema)]
pub struct Explanation {
    pub member_id: Option<Uuid>,
    pub directory_user_id: Option<Uuid>,
    pub source_id: Option<Uuid>,
    pub email: Option<String>,
    pub status: Option<closed::MemberStatus>,
    /// The person has access to the product now.
    pub access: bool,
    pub situation: closed::Situation,
    /// The first blocked gate, or the one that keeps access against the source's record; null when all agree on access.
    pub decided_by: Option<closed::GateName>,
    pub sentence: String,
    /// All gates, in their order.
    pub gates: Vec<Gate>,
    pub groups: Vec<GroupPath>,
}

/// One question between a person and access, and its answer.
#[derive(ToSchema)]
pub struct Gate {
    pub gate: closed::GateName,
    pub state: closed::GateState,
    pub sentence: String,
    /// The remedy for an admin; only for a blocked gate.
    pub remedy: Option<String>,
    pub evidence: Evidence,
}

/// Ids, times and values behind an answer; each gate has some.
#[derive(ToSchema)]
pub struct Evidence {
    pub since: Option<DateTime<Utc>>,
    pub actor: Option<String>,
    pub run_id: Option<Uuid>,
    pub request_id: Option<Uuid>,
    pub source_id: Option<Uuid>,
    pub member_id: Option<Uuid>,
    /// The code of a dispute or of a held reason.
    pub reason: Option<String>,
    /// An address, a name or an error.
    pub about: Option<String>,
    /// The withheld action.
    pub action: Option<String>,
    pub decision: Option<closed::ItemDecision>,
    /// The position on the waitlist; 1 is the next.
    pub place: Option<u32>,
    pub retry_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// The person in one group, and the cause when source and roster differ.
#[derive(ToSchema)]
pub struct GroupPath {
    pub name: String,
    pub sharing_group_id: Option<Uuid>,
    pub directory_group_id: Option<Uuid>,
    /// The source has the person in it.
    pub wanted: bool,
    /// The roster has the person in it.
    pub inside: bool,
    pub sentence: String,
    pub decided_by: Option<Gate>,
}
