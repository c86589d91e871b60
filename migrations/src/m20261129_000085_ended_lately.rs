//! Credentials that ended in the last moments, over all tenants: every process learns them from the database too (decision 0070).

use sea_orm_migration::prelude::*;

const INDEXES: [(&str, &str); 2] = [("credentials_revoked", "revoked_at"), ("credentials_expiring", "expires_at")];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in INDEXES {
            let ended = Expr::col(column).is_not_null();
            let index = Index::create().name(name).table("credentials").col(column).and_where(ended).to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table("credentials").to_owned()).await?;
        }
        Ok(())
    }
}
