//! `directory_groups`: a group as a source describes it; a deleted one stays as a tombstone.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_groups")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) source_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) display_name: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) display_name_folded: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) name_key: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) external_id: Option<String>,
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
