//! One part of a rewind: its items are written when it is planned, and settled when it is applied. Lease, plan, review
//! and the one transaction are the same as for any run.

use super::rows::{ITEM_COLUMNS, ItemRow, SettledRow, digest_of};
use super::{Applied, program_fault};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::reconcile::lease::Lease;
use crate::reconcile::world::{Chunk, Line, Phase, RewindPart};
use rollcall_core::action::{Action, Item};
use rollcall_core::change::{Impossible, Step};
use rollcall_core::event::{Event, RunRewound};
use rollcall_core::guard::Verdict;
use rollcall_core::outcome::play;
use rollcall_core::run::{ItemDecision, RunState};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct LaterRow {
    id: Uuid,
    run_id: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct LeftRow {
    #[expect(dead_code, reason = "its presence is the answer")]
    left_open: i64,
}

#[derive(FromQueryResult)]
struct EndedRow {
    id: Uuid,
}

static LATER_RUNS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "SELECT r.id, (SELECT e.run_id FROM audit_events e JOIN runs n ON n.tenant_id = e.tenant_id AND n.id = e.run_id \
       AND n.state IN ('applied', 'partly_rewound') WHERE e.tenant_id = {tenant} AND e.subject_id = r.id AND e.id > $3 \
       AND e.run_id > $3 ORDER BY e.position DESC, e.id DESC LIMIT 1) AS run_id FROM {rows}",
    ],
);
/// Items that could not be taken back, other than those that were back already.
static LEFT_OPEN: Sql =
    Sql::tenant(&["SELECT CAST(1 AS bigint) AS left_open FROM run_items WHERE tenant_id = {tenant} AND run_id = $2 \
     AND decision = 'impossible' AND held_reason <> 'already_back' LIMIT 1"]);
static END_REWIND: Sql =
    Sql::tenant(&["UPDATE runs SET state = 'applied', verdict = 'applied', progress = NULL, modified_at = $3 \
     WHERE tenant_id = {tenant} AND id = $2"]);
/// `$2` was a rewind: what it rewound is in force again, in part if another rewind of it is, or a part of this one.
static IN_FORCE_AGAIN: Sql = Sql::tenant(&[
    "UPDATE runs SET modified_at = $3, state = CASE WHEN $4 OR EXISTS (SELECT 1 FROM runs o \
     WHERE o.tenant_id = runs.tenant_id AND o.rewinds = runs.id AND o.id <> $2 AND o.state IN ('applied', 'partly_rewound')) \
     THEN 'partly_rewound' ELSE 'applied' END WHERE tenant_id = {tenant} AND state IN ('rewound', 'partly_rewound') \
     AND EXISTS (SELECT 1 FROM runs undone WHERE undone.tenant_id = {tenant} AND undone.id = $2 AND (undone.rewinds = runs.id \
     OR (runs.id BETWEEN undone.rewinds AND undone.rewinds_last AND runs.verdict = 'applied' AND runs.rewinds IS NULL \
     AND EXISTS (SELECT 1 FROM run_items i WHERE i.tenant_id = runs.tenant_id AND i.run_id = runs.id \
     AND i.source_id = undone.source_id))))",
]);
static REWOUND_ONE: Sql =
    Sql::tenant(&["UPDATE runs SET state = $4, modified_at = $3 WHERE tenant_id = {tenant} AND id = $2 RETURNING id"]);
