//! Sources of a tenant, and the credentials of machines and people. Secrets are stored as SHA-256 digests.

use crate::column::{
    flag, index, int, table, tenant_table, text, text_null, time, time_null, to_row, to_tenant, uuid, uuid_null,
};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sources = tenant_table("sources")
            .col(text("kind"))
            .col(text("mode"))
            .col(text("name"))
            .col(flag("users_only"))
            .col(time("created_at"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(sources).await?;
        // Two sources never feed one tenant by accident (DS2), also when they are made at the same moment.
        let one_live = Index::create()
            .name("sources_one_live")
            .table("sources")
            .col("tenant_id")
            .unique()
            .and_where(Expr::col("mode").eq("live"))
            .to_owned();
        manager.create_index(one_live).await?;

        let credentials = tenant_table("credentials")
            .col(uuid_null("source_id"))
            .col(text("kind"))
            .col(ColumnDef::new("digest").binary().not_null())
            .col(text("prefix"))
            .col(text("name"))
            .col(text_null("role"))
            .col(time("created_at"))
            .col(time_null("expires_at"))
            .col(time_null("revoked_at"))
            .col(time_null("last_used_at"))
            .foreign_key(&mut to_tenant())
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(credentials).await?;
        // The one look-up that does not know the tenant yet: a presented secret.
        let by_digest =
            Index::create().name("credentials_digest").table("credentials").col("digest").unique().to_owned();
        manager.create_index(by_digest).await?;
        manager.create_index(index("credentials", "credentials_source", &["source_id"])).await?;
        dialect(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["rejected_requests", "dialect_counts", "credentials", "sources"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}

/// Counts of a source's dialect, and its rejected requests.
async fn dialect(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let counts = table("dialect_counts")
        .col(uuid("tenant_id"))
        .col(uuid("source_id"))
        .col(text("day"))
        .col(text("quirk"))
        .col(int("occurrences"))
        .primary_key(Index::create().col("tenant_id").col("source_id").col("day").col("quirk"))
        .foreign_key(&mut to_row("source_id", "sources"))
        .to_owned();
    manager.create_table(counts).await?;
    let rejected = tenant_table("rejected_requests")
        .col(uuid("source_id"))
        .col(time("at"))
        .col(time("expires_at"))
        .col(text("method"))
        .col(text("path"))
        .col(text_null("body"))
        .col(int("body_bytes"))
        .col(int("status"))
        .col(text_null("scim_type"))
        .col(text("detail"))
        .col(time_null("replayed_at"))
        .foreign_key(&mut to_row("source_id", "sources"))
        .to_owned();
    manager.create_table(rejected).await?;
    manager.create_index(index("rejected_requests", "rejected_requests_source", &["source_id", "id"])).await?;
    let expiry =
        Index::create().name("rejected_requests_expiry").table("rejected_requests").col("expires_at").to_owned();
    manager.create_index(expiry).await
}
