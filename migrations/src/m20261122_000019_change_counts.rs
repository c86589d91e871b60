//! Counts of new members and changed profiles beside those of removals, for their limits (PE8).

use crate::column::int;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time, because SQLite adds only one column per statement.
        for column in [int("creations"), int("modifications")] {
            manager.alter_table(Table::alter().table("removal_counts").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["modifications", "creations"] {
            manager.alter_table(Table::alter().table("removal_counts").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
