//! Machines and links to set them up, across tenants: the client or the link of a presented secret, and the tenants in which tokens are
//! to be forgotten.

use crate::access::access_tokens::FORGOTTEN;
use crate::access::setup_links::OpenSetupLink;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::OauthClient;
use crate::secret::SecretDigest;
use chrono::{DateTime, Utc};
use rollcall_core::ids::TenantId;
use sea_orm::FromQueryResult;
use uuid::Uuid;

static OAUTH_CLIENT: Sql = Sql::across(&["SELECT c.tenant_id, c.id, c.client_id, c.source_id FROM credentials c \
     WHERE c.digest = $1 AND c.kind = 'oauth_client' AND c.revoked_at IS NULL \
     AND (c.expires_at IS NULL OR c.expires_at > $2)"]);
/// A link with all that its page shows: the source, the token that was made, and the last call of the provider.
static SETUP_LINK: Sql = Sql::across(&["SELECT c.tenant_id, c.id, c.source_id, c.name, c.expires_at, \
     t.name AS tenant_name, s.name AS source_name, s.mode, k.prefix AS token_prefix, k.created_at AS token_made_at, k.client_id, \
     k.revoked_at AS token_revoked_at, \
     (SELECT max(u.last_used_at) FROM credentials u WHERE u.tenant_id = c.tenant_id AND u.source_id = c.source_id \
      AND u.kind <> 'setup_link') AS called_at \
     FROM credentials c JOIN tenants t ON t.id = c.tenant_id \
     JOIN sources s ON s.tenant_id = c.tenant_id AND s.id = c.source_id \
     LEFT JOIN credentials k ON k.tenant_id = c.tenant_id AND k.id = c.made_id \
     WHERE c.digest = $1 AND c.kind = 'setup_link' AND c.revoked_at IS NULL AND c.expires_at > $2"]);
static TENANTS_WITH_ENDED_TOKENS: Sql = Sql::across(&[
    "SELECT l.tenant_id AS id FROM tenant_leases l WHERE l.tenant_id > $1 \
     AND EXISTS (SELECT 1 FROM credentials c WHERE c.tenant_id = l.tenant_id AND ",
    FORGOTTEN,
    ") ORDER BY l.tenant_id LIMIT 100",
]);

#[derive(FromQueryResult)]
struct ClientRow {
    tenant_id: Uuid,
    id: Uuid,
    client_id: Uuid,
    source_id: Uuid,
}

#[derive(FromQueryResult)]
struct TenantRow {
    id: Uuid,
}

impl Store {
    /// The client whose secret has this digest, if the secret is in force.
    #[tracing::instrument(name = "store.across.oauth_client", skip_all)]
    pub async fn oauth_client(&self, digest: &SecretDigest) -> Result<Option<OauthClient>, StoreError> {
        let tx = self.across(false).await?;
        let values = [digest.to_vec().into(), self.clock.now().into()];
        let row: Option<ClientRow> = tx.one(OAUTH_CLIENT.text(tx.engine()), values).await?;
        Ok(row.map(|ClientRow { tenant_id, id, client_id, source_id }| {
            OauthClient::new(tenant_id.into(), id.into(), client_id.into(), source_id.into())
        }))
    }

    /// The set-up link with this digest, if it is in force.
    #[tracing::instrument(name = "store.across.setup_link", skip_all)]
    pub async fn setup_link(&self, digest: &SecretDigest) -> Result<Option<OpenSetupLink>, StoreError> {
        let tx = self.across(false).await?;
        tx.one(SETUP_LINK.text(tx.engine()), [digest.to_vec().into(), self.clock.now().into()]).await
    }

    /// Tenants with tokens that ended before this instant, beginning after one of them.
    #[tracing::instrument(name = "store.across.tenants_with_ended_tokens", skip_all)]
    pub async fn tenants_with_ended_tokens(
        &self,
        before: DateTime<Utc>,
        after: Option<TenantId>,
    ) -> Result<Vec<TenantId>, StoreError> {
        let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
        let tx = self.across(false).await?;
        let values = [after.into(), before.into()];
        let rows: Vec<TenantRow> = tx.all(TENANTS_WITH_ENDED_TOKENS.text(tx.engine()), values).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }
}
