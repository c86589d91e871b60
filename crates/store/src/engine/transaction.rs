//! Transactions of one tenant, and the ways the store opens them. Everything above this file works with a [`TenantTx`]; what one
//! connection does is in [`crate::engine::connection`].

use crate::engine::connect::{Pools, Store};
use crate::engine::connection::{Engine, Tx};
use crate::engine::error::StoreError;
use crate::engine::postgres_batching::{Look, glance};
use crate::scope::TenantScope;
use rollcall_core::clock::Clock;
use rollcall_core::event::Actor;
use rollcall_core::ids::{RequestId, TenantId};
use rollcall_migrations::{SYSTEM_ROLE, TENANT_ROLE};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;

/// One transaction of one tenant. It is rolled back when dropped.
pub(crate) struct TenantTx {
    pub(crate) tx: Tx,
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    pub(crate) request: Option<RequestId>,
    pub(crate) clock: Clock,
}

impl Store {
    /// Opens a transaction that may write.
    pub(crate) async fn write(&self, scope: &TenantScope) -> Result<TenantTx, StoreError> {
        self.open(scope, true).await
    }

    /// Opens a transaction that only reads; on SQLite it does not wait for the writer.
    pub(crate) async fn read(&self, scope: &TenantScope) -> Result<TenantTx, StoreError> {
        self.open(scope, false).await
    }

    async fn open(&self, scope: &TenantScope, writes: bool) -> Result<TenantTx, StoreError> {
        let tx = Tx::begin(self, TENANT_ROLE, Some(scope.tenant), writes).await?;
        let TenantScope { tenant, actor, request } = *scope;
        Ok(TenantTx { tx, tenant, actor, request, clock: self.clock.clone() })
    }

    /// Opens a transaction that is one [`TenantTx::add`] or one [`TenantTx::change_if`]: no round trip to begin and none to commit.
    pub(crate) fn write_once(&self, scope: &TenantScope) -> TenantTx {
        let engine = match &self.pools {
            Pools::Postgres { gathered, .. } => Engine::Gathered(gathered.clone()),
            Pools::Sqlite { together, .. } => Engine::Together(together.clone()),
        };
        let TenantScope { tenant, actor, request } = *scope;
        let tx = Tx { engine, faults: self.faults.clone(), keeps_plans: true };
        TenantTx { tx, tenant, actor, request, clock: self.clock.clone() }
    }

    /// Reads by one statement that is a transaction of its own: one round trip. In `select`, `{tenant}` stands for the
    /// tenant's id; `values` are those of `$2` and on.
    ///
    /// On Postgres the statement sets the tenant itself ([`glance`]); the session's role is the tenants' from its start.
    pub(crate) async fn glance<T: FromQueryResult>(
        &self,
        scope: &TenantScope,
        select: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<T>, StoreError> {
        let tx = Tx::single(self).await?;
        let (sql, tenant) = if tx.is_postgres() {
            (glance(select), scope.tenant.to_string().into())
        } else {
            (select.replace("{tenant}", "$1"), scope.tenant.0.into())
        };
        tx.all(&sql, std::iter::once(tenant).chain(values)).await
    }

    /// The same for what is short whatever its values: on Postgres it goes with others' of the same text.
    pub(crate) async fn look<T: FromQueryResult>(
        &self,
        scope: &TenantScope,
        select: String,
        values: Vec<Value>,
    ) -> Result<Vec<T>, StoreError> {
        let Pools::Postgres { gathered, .. } = &self.pools else { return self.glance(scope, &select, values).await };
        self.faults.point()?;
        let rows = gathered.looks.ask((scope.tenant, select), Look(values)).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// Opens a transaction across tenants; for `across.rs` only.
    pub(crate) async fn across(&self, writes: bool) -> Result<Tx, StoreError> {
        Tx::begin(self, SYSTEM_ROLE, None, writes).await
    }
}

impl TenantTx {
    /// The same, for statements that are about many people: each is planned by the size that its tables have now. A plan that
    /// was kept may be of a time when they were empty: a small price for one person, and the whole tenant for each of thousands.
    pub(crate) fn of_many(mut self) -> Self {
        self.tx.keeps_plans = !self.tx.is_postgres();
        self
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}
