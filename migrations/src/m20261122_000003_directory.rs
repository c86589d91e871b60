//! The directory (desired state) and its change marks.

use crate::column::{
    flag, index, int, json, json_null, table, tenant_table, text, text_null, time, time_null, to_row, to_tenant, uuid,
    uuid_null,
};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        users(manager).await?;
        groups(manager).await?;
        changes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["disputes", "directory_changes", "directory_memberships", "directory_groups", "directory_users"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}

/// Rows that still exist at the source; the others are tombstones until the prune.
fn live() -> SimpleExpr {
    Expr::col("deleted_at").is_null()
}

async fn users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let users = tenant_table("directory_users")
        .col(uuid("source_id"))
        .col(text("user_name"))
        .col(text("user_name_folded"))
        .col(text_null("external_id"))
        .col(text_null("email"))
        .col(text_null("email_folded"))
        .col(text_null("second_email_folded"))
        .col(flag("more_emails"))
        .col(text_null("display_name"))
        .col(text_null("given_name"))
        .col(text_null("family_name"))
        .col(flag("active"))
        .col(flag("was_active"))
        .col(json("attributes"))
        .col(json_null("folded"))
        .col(int("version"))
        .col(time("created_at"))
        .col(time("modified_at"))
        .col(time_null("deleted_at"))
        .foreign_key(&mut to_row("source_id", "sources"))
        .to_owned();
    manager.create_table(users).await?;
    for index in [
        index("directory_users", "directory_users_user_name", &["source_id", "user_name_folded"])
            .unique()
            .and_where(live()),
        index("directory_users", "directory_users_external_id", &["source_id", "external_id"]).and_where(live()),
        index("directory_users", "directory_users_email", &["source_id", "email_folded"]).and_where(live()),
        index("directory_users", "directory_users_second_email", &["source_id", "second_email_folded"])
            .and_where(live())
            .and_where(Expr::col("second_email_folded").is_not_null()),
        index("directory_users", "directory_users_more_emails", &["source_id", "more_emails"])
            .and_where(live())
            .and_where(Expr::col("more_emails").eq(true)),
        index("directory_users", "directory_users_page", &["source_id", "id"]).and_where(live()),
    ] {
        manager.create_index(index.to_owned()).await?;
    }
    Ok(())
}

async fn groups(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let groups = tenant_table("directory_groups")
        .col(uuid("source_id"))
        .col(text("display_name"))
        .col(text("display_name_folded"))
        .col(text_null("external_id"))
        .col(json("attributes"))
        .col(json_null("folded"))
        .col(int("version"))
        .col(time("created_at"))
        .col(time("modified_at"))
        .col(time_null("deleted_at"))
        .foreign_key(&mut to_row("source_id", "sources"))
        .to_owned();
    manager.create_table(groups).await?;
    for index in [
        index("directory_groups", "directory_groups_name", &["source_id", "display_name_folded"]).and_where(live()),
        index("directory_groups", "directory_groups_external_id", &["source_id", "external_id"]).and_where(live()),
        index("directory_groups", "directory_groups_page", &["source_id", "id"]).and_where(live()),
    ] {
        manager.create_index(index.to_owned()).await?;
    }
    let memberships = table("directory_memberships")
        .col(uuid("tenant_id"))
        .col(uuid("group_id"))
        .col(uuid("user_id"))
        .primary_key(Index::create().col("tenant_id").col("group_id").col("user_id"))
        .foreign_key(&mut to_row("group_id", "directory_groups"))
        .foreign_key(&mut to_row("user_id", "directory_users"))
        .to_owned();
    manager.create_table(memberships).await?;
    // Includes the group, because SQLite, without statistics, would prefer the primary key, which covers all columns.
    manager.create_index(index("directory_memberships", "directory_memberships_user", &["user_id", "group_id"])).await
}

async fn changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // A user, a group, or (both set) a membership; none set: the tenant itself, e.g. its seats.
    let changes = tenant_table("directory_changes")
        .col(int("lane"))
        .col(uuid_null("source_id"))
        .col(uuid_null("user_id"))
        .col(uuid_null("group_id"))
        .col(uuid_null("request_id"))
        .col(time("created_at"))
        .foreign_key(&mut to_tenant())
        .to_owned();
    manager.create_table(changes).await?;
    manager.create_index(index("directory_changes", "directory_changes_next", &["lane", "id"])).await?;

    let disputes = table("disputes")
        .col(uuid("tenant_id"))
        .col(uuid("subject_id"))
        .col(text("subject_kind"))
        .col(text("dispute"))
        .col(text("about"))
        .col(time("since"))
        .primary_key(Index::create().col("tenant_id").col("subject_id"))
        .foreign_key(&mut to_tenant())
        .to_owned();
    manager.create_table(disputes).await?;
    manager.create_index(index("disputes", "disputes_about", &["about"])).await
}
