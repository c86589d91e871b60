//! One part of a rewind: its items are written when it is planned, and settled when it is applied. Lease, plan, review
//! and the one transaction are the same as for any run.

use super::rows::{ITEM_COLUMNS, ItemRow, SettledRow, digest_of};
use super::{Applied, program_fault};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::reconcile::lease::Lease;
use crate::reconcile::world::{Chunk, Phase, RewindPart};
use rollcall_core::action::{Action, Item};
use rollcall_core::change::{Impossible, Step};
use rollcall_core::event::{Event, RunRewound};
use rollcall_core::guard::Verdict;
use rollcall_core::outcome::play;
use rollcall_core::run::{ItemDecision, RunState};
use serde_json::json;
use uuid::Uuid;

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
        tx.follow_up(&outcome, chunk).await?;
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
        let (mut counts, mut digest, mut progress) = (part.counts.clone(), part.digest, part.progress);
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
            rows.push(ItemRow::of_rewind(self, part.run, line, outcome)?);
        }
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, "").await?;
        let (state, progress) =
            if part.is_last { (RunState::Planned, progress.when_planned()) } else { (RunState::Planning, progress) };
        let sql = "UPDATE runs SET state = $3, counts = $4, digest = $5, progress = $6, modified_at = $7 \
                   WHERE tenant_id = $1 AND id = $2 AND state = 'planning'";
        let values = [
            self.tenant.0.into(),
            part.run.into(),
            state.as_str().into(),
            json!(counts).into(),
            digest.to_hex().into(),
            json!(progress).into(),
            self.clock.now().into(),
        ];
        self.tx.exec(sql, values).await?;
        Ok(())
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

    /// The rewound run becomes `rewound`; if it was a rewind itself, the run that it rewound is in force again.
    async fn end_rewind(&self, part: &RewindPart) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (sql, id) in [
            (
                "UPDATE runs SET state = 'applied', verdict = 'applied', progress = NULL, modified_at = $3 \
              WHERE tenant_id = $1 AND id = $2",
                part.run,
            ),
            (
                "UPDATE runs SET state = 'applied', modified_at = $3 WHERE tenant_id = $1 AND state = 'rewound' \
              AND id = (SELECT undone.rewinds FROM runs undone WHERE undone.tenant_id = $1 AND undone.id = $2)",
                part.undoes,
            ),
            ("UPDATE runs SET state = 'rewound', modified_at = $3 WHERE tenant_id = $1 AND id = $2", part.undoes),
        ] {
            self.tx.exec(sql, [self.tenant.0.into(), id.into(), now.into()]).await?;
        }
        let rewound = Event::RunRewound(part.undoes.into(), RunRewound { rewind_run_id: part.run.into() });
        self.write_events(&[self.event_row(&rewound, self.actor, None, Some(part.run.into()))]).await
    }
}
