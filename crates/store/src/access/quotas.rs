//! Quotas of a tenant: what it uses, counted exactly, and the operator's overrides. A write is not counted here: the process adds up
//! what it accepts, and asks for a count when that matters (`crates/hub`, quota).

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::tenants;
use crate::scope::{AdminScope, SourceScope};
use rollcall_core::event::{Difference, Event};
use rollcall_core::quota::{OverQuota, Quota, QuotaOverrides, Quotas, Usage};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::LockType;
use serde_json::Value as Json;
use uuid::Uuid;

/// The use of a tenant, and its limits.
#[derive(Clone, Copy, Debug)]
pub struct CountedUsage {
    pub usage: Usage,
    pub limits: Quotas,
}

#[derive(FromQueryResult)]
struct UsageRow {
    records: i64,
    bytes: i64,
    sources: i64,
    keys: i64,
    webhooks: i64,
    changes: i64,
    quotas: Option<Json>,
}

/// Attributes and their folded copies as the database stores them; Postgres compresses long ones. A membership has about 100
/// bytes with its indexes.
const SIZE_POSTGRES: &str = "pg_column_size(d.attributes) + coalesce(pg_column_size(d.folded), 0)";
const SIZE_SQLITE: &str = "length(CAST(d.attributes AS BLOB)) + coalesce(length(CAST(d.folded AS BLOB)), 0)";
const RECORDS: &str = "SELECT CAST(u.records + g.records AS bigint) AS records, CAST(u.bytes + g.bytes + 100 * \
    (SELECT count(*) FROM directory_memberships m WHERE m.tenant_id = {tenant}) AS bigint) AS bytes, \
    (SELECT count(*) FROM sources s WHERE s.tenant_id = {tenant}) AS sources, \
    (SELECT count(*) FROM credentials c WHERE c.tenant_id = {tenant} AND c.member_id IS NULL \
     AND c.kind NOT IN ('access_token', 'setup_link') AND c.revoked_at IS NULL \
     AND (c.expires_at IS NULL OR c.expires_at > $2)) AS keys, \
    (SELECT count(*) FROM webhook_endpoints w WHERE w.tenant_id = {tenant}) AS webhooks, \
    (SELECT count(*) FROM directory_changes c WHERE c.tenant_id = {tenant}) AS changes, \
    (SELECT t.quotas FROM tenants t WHERE t.id = {tenant}) AS quotas FROM (SELECT count(*) AS records, coalesce(sum(";
const OF_USERS: &str = "), 0) AS bytes FROM directory_users d WHERE d.tenant_id = {tenant}) AS u, \
    (SELECT count(*) AS records, coalesce(sum(";
const OF_GROUPS: &str = "), 0) AS bytes FROM directory_groups d WHERE d.tenant_id = {tenant}) AS g";

static USAGE: Sql = Sql::tenant_by_engine(
    &[],
    &[RECORDS, SIZE_POSTGRES, OF_USERS, SIZE_POSTGRES, OF_GROUPS],
    &[RECORDS, SIZE_SQLITE, OF_USERS, SIZE_SQLITE, OF_GROUPS],
);
static OF_CREDENTIALS: Sql =
    Sql::tenant(&["SELECT CAST(0 AS bigint) AS records, CAST(0 AS bigint) AS bytes, CAST(0 AS bigint) AS changes, \
     (SELECT count(*) FROM sources s WHERE s.tenant_id = {tenant}) AS sources, \
     (SELECT count(*) FROM credentials c WHERE c.tenant_id = {tenant} AND c.member_id IS NULL \
     AND c.kind NOT IN ('access_token', 'setup_link') AND c.revoked_at IS NULL \
      AND (c.expires_at IS NULL OR c.expires_at > $2)) AS keys, \
     (SELECT count(*) FROM webhook_endpoints w WHERE w.tenant_id = {tenant}) AS webhooks, \
     (SELECT t.quotas FROM tenants t WHERE t.id = {tenant}) AS quotas"]);
static SET_QUOTAS: Sql = Sql::tenant(&["UPDATE tenants SET quotas = $2 WHERE id = {tenant}"]);

