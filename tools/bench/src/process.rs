//! Cost of a running process, read from `/proc`: CPU seconds of a process and its children, memory now and at its peak,
//! and the process that listens on a port. Linux only, like the measured services.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use crate::error::BenchError;

/// `/proc/<pid>/stat` counts in USER_HZ, which is 100 on every Linux that Debian ships for servers.
const TICKS_PER_SECOND: f64 = 100.0;

/// A measured process with its children (PostgreSQL's backends, the broker's helpers).
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

/// Memory in MiB.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident set of the process itself.
    pub(crate) resident: f64,
    /// Highest resident set since the last reset.
    pub(crate) peak: f64,
    /// Proportional share of the whole process tree: shared pages (PostgreSQL's buffers) count once.
    pub(crate) tree_share: f64,
}

/// The used fields of `/proc/<pid>/stat`: parent, own ticks, ticks of reaped children.
struct Stat {
    parent: u32,
    ticks: u64,
    reaped_ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name may hold spaces and brackets, so fields count from the last ')'.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Some(Stat { parent: number(1)? as u32, ticks: number(11)? + number(12)?, reaped_ticks: number(13)? + number(14)? })
}

fn all_pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in all_pids() {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children.get(&pid).into_iter().flatten());
        next += 1;
    }
    found
}

/// CPU seconds of this process so far.
pub(crate) fn own_cpu_seconds() -> f64 {
    stat(std::process::id()).map_or(0.0, |stat| stat.ticks as f64 / TICKS_PER_SECOND)
}

impl Process {
    /// The process that listens on a local TCP port: the outermost one when several share the socket.
    pub(crate) fn listening_on(name: &str, port: u16) -> Option<Self> {
        let inodes = listening_inodes(port);
        let owns = |pid: &u32| {
            let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            links
                .filter_map(|link| fs::read_link(link.path()).ok())
                .any(|to| inodes.iter().any(|inode| to == Path::new(inode)))
        };
        let owners: Vec<u32> = all_pids().into_iter().filter(owns).collect();
        let outermost = owners.iter().find(|&&pid| stat(pid).is_none_or(|stat| !owners.contains(&stat.parent)))?;
        Some(Self { name: name.to_owned(), pid: *outermost })
    }

    /// CPU seconds of the process tree since its start, children that have ended included.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks: u64 = tree(self.pid).into_iter().filter_map(stat).map(|stat| stat.ticks + stat.reaped_ticks).sum();
        ticks as f64 / TICKS_PER_SECOND
    }

    pub(crate) fn memory(&self) -> Memory {
        let kib = |path: String, key: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("");
            line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0)
        };
        let status = format!("/proc/{}/status", self.pid);
        let shares = tree(self.pid).into_iter().map(|pid| kib(format!("/proc/{pid}/smaps_rollup"), "Pss:"));
        Memory {
            resident: kib(status.clone(), "VmRSS:") / 1024.0,
            peak: kib(status, "VmHWM:") / 1024.0,
            tree_share: shares.sum::<f64>() / 1024.0,
        }
    }

    /// Makes the kernel start a new peak (`clear_refs` 5). Best effort: if it is refused, the peak is the process's all-time one.
    pub(crate) fn reset_peak(&self) {
        if let Ok(mut file) = fs::OpenOptions::new().write(true).open(format!("/proc/{}/clear_refs", self.pid)) {
            let _ = file.write_all(b"5");
        }
    }
}

/// `socket:[inode]` of every listening TCP socket on the port.
fn listening_inodes(port: u16) -> Vec<String> {
    let port = format!("{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&format!(":{port}")) && *fields.get(3)? == "0A";
            listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
        })
        .collect()
}

/// Waits until these processes are nearly idle, so that one target's background work does not run inside the next
/// target's cell. Returns the seconds waited, or `None` when they were still busy at the limit.
pub(crate) async fn settle(processes: &[Process], limit: Duration) -> Option<f64> {
    const STEP: Duration = Duration::from_millis(250);
    /// Share of one core below which a process tree counts as idle; idle hubs sweep and PostgreSQL checkpoints.
    const IDLE: f64 = 0.12;
    let total = || processes.iter().map(Process::cpu_seconds).sum::<f64>();
    let start = std::time::Instant::now();
    let (mut before, mut quiet) = (total(), 0);
    while quiet < 2 {
        if start.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(STEP).await;
        let now = total();
        quiet = if now - before <= IDLE * STEP.as_secs_f64() { quiet + 1 } else { 0 };
        before = now;
    }
    Some((start.elapsed() - 2 * STEP).as_secs_f64().max(0.0))
}

/// CPU seconds of several processes, for differences.
pub(crate) fn cpu_of(processes: &[Process]) -> BTreeMap<String, f64> {
    processes.iter().map(|process| (process.name.clone(), process.cpu_seconds())).collect()
}

/// A port of a URL such as `postgres://u@127.0.0.1:5433/db`.
pub(crate) fn port_of(url: &str) -> Result<u16, BenchError> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    host.rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .ok_or_else(|| BenchError::setup("a service URL names no port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_process_behind_a_port_and_its_cost() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Process::listening_on("me", listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(found.pid, std::process::id());
        assert!(found.memory().resident > 0.5);
        let before = found.cpu_seconds();
        let until = std::time::Instant::now() + Duration::from_millis(60);
        while std::time::Instant::now() < until {}
        assert!(found.cpu_seconds() > before);
    }

    #[test]
    fn ports_of_urls() {
        assert_eq!(port_of("postgres://u:p@127.0.0.1:5433/db?x=1").unwrap(), 5433);
        assert_eq!(port_of("http://127.0.0.1:80").unwrap(), 80);
        assert!(port_of("http://localhost/x").is_err());
    }
}
