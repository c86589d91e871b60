//! The storage of one hub (database, queues, keys, folder), and the commands that run against it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use sea_orm::{ConnectionTrait, Database};

use crate::process::Process;
use crate::workbench::Workbench;

/// The backends of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combination {
    Sqlite,
    Full,
}

impl fmt::Display for Combination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Full => "full",
        })
    }
}

/// Removed with its contents when dropped.
pub(crate) struct Deployment {
    pub(crate) combination: Combination,
    pub(crate) folder: PathBuf,
    name: String,
    workbench: Workbench,
    settings: BTreeMap<String, String>,
    removed: AtomicBool,
}

impl Deployment {
    pub(crate) async fn create(workbench: &Workbench, combination: Combination) -> Result<Self> {
        let name = workbench.unique_name();
        let folder = workbench.folder().join(format!("{combination}-{name}"));
        std::fs::create_dir_all(&folder)?;
        let mut settings = BTreeMap::new();
        if combination == Combination::Full {
            let services = workbench.services.as_ref().context("no services were given")?;
            workbench.will_store(&name);
            let database = services.create_database(&name).await?;
            settings.insert("DATABASE_URL".to_owned(), database.to_string());
            settings.insert("AMQP_URL".to_owned(), services.amqp.clone());
            settings.insert("REDIS_URL".to_owned(), services.redis.clone());
            settings.insert("ROLLCALL_QUEUE_PREFIX".to_owned(), format!("{name}."));
            settings.insert("ROLLCALL_CACHE_PREFIX".to_owned(), format!("{name}:"));
        }
        let workbench = workbench.clone();
        Ok(Self { combination, folder, name, workbench, settings, removed: AtomicBool::new(false) })
    }

    /// An environment variable that every process and command of this deployment gets.
    /// Changes rows behind the hub's back, for states that take hours to come about.
    pub(crate) async fn change(&self, sql: &str) {
        let url = match self.setting("DATABASE_URL") {
            Some(url) => url.to_owned(),
            None => format!("sqlite://{}", self.folder.join("data/rollcall.db").display()),
        };
        let database = Database::connect(&url).await.unwrap();
        database.execute_unprepared(sql).await.unwrap();
        database.close().await.unwrap();
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(key.to_owned(), value.to_owned());
    }

    pub(crate) fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// The same database, reached on 127.0.0.1 and this port.
    pub(crate) fn move_database(&mut self, port: u16) {
        let mut url = url::Url::parse(self.setting("DATABASE_URL").unwrap_or_default()).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        self.set("DATABASE_URL", url.as_str());
    }

    /// A server process: dies with the thread that starts it.
    pub(crate) fn server(&self, arguments: &[&str]) -> Command {
        self.with_environment(self.with_arguments(Process::bound_command(&self.workbench.binary), arguments))
    }

    /// Runs `rollcall <arguments>` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.with_environment(self.with_arguments(Command::new(&self.workbench.binary), arguments))
            .output()
            .unwrap_or_else(|problem| panic!("cannot run rollcall {}: {problem}", arguments.join(" ")))
    }

    /// Runs `rollcall <arguments>` in a folder without `--data`, with only these variables set.
    pub(crate) fn run_bare(&self, folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.bare(folder, arguments);
        command.envs(environment.iter().copied());
        command.output().unwrap_or_else(|problem| panic!("cannot run rollcall {}: {problem}", arguments.join(" ")))
    }

    /// The same as a command for the caller, killed after a minute.
    pub(crate) fn bare(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--signal", "KILL", "60"]).arg(&self.workbench.binary).args(arguments);
        let mut command = without_settings(command);
        command.current_dir(folder);
        command
    }

    /// Runs a command that should fail at once, such as a hub that must refuse to start, and stops it when it does not.
    pub(crate) fn run_for_a_while(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["--signal", "KILL", "20"]).arg(&self.workbench.binary);
        let mut command = self.with_environment(self.with_arguments(command, arguments));
        command.output().unwrap_or_else(|problem| panic!("cannot run rollcall {}: {problem}", arguments.join(" ")))
    }

    pub(crate) fn remove(&self) {
        if self.removed.swap(true, Ordering::SeqCst) {
            return;
        }
        std::fs::remove_dir_all(self.folder.join("data")).ok();
        if self.combination == Combination::Sqlite {
            return;
        }
        let (workbench, name) = (self.workbench.clone(), self.name.clone());
        // Also called while a test unwinds inside the shared runtime, which must not be blocked.
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(workbench.remove_stored(&name))
        });
        if let Ok(Err(problem)) = worker.join() {
            eprintln!("warning: {} was not removed entirely: {problem:#}", self.name);
        }
    }

    /// Only what the deployment itself sets reaches the hub: a developer's environment must not change a result.
    fn with_environment(&self, command: Command) -> Command {
        let mut command = without_settings(command);
        command.current_dir(&self.folder);
        command.envs(&self.settings);
        command
    }

    fn with_arguments(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments);
        if self.combination == Combination::Sqlite {
            command.arg("--data").arg(self.folder.join("data"));
        }
        command
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.remove();
    }
}

fn without_settings(mut command: Command) -> Command {
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("ROLLCALL_") || name.starts_with("OTEL_") || name.ends_with("_URL") {
            command.env_remove(&key);
        }
    }
    command
}
