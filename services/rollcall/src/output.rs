//! Printing of the commands. `println!` panics when the reader of a pipe has gone (`rollcall routes | head`); here that is
//! an error, which `main` takes for the end of the command.

use std::fmt::{self, Display};
use std::io::{self, Write};

/// stdout was closed, or cannot be written.
#[derive(Debug)]
pub(crate) struct Unwritten(io::Error);

impl Unwritten {
    /// Whether the reader has all that it wanted.
    pub(crate) fn reader_has_gone(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Self>().is_some_and(|Self(error)| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stdout cannot be written: {}", self.0)
    }
}

impl std::error::Error for Unwritten {}

/// The result of a command, or a line of it.
pub(crate) fn line(text: impl Display) -> Result<(), Unwritten> {
    writeln!(io::stdout().lock(), "{text}").map_err(Unwritten)
}

/// Bytes that end as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Unwritten> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Unwritten)
}

/// A remark beside the result: stdout holds nothing but the result, so that scripts can read it.
pub(crate) fn remark(text: impl Display) {
    // A terminal that has gone is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes. A cause that the text before it contains already is left out.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("port closed").context("the database is unavailable: port closed").context("Postgres");
        assert_eq!(told(&error), "Postgres: the database is unavailable: port closed");
    }
}
