//! Requests that could not be understood: kept for a while, shown without names, and replayed after a fix. The kept and the shown
//! fields are in `docs/decisions/0021-rejected-requests.md`.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::transaction::TenantTx;
use crate::entity::RowList;
use crate::entity::rejected_requests::{Column, Entity};
use crate::scope::{AdminScope, SourceScope};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::SourceId;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Retention of a rejected request.
pub const REJECTED_KEPT: TimeDelta = TimeDelta::days(7);
/// Largest body kept, in bytes; only the size of a larger one is kept.
pub const REJECTED_BODY_BYTES: usize = 64 * 1024;
/// Rejected requests of one source; the oldest go first.
const REJECTED_PER_SOURCE: u32 = 100;

/// A request that was refused because it was not understood, as it is stored.
#[derive(Clone, Debug, Serialize, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct RejectedRequest {
    pub tenant_id: Uuid,
    pub source_id: Uuid,
    pub id: Uuid,
    #[serde(serialize_with = "time_text")]
    pub at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    pub expires_at: DateTime<Utc>,
    pub method: String,
    /// The path after the source's address: `/Users?filter=…`.
    pub path: String,
    /// The body as received, without passwords; `None` when there was none or it was too large.
    pub body: Option<String>,
    pub body_bytes: i64,
    /// The answered status.
    pub status: i64,
    pub scim_type: Option<String>,
    pub detail: String,
    pub replayed_at: Option<DateTime<Utc>>,
}

const COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("source_id", Type::Uuid),
    ("id", Type::Uuid),
    ("at", Type::Time),
    ("expires_at", Type::Time),
    ("method", Type::Text),
    ("path", Type::Text),
    ("body", Type::Text),
    ("body_bytes", Type::Int),
    ("status", Type::Int),
    ("scim_type", Type::Text),
    ("detail", Type::Text),
];

impl Store {
    /// Keeps rejected requests of any tenants by one statement, and trims each source by one more.
    #[tracing::instrument(name = "store.rejected.keep_rejected", skip_all)]
    pub async fn keep_rejected(&self, rejected: &[RejectedRequest]) -> Result<(), StoreError> {
        if rejected.is_empty() {
            return Ok(());
        }
        let tx = self.across(true).await?;
        tx.insert_rows("rejected_requests", COLUMNS, rejected, "").await?;
        let sql = format!(
            "DELETE FROM rejected_requests WHERE tenant_id = $1 AND source_id = $2 AND id NOT IN ( \
               SELECT k.id FROM rejected_requests k WHERE k.tenant_id = $1 AND k.source_id = $2 \
               ORDER BY k.position DESC, k.id DESC LIMIT {REJECTED_PER_SOURCE})"
        );
        let sources: BTreeSet<(Uuid, Uuid)> = rejected.iter().map(|one| (one.tenant_id, one.source_id)).collect();
        for (tenant, source) in sources {
            tx.exec(&sql, [tenant.into(), source.into()]).await?;
        }
        tx.commit().await
    }

    /// The rejected requests of a source.
    #[tracing::instrument(name = "store.rejected.rejected_requests", skip_all)]
    pub async fn rejected_requests(
        &self,
        scope: &AdminScope,
        source: SourceId,
        page: &PageRequest,
    ) -> Result<Page<RejectedRequest>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        let kept = tx.find::<Entity>().filter(kept_of(source, tx.clock.now()));
        kept.page(page, RowList::new("rejected").of(Column::SourceId, source.0)).await
    }

    /// Marks a request as replayed before it is, so that two concurrent replays do not perform it twice. If the process ends in
    /// between, the request stays marked; the identity provider sends it again.
    #[tracing::instrument(name = "store.rejected.claim_rejected", skip_all)]
    pub async fn claim_rejected(
        &self,
        scope: &AdminScope,
        source: SourceId,
        id: Uuid,
    ) -> Result<(SourceScope, RejectedRequest), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let found = tx.rejected_row(scope, source, id).await?;
        let unclaimed = tx.update::<Entity>(Column::Id.eq(id).and(Column::ReplayedAt.is_null()));
        if unclaimed.set(Column::ReplayedAt, tx.clock.now()).exec().await? == 0 {
            return Err(replayed_already());
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Takes the mark back after a replay that failed.
    #[tracing::instrument(name = "store.rejected.release_rejected", skip_all)]
    pub async fn release_rejected(&self, scope: &SourceScope, id: Uuid) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let claimed = tx.update::<Entity>(Column::Id.eq(id));
        claimed.set(Column::ReplayedAt, None::<DateTime<Utc>>).exec().await?;
        tx.commit().await
    }
}

impl TenantTx {
    async fn rejected_row(
        &self,
        api: &AdminScope,
        source: SourceId,
        id: Uuid,
    ) -> Result<(SourceScope, RejectedRequest), StoreError> {
        let found = self.source_row(source).await?;
        if found.mode == SourceMode::Off.as_str() {
            return Err(StoreError::Conflict("the source is switched off; set it to live first".into()));
        }
        let row = self.find::<Entity>().filter(kept_of(source, self.clock.now()).and(Column::Id.eq(id)));
        let row: RejectedRequest = row.one().await?.ok_or(StoreError::NotFound("rejected request"))?;
        if row.replayed_at.is_some() {
            return Err(replayed_already());
        }
        if row.body.is_none() && row.body_bytes > 0 {
            let why = "the request's body was not kept (too large, or no JSON that names a password); send it again";
            return Err(StoreError::Conflict(why.into()));
        }
        Ok((SourceScope::on_behalf(api, source, found.settings()), row))
    }
}

/// The rejected requests of a source that have not expired.
fn kept_of(source: SourceId, now: DateTime<Utc>) -> SimpleExpr {
    Column::SourceId.eq(source.0).and(Column::ExpiresAt.gt(now))
}

fn replayed_already() -> StoreError {
    StoreError::Conflict("the request was replayed already".into())
}

#[cfg(test)]
pub(crate) mod tests;
