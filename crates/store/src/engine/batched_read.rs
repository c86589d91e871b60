//! Reads of one statement that set the tenant themselves, alone or as a batch on Postgres.

use crate::engine::admission::Admission;
use crate::engine::connection::Tx;
use crate::engine::error::StoreError;
use crate::engine::fragment::Fragment;
use crate::engine::postgres_batching::{BatchParameters, Batcher, Job, asked_by};
use crate::engine::session::SessionPool;
use rollcall_core::ids::{SourceId, TenantId};
use sea_orm::sea_query::Value;
use sea_orm::sqlx::Postgres;
use sea_orm::{DbBackend, QueryResult, Statement};
use std::sync::Arc;

/// The batchers of reads.
#[derive(Clone)]
pub(crate) struct ReadBatchers {
    pub(super) rows: Batcher<BatchedRead>,
    totals: Batcher<SharedTotal>,
}

impl ReadBatchers {
    /// See [`Batcher::new`].
    pub(super) fn new(pool: &SessionPool<Postgres>, admission: &Admission) -> Self {
        Self { rows: Batcher::new(pool, admission), totals: Batcher::new(pool, admission) }
    }

    /// Counts a source's rows: `select` returns them as `total`, with the source as its parameter 2. Concurrent callers share one
    /// count.
    pub(crate) async fn total(&self, tenant: TenantId, source: SourceId, select: Fragment) -> Result<u64, StoreError> {
        self.totals.run((tenant, source, select), SharedTotal).await
    }
}

/// The values of one read: those of the parameters 2 and on of its key's `SELECT`.
pub(super) struct BatchedRead(pub(super) Vec<Value>);

impl Job for BatchedRead {
    type Key = (TenantId, Arc<Fragment>);
    type Answer = Vec<QueryResult>;

    fn tenant((tenant, _): &Self::Key) -> TenantId {
        *tenant
    }

    async fn run(tx: Tx, (tenant, select): &Self::Key, reads: &[Self]) -> Result<Vec<Self::Answer>, StoreError> {
        let mut parameters = BatchParameters::after([tenant.to_string().into()]);
        if let [Self(only)] = reads {
            parameters.values.extend(only.iter().cloned());
            let read = Statement::from_sql_and_values(DbBackend::Postgres, single_read(select), parameters.values);
            return Ok(vec![tx.query_all_raw(read).await?]);
        }
        let width = reads.first().map_or(0, |read| read.0.len());
        let names: Vec<String> = (2..width + 2).map(|number| format!("v{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let p = parameters.relation("p", &names, reads.iter().map(|read| read.0.iter().cloned()));
        let sql = several_reads(select, &p);
        let rows =
            tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, parameters.values)).await?;
        let mut answers: Vec<Self::Answer> = reads.iter().map(|_| Vec::new()).collect();
        for row in rows {
            asked_by(&row, &mut answers)?.push(row);
        }
        Ok(answers)
    }
}

/// A caller of [`ReadBatchers::total`]. The key has the statement and its only value, so one count answers every caller.
struct SharedTotal;

impl Job for SharedTotal {
    type Key = (TenantId, SourceId, Fragment);
    type Answer = u64;

    fn tenant((tenant, ..): &Self::Key) -> TenantId {
        *tenant
    }

    async fn run(tx: Tx, (tenant, source, select): &Self::Key, callers: &[Self]) -> Result<Vec<u64>, StoreError> {
        let values = [tenant.to_string().into(), source.0.into()];
        let counted =
            tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, single_read(select), values));
        let row = counted.await?.ok_or_else(|| StoreError::database("a count without a row"))?;
        let total: i64 = row.try_get("", "total")?;
        Ok(vec![u64::try_from(total).unwrap_or(0); callers.len()])
    }
}

/// The sub-select that sets the tenant, and from which a read takes it.
const SET_TENANT: &str = "(SELECT CAST(set_config('app.tenant_id', $1, true) AS uuid) AS id OFFSET 0) AS tenant";
/// The tenant's id in a statement with that sub-select.
const TENANT: &str = "tenant.id";

/// A statement that sets the tenant and reads.
///
/// The sub-select that sets the tenant depends on nothing and is kept apart by its OFFSET; the one that reads depends on it,
/// so it runs after it, and row-level security sees the tenant. In any other order it would see none, and no row.
pub(super) fn single_read(select: &Fragment) -> String {
    let select = select.with_tenant(TENANT);
    format!("SELECT q.* FROM {SET_TENANT} CROSS JOIN LATERAL (SELECT i.* FROM ({select}) AS i OFFSET 0) AS q")
}

/// The same for each row of the relation `p`: parameters become its columns.
fn several_reads(select: &Fragment, p: &str) -> String {
    let select = select.with_columns(TENANT, "p");
    format!(
        "SELECT q.*, p.asked FROM {SET_TENANT} CROSS JOIN {p} CROSS JOIN LATERAL (SELECT i.* FROM ({select}) AS i OFFSET 0) AS q"
    )
}
