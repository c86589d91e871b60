//! A running hub, as one process or as the three roles apart, and the operations that need no tenant.

use std::net::TcpListener;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use rand::SeedableRng;
use rand::rngs::StdRng;
use reqwest::Client;
use serde_json::Value;

use crate::answer::Answer;
use crate::deployment::{Combination, Deployment};
use crate::process::Process;
use crate::verbs::{TenantBuilder, within};
use crate::workbench::Workbench;

/// A debug build on a busy machine migrates an empty database in well under this.
const START: Duration = Duration::from_secs(60);

/// Cheap to clone; the last clone stops the processes and removes the hub's data.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Running>);

struct Running {
    // Stopped before the deployment is removed: fields drop in this order.
    processes: Mutex<Vec<(Role, Process)>>,
    deployment: Deployment,
    machines: Address,
    people: Address,
    http: Client,
    workbench: Workbench,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `up` on SQLite, `all` on the services.
    Everything,
    Ingest,
    Worker,
    Admin,
}

#[derive(Clone)]
struct Address {
    port: u16,
}

impl Address {
    fn free() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { port: listener.local_addr().unwrap().port() }
    }

    fn listen(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A second hub of the same combination, with its own store and settings.
pub(crate) struct HubBuilder {
    workbench: Workbench,
    combination: Combination,
    settings: Vec<(String, String)>,
    apart: bool,
    workers: usize,
    database_port: Option<u16>,
}

impl HubBuilder {
    pub(crate) fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// On `full`: ingest, admin and `workers` worker processes instead of one. On `sqlite` there is only one shape.
    pub(crate) fn apart(mut self, workers: usize) -> Self {
        self.apart = self.combination == Combination::Full;
        self.workers = workers;
        self
    }

    /// Reaches the database server through another port of this machine.
    pub(crate) fn database_port(mut self, port: u16) -> Self {
        self.database_port = Some(port);
        self
    }

    pub(crate) async fn start(self) -> Hub {
        self.try_start().await.unwrap_or_else(|problem| panic!("{problem:#}"))
    }

    /// A deployment without a process, for commands that run while the hub is stopped, or that must fail.
    pub(crate) async fn only_stored(self) -> Deployment {
        let mut deployment = Deployment::create(&self.workbench, self.combination).await.unwrap();
        for (key, value) in &self.settings {
            deployment.set(key, value);
        }
        deployment
    }

    async fn try_start(self) -> Result<Hub> {
        let mut deployment = Deployment::create(&self.workbench, self.combination).await?;
        deployment.set("ROLLCALL_METRICS_LISTEN", &Address::free().listen());
        // Tests poll, and their polling must not meet the rate limit.
        deployment.set("ROLLCALL_ADMIN_RATE_PER_SECOND", "10000");
        for (key, value) in &self.settings {
            deployment.set(key, value);
        }
        if let Some(port) = self.database_port {
            deployment.move_database(port);
        }
        let machines = Address::free();
        let people = if self.apart { Address::free() } else { machines.clone() };
        let http = Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let hub = Hub(Arc::new(Running {
            processes: Mutex::new(Vec::new()),
            deployment,
            machines,
            people,
            http,
            workbench: self.workbench,
        }));
        if self.apart {
            hub.run_command(&["migrate"]).expect_success();
            hub.start_role(Role::Ingest)?;
            hub.start_role(Role::Admin)?;
            for _ in 0..self.workers {
                hub.start_role(Role::Worker)?;
            }
        } else {
            hub.start_role(Role::Everything)?;
        }
        hub.until_ready().await?;
        Ok(hub)
    }
}

impl Hub {
    /// The hub that all tests of a combination share.
    pub(crate) async fn start_shared(workbench: &Workbench, combination: Combination) -> Result<Self> {
        // All bad-token tests of the suite come from one address, and without this limit they would cause each other's
        // 429.
        let roomy =
            [("ROLLCALL_INGEST_FAILED_AUTH_PER_SECOND", "1000"), ("ROLLCALL_INGEST_FAILED_AUTH_BURST", "10000")];
        let settings = roomy.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let workbench = workbench.clone();
        HubBuilder { workbench, combination, settings, apart: false, workers: 1, database_port: None }.try_start().await
    }

    pub(crate) fn another(&self) -> HubBuilder {
        HubBuilder {
            workbench: self.0.workbench.clone(),
            combination: self.combination(),
            settings: Vec::new(),
            apart: false,
            workers: 1,
            database_port: None,
        }
    }

    pub(crate) fn combination(&self) -> Combination {
        self.0.deployment.combination
    }

    /// Base URL of SCIM.
    pub(crate) fn machines_url(&self) -> String {
        self.0.machines.url()
    }

    /// Base URL of `/api/v1`.
    pub(crate) fn people_url(&self) -> String {
        self.0.people.url()
    }

    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.0.deployment.setting("ROLLCALL_METRICS_LISTEN").unwrap_or_default())
    }

    pub(crate) fn http(&self) -> &Client {
        &self.0.http
    }

    pub(crate) fn deployment(&self) -> &Deployment {
        &self.0.deployment
    }

    /// A generator from the run's seed and a label, so that tests do not share one sequence.
    pub(crate) fn randomness(&self, label: &str) -> StdRng {
        let salt = label.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        StdRng::seed_from_u64(self.0.workbench.seed ^ salt)
    }

    pub(crate) fn tenant(&self) -> TenantBuilder {
        TenantBuilder::new(self.clone())
    }

    /// `rollcall <arguments>` against this hub's store.
    pub(crate) fn run_command(&self, arguments: &[&str]) -> Ran {
        Ran::new(arguments, self.0.deployment.run(arguments))
    }

    /// `rollcall <arguments> --json`, which prints one JSON value and nothing else.
    pub(crate) fn json_command(&self, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        self.run_command(&arguments).expect_json()
    }

    /// A GET without credentials.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        Answer::of(self.http().get(url)).await
    }

    /// `kill -9` of every process that reconciles, then a new one instead. On `sqlite` that is the whole hub.
    pub(crate) async fn crash_worker(&self) {
        let role = if self.role_is_running(Role::Worker) { Role::Worker } else { Role::Everything };
        let mut crashed = 0;
        self.processes().retain_mut(|(running, process)| {
            if *running == role {
                process.crash();
                crashed += 1;
            }
            *running != role
        });
        for _ in 0..crashed {
            self.start_role(role).unwrap();
        }
        self.until_ready().await.unwrap_or_else(|problem| panic!("after a crash: {problem:#}"));
    }

    /// One more worker process, for a hub whose roles run apart.
    pub(crate) fn add_worker(&self) {
        self.start_role(Role::Worker).unwrap();
    }

    /// Starts another process that serves SCIM, for a hub whose roles run apart, and returns its URL.
    pub(crate) async fn add_ingest(&self) -> String {
        self.add_server(Role::Ingest).await
    }

    /// As [`add_ingest`](Self::add_ingest), for the REST API.
    pub(crate) async fn add_admin(&self) -> String {
        self.add_server(Role::Admin).await
    }

    async fn add_server(&self, role: Role) -> String {
        let address = Address::free();
        self.start_role_at(role, &address).unwrap();
        within(START, "one more process is ready", async || {
            let answer = self.http().get(format!("{}/readyz", address.url())).send().await;
            let status = answer.map_err(|error| error.to_string())?.status();
            if status.is_success() { Ok(()) } else { Err(format!("/readyz answers {status}")) }
        })
        .await;
        address.url()
    }

    /// Asks every process to stop; the exit statuses (None: had to be killed).
    pub(crate) fn stop(&self) -> Vec<Option<ExitStatus>> {
        let mut processes = self.processes();
        for (_, process) in processes.iter() {
            process.ask_to_stop();
        }
        let statuses = processes.iter_mut().map(|(_, process)| process.stopped()).collect();
        processes.clear();
        statuses
    }

    /// Starts again after `stop`, on the same address and store.
    pub(crate) async fn start_again(&self) {
        self.start_role(Role::Everything).unwrap();
        self.until_ready().await.unwrap_or_else(|problem| panic!("after a restart: {problem:#}"));
    }

    fn role_is_running(&self, role: Role) -> bool {
        self.processes().iter().any(|(running, _)| *running == role)
    }

    fn processes(&self) -> MutexGuard<'_, Vec<(Role, Process)>> {
        self.0.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_role(&self, role: Role) -> Result<()> {
        match role {
            Role::Everything | Role::Ingest => self.start_role_at(role, &self.0.machines),
            Role::Admin => self.start_role_at(role, &self.0.people),
            Role::Worker => self.start_role_at(role, &Address::free()),
        }
    }

    fn start_role_at(&self, role: Role, address: &Address) -> Result<()> {
        let deployment = &self.0.deployment;
        let verb = match (role, deployment.combination) {
            (Role::Everything, Combination::Sqlite) => "up",
            (Role::Everything, Combination::Full) => "all",
            (Role::Ingest, _) => "ingest",
            (Role::Admin, _) => "admin",
            (Role::Worker, _) => "worker",
        };
        let mut command = deployment.server(&[verb, "--listen", &address.listen()]);
        if role != Role::Everything {
            // Several processes run on one machine, so each needs a metrics port of its own.
            command.env("ROLLCALL_METRICS_LISTEN", Address::free().listen());
        }
        let log = deployment.folder.join(format!("{role:?}.log").to_lowercase());
        let process = Process::spawn(command, &log)?;
        self.processes().push((role, process));
        Ok(())
    }

    async fn until_ready(&self) -> Result<()> {
        let ready = within(START, "the hub is ready", async || {
            if let Some(ended) = self.first_ended() {
                return Ok(Err(ended));
            }
            for url in [self.machines_url(), self.people_url()] {
                let answer =
                    self.http().get(format!("{url}/readyz")).send().await.map_err(|error| error.to_string())?;
                if !answer.status().is_success() {
                    return Err(format!("{url}/readyz answers {}", answer.status()));
                }
            }
            Ok(Ok(()))
        });
        if let Err(ended) = ready.await {
            bail!("{ended}");
        }
        Ok(())
    }

    fn first_ended(&self) -> Option<String> {
        self.processes().iter_mut().find_map(|(role, process)| {
            let status = process.ended()?;
            Some(format!("the {role:?} process ended with {status}:\n{}", process.last_lines()))
        })
    }
}

/// A command that has ended.
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(arguments: &[&str], output: std::process::Output) -> Self {
        Self {
            line: format!("rollcall {}", arguments.join(" ")),
            succeeded: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        assert!(self.succeeded, "`{}` failed:\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn expect_failure(self) -> Self {
        assert!(!self.succeeded, "`{}` succeeded, and should have been refused:\n{}", self.line, self.stdout);
        self
    }

    #[track_caller]
    pub(crate) fn expect_json(self) -> Value {
        let ran = self.expect_success();
        serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|problem| panic!("`{}` printed no single JSON value ({problem}): {}", ran.line, ran.stdout))
    }
}
