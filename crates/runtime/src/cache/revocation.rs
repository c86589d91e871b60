//! Credential cache of this process, in front of Redis. An entry lives for half a second and a revoked credential leaves a
//! tombstone, so a revocation reaches every process within a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use tokio::time::Instant;

use super::{CachedCredential, CredentialDigest};

/// Life of an entry. It is half of the promised second for a revocation, because a request takes time too.
const TRUST: Duration = Duration::from_millis(500);
/// Life of a tombstone, in which this process does not cache a revoked credential again: longer than any request may
/// run.
const TOMBSTONE: Duration = Duration::from_secs(120);
/// Most entries: some 10 MB.
const CAPACITY: usize = 20_000;

enum LocalEntry {
    Answer { value: CachedCredential, until: Instant },
    Revoked { until: Instant },
}

pub(super) struct LocalLayer {
    entries: Mutex<LruCache<CredentialDigest, LocalEntry>>,
}

impl Default for LocalLayer {
    fn default() -> Self {
        Self { entries: Mutex::new(LruCache::new(CAPACITY)) }
    }
}

impl LocalLayer {
    pub(super) fn now() -> Instant {
        Instant::now()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<CredentialDigest, LocalEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, digest: &CredentialDigest, now: Instant) -> Option<CachedCredential> {
        match self.lock().get(digest)? {
            LocalEntry::Answer { value, until } if now < *until => Some(value.clone()),
            LocalEntry::Revoked { until } if now < *until => Some(CachedCredential::Absent),
            LocalEntry::Answer { .. } | LocalEntry::Revoked { .. } => None,
        }
    }

    /// Caches an answer to a look-up that began at `asked`. Never replaces a tombstone.
    pub(super) fn put(&self, digest: &CredentialDigest, value: CachedCredential, asked: Instant) {
        let mut entries = self.lock();
        if let Some(LocalEntry::Revoked { until }) = entries.peek(digest)
            && asked < *until
        {
            return;
        }
        entries.insert(*digest, LocalEntry::Answer { value, until: asked + TRUST });
    }

    pub(super) fn revoke(&self, digest: &CredentialDigest) {
        self.lock().insert(*digest, LocalEntry::Revoked { until: Instant::now() + TOMBSTONE });
    }

    pub(super) fn forget(&self, digest: &CredentialDigest) {
        let mut entries = self.lock();
        if !matches!(entries.peek(digest), Some(LocalEntry::Revoked { .. })) {
            entries.remove(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(text: &str) -> CachedCredential {
        CachedCredential::Present(text.into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_trusted_for_half_a_second_from_its_question() {
        let layer = LocalLayer::default();
        let asked = LocalLayer::now();
        tokio::time::advance(Duration::from_millis(400)).await;
        layer.put(&[1; 32], present("a"), asked);
        tokio::time::advance(Duration::from_millis(99)).await;
        assert_eq!(layer.get(&[1; 32], LocalLayer::now()), Some(present("a")));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(layer.get(&[1; 32], LocalLayer::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_raced_with_a_revocation_cannot_bring_the_token_back() {
        let layer = LocalLayer::default();
        let asked = LocalLayer::now();
        layer.revoke(&[1; 32]);
        layer.put(&[1; 32], present("a"), asked);
        layer.forget(&[1; 32]);
        assert_eq!(layer.get(&[1; 32], LocalLayer::now()), Some(CachedCredential::Absent));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_least_used_goes_first() {
        let layer = LocalLayer::default();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            digest
        };
        let asked = LocalLayer::now();
        for number in 0..CAPACITY + 5 {
            layer.put(&digest(number), present("a"), asked);
        }
        assert_eq!(layer.lock().len(), CAPACITY);
        assert_eq!(layer.get(&digest(0), asked), None);
        assert!(layer.get(&digest(CAPACITY), asked).is_some());
    }
}
