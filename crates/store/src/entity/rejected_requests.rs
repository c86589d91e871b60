//! `rejected_requests`: a request that could not be parsed.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejected_requests")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) source_id: Uuid,
    pub(crate) at: DateTimeUtc,
    pub(crate) expires_at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub(crate) method: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) path: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) body: Option<String>,
    pub(crate) body_bytes: i64,
    pub(crate) status: i64,
    #[sea_orm(column_type = "Text")]
    pub(crate) scim_type: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) detail: String,
    pub(crate) replayed_at: Option<DateTimeUtc>,
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
