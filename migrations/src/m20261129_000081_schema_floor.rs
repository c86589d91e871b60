//! The floor of the schema: the oldest program that may run on it. A migration that only adds leaves it; one that takes
//! something away from the programs before it raises it with [`raise_floor`].

use crate::m20261122_000007_row_level_security::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLE: &str = "schema_floor";
/// The first migration, which every program knows.
const FIRST: &str = "m20261122_000001_tenants";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let sql = format!(
            "CREATE TABLE {TABLE} (id smallint PRIMARY KEY CHECK (id = 1), migration text NOT NULL, version text NOT NULL);
             INSERT INTO {TABLE} VALUES (1, '{FIRST}', '0.1.0')"
        );
        db.execute_unprepared(&sql).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            // A login that owns nothing reads both as a member of the role.
            let grant = format!("GRANT SELECT ON {TABLE}, seaql_migrations TO {SYSTEM_ROLE}");
            db.execute_unprepared(&grant).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}

/// Lets only programs run that know this migration: `version` of Rollcall and later.
///
/// # Errors
/// Those of the database.
pub(crate) async fn raise_floor(manager: &SchemaManager<'_>, migration: &str, version: &str) -> Result<(), DbErr> {
    let sql = format!("UPDATE {TABLE} SET migration = '{migration}', version = '{version}'");
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
