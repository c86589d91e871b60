//! The one place that does after-commit duties, for services and commands alike.

use crate::Hub;
use rollcall_core::ids::TenantId;
use rollcall_runtime::Lane;
use rollcall_store::{AfterCommit, Committed, SecretDigest};

impl Hub {
    /// Does the duties of a committed write and gives what it left. Never fails: a lost wake-up is found by the sweep, and a
    /// process that cannot be told of a credential trusts it for a minute at most.
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
