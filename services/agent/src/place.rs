//! The machine and the account, and the files beside the configuration. Whatever differs between Unix and Windows belongs here.

use crate::exit::{Exit, Failure};
use rollcall_snapshot::bucket::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file with this suffix beside the configuration.
pub(crate) fn beside(config: &Path, suffix: &str) -> PathBuf {
    let mut name = config.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    config.with_file_name(name)
}

/// A digest of machine and account: a key that came elsewhere is recognised by it (DA12).
pub(crate) fn machine() -> String {
    let id = fs::read_to_string("/etc/machine-id").or_else(|_| fs::read_to_string("/var/lib/dbus/machine-id"));
    let machine = id.unwrap_or_else(|_| host_name());
    let account = nix::unistd::geteuid().as_raw();
    let digest = Sha256::digest(format!("rollcall-agent machine\n{}\n{account}", machine.trim()).as_bytes());
    hex(&digest[..16])
}

/// The name of the machine, for people.
pub(crate) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|character| !character.is_control()).take(100).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Writes a file that its owner alone may read. The old one stays until the new one is whole.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Exit::Privileges.because(format!("{} cannot be written: {error}.", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let new = beside(path, ".new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

/// Opens a file to append to, and makes it for its owner alone.
pub(crate) fn append_private(path: &Path) -> std::io::Result<fs::File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Reads a file that nobody else may read, and that is this account's.
pub(crate) fn read_private(path: &Path) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Exit::Privileges.because(format!("{} cannot be read: {error}.", path.display()));
    let about = fs::metadata(path).map_err(failed)?;
    if about.uid() != nix::unistd::geteuid().as_raw() {
        let owner = about.uid();
        return Err(Exit::OtherMachine
            .because(format!("{} is of the account {owner}, and this is another one.", path.display())));
    }
    if about.permissions().mode() & 0o077 != 0 {
        return Err(Exit::Privileges.because(format!("others may read {}: chmod 600 it.", path.display())));
    }
    fs::read_to_string(path).map_err(failed)
}

/// Reads a password file: this account's or root's, and no stranger may read it.
pub(crate) fn read_secret(path: &Path) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Exit::Privileges.because(format!("{} cannot be read: {error}.", path.display()));
    let about = fs::metadata(path).map_err(failed)?;
    let own = nix::unistd::geteuid().as_raw();
    if about.uid() != own && about.uid() != 0 {
        let owner = about.uid();
        return Err(Exit::Privileges.because(format!("{} is of the account {owner}: chown it.", path.display())));
    }
    // A file of root's may be open to the agent's group, which is how packages hand passwords to services.
    let allowed = if about.uid() == own { 0o600 } else { 0o640 };
    if about.permissions().mode() & 0o777 & !allowed != 0 {
        return Err(Exit::Privileges.because(format!("others may read {}: chmod {allowed:o} it.", path.display())));
    }
    fs::read_to_string(path).map_err(failed)
}
