//! Withheld items: one open held run per source collects them until an admin decides or the source takes them back. Those
//! about privileged members have a run of their own, which an owner decides about.

use super::rows::{ITEM_COLUMNS, ItemRow, SettledRow, digest_of, source_of};
use super::{counts_of, digest_of_all, program_fault};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::reconcile::world::{Chunk, OpenHold};
use rollcall_core::action::{Action, Item, ItemKey};
use rollcall_core::digest::PlanDigest;
use rollcall_core::event::{Actor, Event, RunHeld};
use rollcall_core::guard::Verdict;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::RunId;
use rollcall_core::outcome::{Played, rehearse};
use rollcall_core::run::{ItemDecision, RunState};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A withheld item, with the change that it would make.
type Withheld<'v> = (&'v Item, HoldReason, &'v Played);

#[derive(FromQueryResult)]
struct ItemDigest {
    digest: String,
}

#[derive(FromQueryResult)]
struct StateRow {
    id: Uuid,
    state: String,
}

#[derive(FromQueryResult)]
struct OpenCount {
    run_id: Uuid,
    action: String,
    held_reason: Option<String>,
    open: i64,
}

/// Open items of a run.
#[derive(Default)]
struct Open {
    counts: BTreeMap<String, i64>,
    reasons: BTreeSet<String>,
}

/// Digests of the open runs, and the runs to count again: counting reads all open items of a run.
struct OpenRuns {
    digests: HashMap<Uuid, PlanDigest>,
    changed: BTreeSet<Uuid>,
}

impl OpenRuns {
    fn of(open: &[OpenHold]) -> Self {
        let approved = open.iter().filter(|run| run.state == RunState::Approved.as_str()).map(|run| run.id);
        Self { digests: open.iter().map(|run| (run.id, run.plan_digest())).collect(), changed: approved.collect() }
    }

    fn change(&mut self, run: Uuid, change: impl FnOnce(PlanDigest) -> PlanDigest) {
        let digest = self.digests.entry(run).or_default();
        *digest = change(*digest);
        self.changed.insert(run);
    }
}

const STATES: &str =
    "SELECT id, state FROM runs WHERE tenant_id = {tenant} AND id IN (SELECT r.id FROM {rows}) ORDER BY id";
static LOCKED_STATES: Sql = Sql::tenant_by_engine(&[("rows", 2, ID)], &[STATES, " FOR UPDATE"], &[STATES]);
static INSERT_HELD_RUN: Sql = Sql::tenant(&[
    "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, created_at, modified_at) \
     VALUES ({tenant}, $2, $3, 'held', 'withheld', $4, $5, $6, $7, $7)",
]);
static OPEN_COUNTS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT run_id, action, held_reason, count(*) AS open FROM run_items WHERE tenant_id = {tenant} \
       AND decision IN ('held', 'approved') AND run_id IN (SELECT r.id FROM {rows}) GROUP BY run_id, action, held_reason"],
);
static UPDATE_OPEN_RUN: Sql = Sql::tenant(&[
    "UPDATE runs SET counts = $4, digest = $5, held_reasons = $6, modified_at = $3 WHERE tenant_id = {tenant} AND id = $2",
]);
/// Its counts and digest stay as a record of its last items. An approved run of which nothing was wanted any more is no applied one.
static CLOSE_RUN: Sql =
    Sql::tenant(&["UPDATE runs SET state = CASE WHEN state = 'approved' AND EXISTS (SELECT 1 FROM run_items i \
     WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'applied') THEN 'applied' ELSE 'withdrawn' END, \
     modified_at = $3 WHERE tenant_id = {tenant} AND id = $2 AND state IN ('held', 'approved')"]);

