//! Tenants, and for each the state that only its lease holder writes.

use crate::column::{int, json, table, text, text_null, time, time_null, to_tenant, uuid, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tenants = table("tenants")
            .col(uuid("id").primary_key())
            .col(text("slug").unique_key())
            .col(text("name"))
            .col(int("seats"))
            .col(json("policy"))
            .col(int("policy_version"))
            .col(time("created_at"))
            .to_owned();
        manager.create_table(tenants).await?;

        let leases = table("tenant_leases")
            .col(uuid("tenant_id").primary_key())
            .col(uuid_null("holder"))
            .col(int("fence"))
            .col(time_null("expires_at"))
            .col(int("failed_attempts"))
            .col(time_null("retry_at"))
            .col(text_null("last_error"))
            .col(int("seats_used"))
            .col(int("managed_members"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(leases).await?;

        let removals = table("removal_counts")
            .col(uuid("tenant_id"))
            .col(time("hour"))
            .col(int("removals"))
            .primary_key(Index::create().col("tenant_id").col("hour"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(removals).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["removal_counts", "tenant_leases", "tenants"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}
