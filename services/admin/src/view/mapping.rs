//! Previewed records on the wire.

use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One record under a mapping. A record with `error` would be skipped.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewedRecord {
    pub user_id: Uuid,
    pub user_name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub error: Option<String>,
}

impl From<store::PreviewedRecord> for PreviewedRecord {
    fn from(row: store::PreviewedRecord) -> Self {
        let store::PreviewedRecord { user_id, user_name, email, display_name, given_name, family_name, error } = row;
        Self { user_id, user_name, email, display_name, given_name, family_name, error }
    }
}
