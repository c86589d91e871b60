//! Transactions of one tenant, and how the store opens them. Everything above this file works with a [`TenantTx`]; a single
//! connection is in [`crate::engine::connection`].

use crate::engine::admission::{HeavyKind, HeavyWork};
use crate::engine::batched_read::{BatchedRead, single_read};
use crate::engine::connect::{Pools, Store};
use crate::engine::connection::{Bound, Tx};
use crate::engine::error::StoreError;
use crate::engine::fragment::Fragment;
use crate::engine::position::BEGIN_WRITE;
use crate::engine::session::Terms;
use crate::engine::single_write::SingleWrite;
use crate::engine::slots::Slot;
use crate::engine::sql::Sql;
use crate::engine::write_context::WriteContext;
use crate::scope::TenantScope;
use rollcall_core::budget::Budget;
use rollcall_core::event::Actor;
use rollcall_core::ids::TenantId;
use rollcall_migrations::{SYSTEM_ROLE, TENANT_ROLE};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

/// A place in the tenant's share of the connections, which each statement of a list uses in turn. A list that waited again for its
/// total would hold its page in memory meanwhile, and two hundred of them would hold as many pages.
pub(crate) struct Turn(Option<Arc<Slot>>);

/// One transaction of one tenant. It is rolled back when dropped.
pub(crate) struct TenantTx {
    pub(crate) tx: Tx,
    context: WriteContext,
}

impl Deref for TenantTx {
    type Target = WriteContext;

    fn deref(&self) -> &WriteContext {
        &self.context
    }
}

impl TenantTx {
    /// The same transaction, in which another actor of the same tenant writes from now on.
    pub(crate) fn acting_as(mut self, actor: Actor) -> Self {
        self.context.actor = actor;
        self
    }
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
        let tx = self.begin(TENANT_ROLE, Some(scope.tenant), writes).await?;
        let tx = TenantTx { tx, context: WriteContext::new(scope, self.clock.clone()) };
        if let Some(expected) = scope.expected.filter(|_| writes) {
            tx.expect(&expected).await?;
        }
        Ok(tx)
    }

    /// Opens a transaction across tenants; for `across.rs` only.
    pub(crate) async fn across(&self, writes: bool) -> Result<Tx, StoreError> {
        self.begin(SYSTEM_ROLE, None, writes).await
    }

    async fn begin(&self, role: &str, tenant: Option<TenantId>, writes: bool) -> Result<Tx, StoreError> {
        let faults = self.faults.clone();
        let terms = self.terms(tenant, writes).await?;
        match &self.pools {
            Pools::Postgres { pool, .. } => {
                // Both values are safe to print into SQL: the role is a constant, the tenant a UUID.
                let tenant = tenant.map(|id| id.to_string()).unwrap_or_default();
                let timeout =
                    if self.without_statement_timeout { ", set_config('statement_timeout', '0', true)" } else { "" };
                let sql = format!(
                    "BEGIN; SELECT set_config('role', '{role}', true), set_config('app.tenant_id', '{tenant}', true){timeout}"
                );
                Tx::begin_on_postgres(pool, sql, terms, faults).await
            }
            // IMMEDIATE, because a transaction that begins with a read could otherwise fail at its first write.
            Pools::Sqlite { writer, file, .. } if writes => {
                file.check()?;
                Tx::begin_on_sqlite(writer, BEGIN_WRITE, terms, faults).await
            }
            Pools::Sqlite { reader, .. } => Tx::begin_on_sqlite(reader, "BEGIN", terms, faults).await,
        }
    }

    /// The terms of a session: a request is admitted to its tenant's share, and its statements have a time limit. Work outside of
    /// requests, and look-ups across tenants, have the reserve.
    async fn terms(&self, tenant: Option<TenantId>, writes: bool) -> Result<Terms, StoreError> {
        let slot = match tenant.filter(|_| !self.without_statement_timeout) {
            Some(tenant) if writes && !self.is_postgres() => Some(self.admission.writer(tenant).await?),
            Some(tenant) => Some(self.admission.connection(tenant).await?),
            None => None,
        };
        Ok(self.terms_with(slot.map(Arc::new)))
    }

    fn terms_with(&self, slot: Option<Arc<Slot>>) -> Terms {
        let statement_time = self.statement_time.filter(|_| !self.without_statement_timeout);
        Terms { slot, statement_time }
    }

    /// A place in the tenant's share of the connections, for reads that follow each other.
    pub(crate) async fn turn(&self, scope: &TenantScope) -> Result<Turn, StoreError> {
        Ok(Turn(self.terms(Some(scope.tenant), false).await?.slot))
    }

    /// A turn at making a page of a list, to be held until its rows are read.
    pub(crate) async fn page_turn(&self, scope: &TenantScope) -> Result<Slot, StoreError> {
        self.admission.page(scope.tenant).await
    }

    /// Admits heavy work of a request; other work is not limited.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the tenant has as much heavy work as it may, [`StoreError::Unavailable`] when the hub has.
    #[tracing::instrument(name = "store.work.heavy", skip_all)]
    pub async fn heavy(&self, budget: &Budget, kind: HeavyKind) -> Result<HeavyWork, StoreError> {
        let admission = Some(&self.admission).filter(|_| !self.without_statement_timeout);
        let kind = if self.exports && kind == HeavyKind::Search { HeavyKind::ExportPage } else { kind };
        HeavyWork::admit(admission, budget, kind).await
    }

    /// The most records that a list may read at this cost for each; `None` is no limit.
    pub(crate) fn list_records_max(&self, cost: u64) -> Option<u64> {
        (!self.without_statement_timeout).then(|| self.admission.limits().list_cost / cost.max(1))
    }

    /// Runs heavy work that has no budget of its own.
    pub(crate) async fn heavily<T>(
        &self,
        scope: &TenantScope,
        kind: HeavyKind,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.heavy(&Budget::unlimited(scope.tenant), kind).await?.run(work).await
    }

    /// A write of one statement that is a transaction of its own: no round trip to begin and none to commit.
    pub(crate) fn single_write(&self, scope: &TenantScope) -> SingleWrite {
        let context = WriteContext::new(scope, self.clock.clone());
        SingleWrite::new(context, self.single_writer.clone(), self.faults.clone())
    }

    /// Reads by one statement that is a transaction of its own: one round trip. `values` are
    /// those of its parameters 2 and on.
    ///
    /// On Postgres the statement sets the tenant itself ([`single_read`]); the session's role is the tenants' from its start.
    pub(crate) async fn read_single<T: FromQueryResult>(
        &self,
        scope: &TenantScope,
        turn: &Turn,
        select: &Fragment,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<T>, StoreError> {
        let (tx, sql, tenant) = self.single(scope, turn, select).await?;
        tx.all(&sql, std::iter::once(tenant).chain(values)).await
    }

    /// As [`read_single`](Self::read_single), but ends before the rows exceed `bytes_max`. Returns the rows and whether there were
    /// more; one row is always read.
    pub(crate) async fn read_bounded<T: FromQueryResult>(
        &self,
        scope: &TenantScope,
        turn: &Turn,
        select: &Fragment,
        values: impl IntoIterator<Item = Value>,
        bytes_max: usize,
    ) -> Result<(Vec<T>, bool), StoreError> {
        let (tx, sql, tenant) = self.single(scope, turn, select).await?;
        let statement = tx.statement(&sql, std::iter::once(tenant).chain(values));
        let read = tx.query_bounded(statement, Bound::Bytes(bytes_max)).await?;
        // A connection in the middle of its rows does not wait until they are converted.
        drop(tx);
        let rows = read.found.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?;
        Ok((rows, read.cut))
    }

    /// A connection for one statement that is a transaction of its own, the statement's text, and the tenant as its first value.
    async fn single(
        &self,
        scope: &TenantScope,
        turn: &Turn,
        select: &Fragment,
    ) -> Result<(Tx, String, Value), StoreError> {
        let terms = self.terms_with(turn.0.clone());
        Ok(match &self.pools {
            Pools::Postgres { pool, .. } => (
                Tx::on_postgres(pool, terms, self.faults.clone()).await?,
                single_read(select),
                scope.tenant.to_string().into(),
            ),
            Pools::Sqlite { reader, .. } => {
                (Tx::on_sqlite(reader, terms, self.faults.clone()).await?, select.numbered(), scope.tenant.0.into())
            }
        })
    }

    /// As [`read_single`](Self::read_single), for a statement that is short for all values: on Postgres it shares a batch with
    /// concurrent reads of the same text.
    pub(crate) async fn read_batched<T: FromQueryResult>(
        &self,
        scope: &TenantScope,
        select: Arc<Fragment>,
        values: Vec<Value>,
    ) -> Result<Vec<T>, StoreError> {
        let Pools::Postgres { reads, .. } = &self.pools else {
            return self.read_single(scope, &self.turn(scope).await?, &select, values).await;
        };
        self.faults.point()?;
        let rows = reads.rows.run((scope.tenant, select), BatchedRead(values)).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }
}

