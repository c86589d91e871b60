//! `sharing_groups`: a group of the roster.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sharing_groups")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) name_folded: String,
    pub(crate) managed_by: Option<Uuid>,
    pub(crate) directory_group_id: Option<Uuid>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) modified_at: DateTimeUtc,
    pub(crate) removed_at: Option<DateTimeUtc>,
    pub(crate) position: i64,
    /// A sign-in made it, so a source takes it over by its name.
    pub(crate) from_sign_in: bool,
    pub(crate) members_count: i64,
    pub(crate) entitled_count: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
