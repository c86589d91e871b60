//! Quotas of one tenant that differ from the settings: set by the operator, so written by the system's role alone.

use crate::column::json_null;
use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("tenants").add_column(json_null("quotas")).to_owned()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let grant = format!("GRANT UPDATE (quotas) ON tenants TO {SYSTEM_ROLE}");
            manager.get_connection().execute_unprepared(&grant).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("tenants").drop_column("quotas").to_owned()).await
    }
}
