//! A directory group's name as scopes compare names (case and spacing do not matter), so that who is in a group of the user
//! scope is one question to the database (DX6).

use crate::column::text;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let key = text("name_key").default("").to_owned();
        manager.alter_table(Table::alter().table("directory_groups").add_column(key).to_owned()).await?;
        // The same but for doubled spaces and compatibility characters, until the source says the name again.
        let sql = "UPDATE directory_groups SET name_key = display_name_folded";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("directory_groups").drop_column("name_key").to_owned()).await
    }
}
