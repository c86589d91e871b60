//! Requests that carry an `Idempotency-Key`, with their answers (decision 0078). A worker deletes rows after a day.

use crate::column::{index, table, text_null, time, to_tenant, uuid};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "idempotent_requests";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let requests = table(TABLE)
            .col(uuid("tenant_id"))
            .col(uuid("credential_id"))
            .col(ColumnDef::new("key_digest").binary().not_null())
            .col(ColumnDef::new("fingerprint").binary().not_null())
            // Names the run whose answer is kept.
            .col(uuid("attempt"))
            .col(time("started_at"))
            // Null while the request runs.
            .col(ColumnDef::new("status").big_integer().null())
            // Null for an answer that was too large, too.
            .col(text_null("body"))
            .primary_key(Index::create().col("tenant_id").col("credential_id").col("key_digest"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(requests).await?;
        manager.create_index(index(TABLE, "idempotent_requests_age", &["started_at"])).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            protect(db, TABLE, "tenant_id").await?;
            let sql = format!(
                "REVOKE ALL ON {TABLE} FROM {SYSTEM_ROLE}; GRANT SELECT ON {TABLE} TO {SYSTEM_ROLE};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {TENANT_ROLE};
                 ALTER TABLE {TABLE} ALTER COLUMN tenant_id SET (n_distinct = 4)"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
