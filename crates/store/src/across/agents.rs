//! Agents across tenants: the key that a signature names, and the tenants with uploads that are due.

use crate::agent::keys::KnownAgentKey;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use rollcall_core::ids::{AgentKeyId, TenantId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

static KEY: Sql =
    Sql::across(&["SELECT k.tenant_id, k.id, k.source_id, k.public_key, k.fingerprint, k.state, k.machine, s.mode, \
     s.users_only, s.plain_discovery FROM agent_keys k \
     JOIN sources s ON s.tenant_id = k.tenant_id AND s.id = k.source_id WHERE k.id = $1"]);
static DUE: Sql = Sql::across(&[
    "SELECT l.tenant_id AS id FROM tenant_leases l WHERE l.tenant_id > $2 AND EXISTS (SELECT 1 FROM agent_uploads u \
     WHERE u.tenant_id = l.tenant_id AND u.state IN ('waiting', 'applying') AND u.ended_at IS NULL \
     AND (u.retry_at IS NULL OR u.retry_at <= $1)) ORDER BY l.tenant_id LIMIT 100",
]);

#[derive(FromQueryResult)]
struct TenantRow {
    id: Uuid,
}

impl Store {
    /// The key with this id, whatever its state.
    #[tracing::instrument(name = "store.across.agent_key", skip_all)]
    pub async fn agent_key(&self, id: AgentKeyId) -> Result<Option<KnownAgentKey>, StoreError> {
        let tx = self.across(false).await?;
        tx.one(KEY.text(tx.engine()), [id.0.into()]).await
    }

    /// Tenants with uploads that are due, beginning after one of them.
    #[tracing::instrument(name = "store.across.tenants_with_due_uploads", skip_all)]
    pub async fn tenants_with_due_uploads(&self, after: Option<TenantId>) -> Result<Vec<TenantId>, StoreError> {
        let tx = self.across(false).await?;
        let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
        let rows: Vec<TenantRow> = tx.all(DUE.text(tx.engine()), [self.clock.now().into(), after.into()]).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }
}
