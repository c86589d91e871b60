//! Opening the database: Postgres with one pool, SQLite with one writer and a few readers.
//!
//! Length: the two engines are opened and stopped side by side, and their tests need what opening made.

use crate::engine::admission::{Admission, WorkLimits};
use crate::engine::batched_read::ReadBatchers;
use crate::engine::data_file::DataFile;
use crate::engine::engine_kind::EngineKind;
use crate::engine::error::StoreError;
use crate::engine::faults::Faults;
use crate::engine::private_files;
use crate::engine::sealing::SealingKeys;
use crate::engine::session::{SessionPool, SessionRole, pool};
use crate::engine::single_write::SingleWriter;
use chrono::TimeDelta;
use deadpool::managed::Status;
use rollcall_core::clock::Clock;
use rollcall_core::quota::Quotas;
use rollcall_migrations::TENANT_ROLE;
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Postgres, Sqlite};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::Instant;

/// Connection settings of the database.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `postgres://…` or `sqlite://<path>`.
    pub url: String,
    /// The most connections (Postgres), or the most readers (SQLite, which has one writer).
    pub max_connections: u32,
    /// The longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// The statement timeout of requests; zero is none.
    pub statement_timeout: Duration,
    /// When SQLite takes a commit for written.
    pub sqlite_synchronous: Synchronous,
    pub limits: WorkLimits,
}

/// When a commit of SQLite counts as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Once it is on the disk.
    #[default]
    Full,
    /// Once the system has it: a loss of power loses the last commits.
    Normal,
}

/// The state of the connections to the database.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    pub used: usize,
    pub idle: usize,
    /// Calls that wait for a connection.
    pub waiting: usize,
    /// How often a connection was asked for since the start, and for how long all who asked have waited.
    pub waits: u64,
    pub waited: Duration,
}

#[derive(Clone)]
pub(crate) enum Pools {
    Postgres { pool: SessionPool<Postgres>, reads: ReadBatchers, role: SessionRole },
    Sqlite { writer: SessionPool<Sqlite>, reader: SessionPool<Sqlite>, file: DataFile },
}

/// The connection for making and inspecting the schema: with the role of the login, whereas data is read and written with a
/// tenant's role.
#[derive(Clone)]
pub(super) enum Schema {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// The only door to the data. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) pools: Pools,
    pub(super) single_writer: SingleWriter,
    pub(super) schema: Schema,
    pub(super) admission: Admission,
    /// Longest time of a request's statement, where the server does not keep it.
    pub(super) statement_time: Option<Duration>,
    pub(super) without_statement_timeout: bool,
    /// Searches are pages of an export.
    pub(super) exports: bool,
    pub clock: Clock,
    pub faults: Faults,
    /// Quotas of tenants to which the operator gave no others.
    pub quotas: Quotas,
    sealing: Option<SealingKeys>,
    /// Age up to which events are given to those who follow them; none for all.
    pub(crate) events_kept: Option<TimeDelta>,
}

impl Store {
    /// # Errors
    /// When the URL is invalid or the database cannot be reached.
    pub async fn connect(config: &StoreConfig, clock: Clock) -> Result<Self, StoreError> {
        let connections = usize::try_from(config.max_connections).unwrap_or(1);
        let embedded = config.url.starts_with("sqlite://");
        let admission = Admission::new(config.limits, connections, config.acquire_timeout, embedded);
        let (pools, single_writer, schema) = if let Some(path) = config.url.strip_prefix("sqlite://") {
            open_sqlite(Path::new(path), config).await?
        } else if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            open_postgres(config, &admission).await?
        } else {
            return Err(StoreError::Invalid("the database URL must begin with postgres:// or sqlite://".into()));
        };
        let statement_time = Some(config.statement_timeout).filter(|time| !time.is_zero());
        let (faults, quotas) = (Faults::default(), Quotas::default());
        Ok(Self {
            pools,
            single_writer,
            schema,
            admission,
            statement_time,
            without_statement_timeout: false,
            exports: false,
            clock,
            faults,
            quotas,
            sealing: None,
            events_kept: None,
        })
    }

    /// The same for work outside of a request: without a statement timeout, and not among its tenant's share.
    #[must_use]
    pub fn without_statement_timeout(&self) -> Self {
        Self { without_statement_timeout: true, ..self.clone() }
    }

    /// The same for the pages of an export that was admitted: they wait for their turn, and none is refused because the tenant searches
    /// meanwhile.
    #[must_use]
    pub fn for_export(&self) -> Self {
        Self { exports: true, ..self.clone() }
    }

    /// The same, with keys that seal and open secrets.
    #[must_use]
    pub fn with_sealing(self, keys: SealingKeys) -> Self {
        Self { sealing: Some(keys), ..self }
    }

    /// The keys that seal secrets.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the operator gave none.
    pub fn sealing(&self) -> Result<&SealingKeys, StoreError> {
        self.sealing.as_ref().ok_or_else(|| {
            StoreError::Conflict(
                "this hub has no key to seal secrets with: the operator sets sealing.keys (`rollcall sealing-key new`)"
                    .into(),
            )
        })
    }

    /// The same, with these quotas for tenants that have none of their own.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    /// The same, for which events are given up to this age.
    #[must_use]
    pub fn with_events_kept(self, kept: TimeDelta) -> Self {
        Self { events_kept: Some(kept), ..self }
    }

    pub(crate) fn engine(&self) -> EngineKind {
        match self.pools {
            Pools::Postgres { .. } => EngineKind::Postgres,
            Pools::Sqlite { .. } => EngineKind::Sqlite,
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.engine() == EngineKind::Postgres
    }

    /// Connections to the database that serve data, and calls that wait for one.
    pub fn connections(&self) -> Connections {
        let of = |status: Status, (waits, waited)| {
            let Status { size, available: idle, waiting, .. } = status;
            Connections { used: size.saturating_sub(idle), idle, waiting, waits, waited }
        };
        match &self.pools {
            Pools::Postgres { pool, .. } => of(pool.status(), pool.manager().waits()),
            Pools::Sqlite { reader, .. } => of(reader.status(), reader.manager().waits()),
        }
    }

    /// Closes the connections that nobody uses. One that was opened on a thread which has ended is of no use to others.
    pub fn close_idle(&self) {
        if let Pools::Postgres { pool, .. } = &self.pools {
            pool.retain(|_, _| false);
        }
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres { pool, .. } => pool.close(),
            Pools::Sqlite { writer, reader, .. } => {
                reader.close();
                writer.close();
            }
        }
        match &self.schema {
            Schema::Postgres(pool) => pool.close().await,
            Schema::Sqlite(pool) => pool.close().await,
        }
    }
}

