//! The errors of the store, classified once, so that no caller reads driver errors.

use rollcall_core::quota::OverQuota;
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such row in this scope; a row of another tenant gives the same answer.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A unique key is taken; the text names the attribute.
    #[error("{0} is already in use")]
    Taken(&'static str),
    /// The row is not what the caller saw (ETag).
    #[error("it was changed meanwhile: read it again, and repeat your change on what is there now")]
    Changed,
    /// The thing is not in the version that the caller asked for (`If-Match`).
    #[error("it is not as you read it any more: read it again for its present ETag, and decide anew")]
    Outdated,
    /// The plan is no longer the one that the caller saw.
    #[error(
        "the plan is not the one with this digest (any more): read it again, look at its items, and decide by the digest that it has now"
    )]
    Stale,
    /// Somebody in the plan of a rewind changed since it was made, and only another rewind plans it anew.
    #[error(
        "somebody in the plan changed since it was made: ask for the rewind again (POST /api/v1/runs/{{id}}/rewind of the run that it \
         takes back), which plans it anew"
    )]
    Overtaken,
    /// A change of somebody in the plan is not planned yet, so the plan may be another one in a moment.
    #[error("a change of somebody in the plan is being looked at: read the run again in a moment")]
    Unsettled,
    /// The row's state does not allow this; the text says why.
    #[error("{0}")]
    Conflict(String),
    /// More people would lose access than the caller said; the text has their number.
    #[error("{0}")]
    TooManyLeave(String),
    /// The caller's role does not allow this; the text names the required role.
    #[error("{0}")]
    Forbidden(String),
    /// The tenant would keep more than it may.
    #[error("{0}")]
    OverQuota(OverQuota),
    /// The caller's input cannot be stored; the text names the value and the problem.
    #[error("{0}")]
    Invalid(String),
    /// The answer would be larger than one may be; the text says what to ask instead.
    #[error("{0}")]
    TooMany(String),
    /// Another holder took the lease: what was planned is void.
    #[error("the lease was lost")]
    LeaseLost,
    /// A member changed, or a run was decided, between the worker's reading and its applying; nothing was written, and the same
    /// changes are planned again.
    #[error("a member changed, or a run was decided, while the plan was made")]
    Moved,
    /// A deadlock or a serialization failure ended this transaction; nothing was written, and a retry is likely to succeed at once.
    #[error("another transaction was in the way: {0}")]
    Contended(#[source] Cause),
    /// The caller's own share of the hub is in use; the text names the limit.
    #[error("{limit}")]
    Busy { limit: String, retry_after: Duration },
    /// A reader of events cannot go on from its place; the text says why, and what to do.
    #[error("{0}")]
    ResyncRequired(String),
    /// The request asks for more work than one may; the text names the limit and what to do instead.
    #[error("{0}")]
    TooMuch(String),
    /// The database is away or overloaded; the same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] Cause),
    #[error("database error: {0}")]
    Database(#[source] Cause),
}

/// The error behind a [`StoreError`], with its own sources. Cheap to clone: a batch gives its error to each of its callers.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl From<String> for Cause {
    fn from(message: String) -> Self {
        Self(Box::<dyn Error + Send + Sync>::from(message).into())
    }
}

impl From<&str> for Cause {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl StoreError {
    /// A row that this program cannot read, or an answer that it does not expect.
    pub(crate) fn database(cause: impl Into<Cause>) -> Self {
        Self::Database(cause.into())
    }

    fn of(error: Arc<sqlx::Error>) -> Self {
        let (is_contention, is_outage) = (is_contention(&error), is_outage(&error));
        let cause = Cause(error);
        match (is_contention, is_outage) {
            (true, _) => Self::Contended(cause),
            (false, true) => Self::Unavailable(cause),
            (false, false) => Self::Database(cause),
        }
    }

    /// Turns a broken unique key into [`StoreError::Taken`] for `attribute`.
    pub(crate) fn or_taken(self, attribute: &'static str) -> Self {
        match self {
            Self::Taken(_) => Self::Taken(attribute),
            other => other,
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
            return Self::Taken("a unique value");
        }
        match error {
            DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::of(cause),
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(Cause::new(error)),
            other => Self::Database(Cause::new(other)),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::of(Arc::new(error))
    }
}

/// Serialization failures and deadlocks.
fn is_contention(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| code == "40001" || code == "40P01")
}

fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // 25006: the server takes no writes, because it is a standby that is not promoted yet. Class 57: it is shutting down or
        // starting, or the statement took too long; 53: out of resources; 40: rolled back; SQLite 5 and 6: busy, locked;
        // 9: the statement took too long.
        sqlx::Error::Database(db) => db.code().is_some_and(|code| {
            code.len() == 5 && ["25006", "57P", "57014", "53", "40"].iter().any(|class| code.starts_with(class))
                || ["5", "6", "9"].contains(&&*code)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_keeps_its_sources() {
        let broken = || sqlx::Error::Io(io::Error::other("a broken pipe"));
        let query = DbErr::Query(RuntimeErr::SqlxError(Arc::new(broken())));
        for error in [StoreError::from(broken()), StoreError::from(query)] {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            let mut sources = Vec::new();
            let mut next = error.source();
            while let Some(source) = next {
                sources.push(source.to_string());
                next = source.source();
            }
            assert!(sources.len() > 1, "{sources:?}");
            assert_eq!(sources.last().map(String::as_str), Some("a broken pipe"));
        }
    }
}
