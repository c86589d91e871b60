//! A directory group's name in the form that scopes compare (case and spacing do not matter), so that one query finds the
//! people in the scope of users (DX6).

use crate::column::text;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let key = text("name_key").default("").to_owned();
        manager.alter_table(Table::alter().table("directory_groups").add_column(key).to_owned()).await?;
        // Doubled spaces and compatibility characters stay until the source writes the name again.
        let sql = "UPDATE directory_groups SET name_key = display_name_folded";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("directory_groups").drop_column("name_key").to_owned()).await
    }
}
