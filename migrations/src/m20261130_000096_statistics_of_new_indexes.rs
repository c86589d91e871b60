//! Postgres only: the statistics of empty tables once more (migration 23), because the indexes of the migrations since 32 counted no
//! rows. Without them the first minute of a new database costs three times as much. A test of the store looks at the result, so that a
//! later migration with an index runs this again.

use crate::m20261122_000023_first_statistics::{MADE_UP, TABLES, made_up_rows};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// As the login, which owns the tables: since migration 82 the system's role makes no rows.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let db = manager.get_connection();
        let found = db.query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT 1 FROM tenants LIMIT 1"));
        let is_new = found.await?.is_none();
        if is_new {
            db.execute_unprepared(&made_up_rows()).await?;
        }
        db.execute_unprepared(&format!("ANALYZE {TABLES}")).await?;
        if is_new {
            db.execute_unprepared(&format!("DELETE FROM tenants WHERE slug LIKE '{MADE_UP}%'")).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
