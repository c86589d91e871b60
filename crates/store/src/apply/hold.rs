//! What the guards withheld: one open held run per source collects it until an admin decides or the source takes it back.

use super::rows::{ITEM_COLUMNS, ItemRow, source_of};
use super::{digest, event};
use crate::error::StoreError;
use crate::scope::TenantTx;
use crate::sql::id_rows;
use crate::world::{Chunk, OpenHold};
use rollcall_core::audit::{Actor, AuditKind};
use rollcall_core::guard::{HoldReason, Verdict};
use rollcall_core::ids::RunId;
use rollcall_core::plan::Item;
use sea_orm::FromQueryResult;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct HeldRow {
    subject_id: Uuid,
    action: String,
}

#[derive(FromQueryResult)]
struct CountRow {
    run_id: Uuid,
    action: String,
    held: i64,
}

impl TenantTx {
    /// Records the withheld items; returns how many of them were not withheld before.
    pub(super) async fn write_held(&self, chunk: &Chunk, verdict: &Verdict) -> Result<usize, StoreError> {
        if !chunk.open_holds.is_empty() {
            self.withdraw_settled(chunk, verdict).await?;
        }
        let mut by_source: BTreeMap<(Option<Uuid>, bool), Vec<&(Item, HoldReason)>> = BTreeMap::new();
        for withheld in &verdict.withheld {
            let simulated = withheld.1 == HoldReason::Simulation;
            by_source.entry((source_of(&withheld.0), simulated)).or_default().push(withheld);
        }
        let mut held = 0;
        for ((source, simulated), withheld) in by_source {
            if simulated {
                self.write_simulated(source, &withheld).await?;
            } else {
                held += self.hold(chunk, source, &withheld).await?;
            }
        }
        if !chunk.open_holds.is_empty() || held > 0 {
            self.close_empty_holds().await?;
        }
        Ok(held)
    }

    /// A touched subject's withheld item that is not in the new plan is no longer wanted by the source.
    async fn withdraw_settled(&self, chunk: &Chunk, verdict: &Verdict) -> Result<(), StoreError> {
        let again: BTreeSet<(Uuid, String)> = verdict
            .withheld
            .iter()
            .map(|(item, _)| Ok((super::ids_of(item.subject).1, super::rows::action_name(item)?)))
            .collect::<Result<_, StoreError>>()?;
        let touched = chunk.world.users.iter().map(|user| user.id.0);
        let sql = format!(
            "SELECT subject_id, action FROM run_items WHERE tenant_id = $2 AND decision = 'held' \
             AND subject_id IN (SELECT r.id FROM {})",
            self.tx.rows(crate::sql::ID)
        );
        let open: Vec<HeldRow> = self.tx.all(&sql, [id_rows(touched)?, self.tenant.0.into()]).await?;
        for row in open {
            if !again.contains(&(row.subject_id, row.action.clone())) {
                let sql = "UPDATE run_items SET decision = 'withdrawn' \
                           WHERE tenant_id = $1 AND decision = 'held' AND subject_id = $2 AND action = $3";
                self.tx.exec(sql, [self.tenant.0.into(), row.subject_id.into(), row.action.into()]).await?;
            }
        }
        Ok(())
    }

