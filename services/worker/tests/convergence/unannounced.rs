//! The store's writes without their after-commit duties: these tests wake workers themselves, at moments of their own.

use rollcall_core::ids::TenantId;
use rollcall_store::{AfterCommit, Committed, SecretDigest};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(crate) trait Unannounced<T> {
    /// The result of the write.
    fn unannounced(self) -> T;
}

impl<T> Unannounced<T> for Committed<T> {
    fn unannounced(self) -> T {
        match pin!(self.after_commit(&Nobody)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("duties that do nothing wait for nothing"),
        }
    }
}

/// Hears of nothing.
struct Nobody;

impl AfterCommit for Nobody {
    fn wake(&self, _: TenantId) {}

    async fn reread_credential(&self, _: &SecretDigest) {}

    async fn refuse_credential(&self, _: &SecretDigest) {}
}
