//! A column of JSON that a reader only passes on. No tree is built of it, which would take more memory than its text.

use sea_orm::sqlx::types::Json;
use sea_orm::sqlx::{ColumnIndex, Database, Decode, Row, Type};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// JSON as the database has it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct StoredJson(Box<RawValue>);

impl StoredJson {
    /// As a tree, for a reader who looks into it.
    pub fn tree(&self) -> Value {
        // It was read as JSON.
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

impl TryGetable for StoredJson {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let value = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) => column(row, index.as_sqlx_postgres_index())?,
            (None, Some(row)) => column(row, index.as_sqlx_sqlite_index())?,
            (None, None) => return Err(DbErr::Custom("JSON is read from Postgres and SQLite".to_owned()).into()),
        };
        value.map(Self).ok_or_else(|| TryGetError::Null(format!("{index:?}")))
    }
}

fn column<R, I>(row: &R, index: I) -> Result<Option<Box<RawValue>>, DbErr>
where
    R: Row,
    I: ColumnIndex<R>,
    for<'r> Json<Box<RawValue>>: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    let value: Option<Json<Box<RawValue>>> = row.try_get(index).map_err(|error| DbErr::Type(error.to_string()))?;
    Ok(value.map(|Json(value)| value))
}
