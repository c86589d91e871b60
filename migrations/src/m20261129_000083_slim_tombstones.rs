//! Tombstones of before lose what they say about a person: the audit log alone keeps that.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite has no digest; an embedded hub keeps none of its earlier tombstones.
        let (digest, empty) = match manager.get_database_backend() {
            DbBackend::Postgres => {
                ("'sha256:' || encode(sha256(convert_to(external_id, 'UTF8')), 'hex')", "'{}'::jsonb")
            }
            _ => ("NULL", "'{}'"),
        };
        let users = format!(
            "UPDATE directory_users SET user_name = '', user_name_folded = '', external_id = {digest}, email = NULL, \
             email_folded = NULL, second_email_folded = NULL, more_emails = FALSE, display_name = NULL, given_name = NULL, \
             family_name = NULL, active = FALSE, attributes = {empty}, folded = NULL WHERE deleted_at IS NOT NULL"
        );
        let groups =
            format!("UPDATE directory_groups SET attributes = {empty}, folded = NULL WHERE deleted_at IS NOT NULL");
        for sql in [users, groups] {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    /// Erased data does not come back.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
