//! `members`: a person of the roster.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) email: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) email_folded: String,
    /// The words of the address and the names (`rollcall_core::search`).
    #[sea_orm(column_type = "Text")]
    pub(crate) search_text: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) display_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) given_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) family_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) external_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) status: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) role: String,
    pub(crate) billing_contact: bool,
    pub(crate) managed_by: Option<Uuid>,
    pub(crate) directory_user_id: Option<Uuid>,
    pub(crate) former_record_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub(crate) suspended_from: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) waiting_for: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) approval: Option<String>,
    /// The status that an admin's block found; null for a member who is not blocked.
    #[sea_orm(column_type = "Text")]
    pub(crate) blocked_from: Option<String>,
    /// The role that people gave, where a rule of the sign-in lends a stronger one; null elsewhere.
    #[sea_orm(column_type = "Text")]
    pub(crate) role_before_rule: Option<String>,
    /// A rule of the sign-in lends the duty of a billing contact.
    pub(crate) contact_by_rule: bool,
    /// How often an invitation went out again, and when last.
    pub(crate) invitation_repeats: i64,
    pub(crate) invitation_repeated_at: Option<DateTimeUtc>,
    pub(crate) seated: bool,
    pub(crate) held: bool,
    #[sea_orm(column_type = "Text")]
    pub(crate) former_email_folded: Option<String>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) modified_at: DateTimeUtc,
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
