//! OAuth clients of a source with their access tokens, and links with which a source is set up: all are credentials (decisions 0081, 0084).

use crate::column::{index, uuid_null};
use sea_orm_migration::prelude::*;

const CREDENTIALS: &str = "credentials";
const COLUMNS: [&str; 2] = ["client_id", "made_id"];
const OF_CLIENT: &str = "credentials_client";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            let add = Table::alter().table(CREDENTIALS).add_column(uuid_null(column)).to_owned();
            manager.alter_table(add).await?;
        }
        let [client, _] = COLUMNS;
        let of_client = index(CREDENTIALS, OF_CLIENT, &[client, "expires_at"])
            .and_where(Expr::col(client).is_not_null())
            .to_owned();
        manager.create_index(of_client).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(OF_CLIENT).table(CREDENTIALS).to_owned()).await?;
        for column in COLUMNS {
            manager.alter_table(Table::alter().table(CREDENTIALS).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
