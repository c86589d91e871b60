//! Writes of one table of one tenant. A write runs alone, or in a batch with its audit event
//! ([`Tx::batch`](crate::engine::connection::Tx::batch)).

use crate::engine::error::StoreError;
use crate::engine::row_sets::Write;
use crate::engine::transaction::TenantTx;
use crate::entity::{OneRowEntity, TenantEntity};
use sea_orm::sea_query::{
    DeleteStatement, Expr, InsertStatement, IntoCondition, Query, ReturningClause, UpdateStatement,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, Iterable, QueryTrait};
use std::marker::PhantomData;

/// One row to insert.
pub(crate) struct Insert<'tx> {
    tx: &'tx TenantTx,
    statement: InsertStatement,
}

/// A change of the tenant's rows that meet a condition.
pub(crate) struct Update<'tx, E> {
    tx: &'tx TenantTx,
    statement: UpdateStatement,
    entity: PhantomData<E>,
}

/// A deletion of the tenant's rows that meet a condition.
pub(crate) struct Delete<'tx, E> {
    tx: &'tx TenantTx,
    statement: DeleteStatement,
    entity: PhantomData<E>,
}

impl TenantTx {
    /// Adds a row of this tenant. Columns that are not set take their defaults; the tenant's column is set here.
    pub(crate) fn insert<A: ActiveModelTrait>(&self, mut row: A) -> Insert<'_>
    where
        A::Entity: TenantEntity,
    {
        row.set(A::Entity::TENANT, self.tenant.0.into());
        Insert { tx: self, statement: sea_orm::Insert::one(row).into_query() }
    }

    /// Changes the tenant's rows that meet the condition.
    pub(crate) fn update<E: TenantEntity>(&self, condition: impl IntoCondition) -> Update<'_, E> {
        let mut update = self.update_rows();
        update.statement.cond_where(condition.into_condition());
        update
    }

    /// Changes the tenant's own row of a table.
    pub(crate) fn update_own<E: OneRowEntity>(&self) -> Update<'_, E> {
        self.update_rows()
    }

    fn update_rows<E: TenantEntity>(&self) -> Update<'_, E> {
        let mut statement = Query::update();
        statement.table(E::default()).and_where(E::TENANT.eq(self.tenant.0));
        Update { tx: self, statement: statement.to_owned(), entity: PhantomData }
    }

    /// Deletes the tenant's rows that meet the condition.
    pub(crate) fn delete<E: TenantEntity>(&self, condition: impl IntoCondition) -> Delete<'_, E> {
        let mut statement = Query::delete();
        statement.from_table(E::default()).and_where(E::TENANT.eq(self.tenant.0));
        statement.cond_where(condition.into_condition());
        Delete { tx: self, statement: statement.to_owned(), entity: PhantomData }
    }
}

impl Insert<'_> {
    pub(crate) async fn exec(self) -> Result<(), StoreError> {
        self.tx.tx.execute(&self.statement).await?;
        Ok(())
    }
}

impl<E: TenantEntity> Update<'_, E> {
    pub(crate) fn set(mut self, column: E::Column, value: impl Into<Expr>) -> Self {
        self.statement.value(column, value);
        self
    }

    /// Returns the number of changed rows.
    pub(crate) async fn exec(self) -> Result<u64, StoreError> {
        Ok(self.tx.tx.execute(&self.statement).await?.rows_affected())
    }

    /// Returns the changed rows, as they are afterwards.
    pub(crate) async fn returning(mut self) -> Result<Vec<E::Row>, StoreError> {
        self.statement.returning(whole_row::<E>());
        let rows = self.tx.tx.query_all(&self.statement).await?;
        Ok(rows.iter().map(|row| E::Row::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }
}

impl<E: TenantEntity> Delete<'_, E> {
    /// Returns the number of deleted rows.
    pub(crate) async fn exec(self) -> Result<u64, StoreError> {
        Ok(self.tx.tx.execute(&self.statement).await?.rows_affected())
    }

    /// Returns the deleted rows.
    pub(crate) async fn returning(mut self) -> Result<Vec<E::Row>, StoreError> {
        self.statement.returning(whole_row::<E>());
        let rows = self.tx.tx.query_all(&self.statement).await?;
        Ok(rows.iter().map(|row| E::Row::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }
}

fn whole_row<E: EntityTrait>() -> ReturningClause {
    Query::returning().columns(E::Column::iter())
}

impl From<Insert<'_>> for Write {
    fn from(insert: Insert<'_>) -> Self {
        Self::Insert(insert.statement)
    }
}

impl<E> From<Update<'_, E>> for Write {
    fn from(update: Update<'_, E>) -> Self {
        Self::Update(update.statement)
    }
}
