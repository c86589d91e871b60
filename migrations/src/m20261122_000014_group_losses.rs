//! Recent losses of sharing groups: a change that empties a group is held, also when it is made in small steps.

use crate::column::{index, table, time, to_row, uuid};
use crate::m20261122_000007_row_level_security::protect;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let losses = table("group_losses")
            .col(uuid("tenant_id"))
            .col(uuid("group_id"))
            .col(uuid("member_id"))
            .col(time("lost_at"))
            .primary_key(Index::create().col("tenant_id").col("group_id").col("member_id"))
            .foreign_key(&mut to_row("group_id", "sharing_groups"))
            .foreign_key(&mut to_row("member_id", "members"))
            .to_owned();
        manager.create_table(losses).await?;
        manager.create_index(index("group_losses", "group_losses_member", &["member_id"])).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            protect(manager.get_connection(), "group_losses", "tenant_id").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("group_losses").to_owned()).await
    }
}
