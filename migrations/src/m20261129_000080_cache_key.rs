//! The secret with which the hubs of this database seal their entries in Redis: one row, which the hub reads at its start.

use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "cache_key";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        // Three random UUIDs have 366 random bits; their digest has the 256 of the key.
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => format!(
                "CREATE TABLE {TABLE} (id smallint PRIMARY KEY CHECK (id = 1), secret bytea NOT NULL);
                 INSERT INTO {TABLE} VALUES (1, sha256(convert_to(
                   gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
                 ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY;
                 ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY;
                 CREATE POLICY hubs_only ON {TABLE} TO {SYSTEM_ROLE} USING (true);
                 GRANT SELECT ON {TABLE} TO {SYSTEM_ROLE}"
            ),
            _ => format!(
                "CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL);
                 INSERT INTO {TABLE} VALUES (1, randomblob(32))"
            ),
        };
        db.execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
