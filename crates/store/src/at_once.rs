//! Transactions of one statement. A write that needs no answer of the database on its way goes in one round trip: on Postgres
//! a chain of data-modifying CTEs that begins by setting the tenant, on SQLite one text ([`crate::together`]).
//!
//! The chain's relation `tenant` holds the tenant's id, and every insert selects from it, or from the update that did. So
//! nothing is read or written before row-level security knows the tenant.

use crate::error::StoreError;
use crate::scope::{TenantTx, Whole};
use crate::sql::Write;
use sea_orm::sea_query::{
    CommonTableExpression, Cond, Expr, ExprTrait, Func, InsertStatement, JoinType, Query, SelectStatement,
    SubQueryStatement, UpdateStatement, Value, WithClause,
};
use uuid::Uuid;

/// A row as it was read, to be updated if it still is that.
pub(crate) struct Seen {
    pub(crate) table: &'static str,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
}

impl TenantTx {
    /// A row of this tenant as a statement, for a batch.
    pub(crate) fn insert(
        &self,
        table: &'static str,
        values: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> InsertStatement {
        let (mut columns, mut row) = (vec!["tenant_id"], Query::select());
        match (self.whole, self.tx.is_postgres()) {
            (Whole::Always, true) => row.column(("tenant", "tenant_id")).from("tenant"),
            (Whole::IfUpdated, true) => row.column(("updated", "tenant_id")).from("updated"),
            // Of the write before this one: where that wrote nothing, neither does this.
            (Whole::IfUpdated, false) => row.expr(Expr::value(self.tenant.0)).and_where(Expr::cust("changes() > 0")),
            (Whole::No, _) | (Whole::Always, false) => row.expr(Expr::value(self.tenant.0)),
        };
        for (column, value) in values {
            columns.push(column);
            row.expr(Expr::value(value));
        }
        let mut insert = Query::insert().into_table(table).columns(columns).to_owned();
        insert.select_from(row).expect("as many values as columns");
        insert
    }

    /// Runs writes that belong together, in one round trip.
    pub(crate) async fn batch_of(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        match (self.whole, self.tx.is_postgres()) {
            (Whole::No, _) => self.tx.batch(writes).await,
            (_, false) => self.tx.batch_whole(&writes).await.map(drop),
            (_, true) => self.tx.batch_after(self.set_tenant(), writes).await.map(drop),
        }
    }

    /// Updates a row that nobody changed or deleted since it was seen, and writes `then` with it; whether that was so. In one
    /// round trip.
    pub(crate) async fn batch_if(
        &self,
        seen: Seen,
        mut update: UpdateStatement,
        then: Vec<Write>,
    ) -> Result<bool, StoreError> {
        let column = |name| Expr::col((seen.table, name));
        let unchanged = Cond::all().add(column("version").eq(seen.version)).add(column("deleted_at").is_null());
        update.table(seen.table).cond_where(unchanged.clone());
        if !self.tx.is_postgres() {
            update.and_where(Expr::col("tenant_id").eq(self.tenant.0)).and_where(Expr::col("id").eq(seen.id));
            let writes: Vec<Write> = std::iter::once(Write::Update(update)).chain(then).collect();
            return self.tx.batch_whole(&writes).await;
        }
        // Found by its place, which is known only when the tenant is: by its id the table might be entered before that.
        let found = Query::select()
            .expr_as(Expr::col((seen.table, "ctid")), "place")
            .from(seen.table)
            .and_where(Expr::col((seen.table, "tenant_id")).equals(("tenant", "tenant_id")))
            .and_where(Expr::col((seen.table, "id")).eq(seen.id))
            .cond_where(unchanged)
            .offset(0)
            .to_owned();
        let place = Query::select()
            .column(("found", "place"))
            .from("tenant")
            .join_lateral(JoinType::InnerJoin, found, "found", Expr::value(true))
            .to_owned();
        update.from("seen").and_where(Expr::col((seen.table, "ctid")).equals(("seen", "place")));
        update.returning_col((seen.table, "tenant_id"));
        let mut with = self.set_tenant();
        with.cte(named("seen", place)).cte(named("updated", update));
        Ok(self.tx.batch_after(with, then).await? > 0)
    }

    /// The relation `tenant`.
    fn set_tenant(&self) -> WithClause {
        let setting = Func::cust("set_config").args([
            Expr::value("app.tenant_id"),
            Expr::value(self.tenant.0.to_string()),
            Expr::value(true),
        ]);
        let tenant: SelectStatement = Query::select().expr_as(Func::cast_as(setting, "uuid"), "tenant_id").to_owned();
        Query::with().cte(named("tenant", tenant).materialized(true).to_owned()).to_owned()
    }
}

fn named(name: &'static str, query: impl Into<SubQueryStatement>) -> CommonTableExpression {
    CommonTableExpression::new().query(query).table_name(name).to_owned()
}
