//! SCIM lists: filter, order and page in the database, over one source's live records.

use crate::directory::filter::Target;
use crate::directory::filter::cost::ListCost;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::{Pools, Store};
use crate::engine::engine_kind::EngineKind;
use crate::engine::error::StoreError;
use crate::engine::fragment::{Fragment, fragment};
use crate::engine::transaction::Turn;
use crate::scope::SourceScope;
use rollcall_core::budget::Budget;
use rollcall_scim::list::{Paging, Sort};
use rollcall_scim::{Filter, ResourceKind};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use std::time::Duration;
use uuid::Uuid;

/// Charged for each row before a page by `startIndex`, which the database walks over. It is charged before it is known how many there
/// are, or a caller who goes away would pay nothing.
const TIME_A_SKIPPED_ROW: Duration = Duration::from_micros(1);
/// Most rows that are charged.
const SKIPPED_MAX: u64 = 1_000_000;

/// The parts of a client's request for the database.
#[derive(Clone, Debug)]
pub struct ListRequest<'a> {
    pub kind: ResourceKind,
    pub filter: Option<&'a Filter>,
    pub sort: Option<&'a Sort>,
    pub paging: &'a Paging,
    /// Rows at most; 0 asks for the total alone.
    pub count: usize,
    /// Also reads a user's groups or a group's members.
    pub with_related: bool,
    /// Bytes of stored resources at most; a page that reaches them ends there.
    pub bytes_max: usize,
    /// The source's SCIM endpoint without a trailing slash: the prefix of `meta.location` and `$ref`, for filters on them.
    pub base: &'a str,
    /// The budget of the client's request.
    pub budget: &'a Budget,
}

/// One page and the total of the filter.
#[derive(Clone, Debug)]
pub struct ListPage<T> {
    pub items: Vec<T>,
    /// Only with index paging: a page after a cursor has no total (RFC 9865).
    pub total: Option<u64>,
    /// The last id of this page, after which the next one begins, with cursor paging.
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

/// The table that a list reads.
#[derive(Clone, Copy)]
pub(crate) struct ListedTable {
    pub(crate) name: &'static str,
    pub(crate) alias: &'static str,
    /// Columns of the alias.
    pub(crate) columns: &'static str,
}

/// A row with its id.
pub(crate) trait Identified {
    fn id(&self) -> Uuid;
}

impl ListRequest<'_> {
    /// One statement for a page, and one more for the total unless the page shows it. A list that no index serves is heavy work, and
    /// one more statement bounds the number of its records before.
    pub(crate) async fn fetch<T: FromQueryResult + Identified>(
        &self,
        store: &Store,
        scope: &SourceScope,
        table: ListedTable,
    ) -> Result<ListPage<T>, StoreError> {
        let cost = ListCost::of(self.kind, self.filter, self.sort);
        if cost == ListCost::Indexed {
            return self.fetch_now(store, scope, table).await;
        }
        let work = store.heavy(self.budget, HeavyKind::List).await?;
        let fetched = async {
            if let ListCost::PerRecord(cost) = cost {
                self.refuse_costly(store, scope, table, cost).await?;
            }
            self.fetch_now(store, scope, table).await
        };
        // Boxed, so that a look-up does not carry the state of this future.
        work.run(Box::pin(fetched)).await
    }

    /// # Errors
    /// [`StoreError::TooMuch`] when the source has more records than a list of this cost may read.
    async fn refuse_costly(
        &self,
        store: &Store,
        scope: &SourceScope,
        table: ListedTable,
        cost: u64,
    ) -> Result<(), StoreError> {
        let Some(records_max) = store.list_records_max(cost) else { return Ok(()) };
        let ListedTable { name, alias, .. } = table;
        let limit = records_max.saturating_add(1).to_string();
        let records = fragment!(
            "SELECT count(*) AS total FROM (SELECT 1 FROM {} {} WHERE {}.tenant_id = {} AND {}.source_id = {} \
             AND {}.deleted_at IS NULL LIMIT {}) AS counted",
            name,
            alias,
            alias,
            Fragment::tenant(),
            alias,
            Fragment::parameter(2),
            alias,
            limit
        );
        let turn = store.turn(&scope.scope).await?;
        let counted: Vec<Total> = store.read_single(&scope.scope, &turn, &records, [scope.source().0.into()]).await?;
        let counted = counted.first().map_or(0, |row| u64::try_from(row.total).unwrap_or(0));
        if counted <= records_max {
            return Ok(());
        }
        Err(StoreError::TooMuch(format!(
            "no index serves this list, and its terms and its order are too many for a source with more than {records_max} records: use \
             fewer terms, add `and` with userName, externalId, id, emails or a group's displayName, or page through the list without a \
             filter and sortBy"
        )))
    }

