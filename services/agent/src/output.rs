//! The end of a command: a line for people, or one JSON object for programs. Progress goes to stderr, and to the log file if there is one.

use crate::exit::Failure;
use crate::log_file::LogFile;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;

static LOG: OnceLock<LogFile> = OnceLock::new();

/// Keeps progress in a file from now on.
pub(crate) fn keep_in(file: LogFile) {
    let _ = LOG.set(file);
}

/// Prints a line on stdout; a reader that went away is no failure.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Tells progress on stderr.
pub(crate) fn progress(text: impl std::fmt::Display) {
    let text = text.to_string();
    let _ = writeln!(std::io::stderr(), "{text}");
    log(&text);
}

fn log(text: &str) {
    if let Some(file) = LOG.get() {
        file.write(text);
    }
}

/// Ends a command; the last line of the log carries the exit code (DX9).
pub(crate) fn ended(code: u8) -> ExitCode {
    log(&format!("exit code {code}"));
    ExitCode::from(code)
}

pub(crate) fn failed(failure: &Failure, json: bool) -> ExitCode {
    let code = failure.exit.code();
    if json {
        let (told, reason) = match &failure.told {
            Some((told, reason)) => (json!(told), json!(reason)),
            None => (Json::Null, Json::Null),
        };
        line(json!({
            "code": told, "reason": reason, "message": failure.message, "exit_code": code, "remedy": failure.exit.remedy(),
        }));
        log(&failure.to_string());
    } else {
        progress(format_args!("{failure}"));
        let _ = writeln!(std::io::stderr(), "exit code {code}");
    }
    ended(code)
}
