//! Upkeep of uploads: those that nobody completes end, and old ones are forgotten with their plans. Nonces that have expired go.

use crate::agent::uploads::{COLUMNS, Upload};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::TenantScope;
use chrono::TimeDelta;
use rollcall_core::event::Actor;
use rollcall_core::ids::TenantId;
use rollcall_core::upload::{UploadRefusal, UploadState};

/// An open upload ends when no part comes for this time.
const OPEN_TIME: TimeDelta = TimeDelta::hours(6);
/// An upload under a key that nobody verifies ends after this time.
const UNVERIFIED_TIME: TimeDelta = TimeDelta::days(14);
/// Uploads that ended are listed for this time.
const KEPT_TIME: TimeDelta = TimeDelta::days(30);

static STALE: Sql = Sql::tenant(&[
    "SELECT ",
    COLUMNS,
    " FROM agent_uploads WHERE tenant_id = {tenant} \
     AND ((state = 'open' AND touched_at < $2) OR (state = 'unverified' AND touched_at < $3)) LIMIT 100",
]);
static FORGET: Sql = Sql::tenant(&["DELETE FROM agent_uploads WHERE tenant_id = {tenant} AND ended_at < $2"]);
static FORGET_NONCES: Sql = Sql::tenant(&["DELETE FROM agent_nonces WHERE tenant_id = {tenant} AND expires_at < $2"]);

impl Store {
    /// Ends uploads of a tenant that are not completed, and forgets old ones.
    #[tracing::instrument(name = "store.agent.forget_uploads", skip_all)]
    pub async fn forget_uploads(&self, tenant: TenantId) -> Result<(), StoreError> {
        let tx = self.write(&TenantScope::new(tenant, Actor::System)).await?;
        let now = tx.clock.now();
        let stale: Vec<Upload> = tx.all(&STALE, [(now - OPEN_TIME).into(), (now - UNVERIFIED_TIME).into()]).await?;
        for upload in stale {
            tx.end_upload(upload.id, UploadState::Abandoned, UploadRefusal::Expired, None).await?;
        }
        tx.exec(&FORGET, [(now - KEPT_TIME).into()]).await?;
        tx.exec(&FORGET_NONCES, [now.into()]).await?;
        tx.commit().await
    }
}
