//! The status that an admin's block found (decision 0076); null for a member who is not blocked.

use crate::column::{index, text_null};
use sea_orm_migration::prelude::*;

const COLUMN: &str = "blocked_from";
const BLOCKED: &str = "members_blocked";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("members").add_column(text_null(COLUMN)).to_owned()).await?;
        // Nearly nobody is blocked.
        let blocked =
            index("members", BLOCKED, &["position", "id"]).and_where(Expr::col(COLUMN).is_not_null()).to_owned();
        manager.create_index(blocked).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(BLOCKED).table("members").to_owned()).await?;
        manager.alter_table(Table::alter().table("members").drop_column(COLUMN).to_owned()).await
    }
}
