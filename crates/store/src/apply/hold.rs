//! What the guards withheld: one open held run per source collects it until an admin decides or the source takes it back.

use super::rows::{ITEM_COLUMNS, ItemRow, source_of};
use super::{counts_of, digest_of_all, event};
use crate::error::StoreError;
use crate::scope::TenantTx;
use crate::sql::{ID, id_rows};
use crate::world::{Chunk, OpenHold};
use rollcall_core::audit::{Actor, AuditKind};
use rollcall_core::digest::PlanDigest;
use rollcall_core::guard::{HoldReason, Verdict};
use rollcall_core::ids::RunId;
use rollcall_core::plan::Item;
use sea_orm::FromQueryResult;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

type Withheld<'v> = [&'v (Item, HoldReason)];

/// An item of an open run whose subject this plan looked at.
#[derive(FromQueryResult)]
struct OpenItem {
    run_id: Uuid,
    id: Uuid,
    subject_id: Uuid,
    action: String,
    decision: String,
    digest: String,
}

#[derive(FromQueryResult)]
struct ItemDigest {
    digest: String,
}

#[derive(FromQueryResult)]
struct OpenCount {
    run_id: Uuid,
    action: String,
    open: i64,
}

impl TenantTx {
    /// Records the withheld items; returns how many of them were not withheld before.
    pub(super) async fn write_held(&self, chunk: &Chunk, verdict: &Verdict) -> Result<usize, StoreError> {
        let mut digests: HashMap<Uuid, PlanDigest> =
            chunk.open_holds.iter().map(|hold| (hold.id, hold.plan_digest())).collect();
        if !chunk.open_holds.is_empty() {
            self.settle_open_items(chunk, verdict, &mut digests).await?;
        }
        let mut held = 0;
        let sources: BTreeSet<Option<Uuid>> = verdict.withheld.iter().map(|(item, _)| source_of(item)).collect();
        for source in sources {
            let of_source = verdict.withheld.iter().filter(|(item, _)| source_of(item) == source);
            let (simulated, withheld): (Vec<_>, Vec<_>) =
                of_source.partition(|(_, reason)| *reason == HoldReason::Simulation);
            if !simulated.is_empty() {
                self.write_simulated(source, &simulated).await?;
            }
            if !withheld.is_empty() {
                held += self.hold(chunk, source, &withheld, &mut digests).await?;
            }
        }
        if !digests.is_empty() {
            self.recount_open_runs(&digests).await?;
        }
        Ok(held)
    }

    /// Items of open runs about people this plan looked at: an approved one happened or is void now; a held one that the
    /// plan does not withhold again is no longer wanted by the source.
    async fn settle_open_items(
        &self,
        chunk: &Chunk,
        verdict: &Verdict,
        digests: &mut HashMap<Uuid, PlanDigest>,
    ) -> Result<(), StoreError> {
        let done: HashSet<(Uuid, &str)> = verdict.apply.iter().map(key).collect();
        let again: HashSet<(Uuid, &str)> = verdict.withheld.iter().map(|(item, _)| key(item)).collect();
        let sql = format!(
            "SELECT run_id, id, subject_id, action, decision, digest FROM run_items \
             WHERE tenant_id = $2 AND decision IN ('held', 'approved') AND subject_id IN (SELECT r.id FROM {})",
            self.tx.rows(ID)
        );
        let touched = id_rows(chunk.world.users.iter().map(|user| user.id.0))?;
        let open: Vec<OpenItem> = self.tx.all(&sql, [touched, self.tenant.0.into()]).await?;
        let mut settled: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
        for item in &open {
            let key = (item.subject_id, item.action.as_str());
            let outcome = match item.decision.as_str() {
                "approved" if done.contains(&key) => "applied",
                "held" if again.contains(&key) => continue,
                _ => "withdrawn",
            };
            settled.entry(outcome).or_default().push(item.id);
            if let Some(digest) = digests.get_mut(&item.run_id) {
                *digest = digest.without(PlanDigest::from_hex(&item.digest).unwrap_or_default());
            }
        }
        for (outcome, ids) in settled {
            let sql = format!(
                "UPDATE run_items SET decision = $3 WHERE tenant_id = $2 AND id IN (SELECT r.id FROM {})",
                self.tx.rows(ID)
            );
            self.tx.exec(&sql, [id_rows(ids)?, self.tenant.0.into(), outcome.into()]).await?;
        }
        Ok(())
    }

