//! The schema that a program finds, makes, or may run on.

use crate::engine::connect::{Pools, Schema, Store};
use crate::engine::error::StoreError;
use crate::engine::position;
use crate::engine::session::{Session, Terms};
use rollcall_migrations::Migrator;
use sea_orm::sqlx;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector, Statement};
use sea_orm_migration::MigratorTrait;
use std::collections::HashSet;

impl Store {
    /// Applies pending migrations. Concurrent processes take turns. A newer schema that this program may run on is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the schema is newer and its floor is above this program, or it lacks migrations beside the newer
    /// ones.
    pub async fn migrate(&self) -> Result<Migrated, StoreError> {
        let applied = self.applied_migrations().await?;
        if let Some(newest) = newer_than_known(&applied) {
            self.check_floor(&applied).await.map_err(StoreError::Invalid)?;
            let pending = pending_of(&applied);
            if pending > 0 {
                return Err(StoreError::Invalid(format!(
                    "the database has the migration {newest}, which this version does not know, and lacks {pending} that it knows: \
                     two programs of different branches made it"
                )));
            }
            return Ok(Migrated::IsNewer { newest });
        }
        let pending = pending_of(&applied) > 0;
        match &self.schema {
            Schema::Postgres(pool) => {
                let mut turn = pool.begin().await?;
                sqlx::query("SELECT pg_advisory_xact_lock(hashtext('rollcall migrate'))").execute(&mut *turn).await?;
                // Without anything to do, a login without the right to make tables will do.
                if pending {
                    Migrator::up(&self.schema_connection(), None).await?;
                }
                position::lift(&mut turn).await?;
                turn.commit().await?;
            }
            Schema::Sqlite(_) if pending => Migrator::up(&self.schema_connection(), None).await?,
            Schema::Sqlite(_) => {}
        }
        Ok(Migrated::UpToDate)
    }

    /// Checks that the database is reachable, that this program may run on its schema, and that its sessions have their role.
    ///
    /// # Errors
    /// With what is wrong and the remedy.
    pub async fn check(&self) -> Result<(), String> {
        if let Pools::Sqlite { file, .. } = &self.pools {
            file.check().map_err(|e| e.to_string())?;
        }
        let applied = self.applied_migrations().await.map_err(|e| e.to_string())?;
        if self.is_read_only().await.map_err(|e| e.to_string())? {
            return Err(
                "the database takes no writes: it is a standby that is not promoted, or read-only by its settings; \
                        point the address at the primary"
                    .to_owned(),
            );
        }
        // A schema newer than the program is fine above its floor: changes are additive, so that processes can be upgraded one
        // by one, and back.
        let pending = pending_of(&applied);
        if pending > 0 {
            return Err(format!("the schema lacks {pending} migrations; run `rollcall migrate`"));
        }
        if newer_than_known(&applied).is_some() {
            self.check_floor(&applied).await?;
        }
        match &self.pools {
            Pools::Postgres { role, .. } => role.proven(),
            Pools::Sqlite { .. } => Ok(()),
        }
    }

    /// The number of migrations that this program has and the schema lacks.
    pub async fn migrations_behind(&self) -> Result<usize, StoreError> {
        Ok(pending_of(&self.applied_migrations().await?))
    }

    /// Whether Postgres refuses writes, as a standby does until it is promoted.
    async fn is_read_only(&self) -> Result<bool, StoreError> {
        let Schema::Postgres(pool) = &self.schema else { return Ok(false) };
        let shown: String = sqlx::query_scalar("SHOW transaction_read_only").fetch_one(pool).await?;
        Ok(shown == "on")
    }

    /// Checks that new rows of lists come after those that exist, also after a restore.
    ///
    /// # Errors
    /// With what is wrong and the remedy.
    pub async fn check_positions(&self) -> Result<(), String> {
        let Schema::Postgres(pool) = &self.schema else { return Ok(()) };
        let mut tx = pool.begin().await.map_err(|e| e.to_string())?;
        position::check(&mut tx).await
    }

    /// Opens a session for data, as the first request would.
    ///
    /// # Errors
    /// When it cannot be opened, or has not the role that row-level security needs.
    pub async fn check_session(&self) -> Result<(), String> {
        match &self.pools {
            Pools::Postgres { pool, role, .. } => match Session::open(pool, Terms::default()).await {
                Ok(_) => Ok(()),
                Err(error) => role.proven().and_then(|()| Err(error.to_string())),
            },
            Pools::Sqlite { .. } => Ok(()),
        }
    }

    /// The floor names a migration that a program must know.
    async fn check_floor(&self, applied: &HashSet<String>) -> Result<(), String> {
        let schema = self.schema_connection();
        let floor = "SELECT migration, version FROM schema_floor";
        let floor = Statement::from_string(schema.get_database_backend(), floor);
        let row = schema.query_one_raw(floor).await.map_err(|e| format!("the floor of the schema: {e}"))?;
        let read = |column| row.as_ref().and_then(|row| row.try_get::<String>("", column).ok());
        let (Some(migration), Some(version)) = (read("migration"), read("version")) else {
            return Err("the table schema_floor has no row".to_owned());
        };
        let known = Migrator::migrations().iter().any(|known| known.name() == migration);
        let newest = newer_than_known(applied).unwrap_or_default();
        if known {
            return Ok(());
        }
        Err(format!(
            "the database was made by a newer Rollcall (it has the migration {newest}), and no version before {version} may run \
             on it any more. Use that version or a later one"
        ))
    }

    /// Whether no migration ever touched this database.
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

    #[cfg(test)]
    pub(crate) fn schema_of_test(&self) -> DatabaseConnection {
        self.schema_connection()
    }

    fn schema_connection(&self) -> DatabaseConnection {
        match &self.schema {
            Schema::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
            Schema::Sqlite(pool) => SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone()),
        }
    }
}

/// The outcome of [`Store::migrate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Migrated {
    UpToDate,
    /// A newer program migrated the schema, and this one may run on it. Nothing was changed.
    IsNewer {
        newest: String,
    },
}

/// The newest migration that this program does not know.
fn newer_than_known(applied: &HashSet<String>) -> Option<String> {
    let known = Migrator::migrations();
    applied.iter().filter(|name| known.iter().all(|m| m.name() != name.as_str())).max().cloned()
}

fn pending_of(applied: &HashSet<String>) -> usize {
    Migrator::migrations().iter().filter(|m| !applied.contains(m.name())).count()
}

#[cfg(test)]
mod tests;
