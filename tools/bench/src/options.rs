//! Options of `rollcall bench suite`; `bench/run` fills them in.

use std::path::PathBuf;

use crate::{
    contender::{Contender, Kind, Maker, own_binary},
    error::BenchError,
    hub::Hub,
};

/// Options of `rollcall bench suite`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SuiteArgs {
    /// A running `rollcall all`.
    #[arg(long)]
    pub(crate) hub_url: Option<String>,
    /// Its metrics, e.g. http://127.0.0.1:9090
    #[arg(long)]
    pub(crate) metrics_url: Option<String>,
    /// A running `rollcall up`.
    #[arg(long, requires = "embedded_data")]
    pub(crate) embedded_url: Option<String>,
    /// The data directory of that one.
    #[arg(long)]
    pub(crate) embedded_data: Option<PathBuf>,
    /// A running bench/jackson/server.mjs.
    #[arg(long)]
    pub(crate) jackson_url: Option<String>,
    /// The PostgreSQL that hub and peer use; the limits are measured there in a database of their own.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// For its CPU time, and to measure how fast it confirms wake-ups.
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub(crate) amqp_url: Option<String>,
    /// Only for its CPU time.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// Folder with schema.sql and the pgbench scripts.
    #[arg(long, default_value = "bench/pgbench")]
    pub(crate) pgbench_scripts: PathBuf,
    /// The command that administers the hubs, when it is not the one that runs this.
    #[arg(long)]
    pub(crate) rollcall: Option<PathBuf>,
    /// Which scenarios.
    #[arg(long, value_delimiter = ',', default_value = "s1,s2,s3,s4,s5,s6,s7")]
    pub(crate) scenarios: Vec<Kind>,
    /// Requests in flight; the first one is the one that is judged.
    #[arg(long, value_delimiter = ',', default_value = "16")]
    pub(crate) concurrency: Vec<usize>,
    /// How often each cell is measured.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Length of a cell, after one second of warm-up.
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u64,
    /// People in the tenant of s2 to s7.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) people: u64,
    /// People in the large tenant (all scenarios again, and the reconcile ratio); 0 leaves it out.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) large_people: u64,
    /// Pushes of the reconcile measurement, in each tenant.
    #[arg(long, default_value_t = 40)]
    pub(crate) pushes: usize,
    /// Noted in the result.
    #[arg(long, default_value = "")]
    pub(crate) label: String,
    /// The JSON file to write.
    #[arg(long, default_value = "target/bench/result.json")]
    pub(crate) out: PathBuf,
}

impl SuiteArgs {
    /// The named servers, found by their ports.
    pub(crate) fn contenders(&self) -> Result<Vec<Contender>, BenchError> {
        let binary = self.rollcall.clone().map_or_else(own_binary, Ok)?;
        let database = self.database_url.as_deref().map(|url| ("postgres-server", url));
        let broker = self.amqp_url.as_deref().map(|url| ("rabbitmq", url));
        let cache = self.redis_url.as_deref().map(|url| ("redis", url));
        let mut all = Vec::new();
        if let Some(url) = &self.hub_url {
            let services: Vec<_> = [database, broker, cache].into_iter().flatten().collect();
            let hub = Hub { binary: binary.clone(), url: url.clone(), data: None };
            all.push(Contender::new("postgres", Maker::Hub(hub), &services)?);
        }
        if let Some(url) = &self.jackson_url {
            let services: Vec<_> = database.into_iter().collect();
            all.push(Contender::new("jackson", Maker::Jackson { url: url.clone() }, &services)?);
        }
        if let Some(url) = &self.embedded_url {
            let hub = Hub { binary, url: url.clone(), data: self.embedded_data.clone() };
            all.push(Contender::new("embedded", Maker::Hub(hub), &[])?);
        }
        if all.is_empty() {
            return Err(BenchError::setup("nothing to measure: give --hub-url, --embedded-url or --jackson-url"));
        }
        Ok(all)
    }
}
