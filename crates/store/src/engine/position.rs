//! The place of a row in its list: `position`, which grows in commit order (decision 0054). Migration 30 makes it.
//!
//! On Postgres it is the number of the writing transaction. A row is shown to readers who go on later only when no transaction
//! with a lower number is open ([`END`]), so that nothing appears behind a cursor. On SQLite it is a counter that each write
//! transaction raises as it begins ([`BEGIN_WRITE`]).

use crate::engine::error::StoreError;
use rollcall_migrations::SYSTEM_ROLE;
use sea_orm::sqlx::{self, AssertSqlSafe, PgConnection, Row};

/// Tables with positions.
pub(crate) const LISTED: [&str; 10] = [
    "audit_events",
    "logged_requests",
    "rejected_requests",
    "members",
    "sharing_groups",
    "sharing_group_members",
    "runs",
    "disputes",
    "sources",
    "credentials",
];

/// Tables with an index that begins with tenant and position.
const INDEXED: [&str; 6] = ["audit_events", "logged_requests", "members", "sharing_groups", "runs", "disputes"];
/// Small tables without one. A membership is written with an audit event, so its table need not be asked.
const SMALL: [&str; 3] = ["rejected_requests", "sources", "credentials"];

/// Begins a write transaction on SQLite.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE; UPDATE list_positions SET position = position + 1";

/// The position of the transaction that writes, on SQLite. In `audit_events`, `logged_requests` and `sharing_group_members` it must be
/// given; in the other tables a trigger gives it too.
pub(crate) const OF_THIS_WRITE: &str = "(SELECT position FROM list_positions)";

/// The position below which a list is complete, on Postgres.
pub(crate) const END: &str = "list_end()";

/// The same on SQLite: a snapshot holds whole transactions.
pub(crate) const END_ON_SQLITE: &str = "(SELECT position + 1 FROM list_positions)";

pub(crate) fn is_listed(table: &str) -> bool {
    LISTED.contains(&table)
}

/// Checks that new rows come after those that exist. In a database that was restored into another cluster they would not, because
/// transactions have lower numbers there.
///
/// # Errors
/// With what is wrong and the remedy.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), String> {
    match behind(connection, &["audit_events"], &[]).await {
        Ok(Some(_)) => Err(
            "the database was restored from another cluster, and new rows would come before old ones in every list; \
                           run `rollcall migrate`"
                .to_owned(),
        ),
        Ok(None) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Lifts the positions of new rows over those that exist, if they are lower.
pub(super) async fn lift(connection: &mut PgConnection) -> Result<(), StoreError> {
    let Some(newest) = behind(connection, &INDEXED, &SMALL).await? else { return Ok(()) };
    tracing::warn!(newest, "the database comes from another cluster: the positions of its lists go on from there");
    let lift = |name: &str, number: &str| {
        format!(
            "EXECUTE format('CREATE OR REPLACE FUNCTION {name}() RETURNS bigint LANGUAGE sql STABLE AS \
             ''SELECT CAST(CAST({number} AS text) AS bigint) + %s''', {newest} + 1 - next);"
        )
    };
    let sql = format!(
        "DO $$ DECLARE next bigint := CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint); \
         BEGIN {} {} END $$",
        lift("list_position", "pg_current_xact_id()"),
        lift("list_end", "pg_snapshot_xmin(pg_current_snapshot())"),
    );
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The newest position in these tables, if the next transaction would have a lower one. Reads one row of each tenant and indexed
/// table.
async fn behind(connection: &mut PgConnection, indexed: &[&str], small: &[&str]) -> Result<Option<i64>, StoreError> {
    let by_index = |table: &&str| {
        format!(
            "(SELECT max(n.position) FROM tenants t CROSS JOIN LATERAL (SELECT l.position FROM {table} l \
             WHERE t.id = l.tenant_id ORDER BY l.position DESC LIMIT 1) AS n)"
        )
    };
    let whole = |table: &&str| format!("(SELECT max(position) FROM {table})");
    let newest: Vec<String> = indexed.iter().map(by_index).chain(small.iter().map(whole)).collect();
    let newest = newest.join(", ");
    let sql = format!(
        "SELECT newest FROM (SELECT greatest({newest}) AS newest) AS l WHERE newest >= list_end() \
         - CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) \
         + CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"
    );
    sqlx::query(AssertSqlSafe(format!("SET LOCAL ROLE {SYSTEM_ROLE}"))).execute(&mut *connection).await?;
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *connection).await?;
    sqlx::query("RESET ROLE").execute(connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

#[cfg(test)]
mod tests;
