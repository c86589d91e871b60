//! The days of a tenant: members by state, seats, sign-ins and runs (decision 0079). A worker writes the day's row every hour.

use crate::column::{int, table, text, to_tenant, uuid};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "tenant_days";
const COUNTS: [&str; 11] = [
    "pending",
    "invited",
    "active",
    "suspended",
    "removed",
    "blocked",
    "seats",
    "seats_used",
    "sign_ins",
    "runs",
    "runs_withheld",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut days = table(TABLE)
            .col(uuid("tenant_id"))
            .col(text("day"))
            .primary_key(Index::create().col("tenant_id").col("day"))
            .foreign_key(&mut to_tenant())
            .to_owned();
        for count in COUNTS {
            days.col(int(count));
        }
        manager.create_table(days).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            protect(db, TABLE, "tenant_id").await?;
            let sql = format!(
                "REVOKE ALL ON {TABLE} FROM {TENANT_ROLE}, {SYSTEM_ROLE}; GRANT SELECT ON {TABLE} TO {SYSTEM_ROLE};
                 GRANT SELECT, INSERT, UPDATE ON {TABLE} TO {TENANT_ROLE}"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
