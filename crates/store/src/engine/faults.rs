//! Injected faults: before any statement, before a commit, and after it. Only tests with the feature `faults` can arm
//! one; otherwise this is an empty type.

use sea_orm::sqlx;
#[cfg(feature = "faults")]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts the points that a store passes, and fails at the armed one as if the connection had broken there.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Points until the fault; 0: none is armed.
    #[cfg(feature = "faults")]
    left: Arc<AtomicU64>,
}

impl Faults {
    /// Fails at the `point`-th point from now, once.
    #[cfg(feature = "faults")]
    pub fn arm(&self, point: u64) {
        self.left.store(point, Ordering::SeqCst);
    }

    /// Disarms a fault; returns true if it was still to come.
    #[cfg(feature = "faults")]
    pub fn disarm(&self) -> bool {
        self.left.swap(0, Ordering::SeqCst) > 0
    }

    #[cfg(feature = "faults")]
    pub(crate) fn point(&self) -> Result<(), sqlx::Error> {
        let passed = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if passed == Ok(1) {
            return Err(sqlx::Error::Io(std::io::Error::other("an armed fault")));
        }
        Ok(())
    }

    #[cfg(not(feature = "faults"))]
    pub(crate) fn point(&self) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
