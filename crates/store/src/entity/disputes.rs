//! `disputes`: a skipped record and the reason.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "disputes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) subject_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) subject_kind: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) dispute: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) about: String,
    pub(crate) since: DateTimeUtc,
    pub(crate) last_tried_at: Option<DateTimeUtc>,
    pub(crate) tries: i64,
    pub(crate) ignored_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub(crate) note: Option<String>,
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