/// Connections of the schema's pool: one for the migrations, and one that holds the advisory lock.
const SCHEMA_CONNECTIONS: u32 = 2;
/// Idle time after which they are closed.
const SCHEMA_IDLE: Duration = Duration::from_secs(30);
const POSTGRES_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Between two tries to reach a database that refuses connections.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

async fn open_postgres(
    config: &StoreConfig,
    admission: &Admission,
) -> Result<(Pools, SingleWriter, Schema), StoreError> {
    let options = PgConnectOptions::from_str(&config.url)
        .map_err(|e| StoreError::Invalid(format!("the database URL: {e}")))?
        .application_name("rollcall")
        .statement_cache_capacity(256);
    let schema = PgPoolOptions::new()
        .max_connections(SCHEMA_CONNECTIONS)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(SCHEMA_IDLE)
        .connect_lazy_with(options.clone());
    reached(&options, config.acquire_timeout).await?;
    // From its first statement on a session has the tenants' role, which without a tenant sees nothing. Migrations use the other
    // pool and have no statement timeout.
    let timeout = config.statement_timeout.as_millis().to_string();
    let options = options.options([("role", TENANT_ROLE), ("statement_timeout", &timeout)]);
    // A custom plan for a tenant that the statistics do not know yet expects no rows, so plans are generic. And a prepared plan that
    // dates from a small table must not scan it later, since most rows are other tenants': every query has an index.
    let options =
        options.options([("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")]);
    let role = SessionRole::new(TENANT_ROLE);
    let (lifetime, proof) = (Some(POSTGRES_LIFETIME), Some(role.clone()));
    let data = pool(options, config.max_connections, config.acquire_timeout, lifetime, proof)?;
    let single_writer = SingleWriter::postgres(&data, admission);
    let reads = ReadBatchers::new(&data, admission);
    Ok((Pools::Postgres { reads, pool: data, role }, single_writer, Schema::Postgres(schema)))
}

/// Waits for a database that may be starting. A pool waits as well, but then says only that it timed out, not why.
async fn reached(options: &PgConnectOptions, patience: Duration) -> Result<(), StoreError> {
    let last = Instant::now() + patience;
    loop {
        let tried = tokio::time::timeout_at(last, options.connect()).await;
        let why = match tried {
            Ok(Ok(connection)) => return Ok(connection.close().await?),
            Ok(Err(sqlx::Error::Io(_))) if Instant::now() + CONNECT_PAUSE < last => {
                tokio::time::sleep(CONNECT_PAUSE).await;
                continue;
            }
            Ok(Err(sqlx::Error::Io(e))) => e.to_string(),
            Ok(Err(e)) => return Err(e.into()),
            Err(_) => format!("no answer within {} s", patience.as_secs()),
        };
        let (host, port) = (options.get_host(), options.get_port());
        let unreachable =
            format!("no PostgreSQL at {host}:{port} ({why}); check DATABASE_URL, and ask `rollcall doctor`");
        return Err(StoreError::Unavailable(unreachable.into()));
    }
}

