//! Streams of changes: who listens, and one look for each tenant with listeners, twice a second, whatever the number of listeners. A
//! look reads which lists changed since the last one, and which of the listeners' credentials are in force; so a change made by any
//! process is told by every process, without messages between them (decision 0087).
//!
//! A listener has one slot: changes that it has not taken yet become one. So a slow reader costs no memory, and is told late instead
//! of much.

mod news;

pub use news::{Ended, ListenerKey, News, NoStream};

use crate::Hub;
use futures_util::{StreamExt, stream};
use rollcall_core::event::ChangedList;
use rollcall_core::ids::{CredentialId, OperatorKeyId, TenantId};
use rollcall_runtime::Metrics;
use rollcall_store::{AdminScope, Cursor, Look, Looked, StoreError};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The time between two looks at a tenant. With the look itself it is how long a change, and the end of a credential, go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Looks at a time.
const LOOKS_AT_ONCE: usize = 4;
/// Time without a successful look after which the listeners of a tenant are sent away: their credentials may have ended.
const UNSEEN_MAX: Duration = Duration::from_secs(3);
/// Longest life of a stream; its client comes back and goes on.
const LIFE: Duration = Duration::from_secs(3600);
/// Streams of one key or session at most: the open pages of one person.
const OF_CREDENTIAL_MAX: usize = 10;
/// The share of one tenant in the streams of the process: one of so many.
const SHARES: usize = 4;

/// The listeners of a process. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct ChangeStreams(Arc<Mutex<Listeners>>);

#[derive(Default)]
struct Listeners {
    max: usize,
    next: u64,
    open: usize,
    stopping: bool,
    of_tenant: HashMap<TenantId, Watched>,
}

/// A tenant with listeners.
struct Watched {
    scope: AdminScope,
    /// The end of the last look.
    at: Cursor,
    open_runs: u64,
    seen: Instant,
    listeners: HashMap<u64, Arc<Slot>>,
}

/// One listener, as the looks know it.
struct Slot {
    key: ListenerKey,
    /// The lists that it may and wants to hear of.
    wanted: BTreeSet<ChangedList>,
    pending: Mutex<Pending>,
    notify: Notify,
}

struct Pending {
    lists: BTreeSet<ChangedList>,
    at: Cursor,
    ended: Option<Ended>,
}

impl Slot {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, lists: &BTreeSet<ChangedList>, at: Cursor) {
        let news: Vec<ChangedList> = lists.intersection(&self.wanted).copied().collect();
        if !news.is_empty() {
            let mut pending = self.pending();
            pending.lists.extend(news);
            pending.at = at;
            self.notify.notify_one();
        }
    }

    fn end(&self, why: Ended) {
        self.pending().ended.get_or_insert(why);
        self.notify.notify_one();
    }
}

/// An open stream; it makes room for another one when it is dropped.
pub struct Listener {
    streams: ChangeStreams,
    metrics: Metrics,
    tenant: TenantId,
    number: u64,
    slot: Arc<Slot>,
    ends: Instant,
    /// Its beginning.
    pub begins: Cursor,
    ended: bool,
}

impl Listener {
    /// The next news; [`News::Nothing`] after `silence`.
    pub async fn next(&mut self, silence: Duration) -> News {
        let until = Instant::now() + silence;
        loop {
            if let Some(news) = self.take() {
                return news;
            }
            let now = Instant::now();
            if now >= self.ends {
                return self.over(Ended::Time);
            }
            if now >= until {
                return News::Nothing;
            }
            let wait = until.min(self.ends).saturating_duration_since(now);
            let _ = tokio::time::timeout(wait, self.slot.notify.notified()).await;
        }
    }

    fn take(&mut self) -> Option<News> {
        let mut pending = self.slot.pending();
        // An ended credential hears nothing more, also not what came before.
        if let Some(why) = pending.ended {
            drop(pending);
            return Some(self.over(why));
        }
        let lists = std::mem::take(&mut pending.lists);
        (!lists.is_empty()).then_some(News::Changed(lists, pending.at))
    }

