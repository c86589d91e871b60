//! The end of a command: a line for people, or one JSON object for programs.

use crate::exit::Failure;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::process::ExitCode;

/// Prints a line on stdout; a reader that went away is no failure.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Tells progress on stderr.
pub(crate) fn progress(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
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
    } else {
        progress(format_args!("{failure}"));
        progress(format_args!("exit code {code}"));
    }
    ExitCode::from(code)
}
