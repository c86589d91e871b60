//! One connection of either engine, and its statements: in a transaction, or each a transaction of its own. This file is
//! independent of the store, its scopes and its batches, which build on it.

use crate::engine::engine_kind::EngineKind;
use crate::engine::error::StoreError;
use crate::engine::faults::Faults;
use crate::engine::session::{Engine, FirstStatement, Session, SessionPool, Terms};
use futures_util::TryStreamExt;
use sea_orm::sea_query::Value;
use sea_orm::sqlx::postgres::{PgArguments, PgQueryResult};
use sea_orm::sqlx::sqlite::SqliteQueryResult;
use sea_orm::sqlx::{self, Arguments, AssertSqlSafe, Postgres, Sqlite};
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, StatementBuilder, Values};
use sea_query_sqlx::SqlxValues;
use std::sync::Arc;
use tokio::sync::Mutex;
use tracing::Instrument;
use tracing::field::Empty;

/// A connection of either engine. It exists because sea-orm opens a transaction with a bare
/// `BEGIN`; here the role and the tenant are set in the same round trip.
pub(crate) struct Tx {
    backend: Backend,
    faults: Faults,
    plans: Plans,
}

enum Backend {
    Postgres(Mutex<Session<Postgres>>),
    Sqlite(Mutex<Session<Sqlite>>),
}

/// Whether Postgres keeps the plan of a statement for the next call with the same text on the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plans {
    /// Prepared once per connection.
    Prepared,
    /// Planned for each call, by the present sizes of the tables. A prepared plan may date from a time when they were empty:
    /// harmless for one row, but a scan of the whole tenant for each of thousands.
    Fresh,
}

/// Makes a fresh statement's text distinct from its prepared twin. sqlx uses a text it has prepared on the connection whether or
/// not the call asks for a persistent statement.
const FRESH_PLAN: &str = " /* fresh plan */";

impl Plans {
    fn text_of(self, sql: String) -> String {
        match self {
            Self::Prepared => sql,
            Self::Fresh => sql + FRESH_PLAN,
        }
    }
}

/// How much is read of a statement's rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Bytes(usize),
    Rows(usize),
}

/// Rows, and whether more of them were left unread.
pub(crate) struct BoundedRows {
    pub(crate) found: Vec<QueryResult>,
    pub(crate) cut: bool,
}

/// Columns of texts, each as long as there are rows.
pub(crate) type Texts = Vec<Vec<Option<String>>>;

/// Runs one statement on a session, by the named method of sqlx. The methods of the two drivers have no common type.
macro_rules! run_on {
    ($self:ident, $session:ident, $sql:expr, $parameters:expr, $method:ident, $first:expr, $error:ident) => {{
        let mut session = $session.lock().await;
        let sql = session.opened($self.plans.text_of($sql), $first).await.map_err($error)?;
        let span = tracing::info_span!("store.statement", db.query.text = sql, rows = Empty);
        let query = sqlx::query_with(AssertSqlSafe(sql), $parameters).persistent($self.plans == Plans::Prepared);
        let done = query.$method(session.connection().map_err($error)?).instrument(span.clone()).await;
        let answer = session.noted(done).map_err($error)?;
        span.record("rows", answer.rows());
        answer.convert()
    }};
}

/// Runs one statement on either engine.
macro_rules! run {
    ($self:ident, $stmt:ident, $method:ident, $first:expr, $error:ident) => {{
        let Statement { sql, values, .. } = $stmt;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        $self.faults.point().map_err($error)?;
        match &$self.backend {
            Backend::Postgres(session) => run_on!($self, session, sql, values, $method, $first, $error),
            Backend::Sqlite(session) => run_on!($self, session, sql, values, $method, $first, $error),
        }
    }};
}

