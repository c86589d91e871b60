//! Groups that a sign-in asserts (decision 0091): the setting of a connection, the sharing groups that sign-ins made, and the memberships
//! that they lend.

use crate::column::{flag, json_null};
use crate::m20261122_000007_row_level_security::TENANT_ROLE;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

type NewColumn = fn(&'static str) -> ColumnDef;

const COLUMNS: [(&str, NewColumn, &str); 3] = [
    ("sign_in_connections", json_null, "groups_from_sign_in"),
    ("sharing_groups", flag, "from_sign_in"),
    ("sharing_group_members", flag, "by_sign_in"),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, name) in COLUMNS {
            manager.alter_table(Table::alter().table(table).add_column(column(name)).to_owned()).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            // A source takes a lent membership over.
            let sql = format!("GRANT UPDATE (by_sign_in) ON sharing_group_members TO {TENANT_ROLE}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, _, name) in COLUMNS {
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
