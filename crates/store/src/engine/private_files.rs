//! The files of an embedded database belong to its user alone, whatever the umask: they hold everybody's data. SQLite gives its log
//! and its shared memory the mode of the database.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// Files that SQLite keeps beside the database, by their end.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// Makes the folder and the database file when they are missing, and takes the rights of others away from files that are there. The
/// rights of a folder that is there stay: it may be somebody's home.
pub(crate) fn prepare(database: &Path) -> Result<()> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(FOLDER).create(folder)?;
    }
    File::options().create(true).truncate(false).write(true).mode(FILE).open(database)?;
    for end in BESIDE {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        match fs::set_permissions(Path::new(&path), Permissions::from_mode(FILE)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_a_new_folder_and_old_files_are_their_users_alone() {
        let folder = std::env::temp_dir().join(format!("rollcall-private-{}", std::process::id()));
        let database = folder.join("data").join("rollcall.db");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        prepare(&database).expect("a database file");
        assert_eq!((mode(&folder.join("data")), mode(&database)), (0o700, 0o600));
        fs::write(folder.join("data").join("rollcall.db-wal"), "x").expect("a file");
        for file in ["rollcall.db", "rollcall.db-wal"] {
            fs::set_permissions(folder.join("data").join(file), Permissions::from_mode(0o644)).expect("rights");
        }
        prepare(&database).expect("again");
        assert_eq!((mode(&database), mode(&folder.join("data").join("rollcall.db-wal"))), (0o600, 0o600));
        fs::remove_dir_all(folder).expect("it goes");
    }
}
