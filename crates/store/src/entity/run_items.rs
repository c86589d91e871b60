//! `run_items`: one action of a run and its decision.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run_items")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) run_id: Uuid,
    pub(crate) id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) action: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) subject_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) object_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) subject_kind: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) why: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) decision: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) held_reason: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) detail: Json,
    #[sea_orm(column_type = "Text")]
    pub(crate) digest: String,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) source_id: Option<Uuid>,
    pub(crate) member_id: Option<Uuid>,
    pub(crate) group_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) who: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) before: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) after: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
