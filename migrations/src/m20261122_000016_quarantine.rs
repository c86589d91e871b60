//! Quarantine of sources: its start, its reason, and the last release by an admin (PE9).

use crate::column::{index, text_null, time_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time, because SQLite adds only one column per statement.
        for column in [time_null("quarantined_at"), text_null("quarantine_reason"), time_null("quarantine_released_at")]
        {
            manager.alter_table(Table::alter().table("sources").add_column(column).to_owned()).await?;
        }
        // The metrics count them over all tenants.
        let quarantined = Expr::col("quarantined_at").is_not_null();
        let now = index("sources", "sources_quarantined", &["id"]).and_where(quarantined).to_owned();
        manager.create_index(now).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("sources_quarantined").table("sources").to_owned()).await?;
        for column in ["quarantine_released_at", "quarantine_reason", "quarantined_at"] {
            manager.alter_table(Table::alter().table("sources").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
