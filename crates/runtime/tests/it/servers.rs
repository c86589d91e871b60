//! The servers under test: those given by the environment, and private ones that a test may stop and start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// `AMQP_URL`; without it a line says why the RabbitMQ arm is not tested.
pub(crate) fn amqp_url() -> Option<String> {
    given("AMQP_URL", "queue")
}

/// `REDIS_URL`; without it a line says why the Redis arm is not tested.
pub(crate) fn redis_url() -> Option<String> {
    given("REDIS_URL", "cache")
}

fn given(variable: &str, port: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        println!("{variable} is not set: only the in-process arm of the {port} was tested");
    }
    url
}

/// A name that no other test, run or machine uses.
pub(crate) fn unique_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let random: u64 = {
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    };
    format!("rollcall-test-{}-{:x}-{}.", std::process::id(), random, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A private server of `tests/services`, which ends with this process at the latest.
pub(crate) struct PrivateServer {
    name: &'static str,
    directory: PathBuf,
    pub(crate) url: String,
}

impl PrivateServer {
    /// `None`, with a line that says why, when the package of the server is not on this machine.
    pub(crate) fn start(name: &'static str) -> Option<Self> {
        let program = match name {
            "rabbitmq" => "/usr/lib/rabbitmq/bin/rabbitmq-server",
            _ => "/usr/bin/redis-server",
        };
        if !Path::new(program).exists() {
            println!("{program} is not installed: no outage of a private {name} was tested");
            return None;
        }
        let directory = std::env::temp_dir().join(unique_prefix().trim_end_matches('.'));
        let output = services()
            .args(["up", "--only", name, "--while", &std::process::id().to_string(), "--dir"])
            .arg(&directory)
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The line is `export NAME=URL`, perhaps with shell quotes.
        let url = lines.split_once('=').unwrap().1.trim().trim_matches('\'').to_owned();
        Some(Self { name, directory, url })
    }

    /// An orderly stop: stored messages stay stored.
    pub(crate) fn stop(&self) {
        self.verb("stop");
    }

    /// A crash.
    pub(crate) fn kill(&self) {
        self.verb("kill");
    }

    /// Starts on the same port, with the same data; returns when the server answers.
    pub(crate) fn start_again(&self) {
        self.verb("start");
    }

    /// Stops the process: the kernel keeps its connections, and no request is answered.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Sockets of this machine to the server: established ones, and those that were closed on this side.
    pub(crate) fn sockets(&self) -> (usize, usize) {
        let port: u16 = self.url.rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap();
        let to_server = format!(":{port:04X}");
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let states: Vec<&str> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|fields| fields[2].ends_with(&to_server))
            .map(|fields| if fields[3] == "01" { "established" } else { "closed" })
            .collect();
        let established = states.iter().filter(|state| **state == "established").count();
        (established, states.len() - established)
    }

    fn verb(&self, verb: &str) {
        let status = services().args([verb, self.name, "--dir"]).arg(&self.directory).status().unwrap();
        assert!(status.success(), "tests/services {verb} {}", self.name);
    }

    fn signal(&self, signal: &str) {
        let noted = std::fs::read_to_string(self.directory.join(format!("{}.pid", self.name))).unwrap();
        let pid = noted.split_whitespace().next().unwrap();
        assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let _ = services().arg("down").arg("--dir").arg(&self.directory).status();
    }
}

fn services() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services"))
}
