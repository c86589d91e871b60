//! The whole measurement of `make bench`: contenders and limits in turn, A B A B, so that a slow minute of the machine
//! affects all of them; then the figures that are not rates.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use crate::{
    contender::{Contender, Kind, Maker, Stage},
    error::BenchError,
    http::Endpoint,
    limits::{Limit, Limits, flush_latency, sqlite_commits},
    load::{LoadPlan, drive},
    options::SuiteArgs,
    process::{cpu_of, settle},
    reconcile::{Watched, describe},
    relay,
    report::{Filled, LimitRun, Measured, Report, Resting, SyncRun},
    statements,
    sync::{SyncPlan, full_sync},
    tenant::Tenant,
};

/// Longest wait for the asynchronous half (reconcile) after a cell; a longer one is shown.
const SETTLE_LIMIT: Duration = Duration::from_secs(90);
/// More seats than needed, because the waitlist is not measured.
const SEATS: u64 = 1_000_000;
/// People of the small tenant.
const SMALL_PEOPLE: u64 = 100;
/// The group of s5, by the size of its tenant.
const SMALL_GROUP_SIZE: usize = 5;
const GROUP_SIZE: usize = 5_000;
const LARGE_GROUP_SIZE: usize = 50_000;
/// Time limit of a full sync of the peer; the part that it completed is shown.
const SYNC_CAP: Duration = Duration::from_secs(40);
const LARGE_SYNC_CAP: Duration = Duration::from_secs(900);

/// Stages of one tenant size, one for each contender; `suffix` names the size in the report.
struct Sized {
    suffix: String,
    stages: Vec<Stage>,
}

impl Sized {
    /// The small tenant runs only the scenarios that must cost the same in the large one.
    fn measures(&self, kind: Kind) -> bool {
        kind != Kind::S7 && (self.suffix != small_suffix() || matches!(kind, Kind::S2 | Kind::S3 | Kind::S5))
    }
}

fn small_suffix() -> String {
    format!("@{SMALL_PEOPLE}")
}

/// A running suite.
struct Suite {
    args: SuiteArgs,
    contenders: Vec<Contender>,
    limits: Option<Limits>,
    report: Report,
}

/// Runs everything, prints the tables and writes the JSON file.
pub(crate) async fn run(args: SuiteArgs) -> Result<(), BenchError> {
    let mut suite = Suite::open(args).await?;
    let people = suite.args.people;
    let mut usual = [suite.stages("people", "", people).await?];
    suite.rates(&mut usual).await?;
    suite.listings(&usual[0].stages).await?;
    if suite.args.scenarios.contains(&Kind::S7) {
        suite.syncs(people, SYNC_CAP, suite.args.rounds).await?;
    }
    if suite.args.large_people > 0 {
        suite.large().await?;
    }
    suite.statements().await?;
    suite.relay().await?;
    suite.finish()
}

impl Suite {
    async fn open(args: SuiteArgs) -> Result<Self, BenchError> {
        let contenders = args.contenders()?;
        let mut report = Report { label: args.label.clone(), judged_at: args.concurrency[0], ..Report::default() };
        for contender in &contenders {
            settle(&contender.processes, SETTLE_LIMIT).await;
            let memory = contender.processes[0].memory();
            say(&format!("{} at rest: {:.0} MiB resident", contender.name, memory.resident));
            report.at_rest.push(Resting { contender: contender.name.into(), memory });
        }
        let limits = match &args.database_url {
            Some(url) => Some(Limits::prepare(url, "bench_limits", &args.pgbench_scripts, args.people)?),
            None => None,
        };
        let folder = args.out.parent().unwrap_or(std::path::Path::new("."));
        std::fs::create_dir_all(folder).map_err(BenchError::io(format!("making {}", folder.display())))?;
        report.flush = flush_latency(folder)?;
        Ok(Self { args, contenders, limits, report })
    }

    /// A tenant of that size for each contender.
    async fn stages(&mut self, name: &str, suffix: &str, people: u64) -> Result<Sized, BenchError> {
        let mut stages = Vec::new();
        for index in 0..self.contenders.len() {
            stages.push(self.fill(index, name, people).await?);
        }
        Ok(Sized { suffix: suffix.to_owned(), stages })
    }

