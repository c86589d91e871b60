//! Rows as parameters, so that a statement's text does not depend on their number and is prepared once per connection.
//!
//! Lists of ids and rows are one JSON parameter, read by `json_to_recordset` on Postgres and `json_each` on SQLite. Rows to be
//! written are one array per column on Postgres, because there reading JSON costs more than writing the rows.

use crate::engine::columns::postgres_type;
use crate::engine::columns::row_set;
pub(crate) use crate::engine::columns::{Columns, Type};
use crate::engine::connection::{Bound, Texts, Tx};
use crate::engine::engine_kind::{EngineKind, random_id};
use crate::engine::error::StoreError;
use crate::engine::position::{OF_THIS_WRITE, is_listed};
use crate::engine::write_context::Row;
use sea_orm::sea_query::{
    CommonTableExpression, InsertStatement, Query, SubQueryStatement, UpdateStatement, Value, WithQuery,
};
use sea_orm::{DbBackend, FromQueryResult, Statement};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Most rows of one statement: bounds the memory of a chunk and the time that a statement holds its row locks.
const ROWS_PER_STATEMENT: usize = 500;

impl Tx {
    /// Joins a table to the rows of a parameter; see `{join}` in [`crate::engine::sql`].
    pub(crate) fn join(&self) -> &'static str {
        if self.is_postgres() { "JOIN" } else { "CROSS JOIN" }
    }

    /// `(SELECT …) AS r`: the rows of the JSON parameter `$1` as a relation; see [`row_set`].
    pub(crate) fn rows(&self, columns: Columns) -> String {
        self.rows_of(1, columns)
    }

    /// As [`rows`](Self::rows), for the parameter with this number.
    pub(crate) fn rows_of(&self, parameter: u8, columns: Columns) -> String {
        row_set(self.engine(), parameter.into(), columns).numbered()
    }

    /// Inserts rows; `tail` is an ON CONFLICT clause or empty.
    pub(crate) async fn insert_rows<R: Serialize>(
        &self,
        table: &str,
        columns: Columns,
        rows: &[R],
        tail: &str,
    ) -> Result<u64, StoreError> {
        self.write_rows(&self.insert_sql(table, columns, tail), columns, rows).await
    }

    /// Inserts rows and returns the rows of `tail` (an ON CONFLICT clause with RETURNING).
    pub(crate) async fn insert_rows_returning<R: Serialize, T: FromQueryResult>(
        &self,
        table: &str,
        columns: Columns,
        rows: &[R],
        tail: &str,
    ) -> Result<Vec<T>, StoreError> {
        let sql = self.insert_sql(table, columns, tail);
        let mut returned = Vec::new();
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let found = match self.parameters(columns, chunk)? {
                Parameters::Columns(texts) => self.query_columns(&sql, texts).await?,
                Parameters::Json(rows) => self.query_all_raw(self.statement(&sql, [rows])).await?,
            };
            for row in found {
                returned.push(T::from_query_result(&row, "")?);
            }
        }
        Ok(returned)
    }

    fn insert_sql(&self, table: &str, columns: Columns, tail: &str) -> String {
        let names = names_of(columns).join(", ");
        let (position, value) = match self.engine() {
            EngineKind::Sqlite if is_listed(table) => (", position", format!(", {OF_THIS_WRITE}")),
            _ => ("", String::new()),
        };
        // `WHERE true` keeps SQLite from reading ON CONFLICT as a join condition.
        format!(
            "INSERT INTO {table} ({names}{position}) SELECT {names}{value} FROM {} WHERE true {tail}",
            self.written_rows(columns)
        )
    }

    /// `(SELECT …) AS r`: the rows to be written; on Postgres `$1` is the first column, `$2` the second, and so on.
    fn written_rows(&self, columns: Columns) -> String {
        if !self.is_postgres() {
            return self.rows(columns);
        }
        let names = names_of(columns);
        let cast = |(name, kind): &(&str, Type)| format!("j.{name}::{} AS {name}", postgres_type(*kind));
        let select: Vec<String> = columns.iter().map(cast).collect();
        let arrays: Vec<String> = (1..=columns.len()).map(|place| format!("${place}::text[]")).collect();
        format!("(SELECT {} FROM unnest({}) AS j({})) AS r", select.join(", "), arrays.join(", "), names.join(", "))
    }

    fn parameters<R: Serialize>(&self, columns: Columns, rows: &[R]) -> Result<Parameters, StoreError> {
        Ok(if self.is_postgres() {
            Parameters::Columns(texts(columns, rows)?)
        } else {
            Parameters::Json(json_rows(rows)?)
        })
    }

    /// Runs a statement over [`written_rows`](Self::written_rows), a part of the rows at a time. The next part is serialised while
    /// the database works on one.
    async fn write_rows<R: Serialize>(&self, sql: &str, columns: Columns, rows: &[R]) -> Result<u64, StoreError> {
        let mut parts = rows.chunks(ROWS_PER_STATEMENT).map(|part| self.parameters(columns, part));
        let mut next = parts.next().transpose()?;
        let mut written = 0;
        while let Some(part) = next {
            let (done, following) = tokio::join!(self.run_part(sql, part), async { parts.next().transpose() });
            written += done?;
            next = following?;
        }
        Ok(written)
    }

    async fn run_part(&self, sql: &str, part: Parameters) -> Result<u64, StoreError> {
        match part {
            Parameters::Columns(texts) => Ok(self.execute_columns(sql, texts).await?.rows_affected()),
            Parameters::Json(rows) => self.exec(sql, [rows]).await,
        }
    }

    /// Updates rows by `(tenant_id, id)`; every other column is set. A column `was_x` makes it an optimistic update: a row whose
    /// `x` is another one by now stays as it is and is not counted.
    pub(crate) async fn update_rows<R: Serialize>(
        &self,
        table: &str,
        columns: Columns,
        rows: &[R],
    ) -> Result<u64, StoreError> {
        let (mut set, mut still) = (Vec::new(), String::new());
        for (name, _) in columns.iter().filter(|(name, _)| !["tenant_id", "id"].contains(name)) {
            match name.strip_prefix("was_") {
                Some(column) => still += &format!(" AND {table}.{column} IS NOT DISTINCT FROM r.{name}"),
                None => set.push(format!("{name} = r.{name}")),
            }
        }
        let sql = format!(
            "UPDATE {table} SET {} FROM {} WHERE {table}.tenant_id = r.tenant_id AND {table}.id = r.id{still}",
            set.join(", "),
            self.written_rows(columns)
        );
        self.write_rows(&sql, columns, rows).await
    }

    /// An id made by the database, for rows that only it enumerates.
    pub(crate) fn random_id(&self) -> &'static str {
        random_id(self.engine())
    }

    pub(crate) async fn exec<I>(&self, sql: &str, values: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Value>,
    {
        Ok(self.execute_raw(self.statement(sql, values)).await?.rows_affected())
    }

    pub(crate) async fn all<T: FromQueryResult, I>(&self, sql: &str, values: I) -> Result<Vec<T>, StoreError>
    where
        I: IntoIterator<Item = Value>,
    {
        let statement = self.statement(sql, values);
        let rows = self.query_all_raw(statement).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn one<T: FromQueryResult, I>(&self, sql: &str, values: I) -> Result<Option<T>, StoreError>
    where
        I: IntoIterator<Item = Value>,
    {
        let statement = self.statement(sql, values);
        let row = self.query_one_raw(statement).await?;
        Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
    }

    /// The rows of a statement up to a bound, and whether there are more. After a read that ended early this connection takes no further
    /// statement.
    pub(crate) async fn bounded<T: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
        bound: Bound,
    ) -> Result<(Vec<T>, bool), StoreError> {
        let read = self.query_bounded(self.statement(sql, values), bound).await?;
        let rows = read.found.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?;
        Ok((rows, read.cut))
    }

    /// Runs a batch of writes in one round trip: data-modifying CTEs on Postgres, one after the other on SQLite.
    pub(crate) async fn batch(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        if !self.is_postgres() {
            self.execute_raw(script(writes)).await?;
            return Ok(());
        }
        let mut writes = writes;
        let last = match writes.pop() {
            Some(Write::Row(row)) => row.insert(EngineKind::Postgres),
            Some(Write::Insert(insert)) => insert,
            Some(Write::Update(_)) | None => return Err(StoreError::database("a batch ends with an insert")),
        };
        if writes.is_empty() {
            self.execute(&last).await?;
            return Ok(());
        }
        let mut with = Query::with().to_owned();
        for (number, write) in writes.into_iter().enumerate() {
            let query: SubQueryStatement = match write {
                Write::Row(row) => row.insert(EngineKind::Postgres).into(),
                Write::Insert(insert) => insert.into(),
                Write::Update(update) => update.into(),
            };
            with.cte(CommonTableExpression::new().query(query).table_name(format!("w{number}")).to_owned());
        }
        let statement: WithQuery = last.with(with);
        self.execute(&statement).await?;
        Ok(())
    }
}

