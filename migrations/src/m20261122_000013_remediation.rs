//! Withheld items by person, and the life of a skipped record.

use crate::column::{index, int, text_null, time_null};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Nearly all items are applied, and no query reads those by person: the audit log serves that.
        let withheld = Expr::col("decision").ne("applied");
        let by_subject = index("run_items", "run_items_withheld", &["subject_id", "id"]).and_where(withheld).to_owned();
        manager.create_index(by_subject).await?;
        // One at a time, because SQLite adds only one column per statement.
        for column in [time_null("last_tried_at"), int("tries"), time_null("ignored_at"), text_null("note")] {
            manager.alter_table(Table::alter().table("disputes").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["note", "ignored_at", "tries", "last_tried_at"] {
            manager.alter_table(Table::alter().table("disputes").drop_column(column).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name("run_items_withheld").table("run_items").to_owned()).await
    }
}
