//! The effect of each run item, so that it can be shown and rewound; and runs that rewind others.

use crate::column::{index, json_null, uuid_null};
use sea_orm_migration::prelude::*;

/// Subject, change and source of an item.
fn item_columns() -> [ColumnDef; 6] {
    [
        uuid_null("source_id"),
        uuid_null("member_id"),
        uuid_null("group_id"),
        json_null("who"),
        json_null("before"),
        json_null("after"),
    ]
}

/// The run that this one rewinds, and the progress of its plan or apply.
fn run_columns() -> [ColumnDef; 2] {
    [uuid_null("rewinds"), json_null("progress")]
}

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in item_columns() {
            manager.alter_table(Table::alter().table("run_items").add_column(column).to_owned()).await?;
        }
        for column in run_columns() {
            manager.alter_table(Table::alter().table("runs").add_column(column).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name("runs_open").table("runs").to_owned()).await?;
        let open = Expr::col("state").is_in(["held", "approved", "planning"]);
        manager.create_index(index("runs", "runs_open", &["id"]).and_where(open).to_owned()).await?;
        let rewinds = Expr::col("rewinds").is_not_null();
        manager.create_index(index("runs", "runs_rewinds", &["rewinds"]).and_where(rewinds).to_owned()).await?;
        let removed = Expr::col("removed_at").is_not_null();
        let removed = index("sharing_groups", "sharing_groups_removed", &["removed_at"]).and_where(removed).to_owned();
        manager.create_index(removed).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, name) in
            [("sharing_groups", "sharing_groups_removed"), ("runs", "runs_rewinds"), ("runs", "runs_open")]
        {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        let open = Expr::col("state").is_in(["held", "approved"]);
        manager.create_index(index("runs", "runs_open", &["id"]).and_where(open).to_owned()).await?;
        for column in ["source_id", "member_id", "group_id", "who", "before", "after"] {
            manager.alter_table(Table::alter().table("run_items").drop_column(column).to_owned()).await?;
        }
        for column in ["rewinds", "progress"] {
            manager.alter_table(Table::alter().table("runs").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
