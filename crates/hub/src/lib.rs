//! Use cases over the store, the queue and the cache together, without HTTP and without SQL.
//!
//! A use case belongs here only if it has an after-commit duty or more than one caller. A plain read goes from its handler to
//! the store.

mod caller;

pub use caller::{CallerError, CallerLimits, SourceCaller};

use rollcall_runtime::{Cache, Metrics, Queue};
use rollcall_store::Store;

/// What every service works with; one value per process, cheap to clone.
#[derive(Clone)]
pub struct Hub {
    pub store: Store,
    pub queue: Queue,
    pub cache: Cache,
    pub metrics: Metrics,
}
