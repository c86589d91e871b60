//! A credential that was rotated names the one in its place: rotated again it would give one that ends with the overlap.

use crate::column::uuid_null;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let replaced = Table::alter().table("credentials").add_column(uuid_null("replaced_by")).to_owned();
        manager.alter_table(replaced).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("credentials").drop_column("replaced_by").to_owned()).await
    }
}
