//! The connection pools. sqlx's own pool sends a ping over every connection that is returned, which would be one more round trip
//! for every request; here a connection that ended its transaction is returned as it is. One whose statement still runs is not
//! returned at all.

use crate::engine::error::{Cause, StoreError};
use crate::engine::interrupt::{Interrupt, Stop};
use crate::engine::slots::Slot;
use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType,
};
use sea_orm::sqlx::{
    AssertSqlSafe, Connection, Database, Decode, Error, Executor, Postgres, Row, Sqlite, TypeInfo, ValueRef, query_as,
    raw_sql,
};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Longest attempt to cancel an abandoned statement.
const STOP: Duration = Duration::from_secs(5);

/// A database that statements without parameters can be sent to, several in one round trip.
pub(crate) trait Engine: Database {
    fn run(connection: &mut Self::Connection, sql: String) -> impl Future<Output = Result<(), Error>> + Send;

    /// The bytes of a row as they came.
    fn bytes_of(row: &Self::Row) -> usize;

    /// The way to stop a statement of this connection from outside, and the role of its session.
    fn identity(connection: &mut Self::Connection) -> impl Future<Output = Result<Identity, Error>> + Send;
}

impl Engine for Postgres {
    async fn run(connection: &mut Self::Connection, sql: String) -> Result<(), Error> {
        connection.execute(raw_sql(AssertSqlSafe(sql))).await.map(drop)
    }

    fn bytes_of(row: &Self::Row) -> usize {
        let bytes = |column: usize| row.try_get_raw(column).ok()?.as_bytes().ok().map(<[u8]>::len);
        (0..row.len()).filter_map(bytes).sum()
    }

    async fn identity(connection: &mut Self::Connection) -> Result<Identity, Error> {
        let sql = "SELECT pg_backend_pid(), current_setting('role')";
        let (process, role): (i32, String) = query_as(sql).fetch_one(connection).await?;
        Ok(Identity { stop: Stop::Process(process), role: Some(role) })
    }
}

impl Engine for Sqlite {
    async fn run(connection: &mut Self::Connection, sql: String) -> Result<(), Error> {
        connection.execute(raw_sql(AssertSqlSafe(sql))).await.map(drop)
    }

    /// Numbers do not count: SQLite would turn them into texts to tell their length.
    fn bytes_of(row: &Self::Row) -> usize {
        let bytes = |column: usize| {
            let value = row.try_get_raw(column).ok()?;
            let is_number = !matches!(value.type_info().name(), "TEXT" | "BLOB");
            if is_number { None } else { <&[u8] as Decode<Sqlite>>::decode(value).ok().map(<[u8]>::len) }
        };
        (0..row.len()).filter_map(bytes).sum()
    }

    async fn identity(connection: &mut Self::Connection) -> Result<Identity, Error> {
        Ok(Identity { stop: Interrupt::install(connection).await.map(Stop::Interrupt)?, role: None })
    }
}

/// A session as its server knows it. SQLite has no roles.
pub(crate) struct Identity {
    stop: Stop,
    role: Option<String>,
}

/// The role that every session must have from its start. A pooler between the hub and the server may drop the options by which
/// the hub asks for it, and row-level security would then protect nothing.
#[derive(Clone)]
pub(crate) struct SessionRole {
    pub(crate) name: &'static str,
    /// The role of the last session, if it is another one.
    wrong: Arc<Mutex<Option<String>>>,
}

impl SessionRole {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, wrong: Arc::default() }
    }

    fn check(&self, role: Option<&str>) -> Result<(), Error> {
        let wrong = role.map(str::to_owned).filter(|role| role != self.name);
        // Not by `proven`: a good session that is opened at the same moment says nothing about this one.
        let refused = wrong.as_deref().map(|role| self.explained(role));
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
        refused.map_or(Ok(()), |why| Err(Error::Configuration(why.into())))
    }

    /// # Errors
    /// When the last session was opened with another role.
    pub(crate) fn proven(&self) -> Result<(), String> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.as_deref().map_or(Ok(()), |role| Err(self.explained(role)))
    }

    fn explained(&self, role: &str) -> String {
        format!(
            "a session has the role {role} and not {}, so row-level security would not hold: a pooler drops the startup option \
             `role`. Connect to Postgres without it; docs/operations.md says which pooling works",
            self.name
        )
    }
}

/// Opens connections, and checks one that is used again.
pub(crate) struct Opener<DB: Database> {
    options: <DB::Connection as Connection>::Options,
    /// A connection older than this is replaced, so that the memory of its server process does not grow without end.
    lifetime: Option<Duration>,
    role: Option<SessionRole>,
    waits: AtomicU64,
    waited_microseconds: AtomicU64,
}

