//! Postgres only: the statistics of empty tables once more (migration 23), because the indexes of the migrations since 32 counted no
//! rows. Without them the first minute of a new database costs three times as much. A test of the store looks at the result, so that a
//! later migration with an index runs this again.

use crate::m20261122_000023_first_statistics::analyse;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// As the login, which owns the tables: since migration 82 the system's role makes no rows.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => analyse(manager, None).await,
            _ => Ok(()),
        }
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
