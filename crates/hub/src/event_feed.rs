//! Waiting for events: a reader that has read everything is answered when something comes, or after its time. One of a tenant listens like
//! a stream of changes does, with the same limits; those of operators look at the end of all logs twice a second, and are few.

use crate::Hub;
use crate::change_streams::{ListenerKey, News, NoStream};
use rollcall_core::event::ChangedList;
use rollcall_store::{AdminScope, EventPage, OperatorScope, Sequence};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Operators' readers that wait at a time.
const OPERATORS_WAIT_MAX: usize = 10;
/// The time between two looks for an operator's reader.
const LOOK_EVERY: Duration = Duration::from_millis(500);

static OPERATORS_WAIT: AtomicUsize = AtomicUsize::new(0);

/// A place among the operators' readers that wait.
struct Waiting;

impl Waiting {
    fn begin() -> Result<Self, NoStream> {
        let taken = OPERATORS_WAIT.fetch_add(1, Ordering::SeqCst);
        let place = Self;
        if taken >= OPERATORS_WAIT_MAX { Err(NoStream::OfProcess) } else { Ok(place) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        OPERATORS_WAIT.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Hub {
    /// Events of a tenant after a place. Where there are none yet, it waits up to `wait` for some; none once the credential has ended.
    ///
    /// # Errors
    /// See [`NoStream`]; those of the store are among them.
    pub async fn read_events(
        &self,
        scope: AdminScope,
        key: ListenerKey,
        after: Option<Sequence>,
        limit: u64,
        wait: Duration,
    ) -> Result<Option<EventPage>, NoStream> {
        let mut page = self.store.outgoing_events(&scope, after, limit).await?;
        if !page.events.is_empty() || page.more || wait.is_zero() {
            return Ok(Some(page));
        }
        let until = Instant::now() + wait;
        let wanted = BTreeSet::from([ChangedList::Members, ChangedList::Groups, ChangedList::AuditEvents]);
        // The listener hears of commits from here on; an earlier event is found by the next page.
        let mut listener = self.listen(scope, key, wanted, None).await?;
        loop {
            page = self.store.outgoing_events(&scope, Some(page.next), limit).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !page.events.is_empty() || left.is_zero() {
                return Ok(Some(page));
            }
            match listener.next(left).await {
                News::Changed(..) => {}
                News::Nothing => return Ok(Some(page)),
                News::Ended(crate::Ended::Credential) => return Ok(None),
                News::Ended(_) => return Ok(Some(page)),
            }
        }
    }

    /// As [`read_events`](Self::read_events), of all tenants.
    ///
    /// # Errors
    /// As there.
    pub async fn read_events_of_all(
        &self,
        operator: &OperatorScope,
        after: Option<Sequence>,
        limit: u64,
        wait: Duration,
    ) -> Result<Option<EventPage>, NoStream> {
        let mut page = self.store.outgoing_events_of_all(operator, after, limit).await?;
        if !page.events.is_empty() || page.more || wait.is_zero() {
            return Ok(Some(page));
        }
        let _place = Waiting::begin()?;
        let until = Instant::now() + wait;
        loop {
            tokio::time::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now()))).await;
            if let OperatorScope::Key(key) = operator
                && !self.store.operator_keys_in_force().await?.contains(key)
            {
                return Ok(None);
            }
            page = self.store.outgoing_events_of_all(operator, Some(page.next), limit).await?;
            if !page.events.is_empty() || Instant::now() >= until || self.streams.is_stopping() {
                return Ok(Some(page));
            }
        }
    }
}
