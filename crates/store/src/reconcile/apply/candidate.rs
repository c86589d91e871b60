//! The effect of promoting a simulated source (DX3, PE11): one open `planned` run per source, updated by each plan that
//! covers its records.

use super::program_fault;
use super::rows::{ITEM_COLUMNS, ItemRow};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, json_rows};
use crate::engine::transaction::TenantTx;
use crate::reconcile::world::Candidate;
use rollcall_core::action::{Action, Item};
use rollcall_core::change::Target;
use rollcall_core::digest::PlanDigest;
use rollcall_core::guard::would_hold;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{MemberId, RunId, SourceId};
use rollcall_core::outcome::{Played, rehearse_plan};
use rollcall_core::roster::Role;
use rollcall_core::run::ItemDecision;
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The open simulated run of a source.
#[derive(FromQueryResult)]
struct OpenPlan {
    id: Uuid,
    digest: String,
    counts: Json,
}

#[derive(FromQueryResult)]
struct PlannedItem {
    id: Uuid,
    subject_id: Uuid,
    action: String,
    object_id: Uuid,
    digest: String,
}

/// Keys by which records match a member or group.
#[derive(Serialize)]
struct IdentifierRow {
    email: Option<String>,
    external_id: Option<String>,
    name: Option<String>,
}

const IDENTIFIERS: Columns = &[("email", Type::Text), ("external_id", Type::Text), ("name", Type::Text)];

/// Counts of a run, updated by addition and subtraction, so that a plan costs in proportion to its changes and not to
/// the run's size.
struct Tally {
    digest: PlanDigest,
    counts: BTreeMap<String, i64>,
}

impl Tally {
    fn of(open: Option<&OpenPlan>) -> Self {
        let digest = open.and_then(|open| PlanDigest::from_hex(&open.digest)).unwrap_or_default();
        let counts = open.and_then(|open| serde_json::from_value(open.counts.clone()).ok()).unwrap_or_default();
        Self { digest, counts }
    }

    fn joins(&mut self, item: &ItemRow) {
        self.digest = self.digest.with(PlanDigest::from_hex(&item.digest).unwrap_or_default());
        *self.counts.entry(item.action.to_owned()).or_default() += 1;
    }

    fn leaves(&mut self, item: &PlannedItem) {
        self.digest = self.digest.without(PlanDigest::from_hex(&item.digest).unwrap_or_default());
        *self.counts.entry(item.action.clone()).or_default() -= 1;
        self.counts.retain(|_, count| *count > 0);
    }
}

