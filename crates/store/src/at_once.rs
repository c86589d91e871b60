//! Transactions of one statement. A write that needs no answer of the database on its way goes in one round trip: on Postgres
//! a chain of data-modifying CTEs that begins by setting the tenant, on SQLite one text from BEGIN to COMMIT.
//!
//! The chain's relation `tenant` holds the tenant's id, and every insert selects from it. So nothing is written before
//! row-level security knows the tenant.

use crate::error::StoreError;
use crate::scope::TenantTx;
use crate::sql::Write;
use sea_orm::sea_query::{CommonTableExpression, Expr, Func, InsertStatement, Query, SelectStatement, Value};

impl TenantTx {
    /// A row of this tenant as a statement, for a batch.
    pub(crate) fn insert(
        &self,
        table: &'static str,
        values: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> InsertStatement {
        let (mut columns, mut row) = (vec!["tenant_id"], Query::select());
        if self.at_once && self.tx.is_postgres() {
            row.column(("tenant", "tenant_id")).from("tenant");
        } else {
            row.expr(Expr::value(self.tenant.0));
        }
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
        if !self.at_once {
            return self.tx.batch(writes).await;
        }
        if !self.tx.is_postgres() {
            return self.tx.batch_alone(&writes).await;
        }
        let tenant =
            CommonTableExpression::new().query(self.set_tenant()).table_name("tenant").materialized(true).to_owned();
        let with = Query::with().cte(tenant).to_owned();
        self.tx.batch_after(with, writes).await
    }

    fn set_tenant(&self) -> SelectStatement {
        let setting = Func::cust("set_config").args([
            Expr::value("app.tenant_id"),
            Expr::value(self.tenant.0.to_string()),
            Expr::value(true),
        ]);
        Query::select().expr_as(Func::cast_as(setting, "uuid"), "tenant_id").to_owned()
    }
}