/// Writes as one script of SQLite, because each call costs a switch to the engine's thread and back.
pub(super) fn script(writes: Vec<Write>) -> Statement {
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for write in writes {
        let Statement { sql, values: more, .. } = match write {
            Write::Row(row) => DbBackend::Sqlite.build(&row.insert(EngineKind::Sqlite)),
            Write::Insert(insert) => DbBackend::Sqlite.build(&insert),
            Write::Update(update) => DbBackend::Sqlite.build(&update),
        };
        texts.push(sql);
        values.extend(more.map(|values| values.0).unwrap_or_default());
    }
    Statement::from_sql_and_values(DbBackend::Sqlite, texts.join("; "), values)
}

/// Rows as the parameters of one engine.
enum Parameters {
    Columns(Texts),
    Json(Value),
}

/// One write of a [`Tx::batch`].
pub(crate) enum Write {
    Row(Row),
    Insert(InsertStatement),
    Update(UpdateStatement),
}

impl From<Row> for Write {
    fn from(row: Row) -> Self {
        Self::Row(row)
    }
}

impl From<InsertStatement> for Write {
    fn from(insert: InsertStatement) -> Self {
        Self::Insert(insert)
    }
}

impl From<UpdateStatement> for Write {
    fn from(update: UpdateStatement) -> Self {
        Self::Update(update)
    }
}

