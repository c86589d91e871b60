//! Rewinds of everything that a source did since an instant, and the later runs that stand in a rewind's way.

use crate::column::{json_null, time_null, uuid_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 3] = ["rewinds_since", "rewinds_last", "later_runs"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [since, last, later] = COLUMNS;
        for column in [time_null(since), uuid_null(last), json_null(later)] {
            manager.alter_table(Table::alter().table("runs").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            manager.alter_table(Table::alter().table("runs").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
