//! `tenants`: a customer with its seats and its policy; the row is the tenant itself.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) slug: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    pub(crate) seats: i64,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) policy: Json,
    pub(crate) policy_version: i64,
    pub(crate) created_at: DateTimeUtc,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) quotas: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::Id;
}