    fn over(&mut self, why: Ended) -> News {
        if !self.ended {
            self.ended = true;
            self.metrics.change_stream_ended(why.as_str());
        }
        News::Ended(why)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let open = self.streams.listeners().leave(self.tenant, self.number);
        self.metrics.set_change_streams(open);
        if !self.ended {
            self.metrics.change_stream_ended("client");
        }
    }
}

impl Listeners {
    /// Refuses one more stream where there are too many.
    fn check(&self, tenant: TenantId, key: ListenerKey) -> Result<(), NoStream> {
        if self.stopping {
            return Err(NoStream::Stopping);
        }
        if self.open >= self.max {
            return Err(NoStream::OfProcess);
        }
        let Some(watched) = self.of_tenant.get(&tenant) else { return Ok(()) };
        if watched.listeners.len() >= (self.max / SHARES).max(1) {
            return Err(NoStream::OfTenant);
        }
        let own = watched.listeners.values().filter(|slot| slot.key == key).count();
        if own >= OF_CREDENTIAL_MAX { Err(NoStream::OfCredential) } else { Ok(()) }
    }

    fn leave(&mut self, tenant: TenantId, number: u64) -> usize {
        if let Some(watched) = self.of_tenant.get_mut(&tenant)
            && watched.listeners.remove(&number).is_some()
        {
            self.open -= 1;
            if watched.listeners.is_empty() {
                self.of_tenant.remove(&tenant);
            }
        }
        self.open
    }
}

impl ChangeStreams {
    /// So many streams of the process at most.
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Mutex::new(Listeners { max, ..Listeners::default() })))
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all streams, and lets none begin any more.
    pub fn stop(&self) {
        let mut listeners = self.listeners();
        listeners.stopping = true;
        for slot in listeners.of_tenant.values().flat_map(|watched| watched.listeners.values()) {
            slot.end(Ended::Stopping);
        }
    }

    /// True once none may begin.
    pub(crate) fn is_stopping(&self) -> bool {
        self.listeners().stopping
    }

    /// The tenants to look at, each with what to look for.
    fn looks(&self) -> Vec<(TenantId, AdminScope, Look)> {
        let listeners = self.listeners();
        let look = |(tenant, watched): (&TenantId, &Watched)| {
            let keys: HashSet<CredentialId> = watched
                .listeners
                .values()
                .filter_map(|slot| match slot.key {
                    ListenerKey::Credential(id) => Some(id),
                    ListenerKey::Operator(_) => None,
                })
                .collect();
            (*tenant, watched.scope, Look { after: Some(watched.at), credentials: keys.into_iter().collect() })
        };
        listeners.of_tenant.iter().map(look).collect()
    }

    /// The operators' keys of listeners.
    fn has_operators(&self) -> bool {
        let listeners = self.listeners();
        let mut slots = listeners.of_tenant.values().flat_map(|watched| watched.listeners.values());
        slots.any(|slot| matches!(slot.key, ListenerKey::Operator(_)))
    }

    /// Tells the listeners of a tenant what a look found. Those who came after the look began are judged by the next one.
    fn tell(&self, tenant: TenantId, asked: &Look, looked: &Looked) {
        let mut listeners = self.listeners();
        let Some(watched) = listeners.of_tenant.get_mut(&tenant) else { return };
        let mut lists = looked.lists.clone();
        if watched.open_runs != looked.open_runs {
            lists.insert(ChangedList::Runs);
        }
        (watched.at, watched.open_runs, watched.seen) = (looked.at, looked.open_runs, Instant::now());
        for slot in watched.listeners.values() {
            match slot.key {
                ListenerKey::Credential(id) if asked.credentials.contains(&id) && !looked.in_force.contains(&id) => {
                    slot.end(Ended::Credential);
                }
                _ => slot.tell(&lists, looked.at),
            }
        }
    }

    /// Sends the listeners away whose tenant was not seen for too long.
    fn end_unseen(&self) {
        let listeners = self.listeners();
        for watched in listeners.of_tenant.values().filter(|watched| watched.seen.elapsed() > UNSEEN_MAX) {
            watched.listeners.values().for_each(|slot| slot.end(Ended::Unavailable));
        }
    }

    fn end_operators(&self, in_force: &HashSet<OperatorKeyId>) {
        let listeners = self.listeners();
        for slot in listeners.of_tenant.values().flat_map(|watched| watched.listeners.values()) {
            if matches!(slot.key, ListenerKey::Operator(key) if !in_force.contains(&key)) {
                slot.end(Ended::Credential);
            }
        }
    }
}

