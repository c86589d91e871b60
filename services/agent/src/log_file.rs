//! The log file (DX9, LP7): lines with their time, and another file once one is full.

use crate::config::Log;
use crate::exit::{Exit, Failure};
use crate::place::{append_private, beside};
use rollcall_core::clock::Clock;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

pub(crate) struct LogFile {
    path: PathBuf,
    bytes_max: u64,
    keep: u32,
    file: Mutex<File>,
}

impl LogFile {
    pub(crate) fn open(log: &Log) -> Result<Self, Failure> {
        let file = append_private(&log.file).map_err(|error| {
            Exit::Privileges.because(format!("the log {} cannot be written: {error}.", log.file.display()))
        })?;
        Ok(Self { path: log.file.clone(), bytes_max: log.bytes_max, keep: log.keep, file: Mutex::new(file) })
    }

    /// Writes a line. A full disk is no reason to stop: stderr has the line too.
    pub(crate) fn write(&self, text: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Clock::System.now().format("%Y-%m-%dT%H:%M:%SZ");
        // Names of entries must not begin lines of their own.
        let text: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
        let _ = writeln!(file, "{now} {text}");
        if file.metadata().is_ok_and(|about| about.len() > self.bytes_max)
            && let Some(new) = self.rotated()
        {
            *file = new;
        }
    }

    /// Moves `log` to `log.1`, `log.1` to `log.2`, and so on; the oldest one goes.
    fn rotated(&self) -> Option<File> {
        let numbered = |number: u32| beside(&self.path, &format!(".{number}"));
        for number in (1..self.keep).rev() {
            let _ = fs::rename(numbered(number), numbered(number + 1));
        }
        if self.keep == 0 {
            fs::remove_file(&self.path).ok()?;
        } else {
            fs::rename(&self.path, numbered(1)).ok()?;
        }
        append_private(&self.path).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dx9_a_full_log_makes_room_and_the_last_line_stays_the_last() {
        let folder = std::env::temp_dir().join(format!("rollcall-agent-log-{}", std::process::id()));
        let log = Log { file: folder.join("agent.log"), bytes_max: 200, keep: 2 };
        let file = LogFile::open(&log).expect("a log");
        for number in 0..30 {
            file.write(&format!("line {number} of\nmany"));
        }
        file.write("exit code 0");
        let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let all = [text(beside(&log.file, ".2")), text(beside(&log.file, ".1")), text(log.file.clone())].concat();
        assert!(
            all.ends_with("exit code 0\n") && all.contains("line 29 of many\n") && !all.contains("line 0 "),
            "{all}"
        );
        assert!(!beside(&log.file, ".3").exists());
        fs::remove_dir_all(folder).expect("the folder");
    }
}
