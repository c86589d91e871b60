//! `directory_users`: a person as a source describes them; a deleted one stays as a tombstone.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_users")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) source_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) user_name: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) user_name_folded: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) external_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) email: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) email_folded: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) second_email_folded: Option<String>,
    pub(crate) more_emails: bool,
    #[sea_orm(column_type = "Text")]
    pub(crate) display_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) given_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) family_name: Option<String>,
    pub(crate) active: bool,
    pub(crate) was_active: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) attributes: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) folded: Option<Json>,
    pub(crate) version: i64,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) modified_at: DateTimeUtc,
    pub(crate) deleted_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