impl Hub {
    /// Begins a stream: from now on, or from a cursor that an earlier stream gave.
    ///
    /// # Errors
    /// See [`NoStream`].
    pub async fn listen(
        &self,
        scope: AdminScope,
        key: ListenerKey,
        wanted: BTreeSet<ChangedList>,
        since: Option<Cursor>,
    ) -> Result<Listener, NoStream> {
        let tenant = scope.tenant();
        let refused = |why: NoStream| {
            self.metrics.change_stream_ended("refused");
            why
        };
        self.streams.listeners().check(tenant, key).map_err(refused)?;
        // The looks find all that is committed after this: they go on from here, or from an earlier place.
        let now = self.store.look(&scope, &Look { after: None, credentials: Vec::new() }).await?;
        let mut listener = self.enter(scope, key, wanted, &now).map_err(refused)?;
        if let Some(since) = since {
            let missed = self.store.look(&scope, &Look { after: Some(since), credentials: Vec::new() }).await;
            let mut lists = match missed {
                Ok(missed) => missed.lists,
                // A cursor of another list, or of a newer hub: everything may have changed.
                Err(StoreError::Invalid(_)) => ChangedList::ALL.iter().copied().collect(),
                Err(error) => return Err(error.into()),
            };
            // Nobody knows any more which runs were open then.
            lists.insert(ChangedList::Runs);
            listener.slot.tell(&lists, now.at);
            listener.begins = now.at;
        }
        Ok(listener)
    }

    fn enter(
        &self,
        scope: AdminScope,
        key: ListenerKey,
        wanted: BTreeSet<ChangedList>,
        now: &Looked,
    ) -> Result<Listener, NoStream> {
        let tenant = scope.tenant();
        let mut listeners = self.streams.listeners();
        // Others may have come while the database was asked.
        listeners.check(tenant, key)?;
        let number = listeners.next;
        listeners.next += 1;
        listeners.open += 1;
        let pending = Pending { lists: BTreeSet::new(), at: now.at, ended: None };
        let slot = Arc::new(Slot { key, wanted, pending: Mutex::new(pending), notify: Notify::new() });
        let watched = listeners.of_tenant.entry(tenant).or_insert_with(|| Watched {
            scope,
            at: now.at,
            open_runs: now.open_runs,
            seen: Instant::now(),
            listeners: HashMap::new(),
        });
        watched.listeners.insert(number, Arc::clone(&slot));
        self.metrics.set_change_streams(listeners.open);
        drop(listeners);
        let (streams, metrics) = (self.streams.clone(), self.metrics.clone());
        let ends = Instant::now() + LIFE;
        Ok(Listener { streams, metrics, tenant, number, slot, ends, begins: now.at, ended: false })
    }

    /// Looks at the lists of all tenants with listeners, for ever.
    pub async fn watch_changes(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look_once().await;
        }
    }

    async fn look_once(&self) {
        let looks = stream::iter(self.streams.looks()).map(|(tenant, scope, look)| async move {
            match self.store.look(&scope, &look).await {
                Ok(looked) => self.streams.tell(tenant, &look, &looked),
                // Requests and readiness tell of a database that is away.
                Err(error) => tracing::debug!(%error, "the changes of a tenant could not be read"),
            }
        });
        looks.buffer_unordered(LOOKS_AT_ONCE).collect::<()>().await;
        if self.streams.has_operators() {
            match self.store.operator_keys_in_force().await {
                Ok(in_force) => self.streams.end_operators(&in_force),
                Err(error) => tracing::debug!(%error, "the keys of operators could not be read"),
            }
        }
        self.streams.end_unseen();
    }
}

#[cfg(test)]
mod tests;
