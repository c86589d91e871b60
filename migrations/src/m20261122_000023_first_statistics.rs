//! Postgres only: statistics for tables that have no rows yet.
//!
//! On a table that was never analysed the planner estimates less than one row for any two conditions, so every index that
//! begins with the tenant looks as good as the one that also holds the name. Until autovacuum comes, a minute later, a look-up
//! in the first sync of a database would read every user synced so far. So the tables are analysed once while they hold one
//! row each of many sample tenants, which are deleted in the same transaction. This runs after all indexes exist, because
//! creating one counts the rows again and finds none.

use crate::SYSTEM_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// Large enough that an index on the row is cheaper than one on its tenant.
const SAMPLE: u32 = 200;

/// Prefix of the sample tenants' slugs; no real slug has a space.
const MADE_UP: &str = "made up ";

const TABLES: &str = "directory_users, directory_groups, directory_memberships, members, sharing_groups, \
    sharing_group_members, runs, run_items";

/// As for tenants (migration 8): a run may be most of its table.
const COARSE: &str = "ALTER TABLE run_items ALTER COLUMN run_id";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        manager.get_connection().execute_unprepared(&format!("{COARSE} SET (n_distinct = 4)")).await?;
        analyse(manager, Some(SYSTEM_ROLE)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(&format!("{COARSE} RESET (n_distinct)")).await?;
        }
        Ok(())
    }
}

/// Analyses the tables, those of a new database while they hold rows of sample tenants, which this role makes and deletes; without
/// one the login does.
pub(crate) async fn analyse(manager: &SchemaManager<'_>, role: Option<&str>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let (take, give_back) =
        role.map_or_else(Default::default, |role| (format!("SET LOCAL ROLE {role};"), "RESET ROLE;"));
    db.execute_unprepared(&format!("{take} SELECT 1")).await?;
    let is_new = db.query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT 1 FROM tenants LIMIT 1"));
    let is_new = is_new.await?.is_none();
    if is_new {
        db.execute_unprepared(&made_up_rows()).await?;
    }
    db.execute_unprepared(&format!("{give_back} ANALYZE {TABLES}")).await?;
    if is_new {
        let delete = format!("DELETE FROM tenants WHERE slug LIKE '{MADE_UP}%'");
        db.execute_unprepared(&format!("{take} {delete}; {give_back}")).await?;
    }
    Ok(())
}

/// One row for each tenant in every table, with distinct values, because repeated ones would count as common. All ids of one
/// tenant equal the tenant's id, which is unique as well.
fn made_up_rows() -> String {
    format!(
        "INSERT INTO tenants (id, slug, name, policy, created_at)
           SELECT gen_random_uuid(), '{MADE_UP}' || i, '', '{{}}', now() FROM generate_series(1, {SAMPLE}) i;
         INSERT INTO sources (tenant_id, id, kind, mode, name, created_at) SELECT id, id, 'scim', 'off', '', now() FROM tenants;
         INSERT INTO directory_users (tenant_id, id, source_id, user_name, user_name_folded, external_id, email, email_folded,
             attributes, created_at, modified_at)
           SELECT id, id, id, id, id, id, id, id, '{{}}', now(), now() FROM tenants;
         INSERT INTO directory_groups (tenant_id, id, source_id, display_name, display_name_folded, external_id, attributes,
             created_at, modified_at)
           SELECT id, id, id, id, id, id, '{{}}', now(), now() FROM tenants;
         INSERT INTO directory_memberships (tenant_id, group_id, user_id) SELECT id, id, id FROM tenants;
         INSERT INTO members (tenant_id, id, email, email_folded, status, role, managed_by, directory_user_id, external_id,
             created_at, modified_at)
           SELECT id, id, id, id, 'active', 'member', id, id, id, now(), now() FROM tenants;
         INSERT INTO sharing_groups (tenant_id, id, name, name_folded, managed_by, directory_group_id, created_at, modified_at)
           SELECT id, id, id, id, id, id, now(), now() FROM tenants;
         INSERT INTO sharing_group_members (tenant_id, group_id, member_id) SELECT id, id, id FROM tenants;
         INSERT INTO runs (tenant_id, id, state, verdict, held_reasons, counts, digest, created_at, modified_at)
           SELECT id, id, 'applied', 'applied', '[]', '{{}}', '', now(), now() FROM tenants;
         INSERT INTO run_items (tenant_id, run_id, id, action, subject_id, object_id, subject_kind, why, decision, detail, digest)
           SELECT id, id, id, 'provision', id, id, '', '', 'applied', '{{}}', '' FROM tenants"
    )
}
