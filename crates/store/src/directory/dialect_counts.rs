//! The dialect ledger: how often each source's identity provider departed from the RFC, by day. It is
//! collected in memory and written every few seconds for all tenants, so no request writes here.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type};
use crate::entity::dialect_counts::{Column, Entity};
use crate::scope::AdminScope;
use chrono::TimeDelta;
use rollcall_core::ids::SourceId;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use uuid::Uuid;

/// Name under which all requests are counted, beside the quirks.
pub const REQUESTS: &str = "requests";
/// Name under which reads of discovery are counted, which are requests too.
pub const DISCOVERY_READS: &str = "discovery_reads";
/// Retention of counts.
const KEPT_DAYS: i64 = 90;

/// An increment of one counter.
#[derive(Clone, Debug, Serialize)]
pub struct DialectCount {
    pub tenant_id: Uuid,
    pub source_id: Uuid,
    /// UTC, `2026-11-22`.
    pub day: String,
    /// The name of a quirk, [`REQUESTS`] or [`DISCOVERY_READS`].
    pub quirk: &'static str,
    pub occurrences: i64,
}

const COUNT_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("source_id", Type::Uuid),
    ("day", Type::Text),
    ("quirk", Type::Text),
    ("occurrences", Type::Int),
];

/// One line of the ledger.
#[derive(Clone, Debug, Serialize, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct DialectDay {
    pub day: String,
    pub quirk: String,
    pub occurrences: i64,
}

/// The ledger of one source, with the facts about it on which advice depends.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// The newest day first.
    pub days: Vec<DialectDay>,
    /// Whether the source ever wrote a record.
    pub has_records: bool,
    pub plain_discovery: bool,
}

impl Store {
    /// Adds counts of any tenants by one statement. The rows are in the order of their keys, so that two processes never deadlock.
    #[tracing::instrument(name = "store.dialect_counts.add_dialect_counts", skip_all)]
    pub async fn add_dialect_counts(&self, counts: &[DialectCount]) -> Result<(), StoreError> {
        if counts.is_empty() {
            return Ok(());
        }
        let tx = self.across(true).await?;
        let tail = "ON CONFLICT (tenant_id, source_id, day, quirk) \
                    DO UPDATE SET occurrences = dialect_counts.occurrences + excluded.occurrences";
        tx.insert_rows("dialect_counts", COUNT_COLUMNS, counts, tail).await?;
        tx.commit().await
    }

    /// Deletes expired counts and rejected requests.
    #[tracing::instrument(name = "store.dialect_counts.prune_ledger", skip_all)]
    pub async fn prune_ledger(&self) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let now = self.clock.now();
        tx.exec("DELETE FROM rejected_requests WHERE expires_at <= $1", [now.into()]).await?;
        let oldest = (now - TimeDelta::days(KEPT_DAYS)).format("%Y-%m-%d").to_string();
        tx.exec("DELETE FROM dialect_counts WHERE day < $1", [oldest.into()]).await?;
        tx.commit().await
    }

    /// The ledger of one source from this day on.
    #[tracing::instrument(name = "store.dialect_counts.dialect", skip_all)]
    pub async fn dialect(&self, scope: &AdminScope, source: SourceId, since: &str) -> Result<Dialect, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let plain_discovery = tx.source_row(source).await?.plain_discovery;
        let has_records = tx.has_records_of(source).await?;
        let counts = tx.find::<Entity>().filter(Column::SourceId.eq(source.0).and(Column::Day.gte(since)));
        let days = counts.descending(Column::Day).ascending(Column::Quirk).all().await?;
        Ok(Dialect { days, has_records, plain_discovery })
    }
}