    async fn fetch_now<T: FromQueryResult + Identified>(
        &self,
        store: &Store,
        scope: &SourceScope,
        table: ListedTable,
    ) -> Result<ListPage<T>, StoreError> {
        let (alias, engine) = (table.alias, store.engine());
        let target = Target { kind: self.kind, engine, alias, base: self.base };
        // The first value is the tenant's, which the read sets.
        let mut values: Vec<Value> = vec![Value::Bool(None), scope.source().0.into()];
        let mut filter = fragment!(
            "{}.tenant_id = {} AND {}.source_id = {} AND {}.deleted_at IS NULL",
            alias,
            Fragment::tenant(),
            alias,
            Fragment::parameter(2),
            alias
        );
        if let Some(asked) = self.filter {
            filter.push(fragment!(" AND {}", target.condition(asked, &mut values)));
        }
        // SQLite would read by id to save the sort, rather than use the index that finds the few rows.
        let by_id = if engine == EngineKind::Sqlite && self.filter.is_some() { "+" } else { "" };
        let unfiltered = self.filter.is_none();
        let order = format!("{by_id}{alias}.id").into();
        let list = List { store, scope, table, filter, unfiltered, order, values, bytes_max: self.bytes_max };
        match self.paging {
            Paging::Index(start) if self.filter.is_some_and(|filter| target.finds_one(filter)) => {
                list.one(self.count > 0 && *start <= 1).await
            }
            Paging::Index(start) => {
                let order = self.sort.map(|sort| {
                    let direction = if sort.descending { "DESC" } else { "ASC" };
                    move |values: &mut _| fragment!("{} {}, {}.id", target.sort_key(&sort.by, values), direction, alias)
                });
                let skipped = start.saturating_sub(1);
                self.budget.spend_database_time(
                    TIME_A_SKIPPED_ROW * u32::try_from(skipped.min(SKIPPED_MAX)).unwrap_or(u32::MAX),
                );
                let _page = store.page_turn(&scope.scope).await?;
                list.page(self.count, skipped, order).await
            }
            Paging::Cursor(cursor) => {
                let _page = store.page_turn(&scope.scope).await?;
                list.after(self.count, cursor.as_deref()).await
            }
        }
    }
}

/// A list about to be read.
struct List<'l> {
    store: &'l Store,
    scope: &'l SourceScope,
    table: ListedTable,
    filter: Fragment,
    /// The client gave no filter.
    unfiltered: bool,
    order: Fragment,
    /// The filter's values; the first one is the tenant's.
    values: Vec<Value>,
    bytes_max: usize,
}

