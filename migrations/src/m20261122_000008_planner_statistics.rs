//! Postgres only: statistics that tell the planner how large a tenant is.
//!
//! Averaged over the whole table, `tenant_id = $1` seems to select almost nothing once there are many tenants. In a tenant
//! of 100,000 users the generic plan of a prepared statement then reads the whole tenant instead of using the selective
//! index (docs/queries.md, "Statistics"). A tenant is therefore declared to be a large part of its tables.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Columns that look selective and are not.
const COARSE_COLUMNS: &[(&str, &[&str])] = &[
    ("directory_users", &["tenant_id", "source_id"]),
    ("directory_groups", &["tenant_id", "source_id"]),
    ("directory_memberships", &["tenant_id"]),
    ("directory_changes", &["tenant_id"]),
    ("disputes", &["tenant_id"]),
    ("members", &["tenant_id", "managed_by"]),
    ("sharing_groups", &["tenant_id", "managed_by"]),
    ("sharing_group_members", &["tenant_id"]),
    ("runs", &["tenant_id"]),
    ("run_items", &["tenant_id"]),
    ("audit_events", &["tenant_id"]),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        each_column(manager, "SET (n_distinct = 4)").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        each_column(manager, "RESET (n_distinct)").await
    }
}

async fn each_column(manager: &SchemaManager<'_>, action: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for (table, columns) in COARSE_COLUMNS {
        for column in *columns {
            let sql = format!("ALTER TABLE {table} ALTER COLUMN {column} {action}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
    }
    Ok(())
}
