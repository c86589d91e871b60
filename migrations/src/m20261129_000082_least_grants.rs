//! Postgres only: each role may do to each table what the hub does to it, and nothing else. `migrations/grants.txt` lists the
//! result, and a test of the store compares it with a migrated database.
//!
//! `rollcall_tenant` adds audit events and never changes or deletes one; it buys no seats and makes no tenant.
//! `rollcall_system` reads everything (the sweep, a backup, the operator) and writes what is kept for all tenants at once. A program
//! from before would find rights missing, so this raises the floor. Later migrations change rows as the login, without a role.

use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE};
use crate::m20261129_000081_schema_floor::raise_floor;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const READ: &str = "SELECT";
const APPEND: &str = "SELECT, INSERT";
const KEEP: &str = "SELECT, INSERT, UPDATE";
const ROWS: &str = "SELECT, INSERT, DELETE";
const ALL: &str = "SELECT, INSERT, UPDATE, DELETE";

/// Table, rights of the tenant's role, rights of the system's role.
const GRANTS: &[(&str, &str, &str)] = &[
    ("tenants", "SELECT, UPDATE (policy, policy_version)", "SELECT, INSERT, UPDATE (seats, name, slug)"),
    ("tenant_leases", KEEP, READ),
    ("removal_counts", KEEP, READ),
    ("sources", ALL, READ),
    ("credentials", ALL, "SELECT, UPDATE (last_used_at)"),
    ("dialect_counts", "SELECT, DELETE", ALL),
    ("rejected_requests", "SELECT, UPDATE, DELETE", ROWS),
    ("logged_requests", "SELECT, DELETE", ROWS),
    ("directory_users", KEEP, READ),
    ("directory_groups", KEEP, READ),
    // Rows are locked before they are deleted, and a lock takes the right to update.
    ("directory_memberships", ALL, READ),
    ("directory_changes", ROWS, READ),
    ("disputes", ALL, READ),
    ("group_losses", ALL, READ),
    ("members", KEEP, READ),
    ("sharing_groups", KEEP, READ),
    ("sharing_group_members", ROWS, READ),
    ("runs", ALL, READ),
    ("run_items", ALL, READ),
    ("audit_events", APPEND, READ),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, tenant, system) in GRANTS {
            grant(manager, table, tenant, system).await?;
        }
        raise_floor(manager, self.name(), env!("CARGO_PKG_VERSION")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, ..) in GRANTS {
            grant(manager, table, ALL, ALL).await?;
        }
        Ok(())
    }
}

async fn grant(manager: &SchemaManager<'_>, table: &str, tenant: &str, system: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = format!(
        "REVOKE ALL ON {table} FROM {TENANT_ROLE}, {SYSTEM_ROLE};
         GRANT {tenant} ON {table} TO {TENANT_ROLE}; GRANT {system} ON {table} TO {SYSTEM_ROLE}"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
