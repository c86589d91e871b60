//! Pages of one table of one tenant, in the order of positions. Every list of rows is read here; the rule is in
//! [`crate::engine::position`].

use crate::engine::error::StoreError;
use crate::engine::page::{ListName, ListOrder, PAGE_BYTES, Page, PageRequest, RowPlace, Rows};
use crate::engine::position::{END, END_ON_SQLITE};
use crate::engine::transaction::TenantTx;
use crate::entity::TenantEntity;
use crate::entity::find::Find;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Value};
use sea_orm::{ColumnTrait, FromQueryResult, IdenStatic, PartialModelTrait, QueryResult, QuerySelect, QueryTrait};
use std::fmt::Display;
use uuid::Uuid;

/// The times of rows differ from the order of their positions by no more than this: a transaction lasts some seconds at most, and
/// the clocks of hosts differ little.
const DISORDER: TimeDelta = TimeDelta::minutes(10);

/// A table whose rows have positions.
pub(crate) trait ListedEntity: TenantEntity {
    const POSITION: Self::Column;
    /// Orders the rows of one position.
    const KEY: Self::Column;
    /// The time that `since` and `until` are about.
    const TIME: Self::Column;
}

macro_rules! listed {
    ($($table:ident by $key:ident at $time:ident),+ $(,)?) => {
        $(impl ListedEntity for crate::entity::$table::Entity {
            const POSITION: Self::Column = crate::entity::$table::Column::Position;
            const KEY: Self::Column = crate::entity::$table::Column::$key;
            const TIME: Self::Column = crate::entity::$table::Column::$time;
        })+
    };
}

listed! {
    audit_events by Id at At,
    credentials by Id at CreatedAt,
    disputes by SubjectId at Since,
    logged_requests by Id at At,
    members by Id at CreatedAt,
    rejected_requests by Id at At,
    runs by Id at CreatedAt,
    sharing_group_members by MemberId at JoinedAt,
    sharing_groups by Id at CreatedAt,
    sources by Id at CreatedAt,
}

/// How a list is read.
pub(crate) struct RowList<E: ListedEntity> {
    /// The name of the list, with its parent and filters. Cursors depend on it, so a filter that is not set is not in it.
    name: String,
    /// The rows of one parent; the index begins with it.
    parent: Option<(E::Column, Uuid)>,
    /// No index finds the filtered rows. The end of such a list is followed from where the search ended.
    searched: bool,
    /// A look-up of few rows, which nobody follows: rows are shown as soon as they are committed.
    at_once: bool,
}

impl<E: ListedEntity> RowList<E> {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), parent: None, searched: false, at_once: false }
    }

    /// The rows of a parent.
    pub(crate) fn of(mut self, column: E::Column, id: Uuid) -> Self {
        self.name += &format!(" of {id}");
        self.parent = Some((column, id));
        self
    }

    pub(crate) fn name(&self) -> ListName {
        ListName::of(&self.name)
    }

    /// A filter that an index serves.
    pub(crate) fn filtered(mut self, filter: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.name += &format!(" {filter}={value}");
        }
        self
    }

    /// A filter that no index serves.
    pub(crate) fn searched(mut self, filter: &str, value: Option<impl Display>) -> Self {
        self.searched |= value.is_some();
        self.filtered(filter, value)
    }

    /// As [`filtered`](Self::filtered), for a filter that leaves a few rows.
    pub(crate) fn looked_up(mut self, filter: &str, value: Option<impl Display>) -> Self {
        self.at_once |= value.is_some();
        self.filtered(filter, value)
    }
}

