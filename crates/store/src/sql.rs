//! Statements with a constant text on both engines.
//!
//! A text that does not vary is prepared once per connection; so lists of ids and rows travel as one JSON parameter,
//! read by `json_to_recordset` on Postgres and `json_each` on SQLite, whatever their number.

use crate::error::StoreError;
use crate::scope::Tx;
use sea_orm::sea_query::{
    CommonTableExpression, InsertStatement, Query, SubQueryStatement, UpdateStatement, Value, WithQuery,
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde::Serialize;

/// Rows sent in one statement at most: bounds the memory of a chunk and the time a statement holds its locks.
const ROWS_PER_STATEMENT: usize = 1000;

/// The type of a column in a row parameter.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    Uuid,
    Text,
    Int,
    Flag,
    Json,
    Time,
}

/// The columns of a row parameter; rows are serialised structs with these field names.
pub(crate) type Columns = &'static [(&'static str, Type)];

impl Tx {
    /// How a table joins the rows of a parameter: those few come first and the table is entered by its index. Postgres sees
    /// that by itself; SQLite keeps statistics of nothing here, and has this order as the meaning of CROSS JOIN.
    pub(crate) fn join(&self) -> &'static str {
        if self.is_postgres() { "JOIN" } else { "CROSS JOIN" }
    }

    /// `(SELECT …) AS r`: the rows of the JSON parameter `$1` as a relation.
    pub(crate) fn rows(&self, columns: Columns) -> String {
        let read = |(name, kind): &(&str, Type)| match (self.is_postgres(), kind) {
            (true, _) => format!("j.{name}"),
            (false, Type::Uuid) => format!("unhex(j.value->>'{name}', '-') AS {name}"),
            (false, Type::Json) => format!("nullif(j.value->'{name}', 'null') AS {name}"),
            (false, _) => format!("j.value->>'{name}' AS {name}"),
        };
        let select: Vec<String> = columns.iter().map(read).collect();
        let from = if self.is_postgres() {
            let declared = |(name, kind): &(&str, Type)| format!("{name} {}", postgres_type(*kind));
            let declared: Vec<String> = columns.iter().map(declared).collect();
            format!("json_to_recordset($1::json) AS j({})", declared.join(", "))
        } else {
            "json_each($1) AS j".to_owned()
        };
        format!("(SELECT {} FROM {from}) AS r", select.join(", "))
    }

    /// Inserts rows; `tail` is an ON CONFLICT clause or empty.
    pub(crate) async fn insert_rows<R: Serialize>(
        &self,
        table: &str,
        columns: Columns,
        rows: &[R],
        tail: &str,
    ) -> Result<u64, StoreError> {
        let sql = self.insert_sql(table, columns, tail);
        let mut inserted = 0;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            inserted += self.exec(&sql, [json_rows(chunk)?]).await?;
        }
        Ok(inserted)
    }

    /// Inserts rows and answers what `tail` (an ON CONFLICT clause with RETURNING) returns.
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
            returned.extend(self.all::<T, _>(&sql, [json_rows(chunk)?]).await?);
        }
        Ok(returned)
    }

    fn insert_sql(&self, table: &str, columns: Columns, tail: &str) -> String {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        // `WHERE true` keeps SQLite from reading ON CONFLICT as a join condition.
        format!("INSERT INTO {table} ({names}) SELECT {names} FROM {} WHERE true {tail}", self.rows(columns))
    }

    /// Updates rows by `(tenant_id, id)`; every other column is set.
    pub(crate) async fn update_rows<R: Serialize>(
        &self,
        table: &str,
        columns: Columns,
        rows: &[R],
    ) -> Result<u64, StoreError> {
        let is_key = |name: &str| name == "tenant_id" || name == "id";
        let set = columns.iter().filter(|(name, _)| !is_key(name)).map(|(name, _)| format!("{name} = r.{name}"));
        let set: Vec<String> = set.collect();
        let sql = format!(
            "UPDATE {table} SET {} FROM {} WHERE {table}.tenant_id = r.tenant_id AND {table}.id = r.id",
            set.join(", "),
            self.rows(columns)
        );
        let mut updated = 0;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            updated += self.exec(&sql, [json_rows(chunk)?]).await?;
        }
        Ok(updated)
    }

    /// An id made by the database, for rows that only it enumerates.
    pub(crate) fn random_id(&self) -> &'static str {
        if self.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" }
    }

    pub(crate) async fn exec<I>(&self, sql: &str, values: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Value>,
    {
        let statement = Statement::from_sql_and_values(self.get_database_backend(), sql, values);
        Ok(self.execute_raw(statement).await?.rows_affected())
    }

    pub(crate) async fn all<T: FromQueryResult, I>(&self, sql: &str, values: I) -> Result<Vec<T>, StoreError>
    where
        I: IntoIterator<Item = Value>,
    {
        let statement = Statement::from_sql_and_values(self.get_database_backend(), sql, values);
        let rows = self.query_all_raw(statement).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn one<T: FromQueryResult, I>(&self, sql: &str, values: I) -> Result<Option<T>, StoreError>
    where
        I: IntoIterator<Item = Value>,
    {
        let statement = Statement::from_sql_and_values(self.get_database_backend(), sql, values);
        let row = self.query_one_raw(statement).await?;
        Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
    }

    /// Runs writes that belong together: one round trip on Postgres (data-modifying CTEs), one after the other on
    /// SQLite, where a statement costs no round trip.
    pub(crate) async fn batch(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        if !self.is_postgres() {
            for write in writes {
                match write {
                    Write::Insert(insert) => self.execute(&insert).await?,
                    Write::Update(update) => self.execute(&update).await?,
                };
            }
            return Ok(());
        }
        let mut writes = writes;
        let Some(Write::Insert(last)) = writes.pop() else {
            return Err(StoreError::Database("a batch ends with an insert".into()));
        };
        if writes.is_empty() {
            self.execute(&last).await?;
            return Ok(());
        }
        let mut with = Query::with();
        for (number, write) in writes.into_iter().enumerate() {
            let query: SubQueryStatement = match write {
                Write::Insert(insert) => insert.into(),
                Write::Update(update) => update.into(),
            };
            with.cte(CommonTableExpression::new().query(query).table_name(format!("w{number}")).to_owned());
        }
        let statement: WithQuery = last.with(with.to_owned());
        self.execute(&statement).await?;
        Ok(())
    }
}

/// One write of a [`Tx::batch`].
pub(crate) enum Write {
    Insert(InsertStatement),
    Update(UpdateStatement),
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

/// Rows as the one parameter [`Tx::rows`] reads.
pub(crate) fn json_rows<R: Serialize>(rows: &[R]) -> Result<Value, StoreError> {
    let text = serde_json::to_string(rows).map_err(|e| StoreError::Invalid(e.to_string()))?;
    Ok(text.into())
}

fn postgres_type(kind: Type) -> &'static str {
    match kind {
        Type::Uuid => "uuid",
        Type::Text => "text",
        Type::Int => "bigint",
        Type::Flag => "boolean",
        Type::Json => "jsonb",
        Type::Time => "timestamptz",
    }
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

/// Instants as SQLite stores them through sqlx, so that rows written either way compare alike.
pub(crate) fn time_text<S: serde::Serializer>(at: &chrono::DateTime<chrono::Utc>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false))
}