/// Reads rows up to a bound. A read that ends early leaves its statement running: the session is abandoned
/// with it, which cancels the statement.
macro_rules! read_bounded {
    ($self:ident, $engine:ty, $session:ident, $sql:expr, $parameters:expr, $bound:ident) => {{
        let mut session = $session.lock().await;
        let sql = session.opened($self.plans.text_of($sql), FirstStatement::ReturnsRows).await.map_err(query_error)?;
        let span = tracing::info_span!("store.statement", db.query.text = sql, rows = Empty);
        let query = sqlx::query_with(AssertSqlSafe(sql), $parameters).persistent($self.plans == Plans::Prepared);
        let read = async {
            let mut found: Vec<QueryResult> = Vec::new();
            let (mut taken, mut cut) = (0_usize, false);
            let mut rows = query.fetch(session.connection()?);
            while let Some(row) = rows.try_next().await? {
                let (weight, most) = match $bound {
                    Bound::Bytes(bytes_max) => (<$engine as Engine>::bytes_of(&row), bytes_max),
                    Bound::Rows(rows_max) => (1, rows_max),
                };
                taken = taken.saturating_add(weight);
                if taken > most && !found.is_empty() {
                    cut = true;
                    break;
                }
                found.push(row.into());
            }
            drop(rows);
            Ok::<_, sqlx::Error>((found, cut))
        };
        let read = read.instrument(span.clone()).await;
        let (found, cut) = match read {
            Ok((found, true)) => (found, true),
            read => session.noted(read).map_err(query_error)?,
        };
        span.record("rows", found.len() as u64);
        BoundedRows { found, cut }
    }};
}

/// Runs one statement on Postgres whose parameters are arrays.
macro_rules! run_columns {
    ($self:ident, $sql:ident, $columns:ident, $method:ident, $first:expr, $error:ident) => {{
        let mut parameters = PgArguments::default();
        for column in $columns {
            parameters.add(column).map_err(|e| $error(sqlx::Error::Encode(e)))?;
        }
        $self.faults.point().map_err($error)?;
        let Backend::Postgres(session) = &$self.backend else {
            return Err(DbErr::Custom("SQLite takes no arrays".to_owned()));
        };
        run_on!($self, session, $sql.to_owned(), parameters, $method, $first, $error)
    }};
}

impl Tx {
    /// A connection to Postgres without a transaction: each statement is one of its own.
    pub(super) async fn on_postgres(
        pool: &SessionPool<Postgres>,
        terms: Terms,
        faults: Faults,
    ) -> Result<Self, StoreError> {
        Ok(Self::new(Backend::Postgres(Mutex::new(Session::open(pool, terms).await?)), faults))
    }

    /// A connection to SQLite without a transaction.
    pub(super) async fn on_sqlite(
        pool: &SessionPool<Sqlite>,
        terms: Terms,
        faults: Faults,
    ) -> Result<Self, StoreError> {
        Ok(Self::of_session(Session::open(pool, terms).await?, faults))
    }

    /// A transaction that `sql` begins.
    pub(super) async fn begin_on_postgres(
        pool: &SessionPool<Postgres>,
        sql: String,
        terms: Terms,
        faults: Faults,
    ) -> Result<Self, StoreError> {
        faults.point()?;
        let session = Session::begin(pool, sql, terms).instrument(tracing::info_span!("store.begin")).await?;
        Ok(Self::new(Backend::Postgres(Mutex::new(session)), faults))
    }

    /// A transaction that `begin` opens together with its first statement.
    pub(super) async fn begin_on_sqlite(
        pool: &SessionPool<Sqlite>,
        begin: &'static str,
        terms: Terms,
        faults: Faults,
    ) -> Result<Self, StoreError> {
        faults.point()?;
        Ok(Self::of_session(Session::open_with(pool, begin, terms).await?, faults))
    }

    pub(super) fn of_session(session: Session<Sqlite>, faults: Faults) -> Self {
        Self::new(Backend::Sqlite(Mutex::new(session)), faults)
    }

    fn new(backend: Backend, faults: Faults) -> Self {
        Self { backend, faults, plans: Plans::Prepared }
    }

    /// The same, with every statement planned afresh on Postgres. SQLite plans without statistics, so its plans do not age.
    pub(super) fn with_fresh_plans(mut self) -> Self {
        if self.is_postgres() {
            self.plans = Plans::Fresh;
        }
        self
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.faults.point()?;
        let span = tracing::info_span!("store.commit");
        match self.backend {
            Backend::Postgres(session) => session.into_inner().commit().instrument(span).await?,
            Backend::Sqlite(session) => session.into_inner().commit().instrument(span).await?,
        }
        // A fault here is a commit whose answer is lost.
        Ok(self.faults.point()?)
    }

    /// As [`execute_raw`](Self::execute_raw), with columns of texts as parameters; on Postgres only.
    pub(super) async fn execute_columns(&self, sql: &str, columns: Texts) -> Result<ExecResult, DbErr> {
        Ok(run_columns!(self, sql, columns, execute, FirstStatement::CountsRows, exec_error))
    }

