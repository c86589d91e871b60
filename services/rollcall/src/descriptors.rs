//! The limit of open files, and the connections that fit into it.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rollcall_web::ConnectionLimits;

/// Files of a process beside its clients: logs, listeners, threads' event queues, RabbitMQ, Redis, SQLite.
const BESIDE: u64 = 96;
/// Files of one database connection at most: SQLite's database, log and shared memory.
const PER_DATABASE_CONNECTION: u64 = 3;
/// More connections than this are of no use to one process, and each costs memory.
const CONNECTIONS_MAX: usize = 4096;
/// Fewer would make the hub useless, so it tries then, and fails with the system's own error.
const CONNECTIONS_MIN: usize = 64;

/// Raises the limit of open files to what the system allows this process, and returns it. Without the right to read it the usual
/// limit is assumed.
pub(crate) fn raise_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Connections that a process may accept with this limit of open files. A part of it is a margin: a connection that is closed for
/// another one still has its file for a moment.
pub(crate) fn accepted_max(files: u64, database_connections: u32) -> usize {
    let beside = BESIDE + PER_DATABASE_CONNECTION * u64::from(database_connections);
    usize::try_from(files.saturating_sub(beside)).unwrap_or(usize::MAX).max(CONNECTIONS_MIN)
}

/// The number of connections beyond which one is closed for each new one.
pub(crate) fn connections_max(given: usize, accepted_max: usize) -> usize {
    let fitting = accepted_max / 8 * 7;
    if given == 0 { fitting.min(CONNECTIONS_MAX) } else { given.min(fitting) }
}

/// Connections of one address.
pub(crate) fn per_peer_max(given: usize, connections_max: usize) -> usize {
    if given == 0 { (connections_max / 2).max(1) } else { given }
}

/// Endpoints of webhooks to which a process sends at a time: as many as given, and no more than a sixteenth of the files.
pub(crate) fn sent_to(given: usize, files: u64) -> usize {
    given.min(usize::try_from(files / 16).unwrap_or(usize::MAX)).max(1)
}

/// Connections to accept: more than are kept, and no more than there are files.
pub(crate) fn to_accept(limits: &ConnectionLimits, accepted_max: usize) -> usize {
    accepted_max.min(limits.connections_max * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_connections_fit_into_the_limit_of_open_files() {
        let accepted = accepted_max(1024, 16);
        assert_eq!((accepted, connections_max(0, accepted)), (880, 770));
        assert_eq!((sent_to(256, 1024), sent_to(10, 1024), sent_to(256, 1 << 20)), (64, 10, 256));
        assert_eq!(connections_max(100, accepted), 100);
        assert_eq!(connections_max(5000, accepted), 770, "more than there are files would be a promise that fails");
        assert_eq!(connections_max(0, accepted_max(1_000_000, 16)), CONNECTIONS_MAX);
        assert_eq!(accepted_max(100, 16), CONNECTIONS_MIN);
        assert_eq!((per_peer_max(0, 770), per_peer_max(10, 770), per_peer_max(0, 1)), (385, 10, 1));
    }
}
