//! A credential names who made it. One that was rotated names the one in its place: rotated again it would give one that ends with the
//! overlap.

use crate::column::{text_null, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [uuid_null("replaced_by"), text_null("created_by")] {
            manager.alter_table(Table::alter().table("credentials").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["replaced_by", "created_by"] {
            manager.alter_table(Table::alter().table("credentials").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
