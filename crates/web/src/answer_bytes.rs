//! Answers that wait to be read. An answer is whole in memory until its reader has taken it, so a reader who takes nothing costs
//! memory. The process has a budget of bytes for them, and each tenant a share of it (decision 0067).

use crate::connection::Connection;
use crate::refusal::Refusal;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use rollcall_core::ids::TenantId;
use rollcall_runtime::Metrics;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Bytes that are handed to the connection at a time, and the size up to which an answer costs no more than its connection.
const SLICE: usize = 32 * 1024;
/// The share of one tenant in the budget: one of so many.
const SHARES: usize = 4;
/// Time after which a refused caller may find its tenant's answers read, or given up.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The budget of a process. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct AnswerBytes(Arc<Shared>);

struct Shared {
    bytes_max: usize,
    metrics: Metrics,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    bytes: usize,
    of_tenant: HashMap<TenantId, usize>,
}

impl AnswerBytes {
    pub fn new(bytes_max: usize, metrics: Metrics) -> Self {
        Self(Arc::new(Shared { bytes_max, metrics, waiting: Mutex::default() }))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a tenant whose unread answers use up its share.
    pub(crate) fn admits(&self, tenant: TenantId) -> Result<(), Refusal> {
        let share = self.0.bytes_max / SHARES;
        let unread = self.waiting().of_tenant.get(&tenant).copied().unwrap_or(0);
        if unread < share { Ok(()) } else { Err(self.refuses("tenant")) }
    }

    /// Takes the bytes of an answer out of the budget until it is read. A tenant without any other unread answer always gets its
    /// share, whatever the size, so that no answer is impossible.
    fn take(&self, tenant: Option<TenantId>, bytes: usize) -> Result<Held, Refusal> {
        let mut waiting = self.waiting();
        if let Some(tenant) = tenant {
            let unread = waiting.of_tenant.get(&tenant).copied().unwrap_or(0);
            if unread > 0 && unread + bytes > self.0.bytes_max / SHARES {
                return Err(self.refuses("tenant"));
            }
        }
        if waiting.bytes > 0 && waiting.bytes + bytes > self.0.bytes_max {
            return Err(self.refuses("process"));
        }
        waiting.bytes += bytes;
        if let Some(tenant) = tenant {
            *waiting.of_tenant.entry(tenant).or_default() += bytes;
        }
        self.0.metrics.set_answer_bytes_unread(waiting.bytes);
        Ok(Held { budget: self.clone(), tenant, bytes })
    }

    fn refuses(&self, whose: &'static str) -> Refusal {
        self.0.metrics.answer_refused(whose);
        Refusal::AnswersUnread { of_tenant: whose == "tenant", retry_after: RETRY_AFTER }
    }

    /// The body of an answer, which holds its bytes of the budget until it is written.
    ///
    /// # Errors
    /// [`Refusal::AnswersUnread`] when there is no room for it.
    pub(crate) fn body(
        &self,
        tenant: Option<TenantId>,
        body: BoxBody,
        connection: Option<Arc<Connection>>,
    ) -> Result<AnswerBody, Refusal> {
        let content = match body.size() {
            BodySize::Sized(bytes) if bytes > SLICE as u64 => match body.try_into_bytes() {
                Ok(bytes) => Content::Slices { _held: self.take(tenant, bytes.len())?, bytes },
                Err(stream) => Content::Whole(stream),
            },
            _ => Content::Whole(body),
        };
        Ok(AnswerBody { content, connection })
    }
}

/// Bytes of the budget, given back when dropped.
struct Held {
    budget: AnswerBytes,
    tenant: Option<TenantId>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut waiting = self.budget.waiting();
        waiting.bytes -= self.bytes;
        if let Some(tenant) = self.tenant
            && let Some(unread) = waiting.of_tenant.get_mut(&tenant)
        {
            *unread -= self.bytes;
            if *unread == 0 {
                waiting.of_tenant.remove(&tenant);
            }
        }
        self.budget.0.metrics.set_answer_bytes_unread(waiting.bytes);
    }
}

