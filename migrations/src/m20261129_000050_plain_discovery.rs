//! A source's discovery as RFC 7643 alone describes it, for clients that refuse attributes they do not know (R16).

use crate::column::flag;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("sources").add_column(flag("plain_discovery")).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("sources").drop_column("plain_discovery").to_owned()).await
    }
}
