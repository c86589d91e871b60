//! `webhook_replays`: a range of the audit log that goes to an endpoint once more.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_replays")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) endpoint_id: Uuid,
    /// The place of the last event that went out.
    pub(crate) after_position: i64,
    pub(crate) after_id: Uuid,
    /// The place of the last event of the range.
    pub(crate) until_position: i64,
    pub(crate) until_id: Uuid,
    pub(crate) created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
