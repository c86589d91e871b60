//! Sharing groups on the wire.

use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One sharing group.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharingGroup {
    pub id: Uuid,
    pub name: String,
    pub managed_by: Option<Uuid>,
    pub directory_group_id: Option<Uuid>,
    pub members_count: i64,
    /// Members who have access, or have it once they accept their invitation.
    pub entitled_count: i64,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

impl From<store::SharingGroup> for SharingGroup {
    fn from(row: store::SharingGroup) -> Self {
        let store::SharingGroup {
            id,
            name,
            managed_by,
            directory_group_id,
            members_count,
            entitled_count,
            created_at,
            modified_at,
        } = row;
        Self { id, name, managed_by, directory_group_id, members_count, entitled_count, created_at, modified_at }
    }
}
