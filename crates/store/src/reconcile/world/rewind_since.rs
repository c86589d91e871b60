//! The items of a rewind of everything that a source did since an instant: one item for each member, group and membership,
//! with the net effect of all their items. They are planned in one part, because the items of one target must be together.

use super::OpenHold;
use super::rewind_line::{LINE, Line};
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::change::{Impossible, Step};
use std::collections::HashMap;
use uuid::Uuid;

/// Most items of one rewind since an instant.
pub(crate) const ITEMS_MAX: i64 = 10_000;

/// The runs in which source `$3` changed something since `$4`, the first of them `$2`.
pub(crate) const OF_SOURCE_SINCE: &str = "FROM run_items i JOIN runs r ON r.tenant_id = i.tenant_id AND r.id = i.run_id \
    WHERE i.tenant_id = {tenant} AND i.run_id >= $2 AND i.source_id = $3 AND i.decision = 'applied' \
    AND r.verdict = 'applied' AND r.rewinds IS NULL AND r.state IN ('applied', 'partly_rewound') AND r.created_at >= $4 ";

static LINES_SINCE: Sql =
    Sql::tenant(&["SELECT ", LINE, " ", OF_SOURCE_SINCE, "ORDER BY i.run_id DESC, i.id DESC LIMIT $5"]);

/// The inverse of all items of one target.
pub(super) struct Net {
    pub(super) line: Line,
    pub(super) step: Result<Step, Impossible>,
}

impl TenantTx {
    /// The items of the source's runs, the last one first.
    pub(super) async fn lines_since(&self, run: &OpenHold) -> Result<Vec<Line>, StoreError> {
        let (Some(first), Some(source), Some(since)) = (run.rewinds, run.source_id, run.rewinds_since) else {
            return Ok(Vec::new());
        };
        // Twice as many, because the source may have gone on since the rewind was asked for.
        let limit = (2 * ITEMS_MAX).into();
        self.all(&LINES_SINCE, [first.into(), source.into(), since.into(), limit]).await
    }
}

/// The net effect on each target, in the order of the targets' last items. Targets that end as they are are left out.
pub(super) fn net_effects(lines: Vec<Line>) -> Vec<Net> {
    let mut order: Vec<Uuid> = Vec::new();
    let mut of_target: HashMap<_, Vec<(Line, Step)>> = HashMap::new();
    let mut net = Vec::new();
    for line in lines {
        match line.inverse() {
            Some(step) => {
                let steps = of_target.entry(step.target).or_default();
                if steps.is_empty() {
                    order.push(line.id);
                }
                steps.push((line, step));
            }
            None => net.push(Net { line, step: Err(Impossible::NotReversible) }),
        }
    }
    let place: HashMap<Uuid, usize> = order.into_iter().zip(0..).collect();
    let mut targets: Vec<Vec<(Line, Step)>> = of_target.into_values().collect();
    targets.sort_by_key(|steps| place.get(&steps[0].0.id).copied());
    for steps in targets {
        let (lines, steps): (Vec<Line>, Vec<Step>) = steps.into_iter().unzip();
        let (whole, merged) = Step::net(&steps);
        let mut lines = lines.into_iter();
        let rest = lines.clone().nth(merged);
        if let (Some(line), Some(step)) = (lines.next(), whole) {
            net.push(Net { line, step: Ok(step) });
        }
        net.extend(rest.map(|line| Net { line, step: Err(Impossible::ChangedSince) }));
    }
    net
}
