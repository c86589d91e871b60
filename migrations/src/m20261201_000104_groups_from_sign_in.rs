//! Groups that a sign-in asserts (decision 0091): the setting of a connection, the sharing groups that sign-ins made, and the memberships
//! that they lend.

use crate::column::{flag, json_null};
use sea_orm_migration::prelude::*;

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
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, _, name) in COLUMNS {
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
