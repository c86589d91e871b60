//! `tenant_leases`: the lease of a tenant, its retry state, and the counts that the lease holder maintains.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_leases")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    pub(crate) holder: Option<Uuid>,
    pub(crate) fence: i64,
    pub(crate) expires_at: Option<DateTimeUtc>,
    pub(crate) failed_attempts: i64,
    pub(crate) retry_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub(crate) last_error: Option<String>,
    pub(crate) seats_used: i64,
    pub(crate) managed_members: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
