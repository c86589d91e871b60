//! `domains`: a domain of a tenant, and the proof of it.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "domains")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) domain: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) challenge: String,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) checked_at: Option<DateTimeUtc>,
    pub(crate) verified_at: Option<DateTimeUtc>,
    pub(crate) missing_since: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
