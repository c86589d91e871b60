//! How often an invitation went out again, and when last (decision 0090).

use crate::column::{int, time_null};
use sea_orm_migration::prelude::*;

const MEMBERS: &str = "members";
const REPEATS: &str = "invitation_repeats";
const REPEATED_AT: &str = "invitation_repeated_at";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [int(REPEATS), time_null(REPEATED_AT)] {
            manager.alter_table(Table::alter().table(MEMBERS).add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in [REPEATS, REPEATED_AT] {
            manager.alter_table(Table::alter().table(MEMBERS).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