    /// A tenant of that size, with the group for s5.
    async fn fill(&mut self, index: usize, name: &str, people: u64) -> Result<Stage, BenchError> {
        let contender = &self.contenders[index];
        let mut tenant = contender.tenant(name, SEATS).await?;
        let rate = tenant.fill(people).await?;
        say(&format!("{} {name}: {people} people at {rate:.0}/s", contender.name));
        // s1 begins in an empty tenant, or in the large one.
        let growing = if people > self.args.people {
            tenant.with_series(&format!("{name}-growing"))
        } else {
            contender.tenant(&format!("{name}-growing"), SEATS).await?
        };
        let mut stage = Stage::new(tenant, growing);
        let mut group_seconds = None;
        if self.args.scenarios.contains(&Kind::S5) {
            let size = match people {
                ..=SMALL_PEOPLE => SMALL_GROUP_SIZE,
                100_000.. => LARGE_GROUP_SIZE,
                _ => GROUP_SIZE.min(people as usize / 2),
            };
            let (group, seconds) = stage.tenant.build_group(&format!("{name} large group"), size).await?;
            stage.group = Some((group, size));
            group_seconds = Some(seconds);
        }
        // The reconcile of a whole first sync takes long, and must not overlap with the next measurement.
        let limit = SETTLE_LIMIT + Duration::from_millis(2 * people);
        let drained = settle(&contender.processes, limit).await;
        let contender = contender.name.to_owned();
        self.report.filled.push(Filled { contender, people, rate, group_seconds, drained });
        Ok(stage)
    }