impl<E: ListedEntity> Find<'_, E> {
    /// One page. When it ends for its size, the transaction takes no further statement.
    pub(crate) async fn page<T: PartialModelTrait>(
        self,
        request: &PageRequest,
        list: RowList<E>,
    ) -> Result<Page<T>, StoreError> {
        let name = list.name();
        Ok(request.cut(name, self.rows(request, list).await?))
    }

    /// The rows of one page, and one more: it tells whether the list ends.
    pub(crate) async fn rows<T: PartialModelTrait>(
        mut self,
        request: &PageRequest,
        list: RowList<E>,
    ) -> Result<Rows<T>, StoreError> {
        let after = request.place_in(list.name())?;
        if let Some((column, id)) = list.parent {
            self = self.filter(column.eq(id));
        }
        self = self.within(request, after.is_some(), &list).await?;
        // The end is read before the rows: all below it can be seen by then.
        let follows = request.order == ListOrder::Ascending && !list.at_once;
        let end = if follows && list.searched { Some(self.tx.list_end().await?) } else { None };
        match end {
            Some(end) => self = self.filter(E::POSITION.lt(end)),
            None if follows && self.tx.tx.is_postgres() => {
                self = self.filter(E::POSITION.into_expr().lt(Expr::cust(END)));
            }
            None => {}
        }
        let (found, cut) = self.in_order(request, after).all_with_place::<T>().await?;
        Ok(Rows { found, cut, examined: end.map(RowPlace::before) })
    }

    /// The first rows after a place.
    fn in_order(mut self, request: &PageRequest, after: Option<RowPlace>) -> Self {
        let place = || Expr::tuple([E::POSITION.into_expr(), E::KEY.into_expr()]);
        if let Some(RowPlace { position, id }) = after {
            let after = Expr::tuple([Expr::value(position), Expr::value(id)]);
            self = self.filter(match request.order {
                ListOrder::Ascending => place().gt(after),
                ListOrder::Descending => place().lt(after),
            });
        }
        let ordered = match request.order {
            ListOrder::Ascending => self.ascending(E::POSITION).ascending(E::KEY),
            ListOrder::Descending => self.descending(E::POSITION).descending(E::KEY),
        };
        ordered.limit(request.limit + 1)
    }

    /// The rows up to the bytes of a page, each with its place, and whether there are more.
    async fn all_with_place<T: PartialModelTrait>(self) -> Result<(Vec<(RowPlace, T)>, bool), StoreError> {
        let select = T::select_cols(self.select.select_only());
        let select = select.column_as(E::POSITION, "list_position").column_as(E::KEY, "list_key");
        let rows = self.tx.tx.query_up_to(select.as_query(), PAGE_BYTES).await?;
        let read = |row: &QueryResult| {
            let place = RowPlace { position: row.try_get("", "list_position")?, id: row.try_get("", "list_key")? };
            Ok((place, T::from_query_result(row, "")?))
        };
        Ok((rows.found.iter().map(read).collect::<Result<_, StoreError>>()?, rows.cut))
    }

    /// The rows of a time. Positions bound it too, so that no row outside of it is read, but for those of [`DISORDER`].
    async fn within(mut self, request: &PageRequest, goes_on: bool, list: &RowList<E>) -> Result<Self, StoreError> {
        // A cursor bounds the side from which the list is read.
        let (is_first, is_last) = match request.order {
            ListOrder::Ascending => (!goes_on, true),
            ListOrder::Descending => (true, !goes_on),
        };
        if let Some(since) = request.since {
            self = self.filter(E::TIME.gte(since));
            if is_first {
                let first = self.tx.first_position_at::<E>(list, since - DISORDER).await?;
                self = self.filter(E::POSITION.gte(first));
            }
        }
        if let Some(until) = request.until {
            self = self.filter(E::TIME.lt(until).or(E::TIME.is_null()));
            if is_last {
                let first = self.tx.first_position_at::<E>(list, until + DISORDER).await?;
                self = self.filter(E::POSITION.lt(first));
            }
        }
        Ok(self)
    }
}

#[derive(FromQueryResult)]
struct PositionRow {
    position: i64,
}

/// A binary search for the first position of rows of the time `$2` and later ones, if times grow with positions: about forty probes of an
/// index. `rows` is a FROM with a condition on `t`.
pub(crate) fn first_position_sql(rows: &str, time: &str) -> String {
    let middle = "(s.low + s.high) / 2";
    let is_before = format!(
        "coalesce((SELECT coalesce(t.{time} < $2, true) {rows} AND t.position >= {middle} ORDER BY t.position LIMIT 1), false)"
    );
    format!(
        "WITH RECURSIVE s(low, high) AS ( \
           SELECT CAST(0 AS bigint), CAST(coalesce((SELECT t.position + 1 {rows} ORDER BY t.position DESC LIMIT 1), 0) AS bigint) \
           UNION ALL SELECT CASE WHEN {is_before} THEN {middle} + 1 ELSE s.low END, \
             CASE WHEN {is_before} THEN s.high ELSE {middle} END FROM s WHERE s.low < s.high) \
         SELECT max(s.low) AS position FROM s"
    )
}

impl TenantTx {
    /// The position below which every list is complete.
    pub(crate) async fn list_end(&self) -> Result<i64, StoreError> {
        let end = if self.tx.is_postgres() { END } else { END_ON_SQLITE };
        self.position(&format!("SELECT {end} AS position"), []).await
    }

    /// The first position of rows of this time and later ones; see [`first_position_sql`].
    async fn first_position_at<E: ListedEntity>(
        &self,
        list: &RowList<E>,
        at: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let (table, time) = (E::default().table_name().to_owned(), E::TIME.as_str());
        let mut rows = format!("FROM {table} t WHERE t.tenant_id = $1");
        let mut values: Vec<Value> = vec![self.tenant.0.into(), at.into()];
        if let Some((column, id)) = list.parent {
            rows += &format!(" AND t.{} = $3", column.as_str());
            values.push(id.into());
        }
        let sql = first_position_sql(&rows, time);
        self.position(&sql, values).await
    }

    async fn position(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<i64, StoreError> {
        let row: Option<PositionRow> = self.tx.one(sql, values).await?;
        Ok(row.ok_or_else(|| StoreError::database("no position"))?.position)
    }
}
