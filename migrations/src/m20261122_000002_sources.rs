//! What feeds a tenant, and the credentials that machines and people present. Secrets are kept as SHA-256 digests.

use crate::column::{index, tenant_table, text, text_null, time, time_null, to_row, to_tenant, uuid_null};
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
            .col(time("created_at"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(sources).await?;

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
            .foreign_key(&mut to_tenant())
            .foreign_key(&mut to_row("source_id", "sources"))
            .to_owned();
        manager.create_table(credentials).await?;
        // The one look-up that does not know the tenant yet: a presented secret.
        let by_digest = Index::create().name("credentials_digest").table("credentials").col("digest").unique().to_owned();
        manager.create_index(by_digest).await?;
        manager.create_index(index("credentials", "credentials_source", &["source_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["credentials", "sources"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}
