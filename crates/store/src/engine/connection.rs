//! One connection of either engine, and the statements run on it.

use crate::engine::connect::{Pools, Store};
use crate::engine::error::StoreError;
use crate::engine::faults::Faults;
use crate::engine::postgres_batching::Gathered;
use crate::engine::session::{Session, SessionPool};
use crate::engine::sqlite_group_commit::Together;
use async_trait::async_trait;
use rollcall_core::ids::TenantId;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{self, Arguments, AssertSqlSafe, Postgres, Sqlite};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A transaction of either engine, usable wherever sea-orm takes a connection. It exists because sea-orm opens a
/// transaction with a bare `BEGIN`; here the role and the tenant are set in the same round trip.
pub(crate) struct Tx {
    pub(super) engine: Engine,
    pub(super) faults: Faults,
    /// Whether Postgres keeps the plans of its statements.
    pub(super) keeps_plans: bool,
}

pub(super) enum Engine {
    Postgres(Mutex<Session<Postgres>>),
    Sqlite(Mutex<Session<Sqlite>>),
    /// No session: one script, which is committed together with others'.
    Together(Together),
    /// No session: what goes with others' in one statement.
    Gathered(Gathered),
}

/// Columns of texts, each as long as there are rows.
pub(crate) type Texts = Vec<Vec<Option<String>>>;

/// Runs one statement on a session, by the named method of sqlx.
macro_rules! run_on {
    ($self:ident, $session:ident, $sql:expr, $parameters:expr, $method:ident, $error:ident) => {{
        let mut session = $session.lock().await;
        // A text of its own: one that is known is not prepared again, persistent or not.
        let sql = if $self.keeps_plans { $sql } else { $sql + " /* planned anew */" };
        let sql = session.opened(sql, stringify!($method) == "execute").await.map_err($error)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), $parameters).persistent($self.keeps_plans);
        let done = query.$method(session.connection().map_err($error)?).await;
        session.noted(done).map_err($error)?.convert()
    }};
}

/// Runs one statement on whichever engine.
macro_rules! run {
    ($self:ident, $stmt:ident, $method:ident, $error:ident) => {{
        let Statement { sql, values, .. } = $stmt;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        $self.faults.point().map_err($error)?;
        match &$self.engine {
            Engine::Postgres(session) => run_on!($self, session, sql, values, $method, $error),
            Engine::Sqlite(session) => run_on!($self, session, sql, values, $method, $error),
            Engine::Together(_) | Engine::Gathered(_) => {
                return Err(DbErr::Custom("a whole transaction is one batch".to_owned()));
            }
        }
    }};
}

/// Runs one statement of Postgres whose parameters are arrays.
macro_rules! run_columns {
    ($self:ident, $sql:ident, $columns:ident, $method:ident, $error:ident) => {{
        let mut parameters = PgArguments::default();
        for column in $columns {
            parameters.add(column).map_err(|e| $error(sqlx::Error::Encode(e)))?;
        }
        $self.faults.point().map_err($error)?;
        match &$self.engine {
            Engine::Postgres(session) => run_on!($self, session, $sql.to_owned(), parameters, $method, $error),
            _ => return Err(DbErr::Custom("only a session of Postgres takes arrays".to_owned())),
        }
    }};
}

impl Tx {
    /// A transaction of SQLite over a session.
    pub(crate) fn of_sqlite(session: Session<Sqlite>) -> Self {
        Self { engine: Engine::Sqlite(Mutex::new(session)), faults: Faults::default(), keeps_plans: true }
    }

    /// A session of Postgres whose statements are transactions of their own.
    pub(crate) async fn of_pool(pool: &SessionPool<Postgres>) -> Result<Self, StoreError> {
        let engine = Engine::Postgres(Mutex::new(Session::open(pool).await?));
        Ok(Self { engine, faults: Faults::default(), keeps_plans: true })
    }

    pub(super) async fn begin(
        store: &Store,
        role: &str,
        tenant: Option<TenantId>,
        writes: bool,
    ) -> Result<Self, StoreError> {
        let faults = store.faults.clone();
        faults.point()?;
        let engine = match &store.pools {
            Pools::Postgres { pool, .. } => {
                // Both values are safe to print into SQL: the role is a constant, the tenant a UUID.
                let tenant = tenant.map(|id| id.to_string()).unwrap_or_default();
                let patience = if store.patient { ", set_config('statement_timeout', '0', true)" } else { "" };
                let sql = format!(
                    "BEGIN; SELECT set_config('role', '{role}', true), set_config('app.tenant_id', '{tenant}', true){patience}"
                );
                Engine::Postgres(Mutex::new(Session::begin(pool, sql).await?))
            }
            // IMMEDIATE: a transaction that begins by reading could otherwise fail when it comes to write.
            Pools::Sqlite { writer, .. } if writes => {
                Engine::Sqlite(Mutex::new(Session::open_with(writer, "BEGIN IMMEDIATE").await?))
            }
            Pools::Sqlite { reader, .. } => Engine::Sqlite(Mutex::new(Session::open_with(reader, "BEGIN").await?)),
        };
        Ok(Self { engine, faults, keeps_plans: true })
    }

    /// A session that only reads, by statements that are transactions of their own: one round trip each.
    pub(super) async fn single(store: &Store) -> Result<Self, StoreError> {
        let tx = match &store.pools {
            Pools::Postgres { pool, .. } => Self::of_pool(pool).await?,
            Pools::Sqlite { reader, .. } => Self::of_sqlite(Session::open(reader).await?),
        };
        Ok(Self { faults: store.faults.clone(), ..tx })
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.faults.point()?;
        match self.engine {
            Engine::Postgres(session) => session.into_inner().commit().await?,
            Engine::Sqlite(session) => session.into_inner().commit().await?,
            // Its batch has committed.
            Engine::Together(_) | Engine::Gathered(_) => {}
        }
        // Committed, and the answer is lost.
        Ok(self.faults.point()?)
    }

    /// As [`execute_raw`](ConnectionTrait::execute_raw), of parameters that are columns of texts; SQLite knows no arrays.
    pub(crate) async fn execute_columns(&self, sql: &str, columns: Texts) -> Result<ExecResult, DbErr> {
        Ok(run_columns!(self, sql, columns, execute, exec_error))
    }

    /// As [`query_all_raw`](ConnectionTrait::query_all_raw), of the same.
    pub(crate) async fn query_columns(&self, sql: &str, columns: Texts) -> Result<Vec<QueryResult>, DbErr> {
        Ok(run_columns!(self, sql, columns, fetch_all, query_error))
    }

    /// Notes that the last statement has ended the transaction.
    pub(crate) async fn ended(&self) {
        if let Engine::Sqlite(session) = &self.engine {
            session.lock().await.ended();
        }
    }

    /// Runs a script of SQLite that is the whole transaction; whether its last statement wrote anything.
    pub(crate) async fn write_whole(&self, script: Statement) -> Result<bool, StoreError> {
        self.faults.point()?;
        match &self.engine {
            Engine::Together(together) => together.write(script).await,
            _ => Err(StoreError::Database("the transaction is not whole".into())),
        }
    }

    /// Where what is written goes with others', on Postgres.
    pub(crate) fn gathered(&self) -> Result<Option<&Gathered>, StoreError> {
        let Engine::Gathered(gathered) = &self.engine else { return Ok(None) };
        self.faults.point()?;
        Ok(Some(gathered))
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_) | Engine::Gathered(_))
    }
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
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
