//! Reads of one statement that set the tenant themselves, alone or as a batch on Postgres.

use crate::engine::connection::Tx;
use crate::engine::error::StoreError;
use crate::engine::postgres_batching::{BatchParameters, Batcher, Job, asked_by};
use crate::engine::session::SessionPool;
use rollcall_core::ids::{SourceId, TenantId};
use sea_orm::sea_query::Value;
use sea_orm::sqlx::Postgres;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

/// The batchers of reads.
#[derive(Clone)]
pub(crate) struct ReadBatchers {
    pub(super) rows: Batcher<BatchedRead>,
    totals: Batcher<SharedTotal>,
}

impl ReadBatchers {
    /// See [`Batcher::new`].
    pub(super) fn new(pool: &SessionPool<Postgres>) -> Self {
        Self { rows: Batcher::new(pool), totals: Batcher::new(pool) }
    }

    /// How many rows a source has: `select` counts them as `total`, of the source `$2`. Concurrent callers share one count.
    pub(crate) async fn total(&self, tenant: TenantId, source: SourceId, select: String) -> Result<u64, StoreError> {
        self.totals.run((tenant, source, select), SharedTotal).await
    }
}

/// The values of one read: those of `$2` and on. Its key is the `SELECT` they belong to, with `{tenant}` for the tenant's id.
pub(super) struct BatchedRead(pub(super) Vec<Value>);

impl Job for BatchedRead {
    type Key = (TenantId, String);
    type Answer = Vec<QueryResult>;

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
    type Key = (TenantId, SourceId, String);
    type Answer = u64;

    async fn run(tx: Tx, (tenant, source, select): &Self::Key, callers: &[Self]) -> Result<Vec<u64>, StoreError> {
        let values = [tenant.to_string().into(), source.0.into()];
        let counted =
            tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, single_read(select), values));
        let row = counted.await?.ok_or_else(|| StoreError::Database("a count without a row".into()))?;
        let total: i64 = row.try_get("", "total")?;
        Ok(vec![u64::try_from(total).unwrap_or(0); callers.len()])
    }
}

/// The sub-select that sets the tenant, and from which a read takes it.
const SET_TENANT: &str = "(SELECT CAST(set_config('app.tenant_id', $1, true) AS uuid) AS id OFFSET 0) AS tenant";

/// A statement that sets the tenant and reads.
///
/// The sub-select that sets it depends on nothing and is kept apart by its OFFSET, and the one that reads depends on it, so it
/// runs after it, and row-level security sees the tenant; were it ever otherwise, it would see none, and no row.
pub(super) fn single_read(select: &str) -> String {
    let select = select.replace("{tenant}", "tenant.id");
    format!("SELECT q.* FROM {SET_TENANT} CROSS JOIN LATERAL (SELECT i.* FROM ({select}) AS i OFFSET 0) AS q")
}

/// The same for each row of the relation `p`: what was a parameter is a column of it.
fn several_reads(select: &str, p: &str) -> String {
    let select = with_columns(&select.replace("{tenant}", "tenant.id"));
    format!(
        "SELECT q.*, p.asked FROM {SET_TENANT} CROSS JOIN {p} CROSS JOIN LATERAL (SELECT i.* FROM ({select}) AS i OFFSET 0) AS q"
    )
}

/// `$7` becomes `p.v7`; what is quoted stays, the paths of JSON among it.
fn with_columns(select: &str) -> String {
    let part = |(place, part): (usize, &str)| if place % 2 == 0 { part.replace('$', "p.v") } else { part.to_owned() };
    select.split('\'').enumerate().map(part).collect::<Vec<_>>().join("'")
}

#[cfg(test)]
mod tests {
    use super::with_columns;

    #[test]
    fn parameters_become_columns_and_quoted_text_stays() {
        let select = "SELECT jsonb_path_query(a, '$.\"x\"[*]') FROM t WHERE b = $2 AND c = 'it''s $3' AND d = $13";
        let many = "SELECT jsonb_path_query(a, '$.\"x\"[*]') FROM t WHERE b = p.v2 AND c = 'it''s $3' AND d = p.v13";
        assert_eq!(with_columns(select), many);
    }
}
