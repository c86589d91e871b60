//! When credentials were last used: noted in memory, and written every few seconds for all of them together, at most once a minute for
//! each. No request waits for it.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::{CredentialId, TenantId};
use rollcall_store::{CredentialUse, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Least interval between two writes about one credential.
const WRITTEN_EVERY: TimeDelta = TimeDelta::seconds(60);
/// Credentials whose last written use is remembered; beyond that all are dropped, and at worst written again.
const REMEMBERED: usize = 100_000;

/// Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CredentialUses(Arc<Mutex<Uses>>);

#[derive(Debug, Default)]
struct Uses {
    /// By tenant and credential, so that processes write rows in the same order.
    pending: BTreeMap<(TenantId, CredentialId), DateTime<Utc>>,
    written: HashMap<CredentialId, DateTime<Utc>>,
}

impl CredentialUses {
    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, tenant: TenantId, credential: CredentialId, now: DateTime<Utc>) {
        let mut uses = self.uses();
        if uses.written.get(&credential).is_some_and(|written| now - *written < WRITTEN_EVERY) {
            return;
        }
        if uses.written.len() >= REMEMBERED {
            uses.written.clear();
        }
        uses.written.insert(credential, now);
        uses.pending.insert((tenant, credential), now);
    }

    /// Writes what is noted. After a failure it is kept for the next time.
    pub async fn flush(&self, store: &Store) {
        let pending = std::mem::take(&mut self.uses().pending);
        let row = |(&(tenant, id), &last_used_at): (&(TenantId, CredentialId), &DateTime<Utc>)| CredentialUse {
            tenant_id: tenant.0,
            id: id.0,
            last_used_at,
        };
        let rows: Vec<CredentialUse> = pending.iter().map(row).collect();
        if let Err(error) = store.note_credential_uses(&rows).await {
            tracing::warn!(%error, "the last use of credentials is written later");
            let mut uses = self.uses();
            for (credential, at) in pending {
                uses.pending.entry(credential).or_insert(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_core::clock::Clock;

    #[test]
    fn s8_a_credential_is_written_once_a_minute_however_often_it_is_used() {
        let uses = CredentialUses::default();
        let (tenant, key, other) = (Clock::System.new_id(), Clock::System.new_id(), Clock::System.new_id());
        let begun = Clock::System.now();
        for second in 0..59 {
            uses.note(tenant, key, begun + TimeDelta::seconds(second));
        }
        uses.note(tenant, other, begun);
        assert_eq!(std::mem::take(&mut uses.uses().pending).len(), 2);
        uses.note(tenant, key, begun + TimeDelta::seconds(59));
        assert!(uses.uses().pending.is_empty());
        uses.note(tenant, key, begun + TimeDelta::seconds(60));
        assert_eq!(uses.uses().pending.len(), 1);
    }
}
