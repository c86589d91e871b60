//! Scope is proof: no tenant's data is reached without a value of this module, and such a value is made only from a
//! verified credential, a worker's lease or the operator's command line (design §5).

use crate::connect::{Pools, Store};
use crate::error::StoreError;
use async_trait::async_trait;
use rollcall_core::audit::Actor;
use rollcall_core::clock::Clock;
use rollcall_core::ids::{CredentialId, RequestId, SourceId, TenantId};
use rollcall_core::roster::Role;
use rollcall_migrations::{SYSTEM_ROLE, TENANT_ROLE};
use sea_orm::sqlx::{self, AssertSqlSafe};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Leave to work with one tenant's rows.
#[derive(Clone, Copy, Debug)]
pub struct TenantScope {
    tenant: TenantId,
    actor: Actor,
    request: Option<RequestId>,
}

impl TenantScope {
    pub(crate) fn new(tenant: TenantId, actor: Actor) -> Self {
        Self { tenant, actor, request: None }
    }

    /// The same leave, as part of one request.
    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { request: Some(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// Leave to write what one source says.
#[derive(Clone, Copy, Debug)]
pub struct SourceScope {
    pub(crate) scope: TenantScope,
    source: SourceId,
    credential: CredentialId,
    users_only: bool,
}

impl SourceScope {
    pub(crate) fn new(tenant: TenantId, source: SourceId, credential: CredentialId, users_only: bool) -> Self {
        Self { scope: TenantScope::new(tenant, Actor::Source(source)), source, credential, users_only }
    }

    /// An admin who repeats what a source said: the audit log names the admin.
    pub(crate) fn on_behalf(api: &ApiScope, source: SourceId, users_only: bool) -> Self {
        Self { scope: api.scope, source, credential: api.credential, users_only }
    }

    /// Whether the source has no groups (DS3).
    pub fn users_only(&self) -> bool {
        self.users_only
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    pub fn source(&self) -> SourceId {
        self.source
    }

    pub fn credential(&self) -> CredentialId {
        self.credential
    }
}

/// Leave to use the admin API of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct ApiScope {
    pub(crate) scope: TenantScope,
    credential: CredentialId,
    role: Role,
}

impl ApiScope {
    pub(crate) fn new(tenant: TenantId, credential: CredentialId, role: Role) -> Self {
        Self { scope: TenantScope::new(tenant, Actor::ApiKey(credential)), credential, role }
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    pub fn credential(&self) -> CredentialId {
        self.credential
    }

    pub fn role(&self) -> Role {
        self.role
    }
}

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
        let tx = Tx::begin(&self.pools, TENANT_ROLE, Some(scope.tenant), writes).await?;
        let TenantScope { tenant, actor, request } = *scope;
        Ok(TenantTx { tx, tenant, actor, request, clock: self.clock.clone() })
    }

    /// Opens a transaction across tenants; for `across.rs` only.
    pub(crate) async fn across(&self, writes: bool) -> Result<Tx, StoreError> {
        Tx::begin(&self.pools, SYSTEM_ROLE, None, writes).await
    }
}

impl TenantTx {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}

/// A transaction of either engine, usable wherever sea-orm takes a connection. It exists because sea-orm opens a
/// transaction with a bare `BEGIN`; here the role and the tenant are set in the same round trip.
pub(crate) enum Tx {
    Postgres(Mutex<sqlx::Transaction<'static, sqlx::Postgres>>),
    Sqlite(Mutex<sqlx::Transaction<'static, sqlx::Sqlite>>),
}

impl Tx {
    async fn begin(pools: &Pools, role: &str, tenant: Option<TenantId>, writes: bool) -> Result<Self, StoreError> {
        Ok(match pools {
            Pools::Postgres(pool) => {
                // Both values are safe to print into SQL: the role is a constant, the tenant a UUID.
                let tenant = tenant.map(|id| id.to_string()).unwrap_or_default();
                let sql = format!(
                    "BEGIN; SELECT set_config('role', '{role}', true), set_config('app.tenant_id', '{tenant}', true)"
                );
                Self::Postgres(Mutex::new(pool.begin_with(AssertSqlSafe(sql)).await?))
            }
            // IMMEDIATE: a transaction that begins by reading could otherwise fail when it comes to write.
            Pools::Sqlite { writer, .. } if writes => {
                Self::Sqlite(Mutex::new(writer.begin_with("BEGIN IMMEDIATE").await?))
            }
            Pools::Sqlite { reader, .. } => Self::Sqlite(Mutex::new(reader.begin().await?)),
        })
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.into_inner().commit().await?,
            Self::Sqlite(tx) => tx.into_inner().commit().await?,
        }
        Ok(())
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// Runs one statement on whichever engine, by the named method of sqlx.
macro_rules! run {
    ($self:ident, $stmt:ident, $method:ident, $error:ident) => {{
        let Statement { sql, values, .. } = $stmt;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        match $self {
            Tx::Postgres(tx) => {
                let mut tx = tx.lock().await;
                sqlx::query_with(AssertSqlSafe(sql), values).$method(&mut **tx).await.map_err($error)?.convert()
            }
            Tx::Sqlite(tx) => {
                let mut tx = tx.lock().await;
                sqlx::query_with(AssertSqlSafe(sql), values).$method(&mut **tx).await.map_err($error)?.convert()
            }
        }
    }};
}

/// From the drivers' rows to sea-orm's.
trait Convert<T> {
    fn convert(self) -> T;
}

impl<R: Into<ExecResult>> Convert<ExecResult> for R {
    fn convert(self) -> ExecResult {
        self.into()
    }
}

impl<R: Into<QueryResult>> Convert<Option<QueryResult>> for Option<R> {
    fn convert(self) -> Option<QueryResult> {
        self.map(Into::into)
    }
}

impl<R: Into<QueryResult>> Convert<Vec<QueryResult>> for Vec<R> {
    fn convert(self) -> Vec<QueryResult> {
        self.into_iter().map(Into::into).collect()
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        if self.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite }
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        Ok(run!(self, stmt, execute, exec_error))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(run!(self, stmt, fetch_optional, query_error))
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        Ok(run!(self, stmt, fetch_all, query_error))
    }
}
