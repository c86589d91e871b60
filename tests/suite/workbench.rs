//! State shared by the whole run: the binary under test, the folder for data and logs, the services, the seed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::services::Services;

/// An arbitrary number, used unless `ROLLCALL_TEST_SEED` is set.
const DEFAULT_SEED: u64 = 20_261_121;

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct Workbench {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) binary: PathBuf,
    pub(crate) services: Option<Services>,
    pub(crate) seed: u64,
    folder: PathBuf,
    counter: Arc<AtomicU32>,
    /// Deployments with data in the services, which an interrupted run must still remove.
    stored: Arc<Mutex<BTreeSet<String>>>,
}

impl Workbench {
    /// Builds the hub when `ROLLCALL_BIN` does not name one, and makes this run's folder under `target/`.
    pub(crate) fn prepare(services: Option<Services>) -> Result<Self> {
        // reqwest is built without a default TLS provider; loopback needs none, but its client requires one.
        rustls::crypto::ring::default_provider().install_default().ok();
        let target = target_folder()?;
        let runs = target.join("rollcall-tests");
        forget_ended_runs(&runs);
        let folder = runs.join(std::process::id().to_string());
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let binary = match std::env::var_os("ROLLCALL_BIN") {
            Some(path) => PathBuf::from(path),
            None => build_hub(&target)?,
        };
        ensure!(binary.is_file(), "there is no hub at {} (ROLLCALL_BIN)", binary.display());
        let seed = match std::env::var("ROLLCALL_TEST_SEED") {
            Ok(text) => text.parse().context("ROLLCALL_TEST_SEED is not a number")?,
            Err(_) => DEFAULT_SEED,
        };
        Ok(Self {
            runtime: Arc::new(Runtime::new()?),
            binary,
            services,
            seed,
            folder,
            counter: Arc::new(AtomicU32::new(0)),
            stored: Arc::default(),
        })
    }

    /// Ctrl-C and SIGTERM end the run and remove its data. The hubs die with the suite.
    pub(crate) fn clean_up_when_interrupted(&self) {
        let workbench = self.clone();
        self.runtime.spawn(async move {
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            crate::rigs::stop_all();
            for name in workbench.stored() {
                workbench.remove_stored(&name).await.ok();
            }
            std::fs::remove_dir_all(&workbench.folder).ok();
            std::process::exit(130);
        });
    }

    /// Registers a deployment before it stores data under this name.
    pub(crate) fn will_store(&self, name: &str) {
        self.lock_stored().insert(name.to_owned());
    }

    /// Removes a deployment's database, queues and keys.
    pub(crate) async fn remove_stored(&self, name: &str) -> Result<()> {
        let Some(services) = &self.services else { return Ok(()) };
        services.drop_database(name).await?;
        services.drop_queues(&format!("{name}.")).await?;
        services.drop_keys(&format!("{name}:")).await?;
        self.lock_stored().remove(name);
        Ok(())
    }

    fn stored(&self) -> Vec<String> {
        self.lock_stored().iter().cloned().collect()
    }

    fn lock_stored(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that no other deployment of this run or a concurrent one has: lower case, digits and underscores.
    pub(crate) fn unique_name(&self) -> String {
        format!("rollcall_test_{}_{}", std::process::id(), self.counter.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes everything after a pass; after a failure the hubs' logs stay and their folder is printed.
    pub(crate) fn finish(&self, failed: bool) {
        let keep = failed || std::env::var_os("ROLLCALL_TEST_KEEP").is_some();
        if keep {
            println!("logs of the hubs: {} (seed {})", self.folder.display(), self.seed);
        } else if let Err(problem) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("warning: could not remove {}: {problem}", self.folder.display());
        }
    }
}

/// Logs of failed runs stay until the next run.
fn forget_ended_runs(runs: &Path) {
    for run in std::fs::read_dir(runs).into_iter().flatten().flatten() {
        let process = Path::new("/proc").join(run.file_name());
        if !process.exists() {
            std::fs::remove_dir_all(run.path()).ok();
        }
    }
}

/// The test binary lies in `target/<profile>/deps/`.
fn target_folder() -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let target = executable.ancestors().nth(3).context("the test binary lies outside a target folder")?;
    Ok(target.to_owned())
}

/// Cargo builds only the test's own package, and the hub is another one.
fn build_hub(target: &Path) -> Result<PathBuf> {
    build(target, "rollcall")
}

/// Builds the on-prem agent when `ROLLCALL_AGENT_BIN` does not name one.
pub(crate) fn build_agent() -> Result<PathBuf> {
    match std::env::var_os("ROLLCALL_AGENT_BIN") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build(&target_folder()?, "rollcall-agent"),
    }
}

fn build(target: &Path, program: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // Cargo tells a test its package by variables, and ring's build script watches them: a build that inherits them makes ring
    // anew, and most dependencies after it.
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars().filter(|(name, _)| of_package(name)) {
        build.env_remove(name);
    }
    let status = build
        // With a test, as `cargo test --workspace` has built it: alone, the hub's dependencies would be built again,
        // without the features that tests turn on.
        .args(["build", "--quiet", "--workspace", "--bin", program, "--test", "suite"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .with_context(|| format!("cannot run cargo to build {program}"))?;
    ensure!(status.success(), "{program} does not build");
    Ok(target.join("debug").join(program))
}
