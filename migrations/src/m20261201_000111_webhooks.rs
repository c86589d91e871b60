//! Webhooks: the endpoints of a tenant with how far each one has come in the audit log, the log of attempts, and replays that wait
//! (decisions 0095 and 0096).

use crate::column::{
    index, int, json_null, tenant_table, text, text_null, time, time_null, to_row, to_tenant, uuid, uuid_null,
};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const ENDPOINTS: &str = "webhook_endpoints";
const DELIVERIES: &str = "webhook_deliveries";
const REPLAYS: &str = "webhook_replays";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [endpoints(), deliveries(), replays()] {
            manager.create_table(table).await?;
        }
        manager.create_index(index(DELIVERIES, "webhook_deliveries_endpoint", &["endpoint_id", "id"])).await?;
        manager.create_index(index(REPLAYS, "webhook_replays_endpoint", &["endpoint_id", "id"])).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            for table in [ENDPOINTS, DELIVERIES, REPLAYS] {
                protect(db, table, "tenant_id").await?;
                // Workers look at the endpoints of all tenants; the rest is a tenant's own.
                let sql = format!(
                    "REVOKE ALL ON {table} FROM {TENANT_ROLE}, {SYSTEM_ROLE};
                     GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {TENANT_ROLE}; GRANT SELECT ON {table} TO {SYSTEM_ROLE}"
                );
                db.execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [REPLAYS, DELIVERIES, ENDPOINTS] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn endpoints() -> TableCreateStatement {
    tenant_table(ENDPOINTS)
        .col(text("url"))
        .col(text("description"))
        // Null for all kinds.
        .col(json_null("kinds"))
        .col(text("status"))
        .col(text_null("disabled_reason"))
        .col(ColumnDef::new("sealed_secret").binary().not_null())
        .col(ColumnDef::new("sealed_former_secret").binary().null())
        .col(time_null("former_until"))
        .col(time("created_at"))
        .col(time("modified_at"))
        // The place of the last event that was delivered or left out.
        .col(int("after_position"))
        .col(uuid("after_id"))
        // Attempts in a row that failed.
        .col(int("failures"))
        .col(time_null("failing_since"))
        .col(time_null("retry_at"))
        .col(ColumnDef::new("last_status").big_integer().null())
        .col(text_null("last_error"))
        .col(time_null("last_delivered_at"))
        .col(uuid_null("holder"))
        .col(time_null("leased_until"))
        .col(int("fence"))
        .foreign_key(&mut to_tenant())
        .to_owned()
}

fn deliveries() -> TableCreateStatement {
    tenant_table(DELIVERIES)
        .col(uuid("endpoint_id"))
        .col(time("at"))
        .col(uuid("event_id"))
        // Null for a test.
        .col(text_null("sequence"))
        .col(text("kind"))
        .col(text("purpose"))
        .col(text("outcome"))
        .col(int("attempt"))
        .col(ColumnDef::new("status").big_integer().null())
        .col(text_null("answer"))
        .col(text_null("error"))
        .col(int("duration_ms"))
        .foreign_key(&mut to_row("endpoint_id", ENDPOINTS))
        .to_owned()
}

fn replays() -> TableCreateStatement {
    tenant_table(REPLAYS)
        .col(uuid("endpoint_id"))
        .col(int("after_position"))
        .col(uuid("after_id"))
        .col(int("until_position"))
        .col(uuid("until_id"))
        .col(time("created_at"))
        .foreign_key(&mut to_row("endpoint_id", ENDPOINTS))
        .to_owned()
}
