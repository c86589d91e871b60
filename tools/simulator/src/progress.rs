//! Progress of the run: one updating line on a terminal, a line per phase elsewhere.

use std::io::Write;
use std::time::Duration;

use tokio::time::Instant;

const REDRAW: Duration = Duration::from_millis(100);
const PLAIN: Duration = Duration::from_secs(10);

pub(crate) struct Progress<'a, W: Write> {
    out: &'a mut W,
    live: bool,
    label: String,
    total: usize,
    done: usize,
    failed: usize,
    started: Instant,
    shown: Instant,
}

impl<'a, W: Write> Progress<'a, W> {
    pub(crate) fn begin(out: &'a mut W, live: bool, label: String, total: usize) -> Self {
        let now = Instant::now();
        let mut progress = Self { out, live, label, total, done: 0, failed: 0, started: now, shown: now };
        if live {
            progress.redraw(0);
        }
        progress
    }

    /// A lane has ended; `requests` so far in this phase.
    pub(crate) fn step(&mut self, ok: bool, requests: u64) {
        self.done += 1;
        self.failed += usize::from(!ok);
        let pause = if self.live { REDRAW } else { PLAIN };
        if self.shown.elapsed() >= pause {
            self.shown = Instant::now();
            self.redraw(requests);
        }
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The last line of the phase stays.
    pub(crate) fn end(mut self, requests: u64) {
        self.redraw(requests);
        if self.live {
            let _ = writeln!(self.out);
        }
        let _ = self.out.flush();
    }

    /// A closed pipe or terminal must not stop the run, so output errors are ignored.
    fn redraw(&mut self, requests: u64) {
        let seconds = self.seconds();
        let rate = if seconds > 0.0 { requests as f64 / seconds } else { 0.0 };
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        let word = if requests == 1 { "request" } else { "requests" };
        let line = format!("{} {}/{}{failed}, {requests} {word}, {rate:.0}/s", self.label, self.done, self.total);
        let _ = if self.live { write!(self.out, "\r\x1b[2K{line}") } else { writeln!(self.out, "{line}") };
        let _ = self.out.flush();
    }
}
