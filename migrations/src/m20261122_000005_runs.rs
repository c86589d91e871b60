//! Runs: their planned items, the applied ones, and those that wait for an admin.

use crate::column::{index, json, table, tenant_table, text, text_null, time, to_row, to_tenant, uuid, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let runs = tenant_table("runs")
            .col(uuid_null("source_id"))
            .col(text("state"))
            .col(text("verdict"))
            .col(json("held_reasons"))
            .col(json("counts"))
            .col(text("digest"))
            .col(time("created_at"))
            .col(time("modified_at"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(runs).await?;
        let open = Expr::col("state").is_in(["held", "approved"]);
        manager.create_index(index("runs", "runs_open", &["id"]).and_where(open).to_owned()).await?;

        // The primary key makes a repeated plan of a withheld action a no-op; `id` orders the pages.
        let items = table("run_items")
            .col(uuid("tenant_id"))
            .col(uuid("run_id"))
            .col(uuid("id"))
            .col(text("action"))
            .col(uuid("subject_id"))
            .col(uuid("object_id"))
            .col(text("subject_kind"))
            .col(text("why"))
            .col(text("decision"))
            .col(text_null("held_reason"))
            .col(json("detail"))
            .col(text("digest"))
            .col(uuid_null("request_id"))
            .primary_key(
                Index::create().col("tenant_id").col("run_id").col("subject_id").col("action").col("object_id"),
            )
            .foreign_key(&mut to_row("run_id", "runs"))
            .to_owned();
        manager.create_table(items).await?;
        let open = Expr::col("decision").is_in(["held", "approved"]);
        let by_subject = index("run_items", "run_items_open", &["subject_id"]).and_where(open).to_owned();
        manager.create_index(by_subject).await?;
        manager.create_index(index("run_items", "run_items_page", &["run_id", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["run_items", "runs"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}
