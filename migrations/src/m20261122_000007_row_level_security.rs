//! Postgres only: row-level security separates tenants for every login (docs/design.md#scope).
//!
//! Every transaction takes one of two roles. `rollcall_tenant` sees the rows of the tenant named in the setting
//! `app.tenant_id`, and none without it. `rollcall_system` sees all rows and serves the few queries across tenants.
//! The roles belong to the cluster, so they are shared by all databases in it and never dropped here.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The role of a transaction that works for one tenant.
pub const TENANT_ROLE: &str = "rollcall_tenant";
/// The role of a transaction across tenants.
pub const SYSTEM_ROLE: &str = "rollcall_system";

const TENANT_TABLES: &[&str] = &[
    "tenant_leases",
    "removal_counts",
    "sources",
    "credentials",
    "dialect_counts",
    "rejected_requests",
    "directory_users",
    "directory_groups",
    "directory_memberships",
    "directory_changes",
    "disputes",
    "members",
    "sharing_groups",
    "sharing_group_members",
    "runs",
    "run_items",
    "audit_events",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let db = manager.get_connection();
        for role in [TENANT_ROLE, SYSTEM_ROLE] {
            db.execute_unprepared(&create_role(role)).await?;
        }
        protect(db, "tenants", "id").await?;
        for table in TENANT_TABLES {
            protect(db, table, "tenant_id").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let db = manager.get_connection();
        for table in TENANT_TABLES.iter().chain(&["tenants"]) {
            let sql = format!(
                "DROP POLICY own_tenant ON {table}; DROP POLICY all_tenants ON {table};
                 ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
            );
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}

/// Several databases of one cluster may migrate at once, so losing the race to create or grant is fine.
fn create_role(role: &str) -> String {
    format!(
        "DO $$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
             BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
           END IF;
           PERFORM pg_advisory_xact_lock(hashtext('{role}'));
           -- Since PostgreSQL 16 whoever makes a role is a member that may not take it: the grant is asked for in any case,
           -- and may be refused only to a login that an operator has made a member.
           BEGIN GRANT {role} TO CURRENT_USER;
           EXCEPTION WHEN insufficient_privilege THEN
             IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN RAISE; END IF;
           END;
           EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());
         END $$"
    )
}

pub(crate) async fn protect(db: &SchemaManagerConnection<'_>, table: &str, column: &str) -> Result<(), DbErr> {
    // `nullif`: once used on a connection the setting reads '' instead of NULL, and '' is not a uuid.
    let own = format!("{column} = nullif(current_setting('app.tenant_id', true), '')::uuid");
    let sql = format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_tenant ON {table} TO {TENANT_ROLE} USING ({own}) WITH CHECK ({own});
         CREATE POLICY all_tenants ON {table} TO {SYSTEM_ROLE} USING (true) WITH CHECK (true);
         GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {TENANT_ROLE}, {SYSTEM_ROLE}"
    );
    db.execute_unprepared(&sql).await?;
    Ok(())
}