    async fn hold(
        &self,
        chunk: &Chunk,
        source: Option<Uuid>,
        withheld: &[&(Item, HoldReason)],
    ) -> Result<usize, StoreError> {
        let open = chunk.open_holds.iter().find(|hold| hold.source_id == source);
        let run: RunId = open.map_or_else(|| self.clock.new_id(), |hold| hold.id.into());
        if open.is_none() {
            self.insert_run(run, source, "held", withheld).await?;
        }
        let rows = withheld.iter().map(|(item, reason)| ItemRow::new(self.tenant, run, item, "held", Some(*reason)));
        let rows: Vec<ItemRow> = rows.collect::<Result<_, _>>()?;
        let tail = "ON CONFLICT (tenant_id, run_id, subject_id, action, object_id) \
                    DO UPDATE SET decision = 'held' WHERE run_items.decision <> 'held'";
        let new = self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, tail).await?;
        if new == 0 {
            return Ok(0);
        }
        if let Some(open) = open {
            self.extend_run(open, withheld).await?;
        }
        let reasons: BTreeSet<&str> = withheld.iter().map(|(_, reason)| reason.as_str()).collect();
        let held = event(AuditKind::RunHeld, "run", run.0, json!({ "held_reasons": reasons, "items": new }));
        let actor = source.map_or(Actor::System, |id| Actor::Source(id.into())).to_text();
        let request = withheld.iter().find_map(|(item, _)| super::request_of(item));
        self.write_events(&[self.event_row(held, actor, request, Some(run))]).await?;
        Ok(usize::try_from(new).unwrap_or(usize::MAX))
    }

    async fn write_simulated(&self, source: Option<Uuid>, items: &[&(Item, HoldReason)]) -> Result<(), StoreError> {
        let run: RunId = self.clock.new_id();
        self.insert_run(run, source, "planned", items).await?;
        let rows = items.iter().map(|(item, reason)| ItemRow::new(self.tenant, run, item, "simulated", Some(*reason)));
        let rows: Vec<ItemRow> = rows.collect::<Result<_, _>>()?;
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, "ON CONFLICT DO NOTHING").await?;
        Ok(())
    }

    async fn insert_run(
        &self,
        run: RunId,
        source: Option<Uuid>,
        state: &'static str,
        withheld: &[&(Item, HoldReason)],
    ) -> Result<(), StoreError> {
        let items: Vec<Item> = withheld.iter().map(|(item, _)| item.clone()).collect();
        let sql = "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, created_at, \
                   modified_at) VALUES ($1, $2, $3, $4, 'withheld', $5, $6, $7, $8, $8)";
        let values = [
            self.tenant.0.into(),
            run.0.into(),
            source.into(),
            state.into(),
            reasons_with(&json!([]), withheld).into(),
            counts(&items)?.into(),
            digest("", &items)?.into(),
            self.clock.now().into(),
        ];
        self.tx.exec(sql, values).await?;
        Ok(())
    }

    async fn extend_run(&self, open: &OpenHold, withheld: &[&(Item, HoldReason)]) -> Result<(), StoreError> {
        let items: Vec<Item> = withheld.iter().map(|(item, _)| item.clone()).collect();
        let sql = "UPDATE runs SET held_reasons = $3, digest = $4, modified_at = $5 WHERE tenant_id = $1 AND id = $2";
        let values = [
            self.tenant.0.into(),
            open.id.into(),
            reasons_with(&open.held_reasons, withheld).into(),
            digest(&open.digest, &items)?.into(),
            self.clock.now().into(),
        ];
        self.tx.exec(sql, values).await?;
        Ok(())
    }

    /// Recounts the held runs and closes those that hold nothing any more.
    async fn close_empty_holds(&self) -> Result<(), StoreError> {
        let sql = "SELECT i.run_id, i.action, count(*) AS held FROM run_items i \
                   WHERE i.tenant_id = $1 AND i.decision = 'held' GROUP BY i.run_id, i.action";
        let rows: Vec<CountRow> = self.tx.all(sql, [self.tenant.0.into()]).await?;
        let mut counts: BTreeMap<Uuid, BTreeMap<String, i64>> = BTreeMap::new();
        for row in rows {
            counts.entry(row.run_id).or_default().insert(row.action, row.held);
        }
        for (run, counts) in &counts {
            let sql = "UPDATE runs SET counts = $3 WHERE tenant_id = $1 AND id = $2";
            self.tx.exec(sql, [self.tenant.0.into(), (*run).into(), json!(counts).into()]).await?;
        }
        let sql = format!(
            "UPDATE runs SET state = 'withdrawn', modified_at = $3 WHERE tenant_id = $2 AND state = 'held' \
             AND id NOT IN (SELECT r.id FROM {})",
            self.tx.rows(crate::sql::ID)
        );
        let still = id_rows(counts.keys().copied())?;
        self.tx.exec(&sql, [still, self.tenant.0.into(), self.clock.now().into()]).await?;
        Ok(())
    }
}

fn reasons_with(before: &Json, withheld: &[&(Item, HoldReason)]) -> Json {
    let known = before.as_array().into_iter().flatten().filter_map(Json::as_str);
    let reasons: BTreeSet<&str> = known.chain(withheld.iter().map(|(_, reason)| reason.as_str())).collect();
    json!(reasons)
}

fn counts(items: &[Item]) -> Result<Json, StoreError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(super::rows::action_name(item)?).or_default() += 1;
    }
    Ok(json!(counts))
}