async fn open_sqlite(path: &Path, config: &StoreConfig) -> Result<(Pools, SingleWriter, Schema), StoreError> {
    private_files::prepare(path)
        .map_err(|e| StoreError::Invalid(format!("{} cannot be made for this user alone: {e}", path.display())))?;
    let synchronous = match config.sqlite_synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(256);
    // Made once here: a connection that is opened later finds the file, and makes none in the place of one that was taken away.
    options.clone().create_if_missing(true).connect().await?.close().await?;
    let file = DataFile::of(path).map_err(|e| StoreError::Unavailable(format!("{}: {e}", path.display()).into()))?;
    let schema = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(SCHEMA_IDLE)
        .connect_with(options.clone())
        .await?;
    // A negative size is in KiB. Readers have small caches: the pages they miss are in the system's page cache.
    let (wait, readers) = (config.acquire_timeout, config.max_connections);
    let writer = pool(options.clone().pragma("cache_size", "-8000"), 1, wait, None, None)?;
    let reader = pool(options.pragma("cache_size", "-1000"), readers, wait, None, None)?;
    let single_writer = SingleWriter::sqlite(writer.clone(), file.clone());
    Ok((Pools::Sqlite { writer, reader, file }, single_writer, Schema::Sqlite(schema)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::filter::tests::engines::{on_each_database, one_connection};
    use crate::engine::transaction::TenantTx;
    use crate::scope::TenantScope;
    use rollcall_core::event::Actor;
    use sea_orm::FromQueryResult;

    #[test]
    fn a_statement_that_takes_too_long_ends_and_a_store_without_the_timeout_waits_for_it() {
        on_each_database(async |store, engine, url| {
            if engine == "SQLite" {
                return;
            }
            let config = StoreConfig { statement_timeout: Duration::from_millis(200), ..one_connection(url) };
            let hurried = Store::connect(&config, store.clock.clone()).await.expect("a database");
            let sleep = async |store: &Store, seconds: &str| {
                let tx = store.across(true).await.expect("a transaction");
                let slept = tx.exec(&format!("SELECT pg_sleep({seconds})"), []).await;
                tx.commit().await.map(|()| slept).unwrap_or_else(Err)
            };
            // One connection serves them all, because each has another setting.
            for _ in 0..2 {
                let late = sleep(&hurried, "60").await;
                assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
                sleep(&hurried.without_statement_timeout(), "0.5").await.expect("it waits");
            }
            hurried.close().await;
        });
    }

    #[tokio::test]
    async fn f3_a_closed_port_is_named_with_its_cause() {
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let url = format!("postgres://rollcall@{free}/rollcall");
        let config = StoreConfig { acquire_timeout: Duration::from_millis(300), ..one_connection(&url) };
        let refused = Store::connect(&config, Clock::default()).await.err().expect("nobody listens").to_string();
        assert!(refused.contains(&format!("no PostgreSQL at {free} (Connection refused")), "{refused}");
    }

    #[derive(FromQueryResult)]
    struct Durability {
        synchronous: i64,
    }

    #[test]
    fn s9_a_commit_of_sqlite_is_on_the_disk_unless_the_operator_says_otherwise() {
        on_each_database(async |store, _, url| {
            for (sqlite_synchronous, expected) in [(Synchronous::default(), 2), (Synchronous::Normal, 1)] {
                let config = StoreConfig { sqlite_synchronous, ..one_connection(url) };
                let opened = Store::connect(&config, store.clock.clone()).await.expect("a database");
                if opened.is_postgres() {
                    return;
                }
                let tx = opened.across(true).await.expect("the writer");
                let row: Option<Durability> = tx.one("PRAGMA synchronous", []).await.expect("an answer");
                assert_eq!(row.expect("a row").synchronous, expected, "{sqlite_synchronous:?}");
                drop(tx);
                opened.close().await;
            }
        });
    }

    #[derive(FromQueryResult)]
    struct Plans {
        kept: i64,
        mode: String,
    }

    #[test]
    fn plans_are_generic_and_fresh_ones_are_not_kept() {
        on_each_database(async |store, engine, _| {
            if engine == "SQLite" {
                return;
            }
            let scope = TenantScope::new(store.clock.new_id(), Actor::System);
            let ask = async |tx: TenantTx| {
                let sql = "SELECT count(*) AS kept, current_setting('plan_cache_mode') AS mode FROM pg_prepared_statements \
                           WHERE statement LIKE '%pg_prepared_statements%'";
                let plans: Option<Plans> = tx.tx.one(sql, []).await.expect("an answer");
                tx.commit().await.expect("an end");
                plans.map(|plans| (plans.kept, plans.mode)).expect("a row")
            };
            let mut seen = Vec::new();
            for many in [true, false, true, true] {
                let tx = store.read(&scope).await.expect("a transaction");
                seen.push(ask(if many { tx.with_fresh_plans() } else { tx }).await);
            }
            let expected = [0, 1, 1, 1].map(|kept| (kept, "force_generic_plan".to_owned()));
            assert_eq!(seen, expected);
        });
    }
}
