//! Uploads of agents and their parts, until they are applied (decision 0101).

use crate::column::{
    flag, index, int, json, json_null, table, tenant_table, text, text_null, time, time_null, to_row, uuid, uuid_null,
};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        uploads(manager).await?;
        let parts = table("agent_parts")
            .col(uuid("tenant_id"))
            .col(uuid("upload_id"))
            .col(int("number"))
            .col(text("digest"))
            .col(int("bytes"))
            .col(ColumnDef::new("content").binary().not_null())
            .primary_key(Index::create().col("tenant_id").col("upload_id").col("number"))
            .foreign_key(&mut to_row("upload_id", "agent_uploads"))
            .to_owned();
        manager.create_table(parts).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            protect(db, "agent_uploads", "tenant_id").await?;
            protect(db, "agent_parts", "tenant_id").await?;
            let sql = format!(
                "REVOKE ALL ON agent_uploads, agent_parts FROM {SYSTEM_ROLE}, {TENANT_ROLE};
                 GRANT SELECT ON agent_uploads TO {SYSTEM_ROLE};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON agent_uploads TO {TENANT_ROLE};
                 GRANT SELECT, INSERT, DELETE ON agent_parts TO {TENANT_ROLE};
                 -- Parts are compressed already.
                 ALTER TABLE agent_parts ALTER COLUMN content SET STORAGE EXTERNAL"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("agent_parts").to_owned()).await?;
        manager.drop_table(Table::drop().table("agent_uploads").to_owned()).await
    }
}

async fn uploads(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let uploads = tenant_table("agent_uploads")
        .col(uuid("source_id"))
        .col(uuid("key_id"))
        // snapshot or delta
        .col(text("kind"))
        // open, waiting, unverified, applying, done, refused or abandoned
        .col(text("state"))
        // Ranges of buckets.
        .col(json("covers"))
        .col(int("users"))
        .col(int("user_groups"))
        .col(int("sequence"))
        .col(ColumnDef::new("removal_limit").big_integer().null())
        .col(flag("simulate"))
        .col(text_null("from_cursor"))
        .col(text_null("to_cursor"))
        .col(int("bytes"))
        .col(int("parts"))
        // Parts that are applied.
        .col(int("applied_parts"))
        // Grows with each transaction that applies a piece, so that each piece is applied once.
        .col(int("step"))
        .col(json_null("counts"))
        .col(json_null("items"))
        .col(int("code"))
        .col(text_null("reason"))
        .col(text_null("message"))
        // The last change mark; the roster has caught up once it is consumed.
        .col(uuid_null("last_change"))
        .col(int("failures"))
        .col(time_null("retry_at"))
        .col(time("created_at"))
        .col(time("touched_at"))
        .col(time_null("committed_at"))
        .col(time_null("ended_at"))
        .foreign_key(&mut to_row("source_id", "sources"))
        .to_owned();
    manager.create_table(uploads).await?;
    manager.create_index(index("agent_uploads", "agent_uploads_source", &["source_id", "id"])).await?;
    let unfinished =
        index("agent_uploads", "agent_uploads_state", &["state"]).and_where(Expr::col("ended_at").is_null()).to_owned();
    manager.create_index(unfinished).await
}
