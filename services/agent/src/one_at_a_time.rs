//! One run at a time, and one service: a lock beside the configuration that the system takes away with the process.

use crate::exit::{Exit, Failure};
use crate::place::beside;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Held while a run goes on.
pub(crate) struct Running(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// Begins a run, or names the process that runs.
pub(crate) fn begin(config: &Path) -> Result<Running, Failure> {
    take(&beside(config, ".lock"))
}

/// Begins a service. Between its runs a run by hand is possible.
pub(crate) fn begin_service(config: &Path) -> Result<Running, Failure> {
    take(&beside(config, ".service.lock"))
}

fn take(path: &Path) -> Result<Running, Failure> {
    let failed =
        |error: std::io::Error| Exit::Privileges.because(format!("{} cannot be used: {error}.", path.display()));
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(Exit::Running.because(format!("process {} runs.", holder.trim())));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(Running(file))
}
