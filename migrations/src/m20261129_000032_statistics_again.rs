//! Postgres only: the statistics of empty tables once more (migration 23), because the new indexes of migration 30 counted no rows.

use crate::m20261122_000023_first_statistics as first_statistics;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        first_statistics::Migration.up(manager).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
