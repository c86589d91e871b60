//! Runs and their items on the wire.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// One run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Run {
    pub id: Uuid,
    /// Null when the run belongs to several sources, or to none (a freed seat).
    pub source_id: Option<Uuid>,
    #[schema(value_type = closed::RunState)]
    pub state: String,
    #[schema(value_type = closed::RunVerdict)]
    pub verdict: String,
    #[schema(value_type = Vec<closed::HeldReason>)]
    pub held_reasons: Json,
    /// Items by action; of a rewind also `impossible`.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub counts: Json,
    pub digest: String,
    /// The run that this one rewinds; with `rewinds_since`, the first of them.
    pub rewinds: Option<Uuid>,
    /// This one rewinds everything that the source did since then.
    pub rewinds_since: Option<DateTime<Utc>>,
    /// The runs to take back before this rewind can be complete, the latest first.
    pub later_runs: Vec<LaterRun>,
    pub warnings: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// A run after the rewound one.
#[derive(Debug, Serialize, ToSchema)]
pub struct LaterRun {
    pub run_id: Uuid,
    /// Items of the rewind that cannot be taken back before it.
    pub items: u64,
}

fn later_runs(stored: Option<Json>) -> Vec<LaterRun> {
    let stored: BTreeMap<Uuid, u64> = stored.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default();
    stored.into_iter().rev().map(|(run_id, items)| LaterRun { run_id, items }).collect()
}

fn warning(later: &LaterRun) -> String {
    let LaterRun { run_id, items } = later;
    let (what, ask) = (if *items == 1 { "item" } else { "items" }, "then ask for this rewind again");
    format!("Run {run_id} changed {items} {what} of the rewound run since: take that run back first, {ask}.")
}

impl From<store::Run> for Run {
    fn from(row: store::Run) -> Self {
        let store::Run {
            id,
            source_id,
            state,
            verdict,
            held_reasons,
            counts,
            digest,
            rewinds,
            rewinds_since,
            later_runs: stored,
            created_at,
            modified_at,
        } = row;
        let later_runs = later_runs(stored);
        let warnings = later_runs.iter().map(warning).collect();
        Self {
            id,
            source_id,
            state,
            verdict,
            held_reasons,
            counts,
            digest,
            rewinds,
            rewinds_since,
            later_runs,
            warnings,
            created_at,
            modified_at,
        }
    }
}

/// One line of a run's plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunItem {
    pub id: Uuid,
    #[schema(value_type = closed::ItemAction)]
    pub action: String,
    #[schema(value_type = closed::SubjectKind)]
    pub subject_kind: String,
    pub subject_id: Uuid,
    #[schema(value_type = closed::ItemReason)]
    pub why: String,
    /// `applied`, `held`, `approved` (released, not applied yet), `withdrawn` (the source took it back), `rejected`,
    /// `simulated`; for a rewind `planned` and `impossible`.
    #[schema(value_type = closed::ItemDecision)]
    pub decision: String,
    #[schema(value_type = Option<closed::HeldReason>)]
    pub held_reason: Option<String>,
    /// The subject's name at that time: `email` and `display_name`, or a group's `name`.
    #[schema(value_type = Option<Object>)]
    pub who: Option<Json>,
    pub member_id: Option<Uuid>,
    pub group_id: Option<Uuid>,
    /// The changed fields before; null for a new member or group.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Json>,
    #[schema(value_type = Option<Object>)]
    pub after: Option<Json>,
    /// The action with its parameters.
    pub detail: Json,
    /// The source and the request that caused it.
    pub source_id: Option<Uuid>,
    pub request_id: Option<Uuid>,
}

impl From<store::RunItem> for RunItem {
    fn from(row: store::RunItem) -> Self {
        let store::RunItem {
            id,
            action,
            subject_kind,
            subject_id,
            why,
            decision,
            held_reason,
            who,
            member_id,
            group_id,
            before,
            after,
            detail,
            source_id,
            request_id,
        } = row;
        Self {
            id,
            action,
            subject_kind,
            subject_id,
            why,
            decision,
            held_reason,
            who,
            member_id,
            group_id,
            before,
            after,
            detail,
            source_id,
            request_id,
        }
    }
}

/// One action, as each of the two runs has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedItem {
    /// `only_this`, `only_other`, `same`, or `differs`: the same action on the same subject, with another outcome.
    #[schema(value_type = closed::FoundIn)]
    pub found: String,
    #[schema(value_type = closed::ItemAction)]
    pub action: String,
    #[schema(value_type = closed::SubjectKind)]
    pub subject_kind: String,
    pub subject_id: Uuid,
    #[schema(value_type = Option<Object>)]
    pub who: Option<Json>,
    /// Its changes in this run, and in the other.
    #[schema(value_type = Option<Object>)]
    pub this_before: Option<Json>,
    #[schema(value_type = Option<Object>)]
    pub this_after: Option<Json>,
    #[schema(value_type = Option<Object>)]
    pub other_before: Option<Json>,
    #[schema(value_type = Option<Object>)]
    pub other_after: Option<Json>,
}

impl From<store::ComparedItem> for ComparedItem {
    fn from(row: store::ComparedItem) -> Self {
        let store::ComparedItem {
            found,
            action,
            subject_kind,
            subject_id,
            object_id: _,
            who,
            this_before,
            this_after,
            other_before,
            other_after,
        } = row;
        Self { found, action, subject_kind, subject_id, who, this_before, this_after, other_before, other_after }
    }
}