impl TenantTx {
    /// Records the withheld items; returns how many of them were not withheld before.
    pub(super) async fn write_held(
        &self,
        chunk: &Chunk,
        verdict: &Verdict,
        applied: &[(&Item, &Played)],
    ) -> Result<usize, StoreError> {
        let mut open = OpenRuns::of(&chunk.open_holds);
        if !chunk.open_holds.is_empty() {
            self.refuse_decided(&chunk.open_holds).await?;
            self.settle_open_items(chunk, verdict, applied, &mut open).await?;
        }
        let mut held = 0;
        if !verdict.withheld.is_empty() {
            let would = rehearse(&chunk.world, verdict, &mut || self.clock.new_id()).map_err(program_fault)?;
            // The items of a source in simulation are planned in a world of their own (`candidate.rs`).
            let withheld = verdict.withheld.iter().zip(&would).map(|((item, reason), would)| (item, *reason, would));
            let withheld = withheld.filter(|(_, reason, _)| *reason != HoldReason::Simulation);
            // An admin decides about the one run, an owner about the other, and neither waits for the other.
            let mut runs: BTreeMap<(Option<Uuid>, bool), Vec<Withheld<'_>>> = BTreeMap::new();
            withheld.for_each(|withheld| {
                runs.entry((source_of(withheld.0), withheld.1.is_for_owner())).or_default().push(withheld);
            });
            for (run, withheld) in runs {
                held += self.hold(chunk, run, &withheld, &mut open).await?;
            }
        }
        if !open.changed.is_empty() {
            self.recount_open_runs(&open).await?;
        }
        Ok(held)
    }

    /// A decision made since the runs were read voids this plan. Decisions are locked out until it is written.
    async fn refuse_decided(&self, read: &[OpenHold]) -> Result<(), StoreError> {
        let read_ids = id_rows(read.iter().map(|run| run.id))?;
        let now: Vec<StateRow> = self.all(&LOCKED_STATES, [read_ids]).await?;
        let now: HashMap<Uuid, String> = now.into_iter().map(|run| (run.id, run.state)).collect();
        let is_as_read = |run: &OpenHold| now.get(&run.id) == Some(&run.state);
        if read.iter().all(is_as_read) { Ok(()) } else { Err(StoreError::Moved) }
    }

    /// Settles items of open runs that this plan covers: an approved one is applied or void now; a held one that the
    /// plan does not withhold again is withdrawn, or held again with a new digest if the source changed it. Memberships
    /// are settled with their group.
    async fn settle_open_items(
        &self,
        chunk: &Chunk,
        verdict: &Verdict,
        applied: &[(&Item, &Played)],
        runs: &mut OpenRuns,
    ) -> Result<(), StoreError> {
        let done: HashMap<ItemKey, &Played> = applied.iter().map(|(item, played)| (item.key(), *played)).collect();
        let mut again: HashMap<ItemKey, (HoldReason, String)> = HashMap::new();
        for (item, reason) in &verdict.withheld {
            again.insert(item.key(), (*reason, digest_of(item)?.to_hex()));
        }
        let mut open = self.open_items(&chunk.world).await?;
        let gone = verdict.apply.iter().filter_map(|item| match item.action {
            Action::RemoveGroup { group } => Some(group.0),
            _ => None,
        });
        let gone: Vec<Uuid> = gone.collect();
        if !gone.is_empty() {
            open.append(&mut self.open_items_of_groups(&gone).await?);
        }
        let mut settled: BTreeMap<Uuid, SettledRow> = BTreeMap::new();
        for item in &open {
            let key = item.key();
            let what = key.and_then(|key| done.get(&key)).copied();
            let as_before =
                |(reason, digest): &(HoldReason, String)| item.held_for() == Some(*reason) && item.digest == *digest;
            let outcome = match item.decision() {
                Some(ItemDecision::Approved) if what.is_some() => {
                    SettledRow::new(item.run_id, item.id, ItemDecision::Applied).with(what)
                }
                // An item with another reason or content is settled, and held again.
                Some(ItemDecision::Held) if key.and_then(|key| again.get(&key)).is_some_and(as_before) => continue,
                _ => SettledRow::new(item.run_id, item.id, ItemDecision::Withdrawn),
            };
            if settled.insert(item.id, outcome).is_none() && runs.digests.contains_key(&item.run_id) {
                let gone = PlanDigest::from_hex(&item.digest).unwrap_or_default();
                runs.change(item.run_id, |digest| digest.without(gone));
            }
        }
        self.settle_items(&settled.into_values().collect::<Vec<_>>()).await
    }

