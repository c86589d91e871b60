//! Keys of agents (decision 0100). The hub has the public half only.

use crate::column::{index, tenant_table, text, time, time_null, to_row, uuid};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "agent_keys";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = tenant_table(TABLE)
            .col(uuid("source_id"))
            .col(ColumnDef::new("public_key").binary().not_null())
            .col(text("fingerprint"))
            // pending, active, superseded or revoked
            .col(text("state"))
            .col(text("name"))
            // A digest of machine and account, made by the agent (DA12).
            .col(text("machine"))
            .col(text("program"))
            .col(time("created_at"))
            .col(time_null("verified_at"))
            .col(time_null("ended_at"))
            .col(time_null("last_used_at"))
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(keys).await?;
        manager
            .create_index(index(TABLE, "agent_keys_source", &["source_id", "fingerprint"]).unique().to_owned())
            .await?;
        // A source has one key by which it is fed, also when two admins verify at the same moment.
        let one_active = index(TABLE, "agent_keys_active", &["source_id"])
            .unique()
            .and_where(Expr::col("state").eq("active"))
            .to_owned();
        manager.create_index(one_active).await?;
        // The one look-up that does not know the tenant yet: the id of a presented signature.
        manager.create_index(Index::create().name("agent_keys_id").table(TABLE).col("id").to_owned()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            protect(db, TABLE, "tenant_id").await?;
            let sql = format!(
                "REVOKE ALL ON {TABLE} FROM {SYSTEM_ROLE}, {TENANT_ROLE}; GRANT SELECT ON {TABLE} TO {SYSTEM_ROLE};
                 GRANT SELECT, INSERT, UPDATE (state, verified_at, ended_at, last_used_at, program) ON {TABLE} TO {TENANT_ROLE}"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
