//! One process of the hub: it cannot outlive the suite, and its output is kept in a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest wait for the end of a process after SIGTERM: the hub drains for up to 15 s.
const GRACE: Duration = Duration::from_secs(25);

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with stdout and stderr appended to `log`.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// A command that the kernel kills with the thread that started it, also when the suite itself is killed.
    pub(crate) fn bound_command(binary: &Path) -> Command {
        if Path::new("/usr/bin/setpriv").exists() {
            let mut command = Command::new("/usr/bin/setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
            command
        } else {
            Command::new(binary)
        }
    }

    /// The exit status, when the process has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// `kill -9`: no handler runs, no buffer is flushed.
    pub(crate) fn crash(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Once only, because a second signal ends the process without draining.
    pub(crate) fn ask_to_stop(&self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).ok();
    }

    /// Waits for the end of a stopping process. None when it had to be killed after the grace period.
    pub(crate) fn stopped(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            crate::verbs::blocking_pause();
        }
        self.crash();
        None
    }

    /// The last lines of the process's output, for a failure's message.
    pub(crate) fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.crash();
    }
}
