//! The events about members and sharing groups of all tenants, in commit order: for the feed of an operator, the relay to the broker, and
//! the worker that looks for tenants with news (decision 0094). Requests of identity providers write no such event, so they do not write
//! this index.

use sea_orm_migration::prelude::*;

/// The statements that use the index repeat the condition word for word.
const SQL: &str = "CREATE INDEX audit_events_outgoing ON audit_events (position, id) WHERE subject_kind IN ('member', 'sharing_group')";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(SQL).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX audit_events_outgoing").await?;
        Ok(())
    }
}
