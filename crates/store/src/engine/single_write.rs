//! Transactions of one statement. A write that needs no answer of the database on its way goes in one round trip, together with
//! those of others who write the like at the same time: on Postgres a chain of data-modifying CTEs ([`crate::engine::postgres_batching`]), on SQLite
//! one text ([`crate::engine::sqlite_group_commit`]).
//!
//! The chain begins with the relation `tenant`, which sets the tenant and holds its id, and all that follows selects from it, or
//! from what did. So nothing is read or written before row-level security knows the tenant.

use crate::engine::connection::Tx;
use crate::engine::error::StoreError;
use crate::engine::postgres_batching::{Job, Lists, asked_by};
use crate::engine::row_sets::Write;
use crate::engine::transaction::TenantTx;
use rollcall_core::ids::TenantId;
use sea_orm::sea_query::{Expr, ExprTrait, InsertStatement, Query, SelectStatement, UpdateStatement, Value};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

/// The relation `tenant`; `$1` is the tenant's id as a text.
const TENANT: &str = "tenant AS MATERIALIZED (SELECT CAST(set_config('app.tenant_id', $1, true) AS uuid) AS tenant_id)";

/// A row of a tenant that is to be added.
pub(crate) struct Row {
    tenant: TenantId,
    table: &'static str,
    columns: Vec<&'static str>,
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn insert(self) -> InsertStatement {
        let mut row = Query::select();
        row.expr(Expr::value(self.tenant.0));
        self.selected(row)
    }

    /// Of SQLite: where the write before this one wrote nothing, neither does this.
    fn if_written(self) -> InsertStatement {
        let mut row = Query::select();
        row.expr(Expr::value(self.tenant.0)).and_where(Expr::cust("changes() > 0"));
        self.selected(row)
    }

    fn selected(self, mut row: SelectStatement) -> InsertStatement {
        row.exprs(self.values.into_iter().map(Expr::value));
        let columns = std::iter::once("tenant_id").chain(self.columns);
        let mut insert = Query::insert().into_table(self.table).columns(columns).to_owned();
        insert.select_from(row).expect("as many values as columns");
        insert
    }

    /// Its table and columns, which those that go with it have as well.
    fn shape(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.table).chain(self.columns.iter().copied())
    }
}

/// Inserts the rows at one place of each list, for whatever `from` selects: it names the tenant's id, and may use `p.asked`, the
/// number of the list.
fn insert(lists: &mut Lists, rows: &[&Row], from: (&str, &str)) -> String {
    let Row { table, columns, .. } = rows[0];
    let (relation, on) = from;
    let names = columns.join(", ");
    let read: String = columns.iter().map(|column| format!(", p.{column}")).collect();
    let p = lists.relation("p", columns, rows.iter().map(|row| row.values.iter().cloned()));
    format!(
        "INSERT INTO {table} (tenant_id, {names}) SELECT {relation}.tenant_id{read} FROM {relation} JOIN {p} ON {on}"
    )
}

/// The rows at each place of lists that are alike.
fn places<'r>(lists: impl Iterator<Item = &'r [Row]> + Clone) -> Vec<Vec<&'r Row>> {
    let places = lists.clone().next().map_or(0, <[Row]>::len);
    (0..places).map(|place| lists.clone().map(|list| &list[place]).collect()).collect()
}

/// Inserts as links of the chain.
fn chained(inserts: &[String]) -> String {
    inserts.iter().enumerate().map(|(place, insert)| format!(", w{place} AS ({insert})")).collect()
}

/// Rows that are added together or not at all.
pub(crate) struct Addition(Vec<Row>);

impl Job for Addition {
    type Key = (TenantId, Vec<&'static str>);
    type Answer = ();

    async fn run(tx: Tx, (tenant, _): &Self::Key, additions: &[Self]) -> Result<Vec<()>, StoreError> {
        let mut lists = Lists::after([tenant.to_string().into()]);
        let places = places(additions.iter().map(|addition| addition.0.as_slice()));
        let inserts: Vec<String> = places.iter().map(|rows| insert(&mut lists, rows, ("tenant", "true"))).collect();
        let (last, others) = inserts.split_last().ok_or_else(|| StoreError::Database("nothing to add".into()))?;
        let sql = format!("WITH {TENANT}{} {last}", chained(others));
        tx.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, lists.values)).await?;
        Ok(additions.iter().map(|_| ()).collect())
    }
}

