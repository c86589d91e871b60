//! Keys of the hosted service's operator. They belong to no tenant, so only the system's role sees them.

use crate::column::{table, text, time, time_null, uuid};
use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "operator_keys";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = table(TABLE)
            .col(uuid("id").primary_key())
            .col(ColumnDef::new("digest").binary().not_null().unique_key())
            .col(text("prefix"))
            .col(text("name"))
            .col(time("created_at"))
            .col(time_null("expires_at"))
            .col(time_null("revoked_at"))
            .to_owned();
        manager.create_table(keys).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let sql = format!(
                "ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY; ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY;
                 CREATE POLICY hubs_only ON {TABLE} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
                 GRANT SELECT, INSERT, UPDATE (revoked_at) ON {TABLE} TO {SYSTEM_ROLE}"
            );
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
