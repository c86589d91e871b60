//! The request log (PE15). A line is deleted with its source, or after its retention.

use crate::column::{index, int, tenant_table, text, text_null, time, to_row, uuid, uuid_null};
use crate::m20261122_000007_row_level_security::protect;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "logged_requests";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let lines = tenant_table(TABLE)
            .col(time("at"))
            .col(uuid("source_id"))
            .col(uuid_null("subject_id"))
            .col(uuid_null("request_id"))
            .col(text("method"))
            .col(text("path"))
            .col(int("status"))
            .col(text_null("scim_type"))
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(lines).await?;
        manager.create_index(index(TABLE, "logged_requests_source", &["source_id", "id"])).await?;
        let of_somebody = Expr::col("subject_id").is_not_null();
        let by_subject =
            index(TABLE, "logged_requests_subject", &["subject_id", "id"]).and_where(of_somebody).to_owned();
        manager.create_index(by_subject).await?;
        // Over all tenants, for the deletion of old lines.
        let by_age = Index::create().name("logged_requests_age").table(TABLE).col("at").to_owned();
        manager.create_index(by_age).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            protect(manager.get_connection(), TABLE, "tenant_id").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
