//! The days of a tenant: members by state, seats, sign-ins and runs (decision 0079). One worker writes the rows of
//! the day every hour: the one that takes the turn, a row of its own.

use crate::column::{int, table, text, time_null, to_tenant, uuid};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "tenant_days";
const TURNS: &str = "upkeep_turns";
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
        // Null for a turn that nobody has.
        let turns = table(TURNS).col(text("name").primary_key()).col(time_null("begun_at")).to_owned();
        manager.create_table(turns).await?;
        let db = manager.get_connection();
        db.execute_unprepared(&format!("INSERT INTO {TURNS} (name) VALUES ('hourly')")).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            protect(db, TABLE, "tenant_id").await?;
            let sql = format!(
                "REVOKE ALL ON {TABLE} FROM {TENANT_ROLE}, {SYSTEM_ROLE}; GRANT SELECT ON {TABLE} TO {SYSTEM_ROLE};
                 GRANT SELECT, INSERT, UPDATE ON {TABLE} TO {TENANT_ROLE};
                 ALTER TABLE {TURNS} ENABLE ROW LEVEL SECURITY; ALTER TABLE {TURNS} FORCE ROW LEVEL SECURITY;
                 CREATE POLICY hubs_only ON {TURNS} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
                 GRANT SELECT, UPDATE (begun_at) ON {TURNS} TO {SYSTEM_ROLE}"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TURNS).to_owned()).await?;
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