impl TenantTx {
    /// The same transaction with [fresh plans](Tx::with_fresh_plans), for statements about thousands of rows.
    pub(crate) fn with_fresh_plans(mut self) -> Self {
        self.tx = self.tx.with_fresh_plans();
        self
    }

    /// Does this work with the role of the system, for the few writes that the tenants' role may not do: tenants are made, named and
    /// given seats. A failure ends the transaction.
    pub(crate) async fn as_system<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.take_role(SYSTEM_ROLE).await?;
        let done = work.await?;
        self.take_role(TENANT_ROLE).await?;
        Ok(done)
    }

    async fn take_role(&self, role: &str) -> Result<(), StoreError> {
        if self.tx.is_postgres() {
            self.tx.exec(&format!("SELECT set_config('role', '{role}', true)"), []).await?;
        }
        Ok(())
    }

    /// Runs a statement that writes; returns the number of rows. `values` begin with `$2`.
    pub(crate) async fn exec(&self, sql: &Sql, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        self.tx.exec(sql.text(self.tx.engine()), self.with_tenant(values)).await
    }

    /// All rows of a statement. `values` begin with `$2`.
    pub(crate) async fn all<T: FromQueryResult>(
        &self,
        sql: &Sql,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<T>, StoreError> {
        self.tx.all(sql.text(self.tx.engine()), self.with_tenant(values)).await
    }

    /// The rows of a statement up to a bound, and whether there are more. `values` begin with `$2`. A transaction whose read ended
    /// early takes no further statement.
    pub(crate) async fn bounded<T: FromQueryResult>(
        &self,
        sql: &Sql,
        values: impl IntoIterator<Item = Value>,
        bound: Bound,
    ) -> Result<(Vec<T>, bool), StoreError> {
        self.tx.bounded(sql.text(self.tx.engine()), self.with_tenant(values), bound).await
    }

    /// The first row of a statement. `values` begin with `$2`.
    pub(crate) async fn one<T: FromQueryResult>(
        &self,
        sql: &Sql,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<T>, StoreError> {
        self.tx.one(sql.text(self.tx.engine()), self.with_tenant(values)).await
    }

    fn with_tenant(&self, values: impl IntoIterator<Item = Value>) -> impl Iterator<Item = Value> {
        std::iter::once(self.tenant.0.into()).chain(values)
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}
