//! Reads of one table of one tenant.

use crate::engine::error::StoreError;
use crate::engine::page::PAGE_BYTES;
use crate::engine::transaction::TenantTx;
use crate::entity::TenantEntity;
use sea_orm::sea_query::{Expr, Func, IntoCondition, LockType, Query, Value};
use sea_orm::{
    ColumnTrait, EntityTrait, Order, PartialModelTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    TryGetable,
};

/// A query over the tenant's rows of one table.
pub(crate) struct Find<'tx, E: EntityTrait> {
    pub(super) tx: &'tx TenantTx,
    pub(super) select: Select<E>,
}

impl TenantTx {
    /// The tenant's rows of a table.
    pub(crate) fn find<E: TenantEntity>(&self) -> Find<'_, E> {
        #[expect(clippy::disallowed_methods, reason = "the tenant's condition is added here")]
        let select = E::find().filter(E::TENANT.eq(self.tenant.0));
        Find { tx: self, select }
    }

    /// A condition in SQL text. Its parameters, `$1` and so on, are in the order of the text.
    pub(crate) fn condition(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Expr {
        let values: Vec<Value> = values.into_iter().collect();
        if self.tx.is_postgres() {
            return Expr::cust_with_values(text.to_owned(), values);
        }
        // The builder of SQLite knows parameters without a number.
        let numbers = (1..=values.len()).rev().map(|number| format!("${number}"));
        Expr::cust_with_values(numbers.fold(text.to_owned(), |text, number| text.replace(&number, "?")), values)
    }
}

impl<E: TenantEntity> Find<'_, E> {
    pub(crate) fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition);
        self
    }

    pub(crate) fn ascending(self, column: E::Column) -> Self {
        self.ordered(column, Order::Asc)
    }

    pub(crate) fn descending(self, column: E::Column) -> Self {
        self.ordered(column, Order::Desc)
    }

    fn ordered(mut self, column: E::Column, order: Order) -> Self {
        self.select = self.select.order_by(column, order);
        self
    }

    pub(crate) fn limit(mut self, rows: u64) -> Self {
        self.select = self.select.limit(rows);
        self
    }

    /// Takes row locks on Postgres; SQLite has one writer and no row locks.
    pub(crate) fn lock(mut self, lock: LockType) -> Self {
        self.select = self.select.lock(lock);
        self
    }

    /// The columns of `T`, for each row.
    pub(crate) async fn all<T: PartialModelTrait>(self) -> Result<Vec<T>, StoreError> {
        let rows = self.tx.tx.query_all(T::select_cols(self.select.select_only()).as_query()).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// As [`all`](Self::all), up to the bytes of a page; and whether there are more rows. The transaction takes no further statement
    /// then.
    pub(crate) async fn all_of_page<T: PartialModelTrait>(self) -> Result<(Vec<T>, bool), StoreError> {
        let rows = self.tx.tx.query_up_to(T::select_cols(self.select.select_only()).as_query(), PAGE_BYTES).await?;
        let items = rows.found.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?;
        Ok((items, rows.cut))
    }

    /// As [`all`](Self::all), for the first row. The statement has no limit of its own: conditions name one row, or an
    /// order and [`limit`](Self::limit) do.
    pub(crate) async fn one<T: PartialModelTrait>(self) -> Result<Option<T>, StoreError> {
        let row = self.tx.tx.query_one(T::select_cols(self.select.select_only()).as_query()).await?;
        Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
    }

    /// One column of each row.
    pub(crate) async fn values<V: TryGetable>(self, column: E::Column) -> Result<Vec<V>, StoreError> {
        let rows = self.tx.tx.query_all(self.select.select_only().column(column).as_query()).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }

    /// As [`values`](Self::values), of the first row.
    pub(crate) async fn value<V: TryGetable>(self, column: E::Column) -> Result<Option<V>, StoreError> {
        let row = self.tx.tx.query_one(self.select.select_only().column(column).as_query()).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// True if there is any row. EXISTS tells the planner that one row is enough.
    pub(crate) async fn exists(self) -> Result<bool, StoreError> {
        let rows = self.select.select_only().expr(Expr::Constant(1.into())).into_query();
        let row = self.tx.tx.query_one(Query::select().expr(Expr::exists(rows))).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false))
    }

    /// The condition that one of these rows has in `own` the value that the outer query's row has in `outer`.
    pub(crate) fn matching(self, own: E::Column, outer: impl ColumnTrait) -> Expr {
        use sea_orm::ExprTrait;
        let rows = self.select.select_only().expr(Expr::Constant(1.into()));
        Expr::exists(rows.filter(own.into_expr().equals(outer.as_column_ref())).into_query())
    }

    /// Number of different values of a column.
    pub(crate) async fn count_distinct(self, column: E::Column) -> Result<i64, StoreError> {
        let count = Func::count_distinct(column.into_expr());
        let row = self.tx.tx.query_one(self.select.select_only().expr(count).as_query()).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
    }
}