/// A change of a row that was seen, to be made if it still is what it was; and rows that are added with it.
pub(crate) struct Change {
    pub(crate) table: &'static str,
    pub(crate) id: Uuid,
    pub(crate) seen_version: i64,
    pub(crate) set: Vec<(&'static str, Value)>,
    pub(crate) then: Vec<Row>,
}

impl Change {
    /// Of a row that is known to be there and locked.
    pub(crate) fn update(&self, tenant: TenantId) -> UpdateStatement {
        let mut update = Query::update();
        update.table(self.table).values(self.set.iter().map(|(name, value)| (*name, Expr::value(value.clone()))));
        update.and_where(Expr::col("tenant_id").eq(tenant.0)).and_where(Expr::col("id").eq(self.id));
        update
    }

    /// The update as the relation of what it changed. Its conditions are asked again of a version that another transaction made
    /// meanwhile, and that one is not what was seen.
    fn update_if(&self, asked: usize, lists: &mut Lists) -> String {
        let table = self.table;
        let set: Vec<String> =
            self.set.iter().map(|(name, value)| format!("{name} = {}", lists.value(value.clone()))).collect();
        let set = set.join(", ");
        let id = lists.value(self.id.into());
        let is_what_was_seen =
            format!("t.version = {} AND t.deleted_at IS NULL", lists.value(self.seen_version.into()));
        format!(
            ", seen{asked} AS (SELECT found.place FROM tenant CROSS JOIN LATERAL ( \
               SELECT t.ctid AS place FROM {table} t \
               WHERE t.tenant_id = tenant.tenant_id AND t.id = {id} AND {is_what_was_seen} OFFSET 0) AS found), \
             u{asked} AS (UPDATE {table} t SET {set} FROM seen{asked} \
               WHERE t.ctid = seen{asked}.place AND {is_what_was_seen} RETURNING t.tenant_id, {asked} AS asked)"
        )
    }

    fn shape(&self) -> Vec<&'static str> {
        let set = self.set.iter().map(|(name, _)| *name);
        std::iter::once(self.table).chain(set).chain(self.then.iter().flat_map(Row::shape)).collect()
    }
}

impl Job for Change {
    type Key = (TenantId, Vec<&'static str>);
    /// Whether the row was what it was seen to be, and so was changed.
    type Answer = bool;

    /// A row is found by its place (`ctid`), which is known only when the tenant is: by its id the table might be entered before
    /// that. And each by a statement of its own: before the tenant is set Postgres believes that there are hardly any rows, and
    /// would find several by reading all of them.
    async fn run(tx: Tx, (tenant, _): &Self::Key, changes: &[Self]) -> Result<Vec<bool>, StoreError> {
        let mut lists = Lists::after([tenant.to_string().into()]);
        let updates: String =
            changes.iter().enumerate().map(|(asked, change)| change.update_if(asked, &mut lists)).collect();
        let updated: Vec<String> =
            (0..changes.len()).map(|asked| format!("SELECT tenant_id, asked FROM u{asked}")).collect();
        let inserts: Vec<String> = places(changes.iter().map(|change| change.then.as_slice()))
            .iter()
            .map(|rows| insert(&mut lists, rows, ("updated", "p.asked = updated.asked")))
            .collect();
        let inserts = chained(&inserts);
        let updated = updated.join(" UNION ALL ");
        let sql = format!("WITH {TENANT}{updates}, updated AS ({updated}){inserts} SELECT asked FROM updated");
        let rows = tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, lists.values)).await?;
        let mut changed = vec![false; changes.len()];
        for row in rows {
            *asked_by(&row, &mut changed)? = true;
        }
        Ok(changed)
    }
}

impl TenantTx {
    /// A row of this tenant, for a batch.
    pub(crate) fn row(&self, table: &'static str, values: impl IntoIterator<Item = (&'static str, Value)>) -> Row {
        let (columns, values) = values.into_iter().unzip();
        Row { tenant: self.tenant, table, columns, values }
    }

    /// Adds rows that belong together and are the whole transaction, in one round trip.
    pub(crate) async fn add(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        match self.tx.gathered()? {
            Some(gathered) => {
                let shape = rows.iter().flat_map(Row::shape).collect();
                gathered.additions.ask((self.tenant, shape), Addition(rows)).await
            }
            None => self.tx.batch_whole(rows.into_iter().map(Write::from).collect()).await.map(drop),
        }
    }

    /// Changes a row that nobody changed or deleted since it was seen; whether that was so. This is the whole transaction, in one
    /// round trip.
    pub(crate) async fn change_if(&self, change: Change) -> Result<bool, StoreError> {
        match self.tx.gathered()? {
            Some(gathered) => gathered.changes.ask((self.tenant, change.shape()), change).await,
            None => {
                let mut update = change.update(self.tenant);
                update.and_where(Expr::col("version").eq(change.seen_version));
                update.and_where(Expr::col("deleted_at").is_null());
                let then = change.then.into_iter().map(|row| row.if_written().into());
                self.tx.batch_whole(std::iter::once(Write::Update(update)).chain(then).collect()).await
            }
        }
    }
}