    /// All requested rate scenarios, in tenants of each size in turn.
    async fn rates(&mut self, sizes: &mut [Sized]) -> Result<(), BenchError> {
        for kind in self.args.scenarios.clone() {
            for concurrency in self.args.concurrency.clone() {
                for round in 0..self.args.rounds {
                    for size in sizes.iter_mut().filter(|size| size.measures(kind)) {
                        for (index, stage) in size.stages.iter_mut().enumerate() {
                            self.cell(index, stage, kind, concurrency, &size.suffix).await?;
                        }
                    }
                    if sizes.iter().any(|size| size.suffix.is_empty() && size.measures(kind)) {
                        self.limit(kind, concurrency, round)?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn cell(
        &mut self,
        index: usize,
        stage: &mut Stage,
        kind: Kind,
        concurrency: usize,
        suffix: &str,
    ) -> Result<(), BenchError> {
        let contender = &self.contenders[index];
        let scenario = stage.scenario(kind).await?;
        settle(&contender.processes, SETTLE_LIMIT).await;
        // A scenario with a limited number of units gets a short warm-up.
        let warm_up = Duration::from_millis(if scenario.runs_out() { 250 } else { 1000 });
        let plan = LoadPlan { concurrency, warm_up, window: Duration::from_secs(self.args.seconds) };
        let (all, endpoint) = (&contender.processes, stage.tenant_of(kind).address()?);
        all[0].reset_peak();
        // The window is a part of the run, so CPU is divided by all units of the run, warm-up included.
        let before = cpu_of(all);
        let cell = drive(&endpoint, scenario, plan).await;
        let during = cpu_of(all);
        let drained = settle(all, SETTLE_LIMIT).await;
        let after = cpu_of(all);
        let per_unit = |from: f64, to: f64| (to - from) * 1e3 / cell.attempts.max(1) as f64;
        let measured = Measured {
            scenario: format!("{}{suffix}", kind.name()),
            concurrency,
            contender: contender.name.to_owned(),
            cpu_ms_per_unit: during.iter().map(|(name, used)| (name.clone(), per_unit(before[name], *used))).collect(),
            cpu_ms_afterwards: per_unit(during.values().sum(), after.values().sum()),
            drained,
            peak_mib: all[0].memory().peak,
            cell,
        };
        say(&measured.line());
        self.report.cells.push(measured);
        Ok(())
    }

    fn limit(&mut self, kind: Kind, concurrency: usize, round: usize) -> Result<(), BenchError> {
        let limit = match kind {
            Kind::S1 | Kind::S4 | Kind::S5 => Limit::WriteTransaction,
            Kind::S2 | Kind::S3 => Limit::SelectUser,
            Kind::S6 | Kind::S7 => Limit::ListPage,
        };
        let window = Duration::from_secs(self.args.seconds);
        let mut measured = Vec::new();
        if let Some(limits) = &self.limits {
            measured.push((limit, limits.measure(limit, concurrency, window)?));
        }
        if let (Kind::S1, Some(data)) = (kind, &self.args.embedded_data) {
            measured.push((Limit::SqliteCommit, sqlite_commits(&self.args.pgbench_scripts, data, window)?));
        }
        for (limit, rate) in measured {
            say(&format!("{} c={concurrency} {}: {rate:.0}/s (round {})", kind.name(), limit.name(), round + 1));
            let (scenario, limit) = (kind.name().into(), limit.name().into());
            self.report.limits.push(LimitRun { scenario, limit, concurrency, rate });
        }
        Ok(())
    }

    async fn listings(&mut self, stages: &[Stage]) -> Result<(), BenchError> {
        if self.args.scenarios.contains(&Kind::S6) {
            for (contender, stage) in self.contenders.iter().zip(stages) {
                let listing = stage.tenant.check_listing().await?;
                self.report.listings.insert(contender.name.to_owned(), listing);
            }
        }
        Ok(())
    }

    /// s7, each time into a fresh tenant; the slow peer once, capped.
    async fn syncs(&mut self, people: u64, cap: Duration, rounds: usize) -> Result<(), BenchError> {
        let plan =
            SyncPlan { people, groups: people / 100, members_a_group: 100, concurrency: self.args.concurrency[0], cap };
        for round in 0..rounds {
            for contender in self.contenders.iter().filter(|contender| contender.is_hub() || round == 0) {
                let tenant = contender.tenant(&format!("sync{people}-{round}"), SEATS).await?;
                settle(&contender.processes, SETTLE_LIMIT).await;
                contender.processes[0].reset_peak();
                let result = full_sync(&tenant, plan).await?;
                let drained = settle(&contender.processes, SETTLE_LIMIT + Duration::from_millis(2 * people)).await;
                let run = SyncRun {
                    contender: contender.name.into(),
                    people,
                    peak_mib: contender.processes[0].memory().peak,
                    drained,
                    result,
                };
                say(&run.line());
                self.report.syncs.push(run);
            }
        }
        Ok(())
    }

    /// The hubs again in a tenant of 100,000 and one of 100; and the time until a push is visible.
    async fn large(&mut self) -> Result<(), BenchError> {
        self.contenders.retain(Contender::is_hub);
        let people = self.args.large_people;
        let suffix = format!("@{}k", people / 1000);
        let mut sizes = [
            self.stages("hundred", &small_suffix(), SMALL_PEOPLE).await?,
            self.stages("large", &suffix, people).await?,
        ];
        self.rates(&mut sizes).await?;
        let [_, Sized { stages, .. }] = &sizes;
        if self.args.scenarios.contains(&Kind::S6) {
            for (contender, stage) in self.contenders.iter().zip(stages) {
                let ends = stage.tenant.cursor_ends().await?;
                self.report.cursors.insert(contender.name.to_owned(), ends);
            }
        }
        if self.args.scenarios.contains(&Kind::S7) {
            self.syncs(people, LARGE_SYNC_CAP, 1).await?;
        }
        self.visibility(stages).await
    }

    async fn visibility(&mut self, stages: &[Stage]) -> Result<(), BenchError> {
        let Some(index) = self.contenders.iter().position(|contender| contender.name == "postgres") else {
            return Ok(());
        };
        let contender = &self.contenders[index];
        let Maker::Hub(hub) = &contender.maker else {
            return Ok(());
        };
        let mut small = contender.tenant("small", SEATS).await?;
        small.fill(100).await?;
        settle(&contender.processes, SETTLE_LIMIT).await;
        let large = &stages[index].tenant;
        let key_of = |tenant: &Tenant| hub.create_api_key(tenant.slug.as_deref().unwrap_or_default());
        let metrics = self.args.metrics_url.as_deref().map(|url| Endpoint::parse(url, "")).transpose()?;
        let mut pair = [
            Watched::open(&small, &hub.url, &key_of(&small)?).await?,
            Watched::open(large, &hub.url, &key_of(large)?).await?,
        ];
        for _ in 0..self.args.pushes {
            for watched in &mut pair {
                if watched.still_shows() {
                    watched.sample(metrics.as_ref()).await?;
                }
            }
        }
        for watched in pair {
            let seen = watched.finish();
            say(&describe(&seen));
            self.report.visibility.push(seen);
        }
        Ok(())
    }

    async fn statements(&mut self) -> Result<(), BenchError> {
        let Some(url) = self.args.database_url.clone() else {
            return Ok(());
        };
        for contender in &self.contenders {
            if let ("postgres", Maker::Hub(hub)) = (contender.name, &contender.maker) {
                let tenant = contender.tenant("statements", SEATS).await?;
                match statements::count(hub, &url, &tenant).await {
                    Ok(conversations) => self.report.statements = conversations,
                    Err(error) => say(&format!("statements were not counted: {error}")),
                }
            }
        }
        Ok(())
    }

    async fn relay(&mut self) -> Result<(), BenchError> {
        if let Some(url) = &self.args.amqp_url {
            self.report.relay = Some(relay::confirmed(url).await?);
        }
        Ok(())
    }

    fn finish(self) -> Result<(), BenchError> {
        let json = serde_json::to_vec_pretty(&self.report).map_err(BenchError::json("the result"))?;
        std::fs::write(&self.args.out, json).map_err(BenchError::io(format!("writing {}", self.args.out.display())))?;
        print(format_args!("{}\nall figures: {}\n", self.report, self.args.out.display()));
        Ok(())
    }
}

/// Prints the result. A closed pipe (`| head`) is no error.
pub(crate) fn print(text: fmt::Arguments<'_>) {
    let _ = io::stdout().lock().write_fmt(text);
}

/// Progress goes to stderr; stdout holds the result.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "bench: {line}");
}
