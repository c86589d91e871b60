//! Group commit on SQLite. Whole transactions that wait for the one writer at the same time are committed together, each within a
//! savepoint of its own. A commit writes every page that its rows touch, and most of those pages are the same; and the writer has
//! the next transaction at hand, where it would wait for another thread to bring it (decision 0029).

use crate::engine::connection::Tx;
use crate::engine::data_file::DataFile;
use crate::engine::error::{Cause, StoreError};
use crate::engine::faults::Faults;
use crate::engine::position::BEGIN_WRITE;
use crate::engine::session::{Session, SessionPool, Terms};
use sea_orm::sqlx::Sqlite;
use sea_orm::{DbBackend, DbErr, Statement};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

/// Transactions of one commit at most: a reconcile that wants the writer waits for all of them.
const TRANSACTIONS_PER_COMMIT: usize = 64;
/// Transactions of the same text that are sent to the engine's thread in one call.
const TRANSACTIONS_PER_CALL: usize = 4;
/// Returns whether the statement before wrote anything.
const WROTE: &str = "; SELECT changes() > 0 AS wrote";
/// Length of the queue. A full queue makes its callers wait: back-pressure.
const QUEUE: usize = 1024;

/// The queue in front of the writer. The task that serves it ends with the last clone.
#[derive(Clone)]
pub(crate) struct GroupCommit {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    script: Statement,
    answer: oneshot::Sender<Result<bool, StoreError>>,
}

impl GroupCommit {
    /// Must be called on a runtime that lives as long as the store.
    pub(crate) fn start(writer: SessionPool<Sqlite>, file: DataFile) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(serve(writer, file, waiting));
        Self { jobs }
    }

    /// Runs statements as a transaction; returns whether the last one wrote anything. A queued transaction runs even if its caller
    /// goes away.
    pub(crate) async fn write(&self, script: Statement) -> Result<bool, StoreError> {
        let ended = || StoreError::Unavailable("the writer has ended".into());
        let (answer, answered) = oneshot::channel();
        let committed = async {
            self.jobs.send(Job { script, answer }).await.map_err(|_| ended())?;
            answered.await.map_err(|_| ended())?
        };
        committed.instrument(tracing::info_span!("store.group_commit")).await
    }
}

