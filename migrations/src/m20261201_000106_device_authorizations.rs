//! Enrolments of agents that wait for an admin (RFC 8628, decision 0093). Which tenant one is of is known when an admin approves it, so
//! only the system's role sees them.

use crate::column::{int, table, text, time, time_null, uuid, uuid_null};
use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "device_authorizations";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let begun = table(TABLE)
            .col(uuid("id").primary_key())
            .col(ColumnDef::new("device_digest").binary().not_null().unique_key())
            .col(ColumnDef::new("user_digest").binary().not_null().unique_key())
            .col(text("device_name"))
            .col(text("address"))
            .col(text("state"))
            .col(uuid_null("tenant_id"))
            .col(uuid_null("source_id"))
            .col(int("pause_seconds"))
            .col(time("created_at"))
            .col(time("expires_at"))
            .col(time_null("polled_at"))
            .to_owned();
        manager.create_table(begun).await?;
        let by_end = Index::create().name("device_authorizations_end").table(TABLE).col("expires_at").to_owned();
        manager.create_index(by_end).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let sql = format!(
                "ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY; ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY;
                 CREATE POLICY hubs_only ON {TABLE} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
                 GRANT SELECT, INSERT, DELETE, UPDATE (state, tenant_id, source_id, pause_seconds, polled_at) ON {TABLE} TO {SYSTEM_ROLE}"
            );
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
