//! The log of attempts to send messages to an endpoint: the newest ones, with the beginnings of the answers.

use super::sequence::Sequence;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{ListName, ListOrder, Page, PageRequest, RowPlace, Rows};
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::webhook_deliveries;
use crate::entity::webhook_deliveries::{Column, Entity};
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::ids::WebhookId;
use rollcall_core::webhook::{DeliveryOutcome, DeliveryPurpose};
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use uuid::Uuid;

/// Attempts that are kept of each endpoint.
const KEPT: i64 = 1_000;
/// Bytes of an answer, and of an error, that are kept.
const TEXT_BYTES_MAX: usize = 1_024;

static FORGET: Sql = Sql::tenant(&[
    "DELETE FROM webhook_deliveries WHERE tenant_id = {tenant} AND endpoint_id = $2 AND id < \
     (SELECT d.id FROM webhook_deliveries d WHERE d.tenant_id = {tenant} AND d.endpoint_id = $2 ORDER BY d.id DESC LIMIT 1 OFFSET $3)",
]);

/// An attempt, as it is noted.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    pub at: DateTime<Utc>,
    pub event_id: Uuid,
    /// None for a test.
    pub sequence: Option<Sequence>,
    pub kind: &'static str,
    pub purpose: DeliveryPurpose,
    pub outcome: DeliveryOutcome,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    pub status: Option<u16>,
    /// The body of the answer, of which the beginning is kept.
    pub answer: Option<String>,
    pub error: Option<String>,
    pub duration_ms: i64,
}

/// An attempt, as admins read it.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "webhook_deliveries::Entity")]
pub struct WebhookDelivery {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub event_id: Uuid,
    pub sequence: Option<String>,
    pub kind: String,
    pub purpose: String,
    pub outcome: String,
    pub attempt: i64,
    pub status: Option<i64>,
    pub answer: Option<String>,
    pub error: Option<String>,
    pub duration_ms: i64,
}

#[derive(Serialize)]
struct DeliveryRow {
    tenant_id: Uuid,
    id: Uuid,
    endpoint_id: Uuid,
    #[serde(serialize_with = "time_text")]
    at: DateTime<Utc>,
    event_id: Uuid,
    sequence: Option<String>,
    kind: &'static str,
    purpose: &'static str,
    outcome: &'static str,
    attempt: u32,
    status: Option<u16>,
    answer: Option<String>,
    error: Option<String>,
    duration_ms: i64,
}

const COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("endpoint_id", Type::Uuid),
    ("at", Type::Time),
    ("event_id", Type::Uuid),
    ("sequence", Type::Text),
    ("kind", Type::Text),
    ("purpose", Type::Text),
    ("outcome", Type::Text),
    ("attempt", Type::Int),
    ("status", Type::Int),
    ("answer", Type::Text),
    ("error", Type::Text),
    ("duration_ms", Type::Int),
];

/// The beginning of a text, without NUL, which Postgres refuses.
fn beginning(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text[..end].replace('\0', "\u{fffd}")
}

impl Store {
    /// The attempts of an endpoint, the newest ones at the end. Its ids are in the order of their commits, because the holder of the
    /// endpoint's lease alone writes them, but for tests.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an endpoint of nobody.
    #[tracing::instrument(name = "store.deliveries.webhook_deliveries", skip_all)]
    pub async fn webhook_deliveries(
        &self,
        scope: &AdminScope,
        id: WebhookId,
        outcome: Option<DeliveryOutcome>,
        page: &PageRequest,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.webhook_row(id).await?;
        let filter = outcome.map_or(String::new(), |outcome| format!(" outcome={outcome}"));
        let list = ListName::of(&format!("webhook deliveries of {id}{filter}"));
        let mut attempts = tx.find::<Entity>().filter(Column::EndpointId.eq(id.0));
        if let Some(outcome) = outcome {
            attempts = attempts.filter(Column::Outcome.eq(outcome.as_str()));
        }
        if let Some(since) = page.since {
            attempts = attempts.filter(Column::At.gte(since));
        }
        if let Some(until) = page.until {
            attempts = attempts.filter(Column::At.lt(until));
        }
        if let Some(after) = page.place_in(list)?.map(|place| place.id) {
            attempts = attempts.filter(match page.order {
                ListOrder::Ascending => Column::Id.gt(after),
                ListOrder::Descending => Column::Id.lt(after),
            });
        }
        let attempts = match page.order {
            ListOrder::Ascending => attempts.ascending(Column::Id),
            ListOrder::Descending => attempts.descending(Column::Id),
        };
        let (attempts, cut) = attempts.limit(page.limit + 1).all_of_page().await?;
        let place = |attempt: WebhookDelivery| (RowPlace { position: 0, id: attempt.id }, attempt);
        Ok(page.cut(list, Rows { found: attempts.into_iter().map(place).collect(), cut, examined: None }))
    }

    /// Notes a test that an admin made.
    #[tracing::instrument(name = "store.deliveries.note_webhook_test", skip_all)]
    pub async fn note_webhook_test(
        &self,
        scope: &AdminScope,
        id: WebhookId,
        record: DeliveryRecord,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.webhook_row(id).await?;
        tx.write_deliveries(id, vec![record]).await?;
        tx.forget_deliveries(id).await?;
        tx.commit().await
    }
}

impl TenantTx {
    pub(crate) async fn write_deliveries(&self, id: WebhookId, records: Vec<DeliveryRecord>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let row = |record: DeliveryRecord| DeliveryRow {
            tenant_id: self.tenant.0,
            id: self.clock.new_id(),
            endpoint_id: id.0,
            at: record.at,
            event_id: record.event_id,
            sequence: record.sequence.map(|sequence| sequence.to_string()),
            kind: record.kind,
            purpose: record.purpose.as_str(),
            outcome: record.outcome.as_str(),
            attempt: record.attempt,
            status: record.status,
            answer: record.answer.as_deref().map(beginning),
            error: record.error.as_deref().map(beginning),
            duration_ms: record.duration_ms,
        };
        let rows: Vec<DeliveryRow> = records.into_iter().map(row).collect();
        self.tx.insert_rows("webhook_deliveries", COLUMNS, &rows, "").await?;
        Ok(())
    }

    /// Deletes all but the newest attempts of an endpoint.
    pub(crate) async fn forget_deliveries(&self, id: WebhookId) -> Result<(), StoreError> {
        self.exec(&FORGET, [id.0.into(), KEPT.into()]).await?;
        Ok(())
    }
}
