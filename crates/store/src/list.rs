//! SCIM lists: filter, order and page in the database, over one source's live records.

use crate::error::StoreError;
use crate::filter::{Dialect, Target};
use crate::scope::TenantTx;
use rollcall_core::ids::SourceId;
use rollcall_scim::list::{Paging, Sort};
use rollcall_scim::{Filter, ResourceKind};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use uuid::Uuid;

/// What a client asked for, as far as the database is concerned.
#[derive(Clone, Debug)]
pub struct ListRequest<'a> {
    pub kind: ResourceKind,
    pub filter: Option<&'a Filter>,
    pub sort: Option<&'a Sort>,
    pub paging: &'a Paging,
    /// Rows at most; 0 asks for the total alone.
    pub count: usize,
    /// Read a user's groups or a group's members too.
    pub with_related: bool,
    /// The source's SCIM endpoint without a slash at the end: what `meta.location` and `$ref` begin with, for filters on them.
    pub base: &'a str,
}

/// One page and the total of the filter.
#[derive(Clone, Debug)]
pub struct ListPage<T> {
    pub items: Vec<T>,
    /// Only with index paging: with a cursor nobody counts (RFC 9865).
    pub total: Option<u64>,
    /// The id after which the next page begins, with cursor paging.
    pub next: Option<Uuid>,
}

impl<T> ListPage<T> {
    pub(crate) fn map<U>(self, convert: impl FnMut(T) -> U) -> ListPage<U> {
        ListPage { items: self.items.into_iter().map(convert).collect(), total: self.total, next: self.next }
    }
}

#[derive(FromQueryResult)]
struct Total {
    total: i64,
}

/// A row that knows its id.
pub(crate) trait Identified {
    fn id(&self) -> Uuid;
}

impl ListRequest<'_> {
    /// `from` names the table and its alias, which is its last word.
    pub(crate) async fn fetch<T: FromQueryResult + Identified>(
        &self,
        tx: &TenantTx,
        source: SourceId,
        from: &str,
        columns: &str,
    ) -> Result<ListPage<T>, StoreError> {
        let alias = from.split(' ').next_back().unwrap_or(from);
        let dialect = if tx.tx.is_postgres() { Dialect::Postgres } else { Dialect::Sqlite };
        let target = Target { kind: self.kind, dialect, alias, base: self.base };
        let mut values: Vec<Value> = vec![tx.tenant.0.into(), source.0.into()];
        let mut filter = format!("{alias}.tenant_id = $1 AND {alias}.source_id = $2 AND {alias}.deleted_at IS NULL");
        if let Some(asked) = self.filter {
            filter.push_str(&format!(" AND {}", target.condition(asked, &mut values)));
        }
        // SQLite would read by id to save the sort, rather than by the index that finds the few rows.
        let by_id = if dialect == Dialect::Sqlite && self.filter.is_some() { "+" } else { "" };
        let by_id = format!("{by_id}{alias}.id");
        match self.paging {
            Paging::Index(start) => {
                let total = total(tx, from, &filter, &values).await?;
                let offset = start.saturating_sub(1);
                if self.count == 0 || offset >= total {
                    return Ok(ListPage { items: Vec::new(), total: Some(total), next: None });
                }
                let order = match self.sort {
                    Some(sort) => {
                        let direction = if sort.descending { "DESC" } else { "ASC" };
                        format!("{} {direction}, {alias}.id", target.sort_key(&sort.by, &mut values))
                    }
                    None => by_id,
                };
                values.push(i64::try_from(self.count).unwrap_or(i64::MAX).into());
                let limit = values.len();
                values.push(i64::try_from(offset).unwrap_or(i64::MAX).into());
                // The page first, then its columns: Postgres would read the related rows of every skipped one as well.
                let sql = format!(
                    "SELECT {columns} FROM (SELECT {alias}.* FROM {from} WHERE {filter} ORDER BY {order} \
                     LIMIT ${limit} OFFSET ${}) AS {alias} ORDER BY {order}",
                    limit + 1
                );
                Ok(ListPage { items: tx.tx.all(&sql, values).await?, total: Some(total), next: None })
            }
            Paging::Cursor(cursor) => {
                self.fetch_after(tx, from, columns, (filter, by_id), values, cursor.as_deref()).await
            }
        }
    }

    async fn fetch_after<T: FromQueryResult + Identified>(
        &self,
        tx: &TenantTx,
        from: &str,
        columns: &str,
        (mut filter, by_id): (String, String),
        mut values: Vec<Value>,
        cursor: Option<&str>,
    ) -> Result<ListPage<T>, StoreError> {
        let alias = from.split(' ').next_back().unwrap_or(from);
        if let Some(cursor) = cursor {
            let after: Uuid =
                cursor.parse().map_err(|_| StoreError::Invalid("the cursor is not one of this list".into()))?;
            values.push(after.into());
            filter.push_str(&format!(" AND {alias}.id > ${}", values.len()));
        }
        let sql =
            format!("SELECT {columns} FROM {from} WHERE {filter} ORDER BY {by_id} LIMIT {}", self.count.max(1) + 1);
        let mut items: Vec<T> = tx.tx.all(&sql, values).await?;
        let more = items.len() > self.count;
        items.truncate(self.count);
        let next = if more { items.last().map(Identified::id) } else { None };
        Ok(ListPage { items, total: None, next })
    }
}

async fn total(tx: &TenantTx, from: &str, filter: &str, values: &[Value]) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) AS total FROM {from} WHERE {filter}");
    let row: Option<Total> = tx.tx.one(&sql, values.to_vec()).await?;
    Ok(row.map_or(0, |row| u64::try_from(row.total).unwrap_or(0)))
}
