//! The command line of `rollcall bench`.

use std::{fs, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use crate::{
    contender::{Kind, Stage},
    error::BenchError,
    lists,
    load::{LoadPlan, drive},
    options::SuiteArgs,
    suite::{self, say},
    sync::{SyncPlan, full_sync},
    tenant::Tenant,
};

/// Measure a SCIM server: load one scenario, or run everything that `make bench` runs.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Fill a source with people (and one group) and remember them in a file for `load`.
    Fill(FillArgs),
    /// Drive one scenario against a filled source and print what it measured as JSON.
    Load(LoadArgs),
    /// Measure the first and the last page of every list of a tenant's REST API.
    Lists(ListsArgs),
    /// Everything: contenders and limits in turn, tables and a JSON file.
    #[command(args_override_self = true)]
    Suite(Box<SuiteArgs>),
}

#[derive(Debug, Clone, Args)]
struct FillArgs {
    /// Base URL of the source, loopback only, e.g. http://127.0.0.1:8080/scim/v2/{source}
    #[arg(long)]
    endpoint: String,
    /// Its bearer token.
    #[arg(long, env = "ROLLCALL_BENCH_TOKEN", hide_env_values = true)]
    token: String,
    /// How many people.
    #[arg(long, default_value_t = 1000)]
    people: u64,
    /// Begin of every user name; another one for another set of people.
    #[arg(long, default_value = "bench")]
    series: String,
    /// The file in which to remember them.
    #[arg(long, default_value = "target/bench/tenant.json")]
    out: PathBuf,
}

#[derive(Debug, Clone, Args)]
struct ListsArgs {
    /// The REST API, loopback only, e.g. http://127.0.0.1:8080/api/v1
    #[arg(long)]
    endpoint: String,
    /// An API key of the tenant.
    #[arg(long, env = "ROLLCALL_BENCH_KEY", hide_env_values = true)]
    key: String,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Args)]
struct LoadArgs {
    /// The file that `fill` wrote.
    #[arg(long, default_value = "target/bench/tenant.json")]
    tenant: PathBuf,
    /// Which scenario; s7 wants an empty source and creates `--people`.
    #[arg(long)]
    scenario: Kind,
    /// Requests in flight.
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// Measured seconds, after one second of warm-up.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// s5: members of the group; s7: people.
    #[arg(long, default_value_t = 500)]
    size: usize,
}

/// Runs the command to its end on a thread and a single-threaded runtime of its own, so that it can be called from
/// anywhere and uses at most one core.
///
/// # Errors
/// When the measurement could not be made; failed requests inside a measurement are part of its result.
pub fn run(args: BenchArgs) -> Result<(), BenchError> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BenchError::io("starting the runtime"))?;
        runtime.block_on(async {
            match args.command {
                Command::Fill(args) => fill(args).await,
                Command::Load(args) => load(args).await,
                Command::Lists(args) => lists(args).await,
                Command::Suite(args) => suite::run(*args).await,
            }
        })
    };
    std::thread::spawn(work).join().map_err(|_| BenchError::setup("the bench thread ended by a bug"))?
}

async fn fill(args: FillArgs) -> Result<(), BenchError> {
    let mut tenant = Tenant::new(args.endpoint, args.token, &args.series);
    let rate = tenant.fill(args.people).await?;
    say(&format!("{} people at {rate:.0}/s", args.people));
    if let Some(folder) = args.out.parent() {
        fs::create_dir_all(folder).map_err(BenchError::io(format!("making {}", folder.display())))?;
    }
    let json = serde_json::to_vec(&tenant).map_err(BenchError::json("the tenant file"))?;
    fs::write(&args.out, json).map_err(BenchError::io(format!("writing {}", args.out.display())))
}

async fn lists(args: ListsArgs) -> Result<(), BenchError> {
    let measured = lists::measure(args.endpoint, args.key).await?;
    if args.json {
        return print(&measured);
    }
    suite::print(format_args!("{}", lists::table(&measured)));
    Ok(())
}

async fn load(args: LoadArgs) -> Result<(), BenchError> {
    let bytes = fs::read(&args.tenant)
        .map_err(BenchError::io(format!("reading {} (made by `bench fill`)", args.tenant.display())))?;
    let tenant: Tenant = serde_json::from_slice(&bytes).map_err(BenchError::json(args.tenant.display().to_string()))?;
    // A new series, so that the load creates nothing that an earlier run created.
    let series = format!("{}.{}", tenant.series, std::process::id());
    let growing = Tenant { users: Vec::new(), series: series.clone(), ..tenant.clone() };
    if args.scenario == Kind::S7 {
        let people = args.size as u64;
        let plan = SyncPlan {
            people,
            groups: people / 100,
            members_a_group: 100,
            concurrency: args.concurrency,
            cap: Duration::from_secs(120),
        };
        return print(&full_sync(&growing, plan).await?);
    }
    let mut stage = Stage::new(tenant, growing);
    if args.scenario == Kind::S5 {
        let size = args.size.min(stage.tenant.users.len().saturating_sub(args.concurrency));
        let (group, _) = stage.tenant.build_group(&format!("{series} group"), size).await?;
        stage.group = Some((group, size));
    }
    let endpoint = stage.tenant_of(args.scenario).address()?;
    let scenario = stage.scenario(args.scenario).await?;
    let plan = LoadPlan {
        concurrency: args.concurrency,
        // Without warm-up when the scenario has a limited number of units.
        warm_up: Duration::from_secs(if scenario.runs_out() { 0 } else { 1 }),
        window: Duration::from_secs(args.seconds),
    };
    print(&drive(&endpoint, scenario, plan).await)
}

fn print(result: &impl serde::Serialize) -> Result<(), BenchError> {
    let text = serde_json::to_string_pretty(result).map_err(BenchError::json("the result"))?;
    suite::print(format_args!("{text}\n"));
    Ok(())
}