async fn serve(writer: SessionPool<Sqlite>, file: DataFile, mut waiting: mpsc::Receiver<Job>) {
    while let Some(job) = waiting.recv().await {
        let session = Session::open_with(&writer, BEGIN_WRITE, Terms::default()).await;
        // Collected once the writer is free, so that transactions that came while it was taken join.
        let mut jobs = vec![job];
        while jobs.len() < TRANSACTIONS_PER_COMMIT
            && let Ok(job) = waiting.try_recv()
        {
            jobs.push(job);
        }
        let (scripts, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.script, job.answer)).unzip();
        let done = match session {
            Ok(session) => match file.check() {
                Ok(()) => commit(Tx::of_session(session, Faults::default()), scripts).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = &done {
            tracing::warn!(%error, transactions = answers.len(), "nothing of a commit was written; its callers are told to try again");
        }
        let mut done = done.map_err(Cause::new).map(Vec::into_iter);
        for answer in answers {
            let result = match &mut done {
                Ok(results) => results.next().unwrap_or(Ok(false)),
                Err(why) => Err(StoreError::Unavailable(why.clone())),
            };
            // The caller may be gone.
            let _ = answer.send(result);
        }
    }
}

/// The result of each script. An error is the result of all: nothing is committed then.
async fn commit(tx: Tx, scripts: Vec<Statement>) -> Result<Vec<Result<bool, StoreError>>, StoreError> {
    let mut results = Vec::with_capacity(scripts.len());
    if let [only] = scripts.as_slice() {
        results.push(alone(&tx, only).await);
        return Ok(results);
    }
    for alike in scripts.chunk_by(|one, next| one.sql == next.sql) {
        let mut left = alike;
        while !left.is_empty() {
            // Only two lengths, because each is a text of its own to prepare.
            let (part, rest) =
                left.split_at(if left.len() >= TRANSACTIONS_PER_CALL { TRANSACTIONS_PER_CALL } else { 1 });
            left = rest;
            match within_savepoint(&tx, part).await? {
                Ok(wrote) => results.extend(wrote.into_iter().map(Ok)),
                Err(error) if part.len() == 1 => results.push(Err(error.into())),
                // One of them failed the call, so each runs alone.
                Err(_) => {
                    for one in part.chunks(1) {
                        let done = within_savepoint(&tx, one).await?;
                        results.push(done.map(|wrote| wrote == [true]).map_err(StoreError::from));
                    }
                }
            }
        }
    }
    tx.commit().await?;
    Ok(results)
}

/// Runs scripts of one text in one call; returns for each whether its last statement wrote anything. If one fails, all of them are
/// rolled back.
async fn within_savepoint(tx: &Tx, scripts: &[Statement]) -> Result<Result<Vec<bool>, DbErr>, DbErr> {
    let mut sql = "SAVEPOINT part".to_owned();
    let mut values = Vec::new();
    for script in scripts {
        sql += "; ";
        sql += &script.sql;
        sql += WROTE;
        values.extend(script.values.iter().flat_map(|values| values.0.iter().cloned()));
    }
    sql += "; RELEASE part";
    match tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await {
        Ok(rows) => Ok(Ok(rows.iter().map(|row| row.try_get("", "wrote")).collect::<Result<_, _>>()?)),
        // A savepoint that is gone means that this error has ended the whole transaction.
        Err(error)
            if tx
                .execute_raw(Statement::from_string(DbBackend::Sqlite, "ROLLBACK TO part; RELEASE part"))
                .await
                .is_err() =>
        {
            Err(error)
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The only script of a commit: the whole transaction in one call.
async fn alone(tx: &Tx, script: &Statement) -> Result<bool, StoreError> {
    let whole = Statement { sql: format!("{}; COMMIT{WROTE}", script.sql), ..script.clone() };
    let row = tx.query_one_raw(whole).await?;
    tx.ended().await;
    Ok(row.map(|row| row.try_get("", "wrote")).transpose()?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::pool;
    use rollcall_core::clock::Clock;
    use sea_orm::Value;
    use sea_orm::sqlx::sqlite::SqliteConnectOptions;
    use std::time::Duration;
    use tokio::task::yield_now;
    use uuid::Uuid;

    fn insert(number: i64) -> Statement {
        // The second insert fails if the first one's number exists already, and the first must not stay then.
        let sql = "INSERT INTO seen VALUES ($1); INSERT INTO numbers VALUES ($2)";
        let values = [Value::from(number), Value::from(number)];
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
    }

    async fn count(tx: &Tx, table: &str) -> i64 {
        let sql = format!("SELECT count(*) AS n FROM {table}");
        let row = tx.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.expect("an answer");
        row.expect("a row").try_get("", "n").expect("a number")
    }

    #[tokio::test]
    async fn transactions_that_wait_are_committed_together_and_one_that_fails_fails_alone() {
        let file =
            std::env::temp_dir().join(format!("rollcall-group-commit-{}.db", Clock::System.new_id::<Uuid>().simple()));
        std::fs::write(&file, "").expect("an empty database");
        let options = SqliteConnectOptions::new().filename(&file);
        let writer = pool::<Sqlite>(options, 1, Duration::from_secs(20), None, None).expect("a pool");
        let commits = GroupCommit::start(writer.clone(), DataFile::of(&file).expect("the file"));
        let holder = Tx::on_sqlite(&writer, Terms::default(), Faults::default()).await.expect("the writer");
        holder
            .execute_raw(Statement::from_string(
                DbBackend::Sqlite,
                "CREATE TABLE seen (a); CREATE TABLE numbers (a UNIQUE); CREATE TABLE list_positions (position)",
            ))
            .await
            .expect("tables");
        // All of them wait while the test holds the writer: more than fit in one call. Two insert the same number, and one is
        // aborted.
        let numbers = [1, 2, 2, 3, 4, 5, 6, 7, 8, 9];
        let asked: Vec<_> = numbers
            .map(|number| {
                let commits = commits.clone();
                tokio::spawn(async move { commits.write(insert(number)).await })
            })
            .into();
        yield_now().await;
        asked[4].abort();
        drop(holder);
        let mut done = Vec::new();
        for asked in asked {
            done.push(asked.await.ok().map(|result| result.is_ok_and(|wrote| wrote)));
        }
        let mut expected = [Some(true); 10];
        (expected[2], expected[4]) = (Some(false), None);
        assert_eq!(done, expected);
        // Then one alone, and one alone that fails, which leaves no transaction behind.
        assert!(commits.write(insert(10)).await.expect("it is new"));
        assert!(matches!(commits.write(insert(10)).await, Err(StoreError::Taken(_))));
        assert!(commits.write(insert(11)).await.expect("it is new"));
        let looking = Tx::on_sqlite(&writer, Terms::default(), Faults::default()).await.expect("the writer");
        assert_eq!((count(&looking, "seen").await, count(&looking, "numbers").await), (11, 11));
        drop(looking);
        writer.close();
        let _ = std::fs::remove_file(file);
    }

    #[tokio::test]
    async fn without_the_writer_every_caller_is_told() {
        let options = SqliteConnectOptions::new().in_memory(true);
        let writer = pool::<Sqlite>(options, 1, Duration::from_millis(50), None, None).expect("a pool");
        let here = std::env::current_exe().expect("this program");
        let commits = GroupCommit::start(writer.clone(), DataFile::of(&here).expect("a file that stays"));
        let _holder = Session::open(&writer, Terms::default()).await.expect("the writer");
        let (one, other) = tokio::join!(commits.write(insert(1)), commits.write(insert(2)));
        for refused in [one, other] {
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        }
    }
}
