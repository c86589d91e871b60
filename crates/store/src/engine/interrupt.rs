//! Stopping a statement from outside: Postgres is told by another connection, SQLite looks at a flag and a deadline every few
//! thousand steps of its virtual machine.

use sea_orm::sqlx::{Error, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Steps of SQLite's virtual machine between two looks, well under a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 4_000;
/// No deadline.
const NEVER: u64 = u64::MAX;

/// The handle by which a statement of a connection is stopped.
pub(crate) enum Stop {
    /// The server's process, which another connection cancels.
    Process(i32),
    Interrupt(Interrupt),
}

/// The flag and the deadline of one connection to SQLite.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<Signals>);

struct Signals {
    began: Instant,
    stopped: AtomicBool,
    /// Milliseconds after the connection was opened.
    deadline: AtomicU64,
}

impl Interrupt {
    /// Installs the look on a connection.
    pub(crate) async fn install(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let signals =
            Signals { began: Instant::now(), stopped: AtomicBool::new(false), deadline: AtomicU64::new(NEVER) };
        let interrupt = Self(Arc::new(signals));
        let looked_at = interrupt.clone();
        connection.lock_handle().await?.set_progress_handler(STEPS_BETWEEN_LOOKS, move || looked_at.may_go_on());
        Ok(interrupt)
    }

    fn may_go_on(&self) -> bool {
        if self.0.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let deadline = self.0.deadline.load(Ordering::Relaxed);
        deadline == NEVER || self.elapsed() < deadline
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(NEVER)
    }

    /// Gives the next statement this much time; `None` is no limit.
    pub(crate) fn allow(&self, time: Option<Duration>) {
        let deadline =
            time.map_or(NEVER, |time| self.elapsed().saturating_add(u64::try_from(time.as_millis()).unwrap_or(NEVER)));
        self.0.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Ends the running statement. The connection runs no other one afterwards.
    pub(crate) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}
