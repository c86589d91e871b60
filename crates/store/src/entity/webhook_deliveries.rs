//! `webhook_deliveries`: an attempt to send a message to an endpoint.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) endpoint_id: Uuid,
    pub(crate) at: DateTimeUtc,
    pub(crate) event_id: Uuid,
    /// Null for a test.
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) sequence: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) kind: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) purpose: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) outcome: String,
    pub(crate) attempt: i64,
    pub(crate) status: Option<i64>,
    /// The beginning of the answer's body.
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) answer: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) error: Option<String>,
    pub(crate) duration_ms: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
