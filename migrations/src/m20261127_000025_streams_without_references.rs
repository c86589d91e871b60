//! Postgres only: tables to which the hub appends thousands of rows for an authenticated tenant lose their foreign key to it
//! (decision 0037). Each check was a statement of its own and a lock on the tenant's one row.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Table, name of the foreign key, the key.
const REFERENCES: [(&str, &str, &str); 3] = [
    ("audit_events", "audit_events_tenant_id_fkey", "(tenant_id) REFERENCES tenants (id)"),
    ("directory_changes", "directory_changes_tenant_id_fkey", "(tenant_id) REFERENCES tenants (id)"),
    (
        "logged_requests",
        "logged_requests_tenant_id_source_id_fkey",
        "(tenant_id, source_id) REFERENCES sources (tenant_id, id)",
    ),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, name, _) in REFERENCES {
            alter(manager, &format!("{table} DROP CONSTRAINT IF EXISTS {name}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, name, key) in REFERENCES {
            let sql = format!("{table} ADD CONSTRAINT {name} FOREIGN KEY {key} ON DELETE CASCADE");
            alter(manager, &sql).await?;
        }
        Ok(())
    }
}

async fn alter(manager: &SchemaManager<'_>, what: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(&format!("ALTER TABLE {what}")).await?;
    }
    Ok(())
}
