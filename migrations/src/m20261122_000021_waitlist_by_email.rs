//! The waitlist may go by address: its head is found without reading all of it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Byte by byte, as the planner compares, whatever the database's own order is.
        let collation = if manager.get_database_backend() == DbBackend::Postgres { " COLLATE \"C\"" } else { "" };
        let sql = format!(
            "CREATE INDEX members_waiting_by_email ON members (tenant_id, email_folded{collation}, id) \
             WHERE waiting_for = 'seat'"
        );
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("members_waiting_by_email").table("members").to_owned()).await
    }
}
