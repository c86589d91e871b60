//! Opening the database: Postgres with one pool, SQLite with one writer and a few readers.

use crate::error::StoreError;
use rollcall_core::clock::Clock;
use rollcall_migrations::Migrator;
use sea_orm::sqlx;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector, Statement};
use sea_orm_migration::MigratorTrait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `postgres://…` or `sqlite://<path>`.
    pub url: String,
    /// Connections at most (Postgres); readers at most (SQLite, which has one writer).
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
}

#[derive(Clone)]
pub(crate) enum Pools {
    Postgres(PgPool),
    Sqlite { writer: SqlitePool, reader: SqlitePool },
}

/// The only way to the data. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) pools: Pools,
    pub clock: Clock,
}

impl Store {
    /// # Errors
    /// When the URL is not understood or the database cannot be reached.
    pub async fn connect(config: &StoreConfig, clock: Clock) -> Result<Self, StoreError> {
        let pools = if let Some(path) = config.url.strip_prefix("sqlite://") {
            open_sqlite(Path::new(path), config).await?
        } else if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            open_postgres(config).await?
        } else {
            return Err(StoreError::Invalid("the database URL must begin with postgres:// or sqlite://".into()));
        };
        Ok(Self { pools, clock })
    }

    /// Brings the schema up to date. Processes that start together take turns.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let mut turn = pool.begin().await?;
                sqlx::query("SELECT pg_advisory_xact_lock(hashtext('rollcall migrate'))").execute(&mut *turn).await?;
                Migrator::up(&self.schema_connection(), None).await?;
                turn.commit().await?;
            }
            Pools::Sqlite { .. } => Migrator::up(&self.schema_connection(), None).await?,
        }
        Ok(())
    }

    /// Is the database there, and is its schema the one this program knows?
    ///
    /// # Errors
    /// With what is wrong and the remedy.
    pub async fn check(&self) -> Result<(), String> {
        let applied = self.applied_migrations().await.map_err(|e| e.to_string())?;
        // A schema newer than the program is fine: changes are additive, so that processes can be upgraded one by one.
        let pending = Migrator::migrations().iter().filter(|m| !applied.contains(m.name())).count();
        if pending > 0 {
            return Err(format!("the schema lacks {pending} migrations; run `rollcall migrate`"));
        }
        Ok(())
    }

    /// Is this a database that no migration ever touched?
    pub async fn has_no_schema(&self) -> Result<bool, StoreError> {
        Ok(self.applied_migrations().await?.is_empty())
    }

    async fn applied_migrations(&self) -> Result<HashSet<String>, StoreError> {
        let schema = self.schema_connection();
        let backend = schema.get_database_backend();
        let exists = match backend {
            DbBackend::Postgres => "SELECT CAST(to_regclass('seaql_migrations') AS text) AS name",
            _ => "SELECT name FROM sqlite_master WHERE name = 'seaql_migrations'",
        };
        let table = schema.query_one_raw(Statement::from_string(backend, exists)).await?;
        if table.and_then(|row| row.try_get::<Option<String>>("", "name").ok().flatten()).is_none() {
            return Ok(HashSet::new());
        }
        let versions = Statement::from_string(backend, "SELECT version FROM seaql_migrations");
        let rows = schema.query_all_raw(versions).await?;
        rows.iter().map(|row| Ok(row.try_get("", "version")?)).collect()
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
        }
    }

    fn schema_connection(&self) -> DatabaseConnection {
        match &self.pools {
            Pools::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
            Pools::Sqlite { writer, .. } => SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.clone()),
        }
    }
}

async fn open_postgres(config: &StoreConfig) -> Result<Pools, StoreError> {
    let options = PgConnectOptions::from_str(&config.url)
        .map_err(|e| StoreError::Invalid(format!("the database URL: {e}")))?
        .application_name("rollcall")
        .statement_cache_capacity(256);
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        // A ping per acquire would be one more round trip for every request; a dead connection is noticed by its use.
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(Pools::Postgres(pool))
}

async fn open_sqlite(path: &Path, config: &StoreConfig) -> Result<Pools, StoreError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| StoreError::Invalid(format!("cannot create {}: {e}", folder.display())))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(256)
        .pragma("cache_size", "-16000");
    let pool = |connections: u32| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool(1).connect_with(options.clone()).await?;
    let reader = pool(config.max_connections).connect_with(options).await?;
    Ok(Pools::Sqlite { writer, reader })
}