    /// As [`query_all_raw`](Self::query_all_raw), with columns of texts as parameters; on Postgres only.
    pub(super) async fn query_columns(&self, sql: &str, columns: Texts) -> Result<Vec<QueryResult>, DbErr> {
        Ok(run_columns!(self, sql, columns, fetch_all, FirstStatement::ReturnsRows, query_error))
    }

    /// Notes that the last statement has ended the transaction.
    pub(super) async fn ended(&self) {
        if let Backend::Sqlite(session) = &self.backend {
            session.lock().await.ended();
        }
    }

    pub(crate) fn engine(&self) -> EngineKind {
        match self.backend {
            Backend::Postgres(_) => EngineKind::Postgres,
            Backend::Sqlite(_) => EngineKind::Sqlite,
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.engine() == EngineKind::Postgres
    }
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// A driver's answer, which becomes sea-orm's.
trait Answer<T> {
    /// Rows written, or rows read.
    fn rows(&self) -> u64;

    fn convert(self) -> T;
}

impl Answer<ExecResult> for PgQueryResult {
    fn rows(&self) -> u64 {
        self.rows_affected()
    }

    fn convert(self) -> ExecResult {
        self.into()
    }
}

impl Answer<ExecResult> for SqliteQueryResult {
    fn rows(&self) -> u64 {
        self.rows_affected()
    }

    fn convert(self) -> ExecResult {
        self.into()
    }
}

impl<R: Into<QueryResult>> Answer<Option<QueryResult>> for Option<R> {
    fn rows(&self) -> u64 {
        self.iter().len() as u64
    }

    fn convert(self) -> Option<QueryResult> {
        self.map(Into::into)
    }
}

impl<R: Into<QueryResult>> Answer<Vec<QueryResult>> for Vec<R> {
    fn rows(&self) -> u64 {
        self.len() as u64
    }

    fn convert(self) -> Vec<QueryResult> {
        self.into_iter().map(Into::into).collect()
    }
}

/// The names are those of sea-orm's `ConnectionTrait`. [`Tx`] does not implement that trait, so sea-orm's own executors have nothing
/// to run on, and an entity query runs by [`crate::entity`] alone, which adds the tenant.
impl Tx {
    fn database(&self) -> DbBackend {
        if self.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite }
    }

    pub(super) async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        Ok(run!(self, statement, execute, FirstStatement::CountsRows, exec_error))
    }

    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(run!(self, statement, fetch_optional, FirstStatement::ReturnsRows, query_error))
    }

    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        Ok(run!(self, statement, fetch_all, FirstStatement::ReturnsRows, query_error))
    }

    /// As [`query_all_raw`](Self::query_all_raw), but ends at the bound; one row is always read. After a read that ended early
    /// this connection takes no further statement.
    pub(super) async fn query_bounded(&self, statement: Statement, bound: Bound) -> Result<BoundedRows, DbErr> {
        let Statement { sql, values, .. } = statement;
        let values = SqlxValues(values.unwrap_or(Values(Vec::new())));
        self.faults.point().map_err(query_error)?;
        Ok(match &self.backend {
            Backend::Postgres(session) => read_bounded!(self, Postgres, session, sql, values, bound),
            Backend::Sqlite(session) => read_bounded!(self, Sqlite, session, sql, values, bound),
        })
    }

    pub(crate) async fn execute(&self, statement: &impl StatementBuilder) -> Result<ExecResult, DbErr> {
        self.execute_raw(self.database().build(statement)).await
    }

    pub(crate) async fn query_one(&self, statement: &impl StatementBuilder) -> Result<Option<QueryResult>, DbErr> {
        self.query_one_raw(self.database().build(statement)).await
    }

    pub(crate) async fn query_all(&self, statement: &impl StatementBuilder) -> Result<Vec<QueryResult>, DbErr> {
        self.query_all_raw(self.database().build(statement)).await
    }

    /// As [`query_bounded`](Self::query_bounded), by bytes.
    pub(crate) async fn query_up_to(
        &self,
        statement: &impl StatementBuilder,
        bytes_max: usize,
    ) -> Result<BoundedRows, DbErr> {
        self.query_bounded(self.database().build(statement), Bound::Bytes(bytes_max)).await
    }

    pub(super) fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.database(), sql, values)
    }
}