pub(crate) fn names_of(columns: Columns) -> Vec<&'static str> {
    columns.iter().map(|(name, _)| *name).collect()
}

/// Rows as the one parameter [`Tx::rows`] reads.
pub(crate) fn json_rows<R: Serialize>(rows: &[R]) -> Result<Value, StoreError> {
    let text = serde_json::to_string(rows).map_err(|e| StoreError::Invalid(e.to_string()))?;
    Ok(text.into())
}

/// Rows as one array of texts per column, in the columns' order.
fn texts<R: Serialize>(columns: Columns, rows: &[R]) -> Result<Texts, StoreError> {
    let mut texts: Texts = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    let invalid = |e: serde_json::Error| StoreError::Invalid(e.to_string());
    let mut json = Vec::new();
    for row in rows {
        json.clear();
        serde_json::to_writer(&mut json, row).map_err(invalid)?;
        let fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(&json).map_err(invalid)?;
        for (column, (name, kind)) in texts.iter_mut().zip(columns) {
            column.push(match (fields.get(name).map(|field| field.get()), kind) {
                (None | Some("null"), _) => None,
                (Some(text), Type::Uuid | Type::Text | Type::Time) => serde_json::from_str(text).map_err(invalid)?,
                (Some(text), Type::Int | Type::Flag | Type::Json) => Some(text.to_owned()),
            });
        }
    }
    Ok(texts)
}

/// A row of one id.
#[derive(Serialize)]
pub(crate) struct IdRow {
    pub(crate) id: uuid::Uuid,
}

pub(crate) const ID: Columns = &[("id", Type::Uuid)];

/// A row of one text.
#[derive(Serialize)]
pub(crate) struct TextRow<'a> {
    pub(crate) text: &'a str,
}

pub(crate) const TEXT: Columns = &[("text", Type::Text)];

/// The ids, as the parameter of [`ID`].
pub(crate) fn id_rows(ids: impl IntoIterator<Item = uuid::Uuid>) -> Result<Value, StoreError> {
    json_rows(&ids.into_iter().map(|id| IdRow { id }).collect::<Vec<_>>())
}

/// As [`time_text`], for an optional instant.
pub(crate) fn time_text_null<S: serde::Serializer>(
    at: &Option<chrono::DateTime<chrono::Utc>>,
    s: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time_text(at, s),
        None => s.serialize_none(),
    }
}

/// Instants in the format of sqlx for SQLite, so that rows written either way compare alike.
pub(crate) fn time_text<S: serde::Serializer>(at: &chrono::DateTime<chrono::Utc>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false))
}
