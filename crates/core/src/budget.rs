//! The budget of one piece of work: until when it may run, how many steps it may take, the time that the database spent on it,
//! and whether somebody still waits for it. Work that can be long takes a step before it makes one, and ends when there is none
//! left (decision 0063).

use crate::clock::Clock;
use crate::ids::TenantId;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A budget. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Rest>);

#[derive(Debug)]
struct Rest {
    tenant: TenantId,
    clock: Clock,
    ends: Option<DateTime<Utc>>,
    steps: AtomicU64,
    database_micros: AtomicU64,
    stopped: AtomicBool,
}

/// Reason why work ends before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    #[error("its time is over")]
    Time,
    #[error("its steps are used up")]
    Steps,
    /// The caller went away, or the process ends.
    #[error("nobody waits for it any more")]
    Stopped,
}

impl Budget {
    /// Work for a tenant, of this duration at most.
    #[must_use]
    pub fn new(tenant: TenantId, clock: &Clock, time: Duration) -> Self {
        let ends = TimeDelta::from_std(time).ok().and_then(|time| clock.now().checked_add_signed(time));
        Self::of(tenant, clock, ends)
    }

    /// Work that ends by itself, of an operator or within bounds of its own.
    #[must_use]
    pub fn unlimited(tenant: TenantId) -> Self {
        Self::of(tenant, &Clock::System, None)
    }

    fn of(tenant: TenantId, clock: &Clock, ends: Option<DateTime<Utc>>) -> Self {
        let (steps, database_micros, stopped) = (AtomicU64::new(u64::MAX), AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Rest { tenant, clock: clock.clone(), ends, steps, database_micros, stopped }))
    }

    /// Work that may take so many steps.
    #[must_use]
    pub fn with_steps(self, steps: u64) -> Self {
        self.0.steps.store(steps, Ordering::Relaxed);
        self
    }

    pub fn tenant(&self) -> TenantId {
        self.0.tenant
    }

    /// Takes steps before they are made.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`Spent::Steps`].
    pub fn take(&self, steps: u64) -> Result<(), Spent> {
        self.check()?;
        let left = self.0.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(steps));
        left.map(drop).map_err(|_| Spent::Steps)
    }

    /// # Errors
    /// [`Spent::Stopped`] and [`Spent::Time`]: the work must end.
    pub fn check(&self) -> Result<(), Spent> {
        if self.0.stopped.load(Ordering::Relaxed) {
            return Err(Spent::Stopped);
        }
        match self.0.ends {
            Some(ends) if self.0.clock.now() >= ends => Err(Spent::Time),
            _ => Ok(()),
        }
    }

    /// The rest of the time; `None` without an end.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.ends.map(|ends| (ends - self.0.clock.now()).to_std().unwrap_or_default())
    }

    /// Adds time that the database spent on this work.
    pub fn spend_database_time(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.database_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn database_time(&self) -> Duration {
        Duration::from_micros(self.0.database_micros.load(Ordering::Relaxed))
    }

    /// Ends the work at its next step, in whatever thread it runs.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    /// Stops the work when the value is dropped: held by a future, it stops work in another thread once nobody awaits it.
    #[must_use]
    pub fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }
}

/// See [`Budget::stop_on_drop`].
#[derive(Debug)]
pub struct StopOnDrop(Budget);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId(Uuid::nil());

    #[test]
    fn work_ends_with_its_steps_its_time_or_its_caller() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let budget = Budget::new(TENANT, &clock, Duration::from_secs(5));
        let few = Budget::unlimited(TENANT).with_steps(3);
        assert_eq!((few.take(2), few.take(2), few.take(1)), (Ok(()), Err(Spent::Steps), Ok(())));
        clock.advance(TimeDelta::seconds(4));
        assert_eq!((budget.take(1_000), budget.time_left()), (Ok(()), Some(Duration::from_secs(1))));
        clock.advance(TimeDelta::seconds(1));
        assert_eq!((budget.take(1), budget.time_left()), (Err(Spent::Time), Some(Duration::ZERO)));
        let waited_for = Budget::unlimited(TENANT);
        let elsewhere = waited_for.clone();
        let awaited = waited_for.stop_on_drop();
        assert_eq!((elsewhere.check(), elsewhere.time_left()), (Ok(()), None));
        drop(awaited);
        assert_eq!(elsewhere.check(), Err(Spent::Stopped));
    }

    #[test]
    fn the_databases_time_is_summed() {
        let budget = Budget::unlimited(TENANT);
        budget.spend_database_time(Duration::from_millis(2));
        budget.clone().spend_database_time(Duration::from_micros(5));
        assert_eq!(budget.database_time(), Duration::from_micros(2_005));
    }
}
