//! `webhook_endpoints`: an address to which a tenant's events go, and how far it has come.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) url: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) description: String,
    /// Null for all kinds.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub(crate) kinds: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub(crate) status: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) disabled_reason: Option<String>,
    #[sea_orm(column_type = "Binary(1)")]
    pub(crate) sealed_secret: Vec<u8>,
    /// The secret before the last rotation, in force until `former_until`.
    #[sea_orm(column_type = "Binary(1)", nullable)]
    pub(crate) sealed_former_secret: Option<Vec<u8>>,
    pub(crate) former_until: Option<DateTimeUtc>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) modified_at: DateTimeUtc,
    /// The place of the last event that was delivered or left out.
    pub(crate) after_position: i64,
    pub(crate) after_id: Uuid,
    /// Attempts in a row that failed.
    pub(crate) failures: i64,
    pub(crate) failing_since: Option<DateTimeUtc>,
    pub(crate) retry_at: Option<DateTimeUtc>,
    pub(crate) last_status: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) last_error: Option<String>,
    pub(crate) last_delivered_at: Option<DateTimeUtc>,
    pub(crate) holder: Option<Uuid>,
    pub(crate) leased_until: Option<DateTimeUtc>,
    pub(crate) fence: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
