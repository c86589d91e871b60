//! The relay of outgoing events to the broker: how far it has come, and the worker that has it (decision 0097).

use crate::column::{int, table, text, time_null, uuid_null};
use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "event_relays";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let relays = table(TABLE)
            .col(text("name").primary_key())
            // Null until the first worker takes it, at the end of the log.
            .col(ColumnDef::new("after_position").big_integer().null())
            .col(uuid_null("after_id"))
            .col(time_null("leased_until"))
            .col(int("fence"))
            .to_owned();
        manager.create_table(relays).await?;
        let db = manager.get_connection();
        db.execute_unprepared(&format!("INSERT INTO {TABLE} (name) VALUES ('exchange')")).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let sql = format!(
                "ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY; ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY;
                 CREATE POLICY hubs_only ON {TABLE} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
                 GRANT SELECT, UPDATE (after_position, after_id, leased_until, fence) ON {TABLE} TO {SYSTEM_ROLE}"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
