//! The after-commit duties, in one place for services and commands.

use crate::Hub;
use rollcall_core::ids::TenantId;
use rollcall_runtime::Lane;
use rollcall_store::{AfterCommit, Committed, SecretDigest};

impl Hub {
    /// Does the duties of a committed write and returns its result. Never fails: a lost wake-up is found by the sweep, and a
    /// process that misses a revocation trusts the credential for a minute at most.
    pub async fn after_commit<T>(&self, committed: Committed<T>) -> T {
        committed.after_commit(self).await
    }
}

impl AfterCommit for Hub {
    fn wake(&self, tenant: TenantId) {
        self.queue.wake(tenant.0, Lane::Push);
    }

    async fn reread_credential(&self, digest: &SecretDigest) {
        self.cache.refresh_credential(digest).await;
    }

    async fn refuse_credential(&self, digest: &SecretDigest) {
        self.cache.revoke_credential(digest).await;
    }
}
