//! `logged_requests`: one request of an identity provider and its answer.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "logged_requests")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) at: DateTimeUtc,
    pub(crate) source_id: Uuid,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) request_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub(crate) method: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) path: String,
    pub(crate) status: i64,
    #[sea_orm(column_type = "Text")]
    pub(crate) scim_type: Option<String>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
