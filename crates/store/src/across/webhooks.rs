//! Endpoints of all tenants, for the workers that send to them.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::position::{END, END_ON_SQLITE};
use crate::engine::sql::Sql;
use chrono::{DateTime, Utc};
use rollcall_core::ids::{TenantId, WebhookId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Endpoints that one look finds at most.
pub const WEBHOOKS_FOUND: usize = 1_000;
const ENDPOINTS: i64 = WEBHOOKS_FOUND as i64;

/// The condition on events is that of the index `audit_events_outgoing`, word for word.
const WITH_NEWS: &str = "SELECT w.tenant_id, w.id, w.retry_at, w.failing_since, w.created_at AS oldest FROM webhook_endpoints w \
    WHERE w.status = 'active' AND w.tenant_id IN (SELECT e.tenant_id FROM audit_events e \
    WHERE e.subject_kind IN ('member', 'sharing_group') AND e.position >= $1 AND e.position < $2) LIMIT $3";
static NEWS: Sql = Sql::across(&[WITH_NEWS]);
/// The time of the next event after each endpoint's place, of any kind, is one probe of the log's key.
static ACTIVE: Sql = Sql::across_by_engine(&[OF_ACTIVE, END, AND_ON], &[OF_ACTIVE, END_ON_SQLITE, AND_ON]);
const OF_ACTIVE: &str = "SELECT w.tenant_id, w.id, w.retry_at, w.failing_since, (SELECT e.at FROM audit_events e \
    WHERE e.tenant_id = w.tenant_id AND (e.position, e.id) > (w.after_position, w.after_id) AND e.position < ";
const AND_ON: &str = " ORDER BY e.position, e.id LIMIT 1) AS oldest, \
    EXISTS (SELECT 1 FROM webhook_replays r WHERE r.tenant_id = w.tenant_id AND r.endpoint_id = w.id) AS replays \
    FROM webhook_endpoints w WHERE w.status = 'active' AND (w.tenant_id, w.id) > ($1, $2) ORDER BY w.tenant_id, w.id LIMIT $3";
static ENDS: Sql =
    Sql::across_by_engine(&["SELECT ", END, " AS position"], &["SELECT ", END_ON_SQLITE, " AS position"]);

static SEALED: Sql = Sql::across(&["SELECT w.tenant_id, w.id FROM webhook_endpoints w ORDER BY w.tenant_id, w.id"]);

#[derive(FromQueryResult)]
struct IdsRow {
    tenant_id: Uuid,
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Row {
    tenant_id: Uuid,
    id: Uuid,
    retry_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    oldest: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct ActiveRow {
    replays: bool,
}

#[derive(FromQueryResult)]
struct PositionRow {
    position: i64,
}

/// An active endpoint, as a look over all tenants finds it.
#[derive(Clone, Copy, Debug)]
pub struct FoundWebhook {
    pub tenant: TenantId,
    pub id: WebhookId,
    pub retry_at: Option<DateTime<Utc>>,
    pub failing: bool,
    /// The time of the oldest event behind its place; none where there is none.
    pub oldest: Option<DateTime<Utc>>,
    pub replays: bool,
}

impl FoundWebhook {
    fn of(row: &Row, replays: bool) -> Self {
        Self {
            tenant: row.tenant_id.into(),
            id: row.id.into(),
            retry_at: row.retry_at,
            failing: row.failing_since.is_some(),
            oldest: row.oldest,
            replays,
        }
    }
}

/// The part of the log that a worker has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookedUpTo(i64);

impl Store {
    /// The end of the log, where looks for news begin.
    #[tracing::instrument(name = "store.across.webhook_looks_begin", skip_all)]
    pub async fn webhook_looks_begin(&self) -> Result<LookedUpTo, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<PositionRow> = tx.one(ENDS.text(tx.engine()), []).await?;
        Ok(LookedUpTo(row.ok_or_else(|| StoreError::database("no end of the log"))?.position))
    }

    /// Active endpoints of tenants that have events since the last look. A look without news reads an empty stretch of an index.
    #[tracing::instrument(name = "store.across.webhooks_with_news", skip_all)]
    pub async fn webhooks_with_news(&self, looked: &mut LookedUpTo) -> Result<Vec<FoundWebhook>, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<PositionRow> = tx.one(ENDS.text(tx.engine()), []).await?;
        let end = row.ok_or_else(|| StoreError::database("no end of the log"))?.position;
        if end <= looked.0 {
            return Ok(Vec::new());
        }
        let values = [looked.0.into(), end.into(), ENDPOINTS.into()];
        let rows: Vec<Row> = tx.all(NEWS.text(tx.engine()), values).await?;
        looked.0 = end;
        Ok(rows.iter().map(|row| FoundWebhook::of(row, false)).collect())
    }

    /// The endpoints of all tenants, which have sealed secrets.
    #[tracing::instrument(name = "store.across.sealed_webhooks", skip_all)]
    pub async fn sealed_webhooks(&self) -> Result<Vec<(TenantId, WebhookId)>, StoreError> {
        let tx = self.across(false).await?;
        let rows: Vec<IdsRow> = tx.all(SEALED.text(tx.engine()), []).await?;
        Ok(rows.into_iter().map(|row| (row.tenant_id.into(), row.id.into())).collect())
    }

    /// Active endpoints after one of them, with what waits for each.
    #[tracing::instrument(name = "store.across.active_webhooks", skip_all)]
    pub async fn active_webhooks(&self, after: Option<(TenantId, WebhookId)>) -> Result<Vec<FoundWebhook>, StoreError> {
        let (tenant, id) = after.map_or((Uuid::nil(), Uuid::nil()), |(tenant, id)| (tenant.0, id.0));
        let tx = self.across(false).await?;
        let found: Vec<Found> = tx.all(ACTIVE.text(tx.engine()), [tenant.into(), id.into(), ENDPOINTS.into()]).await?;
        Ok(found.iter().map(|Found(row, active)| FoundWebhook::of(row, active.replays)).collect())
    }
}

struct Found(Row, ActiveRow);

impl FromQueryResult for Found {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self(Row::from_query_result(row, prefix)?, ActiveRow::from_query_result(row, prefix)?))
    }
}