/// The body of an answer. A large one goes to the connection in slices, because the connection would copy it whole.
pub(crate) struct AnswerBody {
    content: Content,
    connection: Option<Arc<Connection>>,
}

enum Content {
    Whole(BoxBody),
    Slices { bytes: Bytes, _held: Held },
}

impl AnswerBody {
    /// A body outside the budget: a refusal.
    pub(crate) fn small(body: BoxBody, connection: Option<Arc<Connection>>) -> Self {
        Self { content: Content::Whole(body), connection }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.answered();
        }
    }
}

impl MessageBody for AnswerBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        match &self.content {
            Content::Whole(body) => body.size(),
            Content::Slices { bytes, .. } => BodySize::Sized(bytes.len() as u64),
        }
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.get_mut().content {
            Content::Whole(body) => Pin::new(body).poll_next(context),
            Content::Slices { bytes, .. } if bytes.is_empty() => Poll::Ready(None),
            Content::Slices { bytes, .. } => Poll::Ready(Some(Ok(bytes.split_to(SLICE.min(bytes.len()))))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::poll_fn;
    use rollcall_core::clock::Clock;

    const KIB: usize = 1024;

    fn budget(bytes_max: usize) -> AnswerBytes {
        AnswerBytes::new(bytes_max, Metrics::new().expect("metrics"))
    }

    fn tenant() -> TenantId {
        Clock::System.new_id()
    }

    fn bytes(count: usize) -> BoxBody {
        BoxBody::new(vec![7_u8; count])
    }

    #[test]
    fn s2_a_tenant_has_its_share_and_takes_no_other_tenants() {
        let budget = budget(400 * KIB);
        let (greedy, modest) = (tenant(), tenant());
        let first = budget.body(Some(greedy), bytes(60 * KIB), None).expect("room");
        assert!(budget.admits(greedy).is_ok());
        let second = budget.body(Some(greedy), bytes(40 * KIB), None).expect("its share is not used up");
        let refused = budget.body(Some(greedy), bytes(40 * KIB), None).err();
        assert!(matches!(refused, Some(Refusal::AnswersUnread { of_tenant: true, .. })), "{refused:?}");
        assert!(budget.admits(greedy).is_err(), "it is told before the work is done");
        assert!(budget.body(Some(greedy), bytes(SLICE), None).is_ok(), "small answers are always given");
        let other = budget.body(Some(modest), bytes(200 * KIB), None).expect("one answer is always possible");
        drop((first, second));
        assert!(budget.admits(greedy).is_ok());
        assert!(budget.body(Some(greedy), bytes(60 * KIB), None).is_ok());
        drop(other);
        assert_eq!(budget.waiting().bytes, 0);
        assert!(budget.waiting().of_tenant.is_empty());
    }

    #[test]
    fn s2_the_process_has_a_budget_over_all_tenants() {
        let budget = budget(100 * KIB);
        let _one = budget.body(Some(tenant()), bytes(60 * KIB), None).expect("room");
        let refused = budget.body(Some(tenant()), bytes(60 * KIB), None).err();
        assert!(matches!(refused, Some(Refusal::AnswersUnread { of_tenant: false, .. })), "{refused:?}");
    }

    #[actix_web::test]
    async fn s2_a_large_answer_goes_out_in_slices_and_whole() {
        let budget = budget(400 * KIB);
        let mut body = budget.body(Some(tenant()), bytes(100 * KIB + 1), None).expect("room");
        assert_eq!(body.size(), BodySize::Sized(100 * 1024 + 1));
        let mut sizes = Vec::new();
        while let Some(slice) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
            sizes.push(slice.expect("bytes").len());
        }
        assert_eq!(sizes, [SLICE, SLICE, SLICE, 4 * KIB + 1]);
    }
}
