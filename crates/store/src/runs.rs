//! Runs: what people read of plans that were applied, held or simulated, and how they decide about held ones.

use crate::audit::NewEvent;
use crate::changes::Lane;
use crate::connect::Store;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::scope::{ApiScope, TenantTx};
use chrono::{DateTime, Utc};
use rollcall_core::audit::AuditKind;
use rollcall_core::ids::RunId;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// One run.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct Run {
    pub id: Uuid,
    /// Null when the run answers for several sources, or for none (a seat that became free).
    pub source_id: Option<Uuid>,
    pub state: String,
    pub verdict: String,
    pub held_reasons: Json,
    /// Items by action.
    pub counts: Json,
    pub digest: String,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// One line of a run's plan.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct RunItem {
    pub id: Uuid,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub why: String,
    /// `applied`, `held`, `approved` (released, not applied yet), `withdrawn` (the source took it back), `rejected`,
    /// `simulated`.
    pub decision: String,
    pub held_reason: Option<String>,
    /// The action with what was before and what comes after.
    pub detail: Json,
    pub request_id: Option<Uuid>,
}

const ITEM: [&str; 9] =
    ["id", "action", "subject_kind", "subject_id", "why", "decision", "held_reason", "detail", "request_id"];

/// What an admin decides about a held run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunDecision {
    /// Let the withheld items happen.
    Approve,
    /// Drop them; what the source says next is judged anew.
    Reject,
}

#[derive(FromQueryResult)]
struct HeldRun {
    state: String,
    digest: String,
}

const RUN: [&str; 9] =
    ["id", "source_id", "state", "verdict", "held_reasons", "counts", "digest", "created_at", "modified_at"];

impl Store {
    pub async fn runs(
        &self,
        scope: &ApiScope,
        state: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Run>, StoreError> {
        let mut query = page.select("runs", scope.tenant());
        query.columns(RUN);
        if let Some(state) = state {
            query.and_where(Expr::col("state").eq(state));
        }
        page.fetch(self.read(&scope.scope).await?, query, |run: &Run| run.id).await
    }

    pub async fn run(&self, scope: &ApiScope, id: RunId) -> Result<Run, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let sql = format!("SELECT {} FROM runs WHERE tenant_id = $1 AND id = $2", RUN.join(", "));
        let row = tx.tx.one(&sql, [tx.tenant.0.into(), id.0.into()]).await?;
        row.ok_or(StoreError::NotFound("run"))
    }

    /// The items of a run in the order they were planned.
    pub async fn run_items(
        &self,
        scope: &ApiScope,
        id: RunId,
        page: &PageRequest,
    ) -> Result<Page<RunItem>, StoreError> {
        self.run(scope, id).await?;
        let mut query = page.select("run_items", scope.tenant());
        query.columns(ITEM).and_where(Expr::col("run_id").eq(id.0));
        page.fetch(self.read(&scope.scope).await?, query, |item: &RunItem| item.id).await
    }

    /// Decides about a held run that is still the one whose digest the admin saw. Approved items are not applied here:
    /// a worker plans their people again and lets through what is still wanted, under every invariant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Stale`] when the plan changed; [`StoreError::Conflict`] when it is not held.
    pub async fn decide_run(
        &self,
        scope: &ApiScope,
        id: RunId,
        digest: &str,
        decision: RunDecision,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let lock = if tx.tx.is_postgres() { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT state, digest FROM runs WHERE tenant_id = $1 AND id = $2{lock}");
        let run: Option<HeldRun> = tx.tx.one(&sql, [tx.tenant.0.into(), id.0.into()]).await?;
        let run = run.ok_or(StoreError::NotFound("run"))?;
        if run.state != "held" {
            return Err(StoreError::Conflict(format!("the run is {}, not held", run.state)));
        }
        if run.digest != digest {
            return Err(StoreError::Stale);
        }
        let (word, kind) = match decision {
            RunDecision::Approve => ("approved", AuditKind::RunApproved),
            RunDecision::Reject => ("rejected", AuditKind::RunRejected),
        };
        let sql = "UPDATE run_items SET decision = $3 WHERE tenant_id = $1 AND run_id = $2 AND decision = 'held'";
        let items = tx.tx.exec(sql, [tx.tenant.0.into(), id.0.into(), word.into()]).await?;
        let sql = "UPDATE runs SET state = $3, modified_at = $4 WHERE tenant_id = $1 AND id = $2";
        tx.tx.exec(sql, [tx.tenant.0.into(), id.0.into(), word.into(), tx.clock.now().into()]).await?;
        let detail = Some(json!({ "digest": digest, "items": items }));
        let event = NewEvent { kind, subject_kind: "run", subject_id: id.0, detail };
        tx.batch_of(vec![tx.event(event).into()]).await?;
        if decision == RunDecision::Approve {
            tx.touch_items_of(id).await?;
        }
        tx.commit().await
    }
}

impl TenantTx {
    /// Marks the people of a run as changed, so that they are planned again.
    async fn touch_items_of(&self, run: RunId) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO directory_changes (tenant_id, id, lane, user_id, request_id, created_at) \
             SELECT $1, {}, {}, i.subject_id, $3, $4 FROM run_items i \
             WHERE i.tenant_id = $1 AND i.run_id = $2 AND i.subject_kind = 'directory_user' AND i.decision = 'approved'",
            self.tx.random_id(),
            Lane::Push as i64
        );
        let request = self.request.map(|id| id.0);
        self.tx.exec(&sql, [self.tenant.0.into(), run.0.into(), request.into(), self.clock.now().into()]).await?;
        Ok(())
    }
}
