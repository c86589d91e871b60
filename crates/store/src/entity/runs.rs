//! `runs`: the life of one plan.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) source_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub(crate) state: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) verdict: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) held_reasons: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) counts: Json,
    #[sea_orm(column_type = "Text")]
    pub(crate) digest: String,
    pub(crate) rewinds: Option<Uuid>,
    pub(crate) rewinds_since: Option<DateTimeUtc>,
    pub(crate) rewinds_last: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) later_runs: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) progress: Option<Json>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) modified_at: DateTimeUtc,
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