impl List<'_> {
    /// For a filter that finds at most one row: without order and bounds, so that a planner without statistics still uses the
    /// unique index.
    async fn one<T: FromQueryResult>(mut self, shown: bool) -> Result<ListPage<T>, StoreError> {
        let ListedTable { name, alias, columns } = self.table;
        let sql = fragment!("SELECT {} FROM {} {} WHERE {}", columns, name, alias, self.filter);
        let mut items: Vec<T> =
            self.store.read_batched(&self.scope.scope, sql.into(), self.values.split_off(1)).await?;
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
        sorted: Option<impl FnOnce(&mut Vec<Value>) -> Fragment>,
    ) -> Result<ListPage<T>, StoreError> {
        let turn = self.store.turn(&self.scope.scope).await?;
        if count == 0 {
            return Ok(ListPage { items: Vec::new(), total: Some(self.total(turn).await?), next: None });
        }
        let of_filter = self.values.len();
        // True if an index alone determines the skipped rows.
        let index_only = offset > 0 && self.unfiltered && sorted.is_none() && self.store.is_postgres();
        if let Some(sorted) = sorted {
            self.order = sorted(&mut self.values);
        }
        let mut bounds: Fragment = format!("LIMIT {count}").into();
        if offset > 0 {
            self.values.push(i64::try_from(offset).unwrap_or(i64::MAX).into());
            bounds.push(fragment!(" OFFSET {}", Fragment::parameter(self.values.len())));
        }
        let (items, cut) = self.read_page(&turn, &self.page_sql(&bounds, index_only)).await?;
        self.values.truncate(of_filter);
        // A page that is not full is the last one, unless it lies beyond it or ends for its size.
        let read = items.len() as u64;
        let is_last = !cut && items.len() < count && (offset == 0 || read > 0);
        let total = if is_last { offset + read } else { self.total(turn).await? };
        Ok(ListPage { items, total: Some(total), next: None })
    }

    /// The page first, then its columns, because Postgres would also read the related rows of every skipped one. The limit is
    /// part of the text: without its value, Postgres would take a page for a tenth of all rows, and walk them in order rather
    /// than use the index that finds the few. The offset is a parameter, because its texts would be many.
    fn page_sql(&self, bounds: &Fragment, index_only: bool) -> Fragment {
        let Self { table: ListedTable { name, alias, columns }, filter, order, .. } = self;
        let shown = if index_only { format!("{alias}.tenant_id, {alias}.id") } else { format!("{alias}.*") };
        let page =
            fragment!("(SELECT {} FROM {} {} WHERE {} ORDER BY {} {})", shown, name, alias, filter, order, bounds);
        let rows = if index_only {
            let of_page = format!(
                "CROSS JOIN LATERAL (SELECT {alias}.* FROM {name} {alias} \
                 WHERE {alias}.tenant_id = page.tenant_id AND {alias}.id = page.id OFFSET 0) AS {alias}"
            );
            fragment!("{} AS page {}", page, of_page)
        } else {
            fragment!("{} AS {}", page, alias)
        };
        fragment!("SELECT {} FROM {} ORDER BY {}", columns, rows, order)
    }

    async fn after<T: FromQueryResult + Identified>(
        mut self,
        count: usize,
        cursor: Option<&str>,
    ) -> Result<ListPage<T>, StoreError> {
        let ListedTable { name, alias, columns } = self.table;
        if let Some(cursor) = cursor {
            let after: Uuid =
                cursor.parse().map_err(|_| StoreError::Invalid("the cursor is not one of this list".into()))?;
            self.values.push(after.into());
            self.filter.push(fragment!(" AND {}.id > {}", alias, Fragment::parameter(self.values.len())));
        }
        let limit = (count.max(1) + 1).to_string();
        let sql = fragment!(
            "SELECT {} FROM {} {} WHERE {} ORDER BY {} LIMIT {}",
            columns,
            name,
            alias,
            self.filter,
            self.order,
            limit
        );
        let turn = self.store.turn(&self.scope.scope).await?;
        let (mut items, cut) = self.read_page::<T>(&turn, &sql).await?;
        let more = cut || items.len() > count;
        items.truncate(count);
        let next = if more { items.last().map(Identified::id) } else { None };
        Ok(ListPage { items, total: None, next })
    }

    async fn total(&self, turn: Turn) -> Result<u64, StoreError> {
        let ListedTable { name, alias, .. } = self.table;
        let sql = fragment!("SELECT count(*) AS total FROM {} {} WHERE {}", name, alias, self.filter);
        if self.unfiltered
            && let Pools::Postgres { reads, .. } = &self.store.pools
        {
            // The batch takes a slot of its own, for which those who hold one and wait for it would wait for ever.
            drop(turn);
            return reads.total(self.scope.tenant(), self.scope.source(), sql).await;
        }
        let rows: Vec<Total> = self.read(&turn, &sql).await?;
        Ok(rows.first().map_or(0, |row| u64::try_from(row.total).unwrap_or(0)))
    }

    /// The rows up to the bytes of a page, and whether there are more.
    async fn read_page<T: FromQueryResult>(&self, turn: &Turn, sql: &Fragment) -> Result<(Vec<T>, bool), StoreError> {
        let values = self.values.iter().skip(1).cloned();
        self.store.read_bounded(&self.scope.scope, turn, sql, values, self.bytes_max).await
    }

    async fn read<T: FromQueryResult>(&self, turn: &Turn, sql: &Fragment) -> Result<Vec<T>, StoreError> {
        self.store.read_single(&self.scope.scope, turn, sql, self.values.iter().skip(1).cloned()).await
    }
}
