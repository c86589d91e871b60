//! SCIM lists: filter, order and page in the database, over one source's live records.

use crate::directory::filter::{Dialect, Target};
use crate::engine::connect::{Pools, Store};
use crate::engine::error::StoreError;
use crate::scope::SourceScope;
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
    /// `from` names the table and its alias, which is its last word. One statement for a page, and one more for the total
    /// where the page does not tell it.
    pub(crate) async fn fetch<T: FromQueryResult + Identified>(
        &self,
        store: &Store,
        scope: &SourceScope,
        from: &str,
        columns: &str,
    ) -> Result<ListPage<T>, StoreError> {
        let alias = from.split(' ').next_back().unwrap_or(from);
        let dialect = if store.is_postgres() { Dialect::Postgres } else { Dialect::Sqlite };
        let target = Target { kind: self.kind, dialect, alias, base: self.base };
        // The first one is the tenant, which `read_single` gives.
        let mut values: Vec<Value> = vec![Value::Bool(None), scope.source().0.into()];
        let mut filter =
            format!("{alias}.tenant_id = {{tenant}} AND {alias}.source_id = $2 AND {alias}.deleted_at IS NULL");
        if let Some(asked) = self.filter {
            filter.push_str(&format!(" AND {}", target.condition(asked, &mut values)));
        }
        // SQLite would read by id to save the sort, rather than by the index that finds the few rows.
        let by_id = if dialect == Dialect::Sqlite && self.filter.is_some() { "+" } else { "" };
        let plain = self.filter.is_none();
        let list = List { store, scope, from, columns, filter, plain, order: format!("{by_id}{alias}.id"), values };
        match self.paging {
            Paging::Index(start) if self.filter.is_some_and(|filter| target.finds_one(filter)) => {
                list.one(self.count > 0 && *start <= 1).await
            }
            Paging::Index(start) => {
                let order = self.sort.map(|sort| {
                    let direction = if sort.descending { "DESC" } else { "ASC" };
                    move |values: &mut _| format!("{} {direction}, {alias}.id", target.sort_key(&sort.by, values))
                });
                list.page(self.count, start.saturating_sub(1), order).await
            }
            Paging::Cursor(cursor) => list.after(self.count, cursor.as_deref()).await,
        }
    }
}

/// A list about to be read.
struct List<'l> {
    store: &'l Store,
    scope: &'l SourceScope,
    from: &'l str,
    columns: &'l str,
    filter: String,
    /// Nobody asked for anything but what is there.
    plain: bool,
    order: String,
    /// Of the filter, the tenant's place included.
    values: Vec<Value>,
}

impl List<'_> {
    /// Of a filter that finds one at most: no order and no bounds, so that nothing leads a planner without statistics away
    /// from the unique index.
    async fn one<T: FromQueryResult>(mut self, shown: bool) -> Result<ListPage<T>, StoreError> {
        let sql = format!("SELECT {} FROM {} WHERE {}", self.columns, self.from, self.filter);
        let mut items: Vec<T> = self.store.read_batched(&self.scope.scope, sql, self.values.split_off(1)).await?;
        let total = items.len() as u64;
        if !shown {
            items.clear();
        }
        Ok(ListPage { items, total: Some(total), next: None })
    }

    async fn page<T: FromQueryResult>(
        mut self,
        count: usize,
        offset: u64,
        sorted: Option<impl FnOnce(&mut Vec<Value>) -> String>,
    ) -> Result<ListPage<T>, StoreError> {
        if count == 0 {
            return Ok(ListPage { items: Vec::new(), total: Some(self.total().await?), next: None });
        }
        let of_filter = self.values.len();
        // Whether an index alone tells which rows are skipped.
        let walked = offset > 0 && self.plain && sorted.is_none() && self.store.is_postgres();
        if let Some(sorted) = sorted {
            self.order = sorted(&mut self.values);
        }
        let mut bounds = format!("LIMIT {count}");
        if offset > 0 {
            self.values.push(i64::try_from(offset).unwrap_or(i64::MAX).into());
            bounds.push_str(&format!(" OFFSET ${}", self.values.len()));
        }
        let Self { from, columns, filter, order, .. } = &self;
        let alias = from.split(' ').next_back().unwrap_or(from);
        // The page first, then its columns: Postgres would read the related rows of every skipped one as well, and here the
        // skipped ones themselves. The bounds are no parameters where they can be few texts: not knowing them, Postgres would
        // take a page for a tenth of all, and walk it in order rather than enter by the index that finds the few rows.
        let shown = if walked { format!("{alias}.tenant_id, {alias}.id") } else { format!("{alias}.*") };
        let page = format!("(SELECT {shown} FROM {from} WHERE {filter} ORDER BY {order} {bounds})");
        let page = if walked {
            format!(
                "{page} AS page CROSS JOIN LATERAL (SELECT {alias}.* FROM {from} \
                 WHERE {alias}.tenant_id = page.tenant_id AND {alias}.id = page.id OFFSET 0) AS {alias}"
            )
        } else {
            format!("{page} AS {alias}")
        };
        let sql = format!("SELECT {columns} FROM {page} ORDER BY {order}");
        let items: Vec<T> = self.read(&sql).await?;
        self.values.truncate(of_filter);
        // A page that is not full is the last one, unless it lies beyond it.
        let read = items.len() as u64;
        let is_last = items.len() < count && (offset == 0 || read > 0);
        let total = if is_last { offset + read } else { self.total().await? };
        Ok(ListPage { items, total: Some(total), next: None })
    }

    async fn after<T: FromQueryResult + Identified>(
        mut self,
        count: usize,
        cursor: Option<&str>,
    ) -> Result<ListPage<T>, StoreError> {
        let alias = self.from.split(' ').next_back().unwrap_or(self.from);
        if let Some(cursor) = cursor {
            let after: Uuid =
                cursor.parse().map_err(|_| StoreError::Invalid("the cursor is not one of this list".into()))?;
            self.values.push(after.into());
            self.filter.push_str(&format!(" AND {alias}.id > ${}", self.values.len()));
        }
        let Self { from, columns, filter, order, .. } = &self;
        let sql = format!("SELECT {columns} FROM {from} WHERE {filter} ORDER BY {order} LIMIT {}", count.max(1) + 1);
        let mut items: Vec<T> = self.read(&sql).await?;
        let more = items.len() > count;
        items.truncate(count);
        let next = if more { items.last().map(Identified::id) } else { None };
        Ok(ListPage { items, total: None, next })
    }

    async fn total(&self) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) AS total FROM {} WHERE {}", self.from, self.filter);
        if self.plain
            && let Pools::Postgres { reads, .. } = &self.store.pools
        {
            return reads.total(self.scope.tenant(), self.scope.source(), sql).await;
        }
        let rows: Vec<Total> = self.read(&sql).await?;
        Ok(rows.first().map_or(0, |row| u64::try_from(row.total).unwrap_or(0)))
    }

    async fn read<T: FromQueryResult>(&self, sql: &str) -> Result<Vec<T>, StoreError> {
        self.store.read_single(&self.scope.scope, sql, self.values.iter().skip(1).cloned()).await
    }
}
