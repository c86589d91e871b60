//! Nonces of signed requests: each is taken once while its signature is in force. A signature lives for minutes and requests of a
//! source are limited, so their number is bounded.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::AgentScope;
use chrono::{DateTime, Utc};

static FORGET: Sql =
    Sql::tenant(&["DELETE FROM agent_nonces WHERE tenant_id = {tenant} AND key_id = $2 AND expires_at < $3"]);
static TAKE: Sql = Sql::tenant(&[
    "INSERT INTO agent_nonces (tenant_id, key_id, nonce, expires_at) VALUES ({tenant}, $2, $3, $4) ON CONFLICT DO NOTHING",
]);

impl Store {
    /// Takes a nonce; false for one that was taken before.
    #[tracing::instrument(name = "store.agent.take_nonce", skip_all)]
    pub async fn take_nonce(
        &self,
        scope: &AgentScope,
        nonce: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tx = self.write(scope.scope()).await?;
        let key = scope.key().0;
        tx.exec(&FORGET, [key.into(), tx.clock.now().into()]).await?;
        let taken = tx.exec(&TAKE, [key.into(), nonce.into(), expires_at.into()]).await?;
        tx.commit().await?;
        Ok(taken > 0)
    }
}