impl UsageRow {
    fn read(&self, defaults: &Quotas) -> Result<(CountedUsage, QuotaOverrides), StoreError> {
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        let usage = Usage {
            records: number(self.records),
            bytes: number(self.bytes),
            sources: number(self.sources),
            keys: number(self.keys),
            webhooks: number(self.webhooks),
            changes: number(self.changes),
        };
        let own = self.quotas.clone().map(serde_json::from_value).transpose();
        let own: QuotaOverrides =
            own.map_err(|e| StoreError::database(format!("the stored quotas: {e}")))?.unwrap_or_default();
        Ok((CountedUsage { usage, limits: defaults.with(&own) }, own))
    }
}

impl Store {
    /// Counts what the tenant of a source uses: it reads every record of the tenant, so it is not for each request.
    #[tracing::instrument(name = "store.quotas.usage_of_source", skip_all)]
    pub async fn usage_of_source(&self, scope: &SourceScope) -> Result<CountedUsage, StoreError> {
        let tx = self.read(&scope.scope).await?;
        Ok(tx.usage(&USAGE, &self.quotas).await?.0)
    }

    /// As [`usage_of_source`](Self::usage_of_source), for the operator.
    #[tracing::instrument(name = "store.quotas.usage", skip_all)]
    pub async fn usage(&self, scope: &AdminScope) -> Result<CountedUsage, StoreError> {
        let tx = self.read(&scope.scope).await?;
        Ok(tx.usage(&USAGE, &self.quotas).await?.0)
    }

    /// Sets the given quotas of a tenant; with `reset` the others follow the settings again.
    #[tracing::instrument(name = "store.quotas.set_quotas", skip_all)]
    pub async fn set_quotas(
        &self,
        scope: &AdminScope,
        given: &QuotaOverrides,
        reset: bool,
    ) -> Result<CountedUsage, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let (counted, before) = tx.usage(&USAGE, &self.quotas).await?;
        let after = if reset { *given } else { before.changed_by(given) };
        if after != before {
            let json = serde_json::to_value(after).map_err(|e| StoreError::Invalid(e.to_string()))?;
            tx.as_system(tx.exec(&SET_QUOTAS, [json.into()])).await?;
            let event = Event::TenantQuotasChanged(tx.tenant, Difference { before, after });
            tx.tx.batch(vec![tx.event(&event).into()]).await?;
        }
        tx.commit().await?;
        Ok(CountedUsage { limits: self.quotas.with(&after), ..counted })
    }
}

impl TenantTx {
    async fn usage(&self, sql: &Sql, defaults: &Quotas) -> Result<(CountedUsage, QuotaOverrides), StoreError> {
        let row: Option<UsageRow> = self.one(sql, [self.clock.now().into()]).await?;
        row.ok_or(StoreError::NotFound("tenant"))?.read(defaults)
    }

    /// Counts what the tenant uses: it reads every record.
    pub(crate) async fn exact_usage(&self, defaults: &Quotas) -> Result<CountedUsage, StoreError> {
        Ok(self.usage(&USAGE, defaults).await?.0)
    }

    /// Waits for other callers of the tenant who make credentials.
    pub(crate) async fn take_turn(&self) -> Result<(), StoreError> {
        let turn = self.find::<tenants::Entity>().lock(LockType::NoKeyUpdate);
        let _locked: Vec<Uuid> = turn.values(tenants::Column::Id).await?;
        Ok(())
    }

    /// Refuses one more source, credential, or endpoint. Callers of one tenant take turns, so that they are counted together.
    pub(crate) async fn refuse_one_more(&self, what: Quota, defaults: &Quotas) -> Result<(), StoreError> {
        self.take_turn().await?;
        let (CountedUsage { usage, limits }, _) = self.usage(&OF_CREDENTIALS, defaults).await?;
        if usage.of(what) < limits.of(what) {
            return Ok(());
        }
        Err(StoreError::OverQuota(OverQuota { quota: what, limit: limits.of(what) }))
    }
}
