//! `credentials`: the SHA-256 digest of a secret and the scope it grants: tokens, API keys, sessions and links.

use crate::entity::{Relation, TenantEntity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) source_id: Option<Uuid>,
    /// The holder of a session, a sign-in link or a recovery code.
    pub(crate) member_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub(crate) kind: String,
    #[sea_orm(column_type = "Binary(1)")]
    pub(crate) digest: Vec<u8>,
    #[sea_orm(column_type = "Text")]
    pub(crate) prefix: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) role: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) permissions: Option<String>,
    /// The address of the caller who signed in.
    #[sea_orm(column_type = "Text")]
    pub(crate) address: Option<String>,
    /// The person of an identity provider who signed in, and the provider's name for the session.
    pub(crate) identity_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub(crate) provider_session: Option<String>,
    /// When the person proved it at the provider, as far as the provider says.
    pub(crate) authenticated_at: Option<DateTimeUtc>,
    /// The OAuth client of a secret or of an access token.
    pub(crate) client_id: Option<Uuid>,
    /// The token, or the client's secret, that somebody made with this set-up link.
    pub(crate) made_id: Option<Uuid>,
    /// The credential that a rotation put in the place of this one.
    pub(crate) replaced_by: Option<Uuid>,
    /// The actor who made it, as in the audit log; null for those of earlier versions.
    #[sea_orm(column_type = "Text")]
    pub(crate) created_by: Option<String>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) expires_at: Option<DateTimeUtc>,
    pub(crate) revoked_at: Option<DateTimeUtc>,
    pub(crate) last_used_at: Option<DateTimeUtc>,
    pub(crate) position: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl TenantEntity for Entity {
    type Row = Model;

    const TENANT: Column = Column::TenantId;
}
