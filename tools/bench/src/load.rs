//! Drives one cell: workers repeat a scenario's unit over their own connections for a while, and units inside the
//! measured window are counted. A failed request is counted by kind, and one example is kept.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    http::{Connection, Endpoint, HttpError},
    latency::{Latency, micros},
    process,
    scenario::{Scenario, Unit},
};

/// Failures in a row after which a worker stops: the target is gone or refuses everything.
const FAILURES_IN_A_ROW: u32 = 20;

/// Load of one cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadPlan {
    /// Concurrent requests.
    pub(crate) concurrency: usize,
    /// Time before the window, not counted.
    pub(crate) warm_up: Duration,
    /// The measured window; shorter when the scenario runs out of units.
    pub(crate) window: Duration,
}

/// Kinds of requests, for their latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// GET with a filter on userName.
    Filter,
    /// POST of a user.
    CreateUser,
    /// GET by id.
    Get,
    /// PATCH of a user.
    PatchUser,
    /// PATCH of a group.
    PatchGroup,
    /// GET of one page.
    List,
    /// POST of a group.
    CreateGroup,
}

/// Result of one cell.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Units completed in the window.
    pub(crate) units: u64,
    /// Units begun, warm-up and failed ones included.
    pub(crate) attempts: u64,
    /// Rows seen in the window (s6: users listed), 0 elsewhere.
    pub(crate) rows: u64,
    /// Length of the window, seconds.
    pub(crate) seconds: f64,
    /// Units per second.
    pub(crate) rate: f64,
    /// Latency by kind of request, ms.
    pub(crate) latency: BTreeMap<Step, Latency>,
    /// Failed requests by kind, warm-up included; empty when all went well.
    pub(crate) errors: BTreeMap<String, u64>,
    /// The beginning of one failed answer.
    pub(crate) example_error: Option<String>,
    /// Connections that the server closed between two requests.
    pub(crate) reconnects: u64,
    /// CPU milliseconds of this tool per request, warm-up included.
    pub(crate) tool_cpu_ms_per_request: f64,
}

impl Cell {
    /// All failed requests.
    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// The measured window; the same for all workers of a cell.
#[derive(Debug, Clone, Copy)]
struct Window {
    opens: Instant,
    closes: Instant,
}

/// Samples of one worker.
#[derive(Default)]
struct Tally {
    units: u64,
    attempts: u64,
    rows: u64,
    requests: u64,
    last_unit: Option<Instant>,
    latency: BTreeMap<Step, Vec<u32>>,
    errors: BTreeMap<String, u64>,
    example_error: Option<String>,
}

/// The unit failed; its error has been counted.
pub(crate) struct Failed;

/// One connection and its counts.
pub(crate) struct Worker {
    /// 0-based, below the plan's concurrency.
    pub(crate) number: usize,
    /// Number of units that this worker has begun.
    pub(crate) begun: u64,
    connection: Connection,
    window: Window,
    tally: Tally,
    /// Scratch buffers for paths and bodies, re-used.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Worker {
    fn new(number: usize, endpoint: Endpoint, window: Window) -> Self {
        Self {
            number,
            begun: 0,
            connection: Connection::new(endpoint),
            window,
            tally: Tally::default(),
            path: String::new(),
            text: String::new(),
        }
    }

    /// Sends `self.path` and `self.text` (when `with_body`); any answer but 2xx is a counted failure.
    pub(crate) async fn call(&mut self, step: Step, method: &str, with_body: bool) -> Result<(), Failed> {
        let body = if with_body { self.text.as_bytes() } else { b"" };
        let start = Instant::now();
        let outcome = self.connection.send(method, &self.path, body).await;
        let end = Instant::now();
        self.tally.requests += 1;
        if end >= self.window.opens && end < self.window.closes {
            self.tally.latency.entry(step).or_default().push(micros(end - start));
        }
        match outcome {
            Ok(200..=299) => Ok(()),
            Ok(status) => {
                let text = String::from_utf8_lossy(self.connection.body());
                let example = text.chars().take(200).collect();
                self.tally.fail(format!("{step:?} {status}"), example);
                Err(Failed)
            }
            Err(error) => {
                self.tally.fail(format!("{step:?} {}", kind_of(&error)), error.to_string());
                Err(Failed)
            }
        }
    }

    /// Counts an answer that is 2xx but wrong.
    pub(crate) fn wrong(&mut self, step: Step, why: &str) -> Failed {
        let example = String::from_utf8_lossy(self.body()).chars().take(200).collect();
        self.tally.fail(format!("{step:?} {why}"), example);
        Failed
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.connection.body()
    }

    async fn run(&mut self, scenario: &Scenario) {
        let mut failures = 0;
        while Instant::now() < self.window.closes && failures < FAILURES_IN_A_ROW {
            let outcome = scenario.unit(self).await;
            self.begun += 1;
            match outcome {
                Ok(Unit::Done { rows }) => {
                    failures = 0;
                    self.count_unit(rows);
                }
                Ok(Unit::RanOut) => break,
                Err(Failed) => failures += 1,
            }
            self.tally.attempts += 1;
        }
        scenario.finish(self).await;
    }

