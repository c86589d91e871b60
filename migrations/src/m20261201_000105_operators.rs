//! The people of the hosted service, and their sessions (decision 0092). They belong to no tenant, so only the system's role sees them.

use crate::column::{flag, table, text, text_null, time, time_null, uuid};
use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const OPERATORS: &str = "operators";
const SESSIONS: &str = "operator_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let operators = table(OPERATORS)
            .col(uuid("id").primary_key())
            .col(text("issuer"))
            .col(text("subject"))
            .col(text_null("email"))
            .col(text_null("email_folded"))
            .col(text_null("name"))
            .col(time("created_at"))
            .col(time("last_signed_in_at"))
            .col(time_null("revoked_at"))
            .index(Index::create().name("operators_subject").unique().col("issuer").col("subject"))
            .to_owned();
        manager.create_table(operators).await?;
        let sessions = table(SESSIONS)
            .col(uuid("id").primary_key())
            .col(ColumnDef::new("digest").binary().not_null().unique_key())
            .col(uuid("operator_id"))
            .col(flag("by_claim"))
            .col(text("address"))
            .col(text("agent"))
            .col(time("created_at"))
            .col(time_null("authenticated_at"))
            .col(time("last_used_at"))
            .col(time("expires_at"))
            .col(time_null("revoked_at"))
            .to_owned();
        manager.create_table(sessions).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            for (table, rights) in [
                (OPERATORS, "SELECT, INSERT, UPDATE (name, last_signed_in_at, revoked_at)"),
                (SESSIONS, "SELECT, INSERT, DELETE, UPDATE (last_used_at, revoked_at)"),
            ] {
                let sql = format!(
                    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
                     CREATE POLICY hubs_only ON {table} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
                     GRANT {rights} ON {table} TO {SYSTEM_ROLE}"
                );
                manager.get_connection().execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in [SESSIONS, OPERATORS] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}
