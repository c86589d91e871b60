//! The machine's own limits, measured in the same run as the hub: pgbench with a transaction of a provisioning write's
//! shape, a single SELECT and a page, on the same PostgreSQL; commits of SQLite; and the cost of one flush to disk.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    error::BenchError,
    latency::{Latency, micros},
};

/// The measured limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// BEGIN, SELECT, INSERT, INSERT audit, COMMIT.
    WriteTransaction,
    /// SELECT one user by (tenant, user name).
    SelectUser,
    /// OFFSET + 100 rows + count(*).
    ListPage,
    /// One row and its commit, in SQLite.
    SqliteCommit,
}

impl Limit {
    /// The name in tables; also the script's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WriteTransaction => "write_transaction",
            Self::SelectUser => "select_user",
            Self::ListPage => "list_page",
            Self::SqliteCommit => "sqlite_commit",
        }
    }
}

/// Single-row commits a second of SQLite in `folder`, by the script in the folder of the pgbench scripts.
pub(crate) fn sqlite_commits(scripts: &Path, folder: &Path, window: Duration) -> Result<f64, BenchError> {
    let script = scripts.with_file_name("sqlite_commits.py").display().to_string();
    let text = output("python3", &[&script, &folder.display().to_string(), &window.as_secs().max(1).to_string()])?;
    text.trim().parse().map_err(|_| BenchError::setup(format!("{script} printed no rate: {text}")))
}

/// A database with the limit tables, made for this run and dropped with it.
pub(crate) struct Limits {
    url: String,
    scripts: PathBuf,
    people: u64,
}

impl Limits {
    /// Creates the database `name` again on the server of `server_url`, and fills it.
    pub(crate) fn prepare(server_url: &str, name: &str, scripts: &Path, people: u64) -> Result<Self, BenchError> {
        let url = with_database(server_url, name)?;
        let statements = [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")];
        for statement in &statements {
            output("psql", &["-XqAt", "-v", "ON_ERROR_STOP=1", server_url, "-c", statement])?;
        }
        let schema = scripts.join("schema.sql").display().to_string();
        output("psql", &["-XqAt", "-v", "ON_ERROR_STOP=1", "-v", &format!("people={people}"), &url, "-f", &schema])?;
        Ok(Self { url, scripts: scripts.to_owned(), people })
    }

    /// Transactions per second of one run.
    pub(crate) fn measure(&self, limit: Limit, concurrency: usize, window: Duration) -> Result<f64, BenchError> {
        let script = self.scripts.join(format!("{}.sql", limit.name())).display().to_string();
        let (clients, seconds) = (concurrency.to_string(), window.as_secs().max(1).to_string());
        let threads = concurrency.min(2).to_string();
        let people = format!("people={}", self.people);
        let fixed = [
            "-n", "-M", "prepared", "-c", &clients, "-j", &threads, "-T", &seconds, "-D", &people, "-f", &script,
            &self.url,
        ];
        let text = output("pgbench", &fixed)?;
        rate_in(&text).ok_or_else(|| BenchError::setup(format!("pgbench printed no rate: {text}")))
    }
}

/// `tps = 3138.1 (without initial connection time)`.
fn rate_in(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runs a program to its end; its standard output, or an error with its standard error.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String, BenchError> {
    let output = Command::new(program).args(args).output().map_err(BenchError::io(format!("starting {program}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors: String = String::from_utf8_lossy(&output.stderr).chars().take(600).collect();
    Err(BenchError::setup(format!("{program} failed: {errors}")))
}

/// The same server, another database.
pub(crate) fn with_database(url: &str, name: &str) -> Result<String, BenchError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| BenchError::setup("the database URL has no scheme"))?;
    let (before_query, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
    let authority = before_query.split('/').next().unwrap_or(before_query);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{query}"))
}

/// Latency of appending 4 KiB and flushing it to the disk under `directory`.
pub(crate) fn flush_latency(directory: &Path) -> Result<Latency, BenchError> {
    const FLUSHES: usize = 300;
    let path = directory.join("flush-probe");
    let named = || format!("writing {}", path.display());
    let mut file = fs::File::create(&path).map_err(BenchError::io(named()))?;
    let mut samples = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let start = Instant::now();
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(BenchError::io(named()))?;
        samples.push(micros(start.elapsed()));
    }
    fs::remove_file(&path).map_err(BenchError::io(named()))?;
    Ok(Latency::of(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        assert_eq!(with_database("postgres://u:p@127.0.0.1:5/a?x=1", "b").unwrap(), "postgres://u:p@127.0.0.1:5/b?x=1");
        assert_eq!(with_database("postgres://127.0.0.1:5", "b").unwrap(), "postgres://127.0.0.1:5/b");
    }

    #[test]
    fn pgbench_rates_are_read() {
        assert_eq!(rate_in("latency average = 5 ms\ntps = 3138.25 (without initial connection time)\n"), Some(3138.25));
        assert_eq!(rate_in("nothing"), None);
    }
}