    fn count_unit(&mut self, rows: u64) {
        let now = Instant::now();
        if now >= self.window.opens && now < self.window.closes {
            self.tally.units += 1;
            self.tally.rows += rows;
            self.tally.last_unit = Some(now);
        }
    }
}

impl Tally {
    fn fail(&mut self, kind: String, example: String) {
        *self.errors.entry(kind).or_default() += 1;
        self.example_error.get_or_insert(example);
    }
}

fn kind_of(error: &HttpError) -> &'static str {
    match error {
        HttpError::Closed => "connection closed",
        HttpError::TimedOut => "timed out",
        HttpError::Io(_) => "connection failed",
        HttpError::Malformed(_) => "malformed answer",
    }
}

/// Runs one cell to its end; takes warm-up + window, or less when the scenario runs out of units.
pub(crate) async fn drive(endpoint: &Endpoint, scenario: Scenario, plan: LoadPlan) -> Cell {
    let opens = Instant::now() + plan.warm_up;
    let window = Window { opens, closes: opens + plan.window };
    let scenario = Arc::new(scenario);
    let cpu_before = process::own_cpu_seconds();
    let workers = (0..plan.concurrency).map(|number| {
        let (scenario, mut worker) = (Arc::clone(&scenario), Worker::new(number, endpoint.clone(), window));
        tokio::spawn(async move {
            worker.run(&scenario).await;
            (worker.tally, worker.connection.reconnects)
        })
    });
    let finished = join_all(workers).await;
    let mut cell = merge(finished.into_iter().flatten(), window, scenario.runs_out());
    let requests = cell.0;
    cell.1.tool_cpu_ms_per_request = (process::own_cpu_seconds() - cpu_before) * 1e3 / (requests.max(1) as f64);
    cell.1
}

/// Merges the results of the workers. With a limited number of units, the window ends with the last of them.
fn merge(tallies: impl Iterator<Item = (Tally, u64)>, window: Window, limited: bool) -> (u64, Cell) {
    let mut cell = Cell::default();
    let (mut requests, mut last, mut latency) = (0, None, BTreeMap::<Step, Vec<u32>>::new());
    for (tally, reconnects) in tallies {
        cell.units += tally.units;
        cell.attempts += tally.attempts;
        cell.rows += tally.rows;
        cell.reconnects += reconnects;
        requests += tally.requests;
        last = last.max(tally.last_unit);
        for (step, samples) in tally.latency {
            latency.entry(step).or_default().extend(samples);
        }
        for (kind, count) in tally.errors {
            *cell.errors.entry(kind).or_default() += count;
        }
        cell.example_error = cell.example_error.or(tally.example_error);
    }
    let end = if limited { last.unwrap_or(window.closes) } else { window.closes };
    cell.seconds = (end - window.opens).as_secs_f64();
    cell.rate = cell.units as f64 / cell.seconds.max(1e-9);
    cell.latency = latency.into_iter().map(|(step, samples)| (step, Latency::of(samples))).collect();
    (requests, cell)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// A server that gives these raw answers in turn, over one connection after the other, then stops listening.
    fn answering(answers: &'static [&'static str], closes: bool) -> Endpoint {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut answers = answers.iter();
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), [0; 4096]);
                while stream.read(&mut request).is_ok_and(|count| count > 0) {
                    let Some(answer) = answers.next() else { return };
                    stream.write_all(answer.as_bytes()).unwrap();
                    if closes {
                        break;
                    }
                }
            }
        });
        Endpoint::parse(&format!("http://{address}"), "t").unwrap()
    }

    async fn get_for_a_moment(endpoint: &Endpoint) -> Cell {
        let plan = LoadPlan { concurrency: 1, warm_up: Duration::ZERO, window: Duration::from_millis(300) };
        drive(endpoint, Scenario::GetById { ids: Arc::from(["u".to_owned()]) }, plan).await
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nslow";

    #[tokio::test]
    async fn an_answer_that_is_not_2xx_is_an_error_and_no_unit() {
        let cell = get_for_a_moment(&answering(&[OK, BUSY, OK], false)).await;
        assert_eq!(cell.units, 2);
        assert_eq!(cell.errors.get("Get 429"), Some(&1));
        assert_eq!(cell.example_error.as_deref(), Some("slow"));
        assert!(cell.error_count() > 1, "after the last answer the server is gone: {:?}", cell.errors);
    }

    #[tokio::test]
    async fn a_connection_closed_between_requests_is_opened_again() {
        let cell = get_for_a_moment(&answering(&[OK, OK, OK], true)).await;
        assert_eq!(cell.units, 3);
        assert!(cell.reconnects >= 2, "{}", cell.reconnects);
    }
}
