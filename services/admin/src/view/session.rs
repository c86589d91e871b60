//! The caller's session on the wire.

use crate::auth::FRESH;
use crate::view::closed;
use crate::view::members::Member;
use chrono::{DateTime, Utc};
use rollcall_core::ids::{CredentialId, MemberId};
use rollcall_core::permission::Permissions;
use rollcall_core::roster::Role;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The organisation of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
}

impl From<store::TenantName> for Tenant {
    fn from(row: store::TenantName) -> Self {
        let store::TenantName { id, slug, name } = row;
        Self { id, slug, name }
    }
}

/// The caller of a request: a person, or a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrentSession {
    pub tenant: Tenant,
    #[schema(value_type = closed::Role)]
    pub role: Role,
    #[schema(value_type = Vec<closed::Permission>)]
    pub permissions: Permissions,
    /// The person; null for a key.
    pub member: Option<Member>,
    /// Null for a key.
    pub session: Option<Session>,
    /// Recovery codes that the person has not used yet; null for a key.
    pub recovery_codes_left: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    #[schema(value_type = closed::Role)]
    pub role: Role,
    pub signed_in_at: DateTime<Utc>,
    /// When the person proved to be the one; null where the identity provider does not say.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// Until then the session may make credentials and approve runs.
    pub fresh_until: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

impl From<store::Session> for Session {
    fn from(row: store::Session) -> Self {
        let store::Session { tenant: _, id, member, role, signed_in_at, authenticated_at, expires_at } = row;
        let fresh_until = authenticated_at.map(|at| at + FRESH);
        Self { id, member_id: member, role, signed_in_at, authenticated_at, fresh_until, expires_at }
    }
}

/// The codes are shown once; each signs the owner in once.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}
