//! The roster (actual state): members, sharing groups, and their memberships.

use crate::column::{
    flag, index, table, tenant_table, text, text_null, time, time_null, to_managing_source, to_row, to_tenant, uuid,
    uuid_null,
};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        members(manager).await?;
        groups(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["sharing_group_members", "sharing_groups", "members"] {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}

async fn members(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let members = tenant_table("members")
        .col(text("email"))
        .col(text("email_folded"))
        .col(text_null("display_name"))
        .col(text_null("given_name"))
        .col(text_null("family_name"))
        .col(text_null("external_id"))
        .col(text("status"))
        .col(text("role"))
        .col(flag("billing_contact"))
        .col(uuid_null("managed_by"))
        .col(uuid_null("directory_user_id"))
        .col(text_null("suspended_from"))
        .col(text_null("waiting_for"))
        .col(flag("seated"))
        .col(flag("held"))
        .col(time("created_at"))
        .col(time("modified_at"))
        .foreign_key(&mut to_tenant())
        .foreign_key(&mut to_managing_source())
        .to_owned();
    manager.create_table(members).await?;
    let present = Expr::col("status").ne("removed");
    let admins = Expr::col("role").ne("member").or(Expr::col("billing_contact").eq(true));
    let waiting = Expr::col("waiting_for").eq("seat");
    for index in [
        index("members", "members_email", &["email_folded"]).unique().and_where(present),
        // Readers look an address up whatever the status, which the partial index above cannot serve.
        &mut index("members", "members_by_email", &["email_folded", "id"]),
        index("members", "members_directory_user", &["directory_user_id"]).unique(),
        &mut index("members", "members_external_id", &["managed_by", "external_id"]),
        index("members", "members_admins", &["id"]).and_where(admins),
        index("members", "members_waiting", &["directory_user_id", "id"]).and_where(waiting),
        &mut index("members", "members_status", &["status", "id"]),
    ] {
        manager.create_index(index.to_owned()).await?;
    }
    Ok(())
}

async fn groups(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let groups = tenant_table("sharing_groups")
        .col(text("name"))
        .col(text("name_folded"))
        .col(uuid_null("managed_by"))
        .col(uuid_null("directory_group_id"))
        .col(time("created_at"))
        .col(time("modified_at"))
        .col(time_null("removed_at"))
        .foreign_key(&mut to_tenant())
        .foreign_key(&mut to_managing_source())
        .to_owned();
    manager.create_table(groups).await?;
    let present = Expr::col("removed_at").is_null();
    let by_name =
        index("sharing_groups", "sharing_groups_name", &["name_folded"]).unique().and_where(present).to_owned();
    manager.create_index(by_name).await?;
    let by_record =
        index("sharing_groups", "sharing_groups_directory_group", &["directory_group_id"]).unique().to_owned();
    manager.create_index(by_record).await?;

    let group_members = table("sharing_group_members")
        .col(uuid("tenant_id"))
        .col(uuid("group_id"))
        .col(uuid("member_id"))
        .primary_key(Index::create().col("tenant_id").col("group_id").col("member_id"))
        .foreign_key(&mut to_row("group_id", "sharing_groups"))
        .foreign_key(&mut to_row("member_id", "members"))
        .to_owned();
    manager.create_table(group_members).await?;
    manager
        .create_index(index("sharing_group_members", "sharing_group_members_member", &["member_id", "group_id"]))
        .await
}
