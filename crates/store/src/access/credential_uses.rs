//! When credentials were last used, written for many of them together.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, json_rows, time_text};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A credential was used at this time.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialUse {
    pub tenant_id: Uuid,
    pub id: Uuid,
    #[serde(serialize_with = "time_text")]
    pub last_used_at: DateTime<Utc>,
}

const USE_COLUMNS: Columns = &[("tenant_id", Type::Uuid), ("id", Type::Uuid), ("last_used_at", Type::Time)];

impl Store {
    /// Records the last use of credentials of any tenants.
    #[tracing::instrument(name = "store.credential_uses.note_credential_uses", skip_all)]
    pub async fn note_credential_uses(&self, uses: &[CredentialUse]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let tx = self.across(true).await?;
        let sql = format!(
            "UPDATE credentials SET last_used_at = r.last_used_at FROM {} \
             WHERE credentials.tenant_id = r.tenant_id AND credentials.id = r.id \
             AND (credentials.last_used_at IS NULL OR credentials.last_used_at < r.last_used_at)",
            tx.rows(USE_COLUMNS)
        );
        tx.exec(&sql, [json_rows(uses)?]).await?;
        tx.commit().await
    }
}