    async fn hold(
        &self,
        chunk: &Chunk,
        source: Option<Uuid>,
        withheld: &Withheld<'_>,
        digests: &mut HashMap<Uuid, PlanDigest>,
    ) -> Result<usize, StoreError> {
        let open = chunk.open_holds.iter().find(|hold| hold.source_id == source && hold.state == "held");
        let run: RunId = open.map_or_else(|| self.clock.new_id(), |hold| hold.id.into());
        if open.is_none() {
            self.insert_run(run, source, "held", withheld).await?;
        }
        let rows = withheld.iter().map(|(item, reason)| ItemRow::new(self, run, item, "held", Some(*reason)));
        let rows: Vec<ItemRow> = rows.collect::<Result<_, _>>()?;
        let tail = "ON CONFLICT (tenant_id, run_id, subject_id, action, object_id) \
                    DO UPDATE SET decision = 'held', digest = excluded.digest, detail = excluded.detail \
                    WHERE run_items.decision <> 'held' RETURNING digest";
        let new: Vec<ItemDigest> = self.tx.insert_rows_returning("run_items", ITEM_COLUMNS, &rows, tail).await?;
        if new.is_empty() {
            return Ok(0);
        }
        let digest = digests.entry(run.0).or_default();
        *digest =
            new.iter().fold(*digest, |sum, item| sum.with(PlanDigest::from_hex(&item.digest).unwrap_or_default()));
        if let Some(open) = open {
            self.add_reasons(open, withheld).await?;
        }
        let reasons: BTreeSet<&str> = withheld.iter().map(|(_, reason)| reason.as_str()).collect();
        let held = event(AuditKind::RunHeld, "run", run.0, json!({ "held_reasons": reasons, "items": new.len() }));
        let actor = source.map_or(Actor::System, |id| Actor::Source(id.into())).to_text();
        let request = withheld.iter().find_map(|(item, _)| super::request_of(item));
        self.write_events(&[self.event_row(held, actor, request, Some(run))]).await?;
        Ok(new.len())
    }

    async fn write_simulated(&self, source: Option<Uuid>, items: &Withheld<'_>) -> Result<(), StoreError> {
        let run: RunId = self.clock.new_id();
        self.insert_run(run, source, "planned", items).await?;
        let rows = items.iter().map(|(item, reason)| ItemRow::new(self, run, item, "simulated", Some(*reason)));
        let rows: Vec<ItemRow> = rows.collect::<Result<_, _>>()?;
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, "ON CONFLICT DO NOTHING").await?;
        Ok(())
    }

    async fn insert_run(
        &self,
        run: RunId,
        source: Option<Uuid>,
        state: &'static str,
        withheld: &Withheld<'_>,
    ) -> Result<(), StoreError> {
        let items = || withheld.iter().map(|(item, _)| item);
        let sql = "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, created_at, \
                   modified_at) VALUES ($1, $2, $3, $4, 'withheld', $5, $6, $7, $8, $8)";
        let values = [
            self.tenant.0.into(),
            run.0.into(),
            source.into(),
            state.into(),
            reasons_with(&json!([]), withheld).into(),
            counts_of(items()).into(),
            digest_of_all(items())?.to_hex().into(),
            self.clock.now().into(),
        ];
        self.tx.exec(sql, values).await?;
        Ok(())
    }

    async fn add_reasons(&self, open: &OpenHold, withheld: &Withheld<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET held_reasons = $3 WHERE tenant_id = $1 AND id = $2";
        let reasons = reasons_with(&open.held_reasons, withheld);
        self.tx.exec(sql, [self.tenant.0.into(), open.id.into(), reasons.into()]).await?;
        Ok(())
    }

    /// Brings digest and counts of the open runs up to date, and closes those in which nothing is open any more.
    async fn recount_open_runs(&self, digests: &HashMap<Uuid, PlanDigest>) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT run_id, action, count(*) AS open FROM run_items WHERE tenant_id = $2 \
             AND decision IN ('held', 'approved') AND run_id IN (SELECT r.id FROM {}) GROUP BY run_id, action",
            self.tx.rows(ID)
        );
        let rows: Vec<OpenCount> = self.tx.all(&sql, [id_rows(digests.keys().copied())?, self.tenant.0.into()]).await?;
        let mut counts: HashMap<Uuid, BTreeMap<String, i64>> = HashMap::new();
        for row in rows {
            counts.entry(row.run_id).or_default().insert(row.action, row.open);
        }
        for (run, digest) in digests {
            let now = self.clock.now();
            let ids = [self.tenant.0.into(), (*run).into(), now.into()];
            match counts.get(run) {
                Some(counts) => {
                    let sql =
                        "UPDATE runs SET counts = $4, digest = $5, modified_at = $3 WHERE tenant_id = $1 AND id = $2";
                    let rest = [json!(counts).into(), digest.to_hex().into()];
                    self.tx.exec(sql, ids.into_iter().chain(rest)).await?;
                }
                // Its counts and digest stay as a record of what it was last about.
                None => {
                    let sql = "UPDATE runs SET state = CASE WHEN state = 'approved' THEN 'applied' ELSE 'withdrawn' END, \
                               modified_at = $3 WHERE tenant_id = $1 AND id = $2 AND state IN ('held', 'approved')";
                    self.tx.exec(sql, ids).await?;
                }
            }
        }
        Ok(())
    }
}

fn key(item: &Item) -> (Uuid, &str) {
    (super::rows::ids_of(item.subject).1, item.action.name())
}

fn reasons_with(before: &Json, withheld: &Withheld<'_>) -> Json {
    let known = before.as_array().into_iter().flatten().filter_map(Json::as_str);
    let reasons: BTreeSet<&str> = known.chain(withheld.iter().map(|(_, reason)| reason.as_str())).collect();
    json!(reasons)
}
