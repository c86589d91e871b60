//! Writes of one statement that are a transaction of their own. A write that needs no answer of the database on its way takes one
//! round trip, shared with concurrent writes of the same shape: on Postgres a chain of data-modifying CTEs
//! ([`crate::engine::postgres_batching`]), on SQLite a script within a group commit ([`crate::engine::sqlite_group_commit`]).
//!
//! The chain begins with the relation `tenant`, which sets the tenant and holds its id, and all that follows selects from it, or
//! from a relation that does. So nothing is read or written before row-level security knows the tenant.

use crate::engine::admission::Admission;
use crate::engine::connection::Tx;
use crate::engine::data_file::DataFile;
use crate::engine::error::StoreError;
use crate::engine::faults::Faults;
use crate::engine::postgres_batching::{BatchParameters, Batcher, Job, asked_by};
use crate::engine::row_sets::{Write, script};
use crate::engine::session::SessionPool;
use crate::engine::sqlite_group_commit::GroupCommit;
use crate::engine::write_context::{Row, WriteContext};
use rollcall_core::ids::TenantId;
use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement, Value};
use sea_orm::sqlx::{Postgres, Sqlite};
use sea_orm::{DbBackend, Statement};
use std::ops::Deref;
use uuid::Uuid;

/// The relation `tenant`; `$1` is the tenant's id as text.
const TENANT: &str = "tenant AS MATERIALIZED (SELECT CAST(set_config('app.tenant_id', $1, true) AS uuid) AS tenant_id)";

/// Inserts the rows at one position of each job, for each row of the relation `from` that its condition joins with the parameters
/// `p`. The relation has the tenant's id; `p.asked` is the job's position in the batch.
fn insert(parameters: &mut BatchParameters, rows: &[&Row], from: (&str, &str)) -> String {
    let Row { table, columns, .. } = rows[0];
    let (relation, on) = from;
    let names = columns.join(", ");
    let read: String = columns.iter().map(|column| format!(", p.{column}")).collect();
    let p = parameters.relation("p", columns, rows.iter().map(|row| row.values.iter().cloned()));
    format!(
        "INSERT INTO {table} (tenant_id, {names}) SELECT {relation}.tenant_id{read} FROM {relation} JOIN {p} ON {on}"
    )
}

/// The rows of jobs of the same shape, by their position in the job.
fn by_position<'r>(jobs: impl Iterator<Item = &'r [Row]> + Clone) -> Vec<Vec<&'r Row>> {
    let rows = jobs.clone().next().map_or(0, <[Row]>::len);
    (0..rows).map(|position| jobs.clone().map(|job| &job[position]).collect()).collect()
}

/// Inserts as links of the chain.
fn chained(inserts: &[String]) -> String {
    inserts.iter().enumerate().map(|(position, insert)| format!(", w{position} AS ({insert})")).collect()
}

/// Rows that are added all or none.
pub(crate) struct Addition(Vec<Row>);

impl Job for Addition {
    type Key = (TenantId, Vec<&'static str>);
    type Answer = ();

    fn tenant((tenant, _): &Self::Key) -> TenantId {
        *tenant
    }

    async fn run(tx: Tx, (tenant, _): &Self::Key, additions: &[Self]) -> Result<Vec<()>, StoreError> {
        let mut parameters = BatchParameters::after([tenant.to_string().into()]);
        let rows = by_position(additions.iter().map(|addition| addition.0.as_slice()));
        let inserts: Vec<String> = rows.iter().map(|rows| insert(&mut parameters, rows, ("tenant", "true"))).collect();
        let (last, others) = inserts.split_last().ok_or_else(|| StoreError::database("nothing to add"))?;
        let sql = format!("WITH {TENANT}{} {last}", chained(others));
        tx.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, parameters.values)).await?;
        Ok(additions.iter().map(|_| ()).collect())
    }
}

/// An optimistic update of a row, made if its version is still the one that was read; and rows that are inserted with it.
pub(crate) struct RowChange {
    pub(crate) table: &'static str,
    pub(crate) id: Uuid,
    pub(crate) seen_version: i64,
    pub(crate) set: Vec<(&'static str, Value)>,
    pub(crate) then: Vec<Row>,
}

impl RowChange {
    /// The update of a locked row, which is still the version that was read.
    pub(crate) fn update(&self, tenant: TenantId) -> UpdateStatement {
        let mut update = Query::update();
        update.table(self.table).values(self.set.iter().map(|(name, value)| (*name, Expr::value(value.clone()))));
        update.and_where(Expr::col("tenant_id").eq(tenant.0)).and_where(Expr::col("id").eq(self.id));
        update
    }

    /// The update as the relation of its result. After waiting for another transaction's row lock Postgres evaluates the
    /// conditions again on the new version, which then does not match.
    fn update_if(&self, asked: usize, parameters: &mut BatchParameters) -> String {
        let table = self.table;
        let set: Vec<String> =
            self.set.iter().map(|(name, value)| format!("{name} = {}", parameters.value(value.clone()))).collect();
        let set = set.join(", ");
        let id = parameters.value(self.id.into());
        let is_what_was_seen =
            format!("t.version = {} AND t.deleted_at IS NULL", parameters.value(self.seen_version.into()));
        format!(
            ", seen{asked} AS (SELECT found.row FROM tenant CROSS JOIN LATERAL ( \
               SELECT t.ctid AS row FROM {table} t \
               WHERE t.tenant_id = tenant.tenant_id AND t.id = {id} AND {is_what_was_seen} OFFSET 0) AS found), \
             u{asked} AS (UPDATE {table} t SET {set} FROM seen{asked} \
               WHERE t.ctid = seen{asked}.row AND {is_what_was_seen} RETURNING t.tenant_id, {asked} AS asked)"
        )
    }

