//! `audit_events`: one line of the audit log.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub(crate) kind: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) actor: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) subject_kind: String,
    pub(crate) subject_id: Uuid,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) run_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) detail: Option<Json>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
