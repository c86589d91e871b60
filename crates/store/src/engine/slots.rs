//! Slots that tenants share: each has a share of its own, and borrows slots that nobody else wants. A slot that is free again goes to
//! the waiting tenant that has the fewest, and among those with as few to the one whose last turn is the longest ago; so a
//! tenant with many requests queues behind itself.

use rollcall_core::ids::TenantId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Slots for some kind of use. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<State>);

#[derive(Debug)]
struct State {
    /// Slots that a tenant may have without borrowing.
    share: usize,
    /// Free slots that a loan leaves for others.
    spare: usize,
    uses: Mutex<Uses>,
}

#[derive(Debug)]
struct Uses {
    free: usize,
    /// Slots in use, of tenants that have any.
    by_tenant: HashMap<TenantId, usize>,
    waiting: HashMap<TenantId, Waiting>,
    /// Number of the last turn.
    turn: u64,
}

/// The callers of one tenant that wait for a slot.
#[derive(Debug)]
struct Waiting {
    /// Number of the tenant's last turn, or of its arrival.
    turn: u64,
    callers: VecDeque<oneshot::Sender<Slot>>,
}

/// A slot in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    tenant: TenantId,
}

/// Reason why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The tenant has its share.
    Tenant,
    All,
}

impl Slots {
    /// So many in all, and so many for one tenant.
    pub(super) fn new(all: usize, share: usize) -> Self {
        Self::lending(all, share, usize::MAX)
    }

    /// The same, and a tenant borrows further ones as long as more than `spare` are free.
    pub(super) fn lending(all: usize, share: usize, spare: usize) -> Self {
        let uses = Uses { free: all, by_tenant: HashMap::new(), waiting: HashMap::new(), turn: 0 };
        Self(Arc::new(State { share, spare, uses: Mutex::new(uses) }))
    }

    pub(super) fn share(&self) -> usize {
        self.0.share
    }

    pub(super) async fn take(&self, tenant: TenantId, wait: Duration) -> Result<Slot, Full> {
        let handed_over = {
            let mut uses = self.uses();
            if self.may_have(&uses, tenant) {
                uses.begin(tenant);
                return Ok(Slot { slots: self.clone(), tenant });
            }
            uses.wait(tenant)
        };
        match timeout(wait, handed_over).await {
            Ok(Ok(slot)) => Ok(slot),
            _ if self.uses().of(tenant) >= self.0.share => Err(Full::Tenant),
            _ => Err(Full::All),
        }
    }

    /// Each change of the counts is one step, so a poisoned lock holds whole ones.
    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_have(&self, uses: &Uses, tenant: TenantId) -> bool {
        uses.free > 0 && (uses.of(tenant) < self.0.share || uses.free > self.0.spare)
    }

    /// The next caller that waits, with its slot.
    fn next(&self, uses: &mut Uses) -> Option<(oneshot::Sender<Slot>, Slot)> {
        let tenant = uses.next_tenant()?;
        if !self.may_have(uses, tenant) {
            return None;
        }
        let caller = uses.called(tenant)?;
        uses.begin(tenant);
        Some((caller, Slot { slots: self.clone(), tenant }))
    }
}

impl Uses {
    fn of(&self, tenant: TenantId) -> usize {
        self.by_tenant.get(&tenant).copied().unwrap_or(0)
    }

    fn begin(&mut self, tenant: TenantId) {
        self.free -= 1;
        *self.by_tenant.entry(tenant).or_default() += 1;
    }

    fn end(&mut self, tenant: TenantId) {
        self.free += 1;
        if let Some(uses) = self.by_tenant.get_mut(&tenant) {
            *uses -= 1;
            if *uses == 0 {
                self.by_tenant.remove(&tenant);
            }
        }
    }

    fn wait(&mut self, tenant: TenantId) -> oneshot::Receiver<Slot> {
        self.turn += 1;
        let waiting =
            self.waiting.entry(tenant).or_insert_with(|| Waiting { turn: self.turn, callers: VecDeque::new() });
        waiting.drop_the_gone();
        let (caller, slot) = oneshot::channel();
        waiting.callers.push_back(caller);
        slot
    }

    fn next_tenant(&mut self) -> Option<TenantId> {
        if self.waiting.is_empty() {
            return None;
        }
        self.waiting.retain(|_, waiting| {
            waiting.drop_the_gone();
            !waiting.callers.is_empty()
        });
        self.waiting.iter().min_by_key(|(tenant, waiting)| (self.of(**tenant), waiting.turn)).map(|(tenant, _)| *tenant)
    }

    /// The tenant's first caller that waits; its other ones wait for the next turn.
    fn called(&mut self, tenant: TenantId) -> Option<oneshot::Sender<Slot>> {
        self.turn += 1;
        let waiting = self.waiting.get_mut(&tenant)?;
        waiting.turn = self.turn;
        let caller = waiting.callers.pop_front();
        if waiting.callers.is_empty() {
            self.waiting.remove(&tenant);
        }
        caller
    }
}

impl Waiting {
    /// Callers wait equally long, so those that have gone are in front.
    fn drop_the_gone(&mut self) {
        while self.callers.front().is_some_and(oneshot::Sender::is_closed) {
            self.callers.pop_front();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let next = {
            let mut uses = self.slots.uses();
            uses.end(self.tenant);
            self.slots.next(&mut uses)
        };
        // The lock is released before, because a caller that has just gone gives its slot back at once.
        if let Some((caller, slot)) = next {
            let _gone = caller.send(slot);
        }
    }
}

#[cfg(test)]
mod tests;
