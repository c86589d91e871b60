//! Removals that an upload allowed beyond the limit (DA10), by the hour, beside those that were counted.

use crate::column::int;
use sea_orm_migration::prelude::*;

const TABLE: &str = "removal_counts";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(TABLE).add_column(int("allowed")).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(TABLE).drop_column("allowed").to_owned()).await
    }
}