impl TenantTx {
    /// Updates the open run of a candidate with the plan for these records.
    pub(super) async fn write_candidate(&self, candidate: &Candidate) -> Result<(), StoreError> {
        let sql = "SELECT id, digest, counts FROM runs WHERE tenant_id = $1 AND source_id = $2 AND state = 'planned' \
                   AND rewinds IS NULL";
        let values = [self.tenant.0.into(), candidate.source.0.into()];
        let open: Option<OpenPlan> = self.tx.one(sql, values).await?;
        let run: RunId = open.as_ref().map_or_else(|| self.clock.new_id(), |open| open.id.into());
        let planned = self.planned_rows(run, candidate)?;
        if open.is_none() && planned.is_empty() {
            return Ok(());
        }
        let mut before = match &open {
            Some(open) => self.planned_items(open.id, candidate).await?,
            None => HashMap::new(),
        };
        let mut tally = Tally::of(open.as_ref());
        let mut news: Vec<ItemRow> = Vec::new();
        for item in planned {
            let known = before.remove(&(item.subject_id, item.action.to_owned(), item.object_id));
            if known.as_ref().is_none_or(|known| known.digest != item.digest) {
                known.iter().for_each(|known| tally.leaves(known));
                tally.joins(&item);
                news.push(item);
            }
        }
        before.values().for_each(|item| tally.leaves(item));
        if news.is_empty() && before.is_empty() {
            return Ok(());
        }
        self.save_plan(run, candidate.source, open.is_none(), &tally).await?;
        self.withdraw_planned(before.into_values().map(|item| item.id)).await?;
        let tail = "ON CONFLICT (tenant_id, run_id, subject_id, action, object_id) DO UPDATE SET decision = 'simulated', \
                    why = excluded.why, detail = excluded.detail, digest = excluded.digest, who = excluded.who, \
                    before = excluded.before, after = excluded.after, request_id = excluded.request_id";
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &news, tail).await?;
        Ok(())
    }

    /// The change of each item, assuming that those before it were applied.
    fn planned_rows(&self, run: RunId, candidate: &Candidate) -> Result<Vec<ItemRow>, StoreError> {
        let would = rehearse_plan(&candidate.world, &candidate.plan, &mut || self.clock.new_id());
        let would = would.map_err(program_fault)?;
        let roles: HashMap<MemberId, Role> = candidate.world.members().map(|member| (member.id, member.role)).collect();
        let mut rows = Vec::with_capacity(would.len());
        for (item, would) in candidate.plan.items.iter().zip(&would) {
            let mut row = self.planned_row(run, item, would)?;
            let role = item.action.target().and_then(Target::member).and_then(|member| roles.get(&member)).copied();
            if let Some(reason) = would_hold(&candidate.world.policy, role, &item.action) {
                row.detail["would_hold"] = json!(reason);
                let digest = PlanDigest::from_hex(&row.digest).unwrap_or_default();
                row.digest = digest.with(PlanDigest::of(reason.as_str())).to_hex();
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// An item that takes a member or group over is stored under that member or group.
    fn planned_row(&self, run: RunId, item: &Item, would: &Played) -> Result<ItemRow, StoreError> {
        let mut row = ItemRow::new(self, run, (item, would), ItemDecision::Simulated, Some(HoldReason::Simulation))?;
        row.object_id = match item.action {
            Action::Adopt { member, .. } | Action::Relink { member, .. } => member.0,
            Action::AdoptGroup { group, .. } => group.0,
            _ => row.object_id,
        };
        Ok(row)
    }

    /// The run's former items about the subjects of this plan.
    async fn planned_items(
        &self,
        run: Uuid,
        candidate: &Candidate,
    ) -> Result<HashMap<(Uuid, String, Uuid), PlannedItem>, StoreError> {
        let users = candidate.world.users.iter().map(|user| user.id.0);
        let looked_at = id_rows(users.chain(candidate.world.groups.iter().map(|group| group.id.0)))?;
        let join = self.tx.join();
        let sql = format!(
            "SELECT i.id, i.subject_id, i.action, i.object_id, i.digest FROM {} {join} run_items i ON i.tenant_id = $2 \
             AND i.run_id = $3 AND i.subject_id = r.id AND i.decision = 'simulated'",
            self.tx.rows(ID)
        );
        let items: Vec<PlannedItem> = self.tx.all(&sql, [looked_at, self.tenant.0.into(), run.into()]).await?;
        let keyed = |item: PlannedItem| ((item.subject_id, item.action.clone(), item.object_id), item);
        Ok(items.into_iter().map(keyed).collect())
    }

    async fn withdraw_planned(&self, items: impl ExactSizeIterator<Item = Uuid>) -> Result<(), StoreError> {
        if items.len() == 0 {
            return Ok(());
        }
        let sql = format!(
            "UPDATE run_items SET decision = 'withdrawn' WHERE tenant_id = $2 AND id IN (SELECT r.id FROM {})",
            self.tx.rows(ID)
        );
        self.tx.exec(&sql, [id_rows(items)?, self.tenant.0.into()]).await?;
        Ok(())
    }

    async fn save_plan(&self, run: RunId, source: SourceId, is_new: bool, tally: &Tally) -> Result<(), StoreError> {
        let sql = if is_new {
            "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, created_at, \
             modified_at) VALUES ($1, $2, $3, 'planned', 'withheld', $4, $5, $6, $7, $7)"
        } else {
            "UPDATE runs SET source_id = $3, held_reasons = $4, counts = $5, digest = $6, modified_at = $7 \
             WHERE tenant_id = $1 AND id = $2"
        };
        let values = [
            self.tenant.0.into(),
            run.0.into(),
            source.0.into(),
            json!([HoldReason::Simulation]).into(),
            json!(tally.counts).into(),
            tally.digest.to_hex().into(),
            self.clock.now().into(),
        ];
        self.tx.exec(sql, values).await?;
        Ok(())
    }

    /// Touches records of candidates that may match one of these people or groups, because the effect of a promotion
    /// may change. `known` are addresses, external ids and names, before and after.
    pub(crate) async fn touch_candidates(&self, known: impl Iterator<Item = Identifier>) -> Result<(), StoreError> {
        let rows: Vec<IdentifierRow> = known.map(IdentifierRow::from).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let join = self.tx.join();
        let records = |table: &str, on: &str, columns: &str| {
            format!(
                "SELECT {columns} FROM {} {join} sources s ON s.tenant_id = $2 AND s.mode = 'simulate' \
                 {join} {table} d ON d.tenant_id = s.tenant_id AND d.source_id = s.id AND d.deleted_at IS NULL AND {on}",
                self.tx.rows(IDENTIFIERS)
            )
        };
        let (user, group) =
            ("d.id AS user_id, CAST(NULL AS uuid) AS group_id", "CAST(NULL AS uuid) AS user_id, d.id AS group_id");
        let (users, groups) = ("directory_users", "directory_groups");
        let sql = format!(
            "INSERT INTO directory_changes (tenant_id, id, lane, user_id, group_id, created_at) \
             SELECT $2, {}, 1, x.user_id, x.group_id, $3 FROM ({} UNION {} UNION {}) AS x",
            self.tx.random_id(),
            records(users, "d.email_folded = r.email", user),
            records(users, "d.external_id = r.external_id", user),
            records(groups, "d.display_name_folded = r.name", group),
        );
        self.tx.exec(&sql, [json_rows(&rows)?, self.tenant.0.into(), self.clock.now().into()]).await?;
        Ok(())
    }
}

/// A key by which a candidate's record may match the roster.
pub(crate) enum Identifier {
    Address(String),
    ExternalId(String),
    Name(String),
}

impl From<Identifier> for IdentifierRow {
    fn from(known: Identifier) -> Self {
        let nothing = Self { email: None, external_id: None, name: None };
        match known {
            Identifier::Address(email) => Self { email: Some(email), ..nothing },
            Identifier::ExternalId(id) => Self { external_id: Some(id), ..nothing },
            Identifier::Name(name) => Self { name: Some(name), ..nothing },
        }
    }
}
