//! A caller that goes away during a statement leaves nothing for the next one to wait for.

use super::*;
use crate::directory::filter::tests::engines::{on_each_database, one_connection};
use crate::{Store, StoreError};
use rollcall_core::clock::Clock;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{SqliteConnection, query_scalar};
use std::str::FromStr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// Far longer than any test waits.
const SLOW: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(20);

/// A pool of one, whose user goes away during a slow statement, within a transaction and without; then comes the next user.
async fn the_next_user_is_served<DB: Engine>(options: <DB::Connection as Connection>::Options, slow: &str) {
    let pool = pool::<DB>(options, 1, PATIENCE, None, None).expect("a pool");
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

/// Passes connections on to a server, without the startup options: a pooler with `ignore_startup_parameters = options`.
async fn pooler_in_front_of(server: PgConnectOptions) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (host, to) = (server.get_host().to_owned(), server.get_port());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let host = host.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect((host, to)).await?;
                let startup = loop {
                    let length = client.read_u32().await?;
                    let mut message = vec![0; length as usize - 4];
                    client.read_exact(&mut message).await?;
                    // A request for TLS is answered with no.
                    match message[..4] {
                        [4, 210, 22, 47] => client.write_all(b"N").await?,
                        _ => break message,
                    }
                };
                let mut kept = startup[..4].to_vec();
                let words: Vec<&[u8]> = startup[4..].split(|byte| *byte == 0).collect();
                for pair in words.chunks_exact(2).filter(|pair| !pair[0].is_empty() && pair[0] != b"options") {
                    kept.extend([pair[0], &[0], pair[1], &[0]].concat());
                }
                kept.push(0);
                server.write_u32(kept.len() as u32 + 4).await?;
                server.write_all(&kept).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

#[test]
fn s7_d3_nothing_is_served_by_a_session_without_its_role() {
    on_each_database(async |store, engine, url| {
        store.check_session().await.expect("the usual way");
        if engine == "SQLite" {
            return;
        }
        let server = PgConnectOptions::from_str(url).expect("a URL");
        let direct = format!("{}:{}", server.get_host(), server.get_port());
        let port = pooler_in_front_of(server).await;
        let pooled = url.replacen(&direct, &format!("127.0.0.1:{port}"), 1);
        assert_ne!(pooled, url, "DATABASE_URL names host and port");
        let behind = Store::connect(&one_connection(&pooled), Clock::System).await.expect("a server");
        let refused = behind.check_session().await.expect_err("no role");
        for said in ["the role none and not rollcall_tenant", "pooler"] {
            assert!(refused.contains(said), "{refused}");
        }
        assert!(behind.check().await.is_err_and(|why| why.contains("rollcall_tenant")), "it is unready");
        let read = behind.tenants().await;
        assert!(matches!(&read, Err(StoreError::Unavailable(_))), "{read:?}");
        behind.close().await;
    });
}
