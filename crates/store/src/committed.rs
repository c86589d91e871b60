//! A committed write and the duties that follow it: a worker is woken, processes forget what they cached. They come after the
//! commit, because a worker that looks before it finds nothing, and a cache that reads before it keeps the old answer.
//!
//! The value of a write is there once its duties are done, so no caller can forget them.

use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::secret::SecretDigest;
use rollcall_core::ids::TenantId;

/// The result of a write, behind its after-commit duties.
#[derive(Debug)]
#[must_use = "the after-commit duties are not done: hand it to Hub::after_commit"]
pub struct Committed<T> {
    value: T,
    wake: Option<TenantId>,
    /// Credentials whose cached answers are wrong now.
    changed: Vec<SecretDigest>,
    /// Credentials that ended.
    revoked: Vec<SecretDigest>,
}

/// Does after-commit duties.
pub trait AfterCommit {
    /// Tells a worker that the tenant has changes to look at.
    fn wake(&self, tenant: TenantId);

    /// Makes every process read a credential again.
    fn reread_credential(&self, digest: &SecretDigest) -> impl Future<Output = ()>;

    /// Makes every process refuse a credential.
    fn refuse_credential(&self, digest: &SecretDigest) -> impl Future<Output = ()>;
}

impl<T> Committed<T> {
    /// A write that changed nothing, or nothing that anybody waits for.
    pub(crate) fn without_duties(value: T) -> Self {
        Self { value, wake: None, changed: Vec::new(), revoked: Vec::new() }
    }

    /// A write that a worker has to look at.
    pub(crate) fn waking(tenant: TenantId, value: T) -> Self {
        Self { wake: Some(tenant), ..Self::without_duties(value) }
    }

    pub(crate) fn changing(self, credentials: Vec<SecretDigest>) -> Self {
        Self { changed: credentials, ..self }
    }

    pub(crate) fn revoking(self, credentials: Vec<SecretDigest>) -> Self {
        Self { revoked: credentials, ..self }
    }

    /// Whether cached answers about a credential are wrong now.
    pub fn changes_credentials(&self) -> bool {
        !(self.changed.is_empty() && self.revoked.is_empty())
    }

    /// Whether a worker has to look at the write.
    pub fn wakes(&self) -> bool {
        self.wake.is_some()
    }

    /// Another value with the same duties, or an error, which has none: where it is answered nothing was written.
    pub(crate) fn and_then<U, E>(self, make: impl FnOnce(T) -> Result<U, E>) -> Result<Committed<U>, E> {
        let Self { value, wake, changed, revoked } = self;
        Ok(Committed { value: make(value)?, wake, changed, revoked })
    }

    /// The value, once the duties are done: credentials first, so that a worker's first look finds them told.
    pub async fn after_commit(self, duties: &impl AfterCommit) -> T {
        for digest in &self.changed {
            duties.reread_credential(digest).await;
        }
        for digest in &self.revoked {
            duties.refuse_credential(digest).await;
        }
        if let Some(tenant) = self.wake {
            duties.wake(tenant);
        }
        self.value
    }

    /// The value in a test of the store alone.
    #[cfg(test)]
    pub(crate) fn unannounced(self) -> T {
        self.value
    }

    /// The credentials that are to be read again, and those that ended.
    #[cfg(test)]
    pub(crate) fn credentials(&self) -> (&[SecretDigest], &[SecretDigest]) {
        (&self.changed, &self.revoked)
    }
}

impl TenantTx {
    /// Commits a write that a worker has to look at.
    pub(crate) async fn commit_and_wake<T>(self, value: T) -> Result<Committed<T>, StoreError> {
        let tenant = self.tenant;
        self.commit().await?;
        Ok(Committed::waking(tenant, value))
    }
}
