//! Sessions and sign-in links are credentials of a member, and API keys have permissions.

use crate::column::{text_null, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const MEMBER: &str = "member_id";
const COLUMNS: [&str; 3] = [MEMBER, "permissions", "address"];
const OF_MEMBER: &str = "credentials_member";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [member, permissions, address] = COLUMNS;
        for column in [uuid_null(member), text_null(permissions), text_null(address)] {
            manager.alter_table(Table::alter().table("credentials").add_column(column).to_owned()).await?;
        }
        let of_member = Index::create()
            .name(OF_MEMBER)
            .table("credentials")
            .col("tenant_id")
            .col(MEMBER)
            .and_where(Expr::col(MEMBER).is_not_null())
            .to_owned();
        manager.create_index(of_member).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(OF_MEMBER).table("credentials").to_owned()).await?;
        for column in COLUMNS {
            manager.alter_table(Table::alter().table("credentials").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
