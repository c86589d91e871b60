//! `sign_in_connections`: a connection of a tenant to its identity provider.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_connections")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) issuer: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) client_id: String,
    #[sea_orm(column_type = "Binary(1)", nullable)]
    pub(crate) sealed_secret: Option<Vec<u8>>,
    pub(crate) email_trusted: bool,
    #[sea_orm(column_type = "Text")]
    pub(crate) usage: String,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) tested_at: Option<DateTimeUtc>,
    pub(crate) test_accepted: bool,
    /// The claims of the last test, and what came of them.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub(crate) test: Option<Json>,
    /// Null for none.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub(crate) role_rules: Option<Json>,
    pub(crate) creates_members: bool,
    /// Null where sign-ins fill no groups.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub(crate) groups_from_sign_in: Option<Json>,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
