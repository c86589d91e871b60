//! Tenants on the wire, as their operator sees them.

use crate::view::sign_in_links::NewSignInLink;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tenant with its seats.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatedTenant)]
pub struct Tenant {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub seats: i64,
    pub seats_used: i64,
    pub created_at: DateTime<Utc>,
}

impl From<store::TenantSummary> for Tenant {
    fn from(row: store::TenantSummary) -> Self {
        let store::TenantSummary { id, slug, name, seats, seats_used, created_at } = row;
        Self { id, slug, name, seats, seats_used, created_at }
    }
}

/// A tenant that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTenant {
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The link with which the owner signs in once; null without an owner.
    pub sign_in_link: Option<NewSignInLink>,
}