/// Runs that hold items of other sources, too, are rewound in part.
static REWOUND_SINCE: Sql =
    Sql::tenant(&["UPDATE runs SET modified_at = $3, state = CASE WHEN EXISTS (SELECT 1 FROM run_items i \
     WHERE i.tenant_id = runs.tenant_id AND i.run_id = runs.id AND (i.source_id IS NULL OR i.source_id <> \
     (SELECT o.source_id FROM runs o WHERE o.tenant_id = {tenant} AND o.id = $2))) THEN 'partly_rewound' ELSE $4 END \
     WHERE tenant_id = {tenant} AND id BETWEEN $5 AND $6 AND verdict = 'applied' AND rewinds IS NULL \
     AND state IN ('applied', 'partly_rewound') AND created_at >= (SELECT o.rewinds_since FROM runs o \
     WHERE o.tenant_id = {tenant} AND o.id = $2) AND EXISTS (SELECT 1 FROM run_items i \
     WHERE i.tenant_id = runs.tenant_id AND i.run_id = runs.id AND i.decision = 'applied' AND i.source_id = \
     (SELECT o.source_id FROM runs o WHERE o.tenant_id = {tenant} AND o.id = $2)) RETURNING id"]);

impl Store {
    pub(super) async fn apply_rewind(
        &self,
        lease: &Lease,
        chunk: &Chunk,
        part: &RewindPart,
        verdict: Verdict,
    ) -> Result<Applied, StoreError> {
        let tx = self.write(&lease.scope).await?.with_fresh_plans();
        // While a rewind is planned nothing changes.
        let nothing = Verdict::default();
        let played = if part.phase == Phase::Applying { &verdict } else { &nothing };
        let outcome = play(&chunk.world, played, &mut || tx.clock.new_id()).map_err(program_fault)?;
        tx.write_counts(lease, outcome.seats_used, outcome.managed).await?;
        tx.write_outcome(&outcome, part.run.into()).await?;
        match part.phase {
            Phase::Planning => tx.write_rewind_items(part, &verdict).await?,
            Phase::Applying => tx.settle_rewind_items(part, &verdict).await?,
        }
        tx.follow_up(&outcome, chunk, &[]).await?;
        tx.commit().await?;
        Ok(Applied { items: verdict.apply.len(), held: 0 })
    }
}

fn step_of(item: &Item) -> Option<&Step> {
    match &item.action {
        Action::Undo(step) => Some(step),
        _ => None,
    }
}

