//! Sign-in across tenants: which tenant's provider signs in the people of a domain, and the upkeep of domains and secrets.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::sign_in::domains::{DOMAIN_RECHECK, DueDomain};
use rollcall_core::ids::{SignInConnectionId, TenantId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

static TENANT_OF_DOMAIN: Sql = Sql::across(&["SELECT d.tenant_id AS id FROM domains d \
     JOIN sign_in_connections c ON c.tenant_id = d.tenant_id AND c.usage <> 'off' \
     WHERE d.domain = $1 AND d.verified_at IS NOT NULL"]);
/// Proven domains that were not looked at lately, the longest first.
static DUE_DOMAINS: Sql = Sql::across(&["SELECT d.tenant_id, d.id, d.domain, d.challenge FROM domains d \
     WHERE d.verified_at IS NOT NULL AND d.checked_at < $1 ORDER BY d.checked_at LIMIT $2"]);
static SEALED: Sql = Sql::across(&[
    "SELECT tenant_id, id FROM sign_in_connections WHERE sealed_secret IS NOT NULL ORDER BY tenant_id, id",
]);

#[derive(FromQueryResult)]
struct TenantRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct DomainRow {
    tenant_id: Uuid,
    id: Uuid,
    domain: String,
    challenge: String,
}

#[derive(FromQueryResult)]
struct ConnectionRow {
    tenant_id: Uuid,
    id: Uuid,
}

impl Store {
    /// The tenant to which a domain belongs, if its people sign in by a provider.
    #[tracing::instrument(name = "store.across.tenant_of_domain", skip_all)]
    pub async fn tenant_of_domain(&self, domain: &str) -> Result<Option<TenantId>, StoreError> {
        let tx = self.across(false).await?;
        let row: Option<TenantRow> = tx.one(TENANT_OF_DOMAIN.text(tx.engine()), [domain.into()]).await?;
        Ok(row.map(|row| row.id.into()))
    }

    /// Proven domains whose record is to be looked at again, at most `limit`.
    #[tracing::instrument(name = "store.across.due_domains", skip_all)]
    pub async fn due_domains(&self, limit: u32) -> Result<Vec<DueDomain>, StoreError> {
        let tx = self.across(false).await?;
        let values = [(self.clock.now() - DOMAIN_RECHECK).into(), i64::from(limit).into()];
        let rows: Vec<DomainRow> = tx.all(DUE_DOMAINS.text(tx.engine()), values).await?;
        let due = |DomainRow { tenant_id, id, domain, challenge }| DueDomain {
            tenant: tenant_id.into(),
            id: id.into(),
            domain,
            challenge,
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// The connections of all tenants that have a sealed secret.
    #[tracing::instrument(name = "store.across.sealed_connections", skip_all)]
    pub async fn sealed_connections(&self) -> Result<Vec<(TenantId, SignInConnectionId)>, StoreError> {
        let tx = self.across(false).await?;
        let rows: Vec<ConnectionRow> = tx.all(SEALED.text(tx.engine()), []).await?;
        Ok(rows.into_iter().map(|row| (row.tenant_id.into(), row.id.into())).collect())
    }
}
