//! Roles by the claims of a sign-in (decision 0083): the rules of a connection, and what they lend to a member.

use crate::column::{flag, json_null, text_null};
use sea_orm_migration::prelude::*;

type NewColumn = fn(&'static str) -> ColumnDef;

const COLUMNS: [(&str, NewColumn, &str); 4] = [
    ("sign_in_connections", json_null, "role_rules"),
    ("sign_in_connections", flag, "creates_members"),
    ("members", text_null, "role_before_rule"),
    ("members", flag, "contact_by_rule"),
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
