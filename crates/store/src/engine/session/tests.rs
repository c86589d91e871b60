//! A caller that goes away during a statement leaves nothing for the next one to wait for.

use super::*;
use rollcall_core::clock::Clock;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{SqliteConnection, query_scalar};
use std::str::FromStr;
use std::time::Instant;
use uuid::Uuid;

/// Far longer than any test waits.
const SLOW: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(20);

/// A pool of one, whose user goes away during a slow statement, within a transaction and without; then comes the next user.
async fn the_next_user_is_served<DB: Engine>(options: <DB::Connection as Connection>::Options, slow: &str) {
    let pool = pool::<DB>(options, 1, PATIENCE, None).expect("a pool");
    for in_transaction in [false, true] {
        let gone = async {
            let mut session = match in_transaction {
                false => Session::open(&pool, Terms::default()).await,
                true => Session::begin(&pool, "BEGIN".to_owned(), Terms::default()).await,
            }
            .expect("a session");
            let done = DB::run(session.connection().expect("a connection"), slow.to_owned()).await;
            session.noted(done).expect("no end");
        };
        timeout(Duration::from_millis(300), gone).await.expect_err("it is slow");
        let next = async {
            let mut session = Session::open(&pool, Terms::default()).await.expect("a session");
            let done = DB::run(session.connection().expect("a connection"), "SELECT 1".to_owned()).await;
            session.noted(done).expect("an answer");
        };
        timeout(PATIENCE, next).await.expect("nobody is in the way");
    }
    pool.close();
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_holds_nobody_up_on_sqlite() {
    let file = std::env::temp_dir().join(format!("rollcall-session-{}.db", Clock::System.new_id::<Uuid>().simple()));
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true).busy_timeout(SLOW);
    let mut holder = SqliteConnection::connect_with(&options).await.expect("a database");
    Sqlite::run(&mut holder, "CREATE TABLE t (a INTEGER); BEGIN IMMEDIATE".to_owned()).await.expect("the lock");
    the_next_user_is_served::<Sqlite>(options, "INSERT INTO t VALUES (1)").await;
    holder.close().await.expect("an end");
    let _ = std::fs::remove_file(file);
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_stopped_on_postgres() {
    let Ok(server) = std::env::var("DATABASE_URL") else { return };
    let options = PgConnectOptions::from_str(&server).expect("DATABASE_URL");
    let mark = Clock::System.new_id::<Uuid>().simple();
    let slow = format!("SELECT pg_sleep({}) /* {mark} */", SLOW.as_secs());
    the_next_user_is_served::<Postgres>(options.clone(), &slow).await;
    let mut looking = PgConnection::connect_with(&options).await.expect("a connection");
    let begun = Instant::now();
    loop {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE query = '{}' AND state = 'active'", slow);
        let running: i64 = query_scalar(AssertSqlSafe(sql)).fetch_one(&mut looking).await.expect("an answer");
        if running == 0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{running} statements are running for nobody");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    looking.close().await.expect("an end");
}
