//! The records of agents by bucket and id, with their digests (decision 0102): by them an upload is compared with the directory.

use crate::column::{int, table, text, text_null, time_null, to_row, uuid, uuid_null};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLES: [&str; 3] = ["agent_records", "agent_buckets", "agent_states"];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let records = table("agent_records")
            .col(uuid("tenant_id"))
            .col(uuid("source_id"))
            .col(int("bucket"))
            .col(text("external_id"))
            .col(text("digest"))
            .col(uuid("record_id"))
            .primary_key(Index::create().col("tenant_id").col("source_id").col("bucket").col("external_id"))
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(records).await?;
        let buckets = table("agent_buckets")
            .col(uuid("tenant_id"))
            .col(uuid("source_id"))
            .col(int("bucket"))
            .col(text("digest"))
            .primary_key(Index::create().col("tenant_id").col("source_id").col("bucket"))
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(buckets).await?;
        let states = table("agent_states")
            .col(uuid("tenant_id"))
            .col(uuid("source_id"))
            // Grows by one with each upload that is applied.
            .col(int("sequence"))
            .col(text_null("cursor"))
            .col(uuid_null("upload_id"))
            .col(time_null("applied_at"))
            // Records of the tenant at the last exact count and those made by uploads since, with the limit of then.
            .col(int("records_known"))
            .col(int("records_max"))
            .col(time_null("counted_at"))
            .primary_key(Index::create().col("tenant_id").col("source_id"))
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(states).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            for table in TABLES {
                protect(db, table, "tenant_id").await?;
                let sql = format!(
                    "REVOKE ALL ON {table} FROM {SYSTEM_ROLE}, {TENANT_ROLE};
                     GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {TENANT_ROLE};
                     ALTER TABLE {table} ALTER COLUMN tenant_id SET (n_distinct = 4)"
                );
                db.execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