    fn shape(&self) -> Vec<&'static str> {
        let set = self.set.iter().map(|(name, _)| *name);
        std::iter::once(self.table).chain(set).chain(self.then.iter().flat_map(Row::shape)).collect()
    }
}

impl Job for RowChange {
    type Key = (TenantId, Vec<&'static str>);
    /// True if the row was still the version that was read, and so was changed.
    type Answer = bool;

    fn tenant((tenant, _): &Self::Key) -> TenantId {
        *tenant
    }

    /// The update finds its row by the row's physical address (`ctid`), which only the sub-select after the tenant is set can
    /// tell: an update by id could read the table before. Each row has an update of its own: the plan is made before the tenant
    /// is set, when Postgres expects hardly any rows, and would find several of them by a scan.
    async fn run(tx: Tx, (tenant, _): &Self::Key, changes: &[Self]) -> Result<Vec<bool>, StoreError> {
        let mut parameters = BatchParameters::after([tenant.to_string().into()]);
        let updates: String =
            changes.iter().enumerate().map(|(asked, change)| change.update_if(asked, &mut parameters)).collect();
        let updated: Vec<String> =
            (0..changes.len()).map(|asked| format!("SELECT tenant_id, asked FROM u{asked}")).collect();
        let inserts: Vec<String> = by_position(changes.iter().map(|change| change.then.as_slice()))
            .iter()
            .map(|rows| insert(&mut parameters, rows, ("updated", "p.asked = updated.asked")))
            .collect();
        let inserts = chained(&inserts);
        let updated = updated.join(" UNION ALL ");
        let sql = format!("WITH {TENANT}{updates}, updated AS ({updated}){inserts} SELECT asked FROM updated");
        let rows =
            tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, parameters.values)).await?;
        let mut changed = vec![false; changes.len()];
        for row in rows {
            *asked_by(&row, &mut changed)? = true;
        }
        Ok(changed)
    }
}

/// The path of single writes. Cheap to clone.
#[derive(Clone)]
pub(crate) enum SingleWriter {
    Postgres { additions: Batcher<Addition>, changes: Batcher<RowChange> },
    Sqlite(GroupCommit),
}

impl SingleWriter {
    /// See [`Batcher::new`].
    pub(super) fn postgres(pool: &SessionPool<Postgres>, admission: &Admission) -> Self {
        Self::Postgres { additions: Batcher::new(pool, admission), changes: Batcher::new(pool, admission) }
    }

    /// See [`GroupCommit::start`].
    pub(super) fn sqlite(writer: SessionPool<Sqlite>, file: DataFile) -> Self {
        Self::Sqlite(GroupCommit::start(writer, file))
    }
}

/// A transaction that is one [`add`](Self::add) or one [`change_if`](Self::change_if). It has no connection of its own, so nothing
/// can be read within it.
pub(crate) struct SingleWrite {
    context: WriteContext,
    writer: SingleWriter,
    faults: Faults,
}

impl Deref for SingleWrite {
    type Target = WriteContext;

    fn deref(&self) -> &WriteContext {
        &self.context
    }
}

impl SingleWrite {
    pub(super) fn new(context: WriteContext, writer: SingleWriter, faults: Faults) -> Self {
        Self { context, writer, faults }
    }

    /// Inserts rows, all or none.
    pub(crate) async fn add(self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.faults.point()?;
        match self.writer {
            SingleWriter::Postgres { additions, .. } => {
                let shape = rows.iter().flat_map(Row::shape).collect();
                additions.run((self.context.tenant, shape), Addition(rows)).await?;
            }
            SingleWriter::Sqlite(commits) => {
                let writes: Vec<Write> = rows.into_iter().map(Write::from).collect();
                commits.write(script(writes)).await?;
            }
        }
        // An injected fault here is a commit whose answer is lost.
        Ok(self.faults.point()?)
    }

    /// An optimistic update: changes a row that is still the version that was read; returns false otherwise.
    pub(crate) async fn change_if(self, change: RowChange) -> Result<bool, StoreError> {
        self.faults.point()?;
        let tenant = self.context.tenant;
        let changed = match self.writer {
            SingleWriter::Postgres { changes, .. } => changes.run((tenant, change.shape()), change).await?,
            SingleWriter::Sqlite(commits) => {
                let mut update = change.update(tenant);
                update.and_where(Expr::col("version").eq(change.seen_version));
                update.and_where(Expr::col("deleted_at").is_null());
                let then = change.then.into_iter().map(|row| row.insert_if_written().into());
                let writes: Vec<Write> = std::iter::once(Write::Update(update)).chain(then).collect();
                commits.write(script(writes)).await?
            }
        };
        // An injected fault here is a commit whose answer is lost.
        self.faults.point()?;
        Ok(changed)
    }
}
