//! A fresh SQLite file always; with `DATABASE_URL` (Postgres) a fresh database there too, dropped in the end.

use rollcall_core::clock::Clock;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::Policy;
use sea_orm::FromQueryResult;
use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use uuid::Uuid;

use crate::{NewSource, NewTenant, SourceScope, Store, StoreConfig, Synchronous, WorkLimits, digest};

/// Runs a check on each available engine, and cleans up also when it fails.
pub(crate) fn on_each_engine(check: impl AsyncFn(Store, &'static str)) {
    on_each_database(async |store, engine, _| check(store, engine).await);
}

/// As [`on_each_engine`], with the database's address for a second connection.
pub(crate) fn on_each_database(check: impl AsyncFn(Store, &'static str, &str)) {
    on_each_empty_database(async |store, engine, url| {
        store.migrate().await.expect("the schema");
        check(store, engine, url).await;
    });
}

/// As [`on_each_database`], without a schema.
pub(crate) fn on_each_empty_database(check: impl AsyncFn(Store, &'static str, &str)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run_check = |url: String, engine| {
        catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let store = connect(url.clone()).await;
                check(store.clone(), engine, &url).await;
                store.close().await;
            });
        }))
    };
    let file = std::env::temp_dir().join(format!("rollcall-filter-{}.db", unique()));
    let on_sqlite = run_check(format!("sqlite://{}", file.display()), "SQLite");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    on_sqlite.unwrap_or_else(|failure| resume_unwind(failure));
    let Ok(server) = std::env::var("DATABASE_URL") else { return };
    let name = format!("rollcall_filter_{}", unique());
    runtime.block_on(run(&server, format!("CREATE DATABASE {name}")));
    let on_postgres = run_check(with_database(&server, &name), "Postgres");
    // As in the worker's tests: the failed check is reported first, and the drop is without force, which autovacuum
    // would refuse.
    let dropped = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(&server, format!("DROP DATABASE {name}")))));
    on_postgres.and(dropped).unwrap_or_else(|failure| resume_unwind(failure));
}

fn unique() -> String {
    Clock::System.new_id::<Uuid>().simple().to_string()
}

/// One connection, for which all callers queue.
pub(crate) fn one_connection(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        max_connections: 1,
        acquire_timeout: Duration::from_secs(30),
        statement_timeout: Duration::ZERO,
        sqlite_synchronous: Synchronous::Normal,
        limits: WorkLimits::default(),
    }
}

/// A store with a clock that the test moves.
async fn connect(url: String) -> Store {
    let clock = Clock::manual(chrono::DateTime::from_timestamp(1_790_000_000, 123_456_000).expect("in range"));
    let config = StoreConfig { max_connections: 4, ..one_connection(&url) };
    Store::connect(&config, clock).await.expect("a database")
}

async fn run(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("DATABASE_URL");
    connection.execute(AssertSqlSafe(sql)).await.expect("a statement of the test");
    connection.close().await.expect("an end");
}

fn with_database(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').unwrap_or((server, ""));
    let start = address.find("://").map_or(0, |index| index + 3);
    let end = address[start..].find('/').map_or(address.len(), |index| start + index);
    format!("{}/{name}?{options}", &address[..end])
}

/// A live source of a tenant of its own.
pub(crate) async fn new_source(store: &Store) -> SourceScope {
    let tenant = NewTenant { name: "Filters".into(), seats: 10, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&tenant).await.expect("a tenant");
    let scope = store.operator_scope(&slug).await.expect("a scope");
    let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
    let new = NewSource { kind, mode, name: "idp", settings: SourceSettings::default(), token_expires_at: None };
    let made = store.create_source(&scope, &new).await;
    let (_, secret) = made.expect("a source");
    let credential = store.credential(&digest(&secret.secret)).await.expect("a look-up").expect("a credential");
    SourceScope::of_token(&credential).expect("a token")
}

/// Numbers of change marks and of audit events about a user.
pub(crate) async fn written(store: &Store, user: DirectoryUserId) -> (i64, i64) {
    #[derive(FromQueryResult)]
    struct Count {
        changes: i64,
        events: i64,
    }
    let tx = store.across(false).await.expect("a transaction");
    let sql = "SELECT (SELECT count(*) FROM directory_changes WHERE user_id = $1) AS changes, \
               (SELECT count(*) FROM audit_events WHERE subject_id = $1) AS events";
    let count: Option<Count> = tx.one(sql, [user.0.into()]).await.expect("an answer");
    count.map(|count| (count.changes, count.events)).expect("a row")
}
