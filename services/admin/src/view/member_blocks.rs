//! Outcomes of blocks on the wire.

use crate::view::closed;
use rollcall_core::block::{AWAITS_OWNER, BlockRefusal};
use rollcall_core::ids::MemberId;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;

/// The outcome for one member of a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockDecided {
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    pub result: BlockResult,
    /// A stable code, for a refusal; else null.
    #[schema(value_type = Option<closed::BlockRefusal>)]
    pub reason: Option<BlockRefusal>,
    /// The reason in a sentence, with the remedy.
    pub detail: Option<&'static str>,
    /// A sentence about what has still to happen before an unblocked member is back; else null.
    pub next: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockResult {
    Done,
    /// Blocked already, or not blocked.
    Unchanged,
    NotFound,
    Refused,
}

impl BlockDecided {
    pub(crate) fn of(member_id: MemberId, result_of: store::BlockResult) -> Self {
        let (result, reason) = match result_of {
            store::BlockResult::Done | store::BlockResult::AwaitsOwner => (BlockResult::Done, None),
            store::BlockResult::Unchanged => (BlockResult::Unchanged, None),
            store::BlockResult::NotFound => (BlockResult::NotFound, None),
            store::BlockResult::Refused(refusal) => (BlockResult::Refused, Some(refusal)),
        };
        let next = (result_of == store::BlockResult::AwaitsOwner).then_some(AWAITS_OWNER);
        Self { member_id, result, reason, detail: reason.map(BlockRefusal::sentence), next }
    }
}

/// The results of one call, in the order of its ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlocksDecided {
    pub items: Vec<BlockDecided>,
}
