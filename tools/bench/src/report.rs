//! Results of a run, kept as JSON for machines; `tables` prints them for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    latency::{Latency, Spread},
    limits::Limit,
    load::Cell,
    process::Memory,
    reconcile::Visibility,
    statements::Conversation,
    sync::SyncResult,
    tenant::{CursorEnds, Listing},
};

/// One measured cell with its cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// `s1` to `s6`, with `@100` and `@100k` for the small and the large tenant.
    pub(crate) scenario: String,
    /// Requests in flight.
    pub(crate) concurrency: usize,
    /// `postgres`, `embedded` or `jackson`.
    pub(crate) contender: String,
    /// CPU ms per unit while it ran, by process tree (own first).
    pub(crate) cpu_ms_per_unit: BTreeMap<String, f64>,
    /// CPU ms per unit that was spent after the last answer (reconcile).
    pub(crate) cpu_ms_afterwards: f64,
    /// Seconds until the processes were idle again; `None`: they were not within the limit.
    pub(crate) drained: Option<f64>,
    /// Peak resident MiB of the server's own process.
    pub(crate) peak_mib: f64,
    /// The rates and latencies.
    pub(crate) cell: Cell,
}

/// One pgbench run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LimitRun {
    /// The scenario that it is a limit of.
    pub(crate) scenario: String,
    /// The script.
    pub(crate) limit: String,
    /// Clients.
    pub(crate) concurrency: usize,
    /// Transactions a second.
    pub(crate) rate: f64,
}

/// Filling of one tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// The contender.
    pub(crate) contender: String,
    /// Users.
    pub(crate) people: u64,
    /// POSTs a second at c=16.
    pub(crate) rate: f64,
    /// Seconds to build the large group.
    pub(crate) group_seconds: Option<f64>,
    /// Seconds until idle afterwards.
    pub(crate) drained: Option<f64>,
}

/// Memory before the first request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Resting {
    /// The contender.
    pub(crate) contender: String,
    /// Its memory.
    pub(crate) memory: Memory,
}

/// One full sync.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SyncRun {
    /// The contender.
    pub(crate) contender: String,
    /// Users.
    pub(crate) people: u64,
    /// Peak resident MiB of the server's own process.
    pub(crate) peak_mib: f64,
    /// Seconds until idle afterwards: the roster is complete then.
    pub(crate) drained: Option<f64>,
    /// Times.
    pub(crate) result: SyncResult,
}

/// All results of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// From the command line: date, commit.
    pub(crate) label: String,
    /// The concurrency at which floors and goals are judged.
    pub(crate) judged_at: usize,
    /// 4 KiB appended and flushed to disk.
    pub(crate) flush: Latency,
    /// Memory at the start.
    pub(crate) at_rest: Vec<Resting>,
    /// Tenants.
    pub(crate) filled: Vec<Filled>,
    /// All rate cells in the order measured.
    pub(crate) cells: Vec<Measured>,
    /// All pgbench runs in the order measured.
    pub(crate) limits: Vec<LimitRun>,
    /// s6's check, by contender.
    pub(crate) listings: BTreeMap<String, Listing>,
    /// The ends of a list by cursor in the large tenant, by contender.
    pub(crate) cursors: BTreeMap<String, CursorEnds>,
    /// s7.
    pub(crate) syncs: Vec<SyncRun>,
    /// Push to roster, small tenant first.
    pub(crate) visibility: Vec<Visibility>,
    /// Wake-ups a second that the broker confirmed.
    pub(crate) relay: Option<f64>,
    /// Statements and round trips by request.
    pub(crate) statements: BTreeMap<String, Conversation>,
}

impl Measured {
    /// One line of progress.
    pub(crate) fn line(&self) -> String {
        let cell = &self.cell;
        let mut line = format!("{} c={} {}: {:.0}/s", self.scenario, self.concurrency, self.contender, cell.rate);
        if let Some(example) = &cell.example_error {
            line += &format!("; {} ERRORS {:?}, e.g. {example}", cell.error_count(), cell.errors);
        }
        match self.drained {
            None => line += "; not idle again within the limit",
            Some(seconds) if seconds > 1.0 => line += &format!("; busy {seconds:.1} s longer"),
            Some(_) => {}
        }
        line
    }

    /// CPU ms per unit of all processes while the cell ran.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu_ms_per_unit.values().sum()
    }
}

impl SyncRun {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let result = &self.result;
        let mark = if result.extrapolated { " (extrapolated)" } else { "" };
        let drained = self.drained.map_or("not idle in time".into(), |seconds| format!("idle {seconds:.1} s later"));
        format!(
            "s7 {:<9} {:>6} people {:>6.1} s{mark}: people {:.1} s, groups {:.1} s, PATCH of 100 p50 {:.0} ms p95 {:.0} ms; {drained}; peak {:.0} MiB; {} errors{}",
            self.contender,
            self.people,
            result.seconds,
            result.people_seconds,
            result.group_seconds,
            result.add_members.p50,
            result.add_members.p95,
            self.peak_mib,
            result.errors,
            result.example_error.as_ref().map(|example| format!(", e.g. {example}")).unwrap_or_default(),
        )
    }
}

impl Report {
    /// The rounds of one cell.
    pub(crate) fn group(&self, scenario: &str, concurrency: usize, contender: &str) -> Vec<&Measured> {
        let same = |cell: &&Measured| {
            cell.scenario == scenario && cell.concurrency == concurrency && cell.contender == contender
        };
        self.cells.iter().filter(same).collect()
    }

    /// Units a second over the rounds; s6 counts users, not pages, because peers' pages differ.
    pub(crate) fn rate(&self, scenario: &str, concurrency: usize, contender: &str) -> Option<Spread> {
        let rate = |measured: &&Measured| match measured.cell.rows {
            0 => measured.cell.rate,
            rows => rows as f64 / measured.cell.seconds,
        };
        Spread::of(self.group(scenario, concurrency, contender).iter().map(rate))
    }

    /// The runs of a limit beside a scenario.
    pub(crate) fn limit(&self, scenario: &str, concurrency: usize, limit: Limit) -> Option<Spread> {
        let beside =
            |run: &&LimitRun| run.scenario == scenario && run.concurrency == concurrency && run.limit == limit.name();
        // A page of the limit is 100 users.
        let scale = if limit == Limit::ListPage { crate::scenario::PAGE as f64 } else { 1.0 };
        Spread::of(self.limits.iter().filter(beside).map(|run| run.rate * scale))
    }

    /// Median p50 at the judged concurrency; for two steps, their sum.
    pub(crate) fn p50(&self, scenario: &str, contender: &str) -> Option<f64> {
        let cells = self.group(scenario, self.judged_at, contender);
        let sums = cells.iter().map(|measured| measured.cell.latency.values().map(|latency| latency.p50).sum::<f64>());
        Spread::of(sums).map(|spread| spread.median)
    }
}
