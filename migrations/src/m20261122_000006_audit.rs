//! The audit log. Its only foreign key is the tenant's, because events outlive their subjects.

use crate::column::{index, json_null, tenant_table, text, time, to_tenant, uuid, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let events = tenant_table("audit_events")
            .col(time("at"))
            .col(text("kind"))
            .col(text("actor"))
            .col(text("subject_kind"))
            .col(uuid("subject_id"))
            .col(uuid_null("request_id"))
            .col(uuid_null("run_id"))
            .col(json_null("detail"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        manager.create_table(events).await?;
        manager.create_index(index("audit_events", "audit_events_subject", &["subject_id", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit_events").to_owned()).await
    }
}
