//! The file of an embedded database. When it is taken away under a running hub, SQLite goes on writing into a file that has no name and
//! is gone with the process; so each write looks first whether the name still leads to the file that was opened.

use crate::engine::error::StoreError;
use std::fs::metadata;
use std::io::Result as IoResult;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct DataFile(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl DataFile {
    /// The file that exists under this name now.
    pub(crate) fn of(path: &Path) -> IoResult<Self> {
        let found = metadata(path)?;
        Ok(Self(Arc::new(Opened { path: path.to_owned(), device: found.dev(), inode: found.ino() })))
    }

    /// # Errors
    /// [`StoreError::Unavailable`] when the file is gone, or another one has its name.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let Opened { path, device, inode } = &*self.0;
        match metadata(path) {
            Ok(found) if (found.dev(), found.ino()) == (*device, *inode) => Ok(()),
            _ => Err(StoreError::Unavailable(
                format!(
                    "{} was removed or replaced while the hub ran, so nothing that is written now would last; stop the hub, put the \
                     file back from a backup, and start it again",
                    path.display()
                )
                .into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_removed_or_replaced_is_not_the_one_that_was_opened() {
        let id: uuid::Uuid = rollcall_core::clock::Clock::System.new_id();
        let path = std::env::temp_dir().join(format!("rollcall-data-file-{}", id.simple()));
        std::fs::write(&path, "first").expect("a file");
        let opened = DataFile::of(&path).expect("the file");
        assert!(opened.check().is_ok());
        let aside = path.with_extension("aside");
        std::fs::rename(&path, &aside).expect("moved");
        assert!(opened.check().is_err(), "gone");
        std::fs::write(&path, "second").expect("a file");
        assert!(opened.check().is_err(), "another file");
        std::fs::rename(&aside, &path).expect("moved back");
        assert!(opened.check().is_ok());
        std::fs::remove_file(&path).expect("removed");
    }
}
