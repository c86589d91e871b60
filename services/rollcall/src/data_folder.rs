//! The folder of an embedded hub: its database, the lock that keeps a second hub out, and the address it serves, so that
//! commands beside it print the right one.

use anyhow::{Context, Result, bail};
use rollcall_store::SealingKeys;
use std::fmt;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Used when neither `--data` nor `ROLLCALL_DATA` names a folder.
const DEFAULT: &str = "./data";
const DATABASE: &str = "rollcall.db";
/// Locked by the hub that runs. The kernel unlocks it when the process ends, however it ends.
const LOCK: &str = "hub.lock";
/// The URL at which the hub was last reached, in one line.
const ADDRESS: &str = "hub.address";
/// Keys that seal secrets in the database.
const SEALING_KEYS: &str = "sealing.keys";
/// The folder and its files belong to the hub's user alone, whatever the umask: they hold everybody's data.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Folders named in a message at most.
const NAMED_MAX: usize = 3;

#[derive(Clone, Debug)]
pub(crate) struct DataFolder(PathBuf);

impl fmt::Display for DataFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The right to serve a folder, for as long as it lives.
pub(crate) struct Claim {
    folder: DataFolder,
    _lock: File,
}

impl DataFolder {
    pub(crate) fn given_or_default(path: Option<&Path>) -> Self {
        Self(path.unwrap_or(Path::new(DEFAULT)).to_owned())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    pub(crate) fn has_database(&self) -> bool {
        self.database().is_file()
    }

    /// The keys that seal secrets in the database; none before a hub ran here.
    pub(crate) fn sealing_keys(&self) -> Result<Option<String>> {
        let path = self.0.join(SEALING_KEYS);
        match fs::read_to_string(&path) {
            Ok(keys) => Ok(Some(keys)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// The present or last address of this folder's hub.
    pub(crate) fn address(&self) -> Option<String> {
        let text = fs::read_to_string(self.0.join(ADDRESS)).ok()?;
        Some(text.trim().to_owned()).filter(|url| !url.is_empty())
    }

    /// Folders in the current one that hold a database, as `--data` would name them.
    pub(crate) fn others_here(&self) -> Vec<String> {
        let entries = fs::read_dir(".").into_iter().flatten().flatten();
        let mut others: Vec<String> = entries
            .map(|entry| Self(Path::new(".").join(entry.file_name())))
            .filter(|other| other.has_database() && fs::canonicalize(&other.0).ok() != fs::canonicalize(&self.0).ok())
            .map(|other| other.to_string())
            .collect();
        others.sort();
        others.truncate(NAMED_MAX);
        others
    }

    /// Makes the folder when it is missing, and keeps every other hub out of it.
    ///
    /// # Errors
    /// When another hub serves it.
    pub(crate) fn claim(&self) -> Result<Claim> {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.0);
        made.with_context(|| format!("the folder {self} cannot be made; check --data"))?;
        let path = self.0.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).mode(FILE_MODE).open(&path);
        let lock = lock.with_context(|| format!("{} cannot be opened; check --data", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Claim { folder: self.clone(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let at = self.address().map_or_else(String::new, |url| format!(" at {url}"));
                bail!("another hub serves {self}{at}; stop it, or give this one another folder with --data")
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }
}

impl Claim {
    /// Makes the key that seals secrets, unless there is one.
    pub(crate) fn make_sealing_key(&self) -> Result<()> {
        if self.folder.sealing_keys()?.is_some() {
            return Ok(());
        }
        let key = SealingKeys::new_key()?;
        self.replace(SEALING_KEYS, &format!("{key}\n"))
    }

    /// Notes where the hub serves. Readers see the old address or the new one, never half of it.
    pub(crate) fn note_address(&self, url: &str) -> Result<()> {
        self.replace(ADDRESS, &format!("{url}\n"))
    }

    /// Writes a file of the folder: readers, and a hub that starts after a crash, see it whole or not at all.
    fn replace(&self, name: &str, text: &str) -> Result<()> {
        let (fresh, path) = (self.folder.0.join(format!("{name}.new")), self.folder.0.join(name));
        let file = File::options().create(true).truncate(true).write(true).mode(FILE_MODE).open(&fresh);
        file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, &path))
        .with_context(|| format!("{} cannot be written", path.display()))
    }
}