    async fn hold(
        &self,
        chunk: &Chunk,
        (source, for_owner): (Option<Uuid>, bool),
        withheld: &[Withheld<'_>],
        runs: &mut OpenRuns,
    ) -> Result<usize, StoreError> {
        let is_it = |hold: &&OpenHold| hold.source_id == source && hold.is_for_owner() == for_owner;
        let open = chunk.open_holds.iter().filter(is_it).find(|hold| hold.state == RunState::Held.as_str());
        let run: RunId = open.map_or_else(|| self.clock.new_id(), |hold| hold.id.into());
        if open.is_none() {
            self.insert_run(run, source, withheld).await?;
        }
        let row = |(item, reason, would): &Withheld<'_>| {
            ItemRow::new(self, run, (item, would), ItemDecision::Held, Some(*reason))
        };
        let rows: Vec<ItemRow> = withheld.iter().map(row).collect::<Result<_, _>>()?;
        let tail = "ON CONFLICT (tenant_id, run_id, subject_id, action, object_id) \
                    DO UPDATE SET decision = 'held', held_reason = excluded.held_reason, digest = excluded.digest, \
                    detail = excluded.detail, why = excluded.why, who = excluded.who, before = excluded.before, \
                    after = excluded.after, member_id = excluded.member_id, group_id = excluded.group_id, \
                    request_id = excluded.request_id WHERE run_items.decision <> 'held' RETURNING digest";
        let new: Vec<ItemDigest> = self.tx.insert_rows_returning("run_items", ITEM_COLUMNS, &rows, tail).await?;
        if new.is_empty() {
            return Ok(0);
        }
        let added = new.iter().map(|item| PlanDigest::from_hex(&item.digest).unwrap_or_default());
        runs.change(run.0, |digest| added.fold(digest, PlanDigest::with));
        let held = Event::RunHeld(run, RunHeld { held_reasons: reasons_of(withheld), items: new.len() });
        let actor = source.map_or(Actor::System, |id| Actor::Source(id.into()));
        let request = withheld.iter().find_map(|(item, ..)| item.origin.and_then(|origin| origin.request));
        self.write_events(&[self.event_row(&held, actor, request, Some(run))]).await?;
        Ok(new.len())
    }

    async fn insert_run(&self, run: RunId, source: Option<Uuid>, withheld: &[Withheld<'_>]) -> Result<(), StoreError> {
        let items = || withheld.iter().map(|(item, ..)| *item);
        let values = [
            run.0.into(),
            source.into(),
            json!(reasons_of(withheld)).into(),
            counts_of(items()).into(),
            digest_of_all(items())?.to_hex().into(),
            self.clock.now().into(),
        ];
        self.exec(&INSERT_HELD_RUN, values).await?;
        Ok(())
    }

    /// Updates digest, counts and reasons of the changed open runs, and closes those without an open item.
    async fn recount_open_runs(&self, runs: &OpenRuns) -> Result<(), StoreError> {
        let rows: Vec<OpenCount> = self.all(&OPEN_COUNTS, [id_rows(runs.changed.iter().copied())?]).await?;
        let mut open: HashMap<Uuid, Open> = HashMap::new();
        for row in rows {
            let of_run = open.entry(row.run_id).or_default();
            *of_run.counts.entry(row.action).or_default() += row.open;
            of_run.reasons.extend(row.held_reason);
        }
        for (run, digest) in runs.digests.iter().filter(|(run, _)| runs.changed.contains(*run)) {
            let now = self.clock.now();
            let ids = [(*run).into(), now.into()];
            match open.get(run) {
                Some(Open { counts, reasons }) => {
                    let rest = [json!(counts).into(), digest.to_hex().into(), json!(reasons).into()];
                    self.exec(&UPDATE_OPEN_RUN, ids.into_iter().chain(rest)).await?;
                }
                None => {
                    self.exec(&CLOSE_RUN, ids).await?;
                }
            }
        }
        Ok(())
    }
}

fn reasons_of(withheld: &[Withheld<'_>]) -> BTreeSet<&'static str> {
    withheld.iter().map(|(_, reason, _)| reason.as_str()).collect()
}

#[cfg(test)]
mod tests;
