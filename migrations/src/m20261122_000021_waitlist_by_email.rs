//! The waitlist in the order of addresses: an index finds its head without reading all of it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Bytewise, as the planner of `crates/core` compares, whatever the collation of the database is.
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