impl TenantTx {
    async fn write_rewind_items(&self, part: &RewindPart, verdict: &Verdict) -> Result<(), StoreError> {
        let planned = verdict.apply.iter().filter_map(|item| Some((step_of(item)?.id, Ok(item))));
        let impossible = verdict.impossible.iter().chain(&part.unknown).map(|(id, reason)| (*id, Err(*reason)));
        let mut outcomes: Vec<(Uuid, Result<&Item, Impossible>)> = planned.chain(impossible).collect();
        // The last item of the rewound run comes first.
        outcomes.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        let changed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Err(Impossible::ChangedSince)));
        let later = self.later_runs(part, changed.filter_map(|(id, _)| part.lines.get(id))).await?;
        let (mut counts, mut digest, mut progress) = (part.counts.clone(), part.digest, part.progress.clone());
        let mut rows = Vec::with_capacity(outcomes.len());
        for (id, outcome) in outcomes {
            let Some(line) = part.lines.get(&id) else { continue };
            let action = outcome.map_or(ItemDecision::Impossible.as_str(), |item| item.action.name());
            let count = counts.get(action).and_then(serde_json::Value::as_u64).unwrap_or_default();
            counts.insert(action.into(), json!(count + 1));
            if let Ok(item) = outcome {
                digest = digest.with(digest_of(item)?);
                progress.seats += step_of(item).map_or(0, Step::seats);
            }
            let in_the_way = later.get(&line.id).copied().filter(|_| outcome.is_err());
            if let Some(run) = in_the_way {
                *progress.later.entry(run).or_default() += 1;
            }
            rows.push(ItemRow::of_rewind(self, part.run, line, outcome, in_the_way)?);
        }
        let later_runs = (!progress.later.is_empty()).then(|| json!(progress.later));
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, "").await?;
        let (state, progress) =
            if part.is_last { (RunState::Planned, progress.when_planned()) } else { (RunState::Planning, progress) };
        let sql = "UPDATE runs SET state = $3, counts = $4, digest = $5, progress = $6, modified_at = $7, later_runs = $8, \
                   rewinds_last = $9 WHERE tenant_id = $1 AND id = $2 AND state = 'planning'";
        let values = [
            self.tenant.0.into(),
            part.run.into(),
            state.as_str().into(),
            json!(counts).into(),
            digest.to_hex().into(),
            json!(progress).into(),
            self.clock.now().into(),
            later_runs.into(),
            part.last.into(),
        ];
        self.tx.exec(sql, values).await?;
        Ok(())
    }

    /// The last run in force that changed the member or group of each of these lines after the rewound run.
    async fn later_runs<'l>(
        &self,
        part: &RewindPart,
        lines: impl Iterator<Item = &'l Line>,
    ) -> Result<HashMap<Uuid, Uuid>, StoreError> {
        let target = |line: &Line| match (line.member_id, line.group_id) {
            (Some(id), None) | (None, Some(id)) => Some((id, line.id)),
            _ => None,
        };
        let mut of_targets: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for (id, line) in lines.filter_map(target) {
            of_targets.entry(id).or_default().push(line);
        }
        if of_targets.is_empty() {
            return Ok(HashMap::new());
        }
        let rewound = part.last.unwrap_or(part.undoes);
        let found: Vec<LaterRow> =
            self.all(&LATER_RUNS, [id_rows(of_targets.keys().copied())?, rewound.into()]).await?;
        let of_lines = found.into_iter().filter_map(|row| Some((of_targets.get(&row.id)?, row.run_id?)));
        Ok(of_lines.flat_map(|(lines, run)| lines.iter().map(move |line| (*line, run))).collect())
    }

    async fn settle_rewind_items(&self, part: &RewindPart, verdict: &Verdict) -> Result<(), StoreError> {
        let applied = verdict
            .apply
            .iter()
            .filter_map(step_of)
            .map(|step| SettledRow::new(part.run, step.id, ItemDecision::Applied));
        let impossible = verdict.impossible.iter().map(|(id, reason)| SettledRow {
            held_reason: Some(reason.as_str()),
            ..SettledRow::new(part.run, *id, ItemDecision::Impossible)
        });
        self.settle_items(&applied.chain(impossible).collect::<Vec<_>>()).await?;
        if !part.is_last {
            let sql = "UPDATE runs SET progress = $3, modified_at = $4 WHERE tenant_id = $1 AND id = $2";
            let progress = json!(part.progress);
            let values = [self.tenant.0.into(), part.run.into(), progress.into(), self.clock.now().into()];
            self.tx.exec(sql, values).await?;
            return Ok(());
        }
        self.end_rewind(part).await
    }

    /// The rewound runs become `rewound`, or `partly_rewound` while something of them is left. If one was a rewind itself,
    /// the runs that it rewound are in force again.
    async fn end_rewind(&self, part: &RewindPart) -> Result<(), StoreError> {
        let now = self.clock.now();
        let left: Option<LeftRow> = self.one(&LEFT_OPEN, [part.run.into()]).await?;
        let state = if left.is_some() { RunState::PartlyRewound } else { RunState::Rewound }.as_str();
        self.exec(&END_REWIND, [part.run.into(), now.into()]).await?;
        self.exec(&IN_FORCE_AGAIN, [part.undoes.into(), now.into(), left.is_some().into()]).await?;
        let ended: Vec<EndedRow> = match part.last {
            None => self.all(&REWOUND_ONE, [part.undoes.into(), now.into(), state.into()]).await?,
            Some(last) => {
                self.all(&REWOUND_SINCE, [part.run.into(), now.into(), state.into(), part.undoes.into(), last.into()])
                    .await?
            }
        };
        let event = |row: EndedRow| {
            let rewound = Event::RunRewound(row.id.into(), RunRewound { rewind_run_id: part.run.into() });
            self.event_row(&rewound, self.actor, None, Some(part.run.into()))
        };
        self.write_events(&ended.into_iter().map(event).collect::<Vec<_>>()).await
    }
}
