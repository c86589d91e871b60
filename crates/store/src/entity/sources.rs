//! `sources`: a source of a tenant, with its mode and its quarantine.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sources")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) kind: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) mode: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    pub(crate) users_only: bool,
    pub(crate) plain_discovery: bool,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) people_leave: bool,
    pub(crate) quarantined_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub(crate) quarantine_reason: Option<String>,
    pub(crate) quarantine_released_at: Option<DateTimeUtc>,
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
