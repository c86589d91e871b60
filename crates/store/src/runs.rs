//! Runs: what people read of plans that were applied, held or simulated.

use crate::connect::Store;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::scope::ApiScope;
use chrono::{DateTime, Utc};
use rollcall_core::ids::RunId;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use serde_json::Value as Json;
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

const RUN: [&str; 9] =
    ["id", "source_id", "state", "verdict", "held_reasons", "counts", "digest", "created_at", "modified_at"];

impl Store {
    pub async fn runs(&self, scope: &ApiScope, state: Option<&str>, page: &PageRequest) -> Result<Page<Run>, StoreError> {
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
}