impl<DB: Database> Opener<DB> {
    fn note_wait(&self, waited: Duration) {
        self.waits.fetch_add(1, Ordering::Relaxed);
        let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_microseconds.fetch_add(waited, Ordering::Relaxed);
    }

    /// How often a connection was asked for, and for how long all who asked have waited.
    pub(crate) fn waits(&self) -> (u64, Duration) {
        let waited = Duration::from_micros(self.waited_microseconds.load(Ordering::Relaxed));
        (self.waits.load(Ordering::Relaxed), waited)
    }
}

/// A connection, and the way to stop its statement.
pub(crate) struct Opened<DB: Database> {
    connection: DB::Connection,
    stop: Stop,
}

/// The terms of a session: the slot that its user was admitted to, and the longest time of one statement. Postgres keeps that
/// time itself.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) slot: Option<Arc<Slot>>,
    pub(crate) statement_time: Option<Duration>,
}

pub(crate) type SessionPool<DB> = Pool<Opener<DB>>;

impl<DB: Engine> Manager for Opener<DB> {
    type Type = Opened<DB>;
    type Error = Error;

    async fn create(&self) -> Result<Opened<DB>, Error> {
        let mut connection = DB::Connection::connect_with(&self.options).await?;
        let Identity { stop, role } = DB::identity(&mut connection).await?;
        self.role.as_ref().map_or(Ok(()), |known| known.check(role.as_deref()))?;
        Ok(Opened { connection, stop })
    }

    async fn recycle(&self, _: &mut Opened<DB>, metrics: &Metrics) -> RecycleResult<Error> {
        if self.lifetime.is_some_and(|lifetime| metrics.age() > lifetime) {
            return Err(RecycleError::message("it is old"));
        }
        Ok(())
    }
}

/// A pool of at most `connections`, opened on demand; a caller waits at most `wait` for one. Each is refused without its `role`.
pub(crate) fn pool<DB: Engine>(
    options: <DB::Connection as Connection>::Options,
    connections: u32,
    wait: Duration,
    lifetime: Option<Duration>,
    role: Option<SessionRole>,
) -> Result<SessionPool<DB>, StoreError> {
    let opener = Opener { options, lifetime, role, waits: AtomicU64::new(0), waited_microseconds: AtomicU64::new(0) };
    let builder = Pool::builder(opener).max_size(usize::try_from(connections).unwrap_or(1).max(1));
    let builder = builder.runtime(Runtime::Tokio1).wait_timeout(Some(wait)).create_timeout(Some(wait));
    // Last in, first out: the connection that was used last has the warmest caches.
    let builder = builder.queue_mode(QueueMode::Lifo);
    builder.build().map_err(|error| StoreError::Invalid(error.to_string()))
}

impl From<PoolError<Error>> for StoreError {
    fn from(error: PoolError<Error>) -> Self {
        match error {
            // The session has not the role that it must have: nothing is served with it.
            PoolError::Backend(error @ Error::Configuration(_)) => Self::Unavailable(Cause::new(error)),
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(TimeoutType::Wait) => Self::Unavailable("all connections are in use".into()),
            other => Self::Unavailable(Cause::new(other)),
        }
    }
}

/// The result that a caller wants of a transaction's first statement; it decides whether `BEGIN` can go in the same call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstStatement {
    ReturnsRows,
    /// The number of rows written. `BEGIN` goes in a call of its own then: in the same call the count would be that of the
    /// statement before it.
    CountsRows,
}

/// One connection in use. Dropped within a transaction, it is rolled back before it is used again.
pub(crate) struct Session<DB: Engine> {
    connection: Option<Object<Opener<DB>>>,
    terms: Terms,
    /// Begins the transaction, together with its first statement.
    opening: Option<&'static str>,
    in_transaction: bool,
    /// A statement is in flight: sent, and without a result yet.
    in_flight: bool,
    /// The connection itself failed, not a statement on it.
    broken: bool,
}

impl<DB: Engine> Session<DB> {
    /// A connection without a transaction: each statement is one of its own.
    pub(crate) async fn open(pool: &SessionPool<DB>, terms: Terms) -> Result<Self, StoreError> {
        let begun = Instant::now();
        // Boxed: the future's state would otherwise be a part of every caller's.
        let got = Box::pin(pool.get()).await;
        pool.manager().note_wait(begun.elapsed());
        Ok(Self {
            connection: Some(got?),
            terms,
            opening: None,
            in_transaction: false,
            in_flight: false,
            broken: false,
        })
    }

