//! Lists page by the id of the last row seen: the last page costs what the first costs.

use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use rollcall_core::ids::TenantId;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

/// Rows of a page when the client names no number, and at most.
pub const DEFAULT_LIMIT: u64 = 50;
pub const MAX_LIMIT: u64 = 200;

/// Which page.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    pub limit: u64,
    /// The last id of the page before.
    pub after: Option<Uuid>,
}

/// A page, and where the next one begins.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Uuid>,
}

impl PageRequest {
    /// Reads `limit` and `cursor` as a client sends them.
    ///
    /// # Errors
    /// Names the parameter and what it takes.
    pub fn parse(limit: Option<u64>, cursor: Option<&str>) -> Result<Self, StoreError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(StoreError::Invalid(format!("limit is 1 to {MAX_LIMIT}")));
        }
        let after = cursor.map(str::parse::<Uuid>).transpose();
        let after = after.map_err(|_| StoreError::Invalid("cursor is not one that this list gave".into()))?;
        Ok(Self { limit, after })
    }

    /// A select over one tenant's table that begins after the cursor; one row more than the page tells whether it ends.
    pub(crate) fn select(&self, table: &'static str, tenant: TenantId) -> SelectStatement {
        self.select_by(table, "id", tenant)
    }

    /// As [`select`](Self::select), of a table whose rows go by another table's id.
    pub(crate) fn select_by(&self, table: &'static str, id: &'static str, tenant: TenantId) -> SelectStatement {
        let mut query = Query::select();
        query.from(table).and_where(Expr::col((table, "tenant_id")).eq(tenant.0));
        if let Some(after) = self.after {
            query.and_where(Expr::col((table, id)).gt(after));
        }
        query.order_by((table, id), Order::Asc).limit(self.limit + 1).to_owned()
    }

    /// A page of rows that come from several places, each of which gave its first ones after the cursor, one row more
    /// than the page.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        items.sort_by_key(&id);
        let page = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > page;
        items.truncate(page);
        let next = if more { items.last().map(id) } else { None };
        Page { items, next }
    }

    pub(crate) async fn fetch<T: FromQueryResult>(
        &self,
        tx: TenantTx,
        query: SelectStatement,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Page<T>, StoreError> {
        let rows = tx.tx.query_all(&query).await?;
        let items: Vec<T> = rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?;
        Ok(self.cut(items, id))
    }
}
