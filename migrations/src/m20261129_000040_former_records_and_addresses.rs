//! The record that fed a member before another one of the same external id took over, and the address that a member gave up.

use crate::column::{index, text_null, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [uuid_null("former_record_id"), text_null("former_email_folded")] {
            manager.alter_table(Table::alter().table("members").add_column(column).to_owned()).await?;
        }
        // Nearly all members have neither.
        let by_record = index("members", "members_former_record", &["former_record_id"])
            .and_where(Expr::col("former_record_id").is_not_null())
            .to_owned();
        manager.create_index(by_record).await?;
        let by_email = index("members", "members_former_email", &["former_email_folded", "position", "id"])
            .and_where(Expr::col("former_email_folded").is_not_null())
            .to_owned();
        manager.create_index(by_email).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["members_former_email", "members_former_record"] {
            manager.drop_index(Index::drop().name(name).table("members").to_owned()).await?;
        }
        for column in ["former_email_folded", "former_record_id"] {
            manager.alter_table(Table::alter().table("members").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