    /// A connection within a transaction that begins with its first statement: one call of the engine less.
    pub(crate) async fn open_with(
        pool: &SessionPool<DB>,
        begin: &'static str,
        terms: Terms,
    ) -> Result<Self, StoreError> {
        let mut session = Self::open(pool, terms).await?;
        session.opening = Some(begin);
        Ok(session)
    }

    /// A statement, preceded by `BEGIN` if it is the first one.
    pub(crate) async fn opened(&mut self, statement: String, first: FirstStatement) -> Result<String, Error> {
        let Some(begin) = self.opening.take() else { return Ok(statement) };
        self.in_transaction = true;
        if first == FirstStatement::ReturnsRows {
            return Ok(format!("{begin}; {statement}"));
        }
        let begun = DB::run(self.connection()?, begin.to_owned()).await;
        self.noted(begun)?;
        Ok(statement)
    }

    /// A connection within a transaction that `statement` begins.
    pub(crate) async fn begin(pool: &SessionPool<DB>, statement: String, terms: Terms) -> Result<Self, StoreError> {
        let mut session = Self::open(pool, terms).await?;
        // Set before the call: a caller that goes away while the server begins leaves a transaction to end.
        session.in_transaction = true;
        let begun = DB::run(session.connection()?, statement).await;
        session.noted(begun)?;
        Ok(session)
    }

    /// Notes that a statement has ended the transaction.
    pub(crate) fn ended(&mut self) {
        self.in_transaction = false;
    }

    /// Ends the transaction, if there is one.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if !self.in_transaction {
            return Ok(());
        }
        let committed = DB::run(self.connection()?, "COMMIT".to_owned()).await;
        self.noted(committed)?;
        self.in_transaction = false;
        Ok(())
    }

    /// The connection for one statement, whose result is to be [`noted`](Self::noted).
    ///
    /// # Errors
    /// Never for a session in use: only its drop takes the connection out.
    pub(crate) fn connection(&mut self) -> Result<&mut DB::Connection, Error> {
        self.in_flight = true;
        let opened = self.connection.as_deref_mut().ok_or(Error::PoolClosed)?;
        if let Stop::Interrupt(interrupt) = &opened.stop {
            interrupt.allow(self.terms.statement_time);
        }
        Ok(&mut opened.connection)
    }

    /// Passes a result on, and notes whether it tells that the connection is broken.
    pub(crate) fn noted<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.in_flight = false;
        if let Err(error) = &result {
            let by_server = |code: &str| code.len() == 5 && (code.starts_with("57P") || code.starts_with("08"));
            self.broken |= match error {
                Error::Database(error) => error.code().is_some_and(|code| by_server(&code)),
                Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
                _ => false,
            };
        }
        result
    }
}

impl<DB: Engine> Drop for Session<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.broken {
            if let Some(pool) = Object::pool(&connection) {
                // The idle connections broke with this one, and each would fail one caller.
                pool.retain(|_, _| false);
            }
            drop(Object::take(connection));
        } else if self.in_flight {
            abandon(connection, self.terms.slot.take());
        } else if self.in_transaction {
            let Ok(runtime) = Handle::try_current() else {
                drop(Object::take(connection));
                return;
            };
            let slot = self.terms.slot.take();
            runtime.spawn(async move {
                if let Stop::Interrupt(interrupt) = &connection.stop {
                    interrupt.allow(None);
                }
                let _slot = slot;
                if DB::run(&mut connection.connection, "ROLLBACK".to_owned()).await.is_err() {
                    drop(Object::take(connection));
                }
            });
        }
    }
}

/// The caller of a running statement went away. The next caller must not wait for that statement, so the connection leaves the
/// pool; and the statement is stopped, or callers that come and go would run more statements than the pool has connections. Its
/// slot is free once it ends.
fn abandon<DB: Engine>(connection: Object<Opener<DB>>, slot: Option<Arc<Slot>>) {
    let pool = Object::pool(&connection);
    let opened = Object::take(connection);
    let process = match &opened.stop {
        Stop::Interrupt(interrupt) => return interrupt.stop(),
        Stop::Process(process) => *process,
    };
    let (Some(pool), Ok(runtime)) = (pool, Handle::try_current()) else { return };
    runtime.spawn(async move {
        let stopped = timeout(STOP, async {
            let mut other = DB::Connection::connect_with(&pool.manager().options).await?;
            // With the role of the login: the tenants' role may not cancel.
            DB::run(&mut other, format!("SET ROLE NONE; SELECT pg_cancel_backend({process})")).await?;
            other.close().await
        });
        if !matches!(stopped.await, Ok(Ok(()))) {
            tracing::warn!("an abandoned statement could not be cancelled; it ends with its timeout");
        }
        // After the cancellation: a process number that is free again may be another connection's.
        drop(opened);
        drop(slot);
    });
}

#[cfg(test)]
mod tests;
