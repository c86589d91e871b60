//! A fresh database per engine, dropped after the test also when it fails.

use rollcall_core::clock::Clock;
use rollcall_store::{Store, StoreConfig, Synchronous, WorkLimits};
use sea_orm::{ConnectionTrait, Database};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use uuid::Uuid;

pub(crate) fn on_each_engine(check: impl AsyncFn(Store, &'static str)) {
    on_each_database(async |store, engine, _| check(store, engine).await);
}

/// As [`on_each_engine`], with the database's address, for statements that no method of the store has.
pub(crate) fn on_each_database(check: impl AsyncFn(Store, &'static str, &str)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let run_check = |url: String, engine| {
        catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let config = StoreConfig {
                    url: url.clone(),
                    max_connections: 12,
                    acquire_timeout: Duration::from_secs(30),
                    statement_timeout: Duration::ZERO,
                    sqlite_synchronous: Synchronous::Normal,
                    limits: WorkLimits::default(),
                };
                let store = Store::connect(&config, Clock::System).await.expect("a database");
                store.migrate().await.expect("the schema");
                check(store.clone(), engine, &url).await;
                store.close().await;
            });
        }))
    };
    let name = format!("rollcall_convergence_{}", Clock::System.new_id::<Uuid>().simple());
    let file = std::env::temp_dir().join(&name);
    let on_sqlite = run_check(format!("sqlite://{}", file.display()), "SQLite");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    on_sqlite.unwrap_or_else(|failure| resume_unwind(failure));
    let Ok(server) = std::env::var("DATABASE_URL") else { return };
    runtime.block_on(statement(&server, &format!("CREATE DATABASE {name}")));
    let on_postgres = run_check(with_database(&server, &name), "Postgres");
    // The failed check is reported rather than a failed drop. Without force, because a forced drop fails while autovacuum,
    // another role's process, is connected; a plain one ends autovacuum and waits for ending sessions.
    let drop = AssertUnwindSafe(|| runtime.block_on(statement(&server, &format!("DROP DATABASE {name}"))));
    let dropped = catch_unwind(drop);
    on_postgres.and(dropped).unwrap_or_else(|failure| resume_unwind(failure));
}

pub(crate) async fn statement(server: &str, sql: &str) {
    let connection = Database::connect(server).await.expect("a database");
    connection.execute_unprepared(sql).await.expect("a statement of the test");
    connection.close().await.expect("an end");
}

fn with_database(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').unwrap_or((server, ""));
    let start = address.find("://").map_or(0, |index| index + 3);
    let end = address[start..].find('/').map_or(address.len(), |index| start + index);
    format!("{}/{name}?{options}", &address[..end])
}
