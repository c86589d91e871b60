//! Nonces of signed requests, until the signatures expire (decision 0100).

use crate::column::{index, table, text, time, to_tenant, uuid};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "agent_nonces";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let nonces = table(TABLE)
            .col(uuid("tenant_id"))
            .col(uuid("key_id"))
            .col(text("nonce"))
            .col(time("expires_at"))
            .primary_key(Index::create().col("tenant_id").col("key_id").col("nonce"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(nonces).await?;
        manager.create_index(index(TABLE, "agent_nonces_end", &["key_id", "expires_at"])).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            protect(db, TABLE, "tenant_id").await?;
            let sql = format!(
                "REVOKE ALL ON {TABLE} FROM {SYSTEM_ROLE}, {TENANT_ROLE}; GRANT SELECT ON {TABLE} TO {SYSTEM_ROLE};
                 GRANT SELECT, INSERT, DELETE ON {TABLE} TO {TENANT_ROLE}"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
