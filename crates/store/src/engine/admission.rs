//! Admission: how much of this process one tenant may use at a time. Two things are counted: connections, of which a tenant has a
//! share and requests together leave a reserve for the look-up of credentials, workers and checks; and heavy work, which reads a
//! whole tenant or computes for long (decision 0064).

use crate::engine::error::StoreError;
use crate::engine::slots::{Full, Slot, Slots};
use rollcall_core::budget::{Budget, Spent};
use rollcall_core::clock::Clock;
use rollcall_core::ids::TenantId;
use std::future::Future;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// An operator's limits on the work of requests. A pool of few connections is not divided.
#[derive(Clone, Copy, Debug)]
pub struct WorkLimits {
    /// Connections that are the share of one tenant's requests; 0 is a quarter of the pool.
    pub tenant_connections: usize,
    /// Pieces of heavy work of one tenant at a time. It has one plan at a time.
    pub tenant_heavy: usize,
    /// Pieces of heavy work of all tenants at a time; 0 is a quarter of the pool, and half the cores on SQLite, two at
    /// least. A tenant has half of them at most.
    pub heavy: usize,
    /// Longest wait of a request for its turn at heavy work.
    pub heavy_wait: Duration,
    /// Longest time of a list that no index serves.
    pub list_time: Duration,
    /// Highest estimated cost of such a list.
    pub list_cost: u64,
    /// Longest time of a plan about a whole tenant: promotion, detachment, comparison.
    pub plan_time: Duration,
    /// Longest time of an export, from its first page to its last byte.
    pub export_time: Duration,
    /// Longest time of a mapping's preview, or of the filters of a group's PATCH.
    pub compute_time: Duration,
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            tenant_connections: 0,
            tenant_heavy: 2,
            heavy: 0,
            heavy_wait: Duration::from_secs(1),
            list_time: Duration::from_secs(5),
            list_cost: 10_000_000,
            plan_time: Duration::from_secs(30),
            export_time: Duration::from_secs(900),
            compute_time: Duration::from_secs(1),
        }
    }
}

/// A kind of heavy work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeavyKind {
    /// A list that no index serves.
    List,
    /// A search among members that reads the list.
    Search,
    /// A whole list as a file. The slot is held until its reader has taken it, or its time is over.
    Export,
    /// A page of an export that reads the list. It was admitted with the export, so it waits for its turn instead of being refused.
    ExportPage,
    /// A plan about a whole tenant.
    Plan,
    /// A mapping's preview. It computes, as the next one, and a tenant has one of both at a time.
    Preview,
    /// A PATCH that compares each member of a group with a filter.
    GroupPatch,
}

impl HeavyKind {
    /// The refusal of work whose time is over.
    fn too_long(self, time: Duration) -> StoreError {
        let remedy = match self {
            Self::List => {
                "filter by userName, externalId, id, emails or a group's displayName, or page through the list without a filter"
            }
            Self::Search => {
                "search by the beginnings of words (`q`), or filter by email, status, waiting_for, or a role other than member"
            }
            Self::Export | Self::ExportPage => {
                "export with a filter that an index serves, or a shorter time (`since`, `until`), and take it faster"
            }
            Self::Plan => "ask again when the hub is less busy, or have the operator raise limits.plan_seconds",
            Self::Preview => "preview fewer records at a time, or simplify the expressions",
            Self::GroupPatch => "name the members by `members[value eq \"…\"]`",
        };
        StoreError::TooMuch(format!("this takes longer than the {} s that it may: {remedy}", time.as_secs_f64()))
    }

    fn busy(self, limit: usize) -> StoreError {
        let limit = match self {
            Self::Preview | Self::GroupPatch => {
                "a mapping's preview of this tenant, or its PATCH with filters on a group's members, is running, and one may at a time"
                    .to_owned()
            }
            Self::Export => format!("{limit} exports of this tenant are running, and no more may at a time: take them first"),
            Self::List | Self::Search | Self::ExportPage | Self::Plan => format!(
                "{limit} heavy requests of this tenant are running, and no more may at a time: lists without an index, and plans of \
                 a promotion or detachment, are heavy"
            ),
        };
        StoreError::Busy { limit, retry_after: Duration::from_secs(2) }
    }
}

/// The slots of a process. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<State>);

#[derive(Debug)]
struct State {
    limits: WorkLimits,
    connections: Slots,
    /// Pages of lists. Each has several times the bytes of its answer in memory while it is made.
    pages: Slots,
    /// Transactions that write, where there is one writer.
    writer: Slots,
    heavy: Slots,
    /// Plans about a whole tenant. Each keeps a session of the server and a core of this process busy.
    plans: Slots,
    /// Exports on their way. Each holds a page in memory and no connection.
    exports: Slots,
    /// Heavy work that computes in this process.
    computing: Slots,
    connection_wait: Duration,
}

/// A pool of fewer connections than this is not divided: a command's, or a test's.
const DIVIDED: usize = 8;
/// Pages of one tenant that are made at a time. A page has up to 4 MiB of rows.
const PAGES_OF_TENANT: usize = 6;
/// Exports at a time: of all tenants, and of one. A page has some 4 MiB.
const EXPORTS: usize = 8;
const EXPORTS_OF_TENANT: usize = 2;
/// More slots than there are callers, and still countable.
const UNLIMITED: usize = usize::MAX / 2;

impl Admission {
    /// `embedded` says that the database computes in this process.
    pub(crate) fn new(limits: WorkLimits, connections: usize, connection_wait: Duration, embedded: bool) -> Self {
        let quarter = (connections / 4).max(2);
        let for_requests = if connections >= DIVIDED {
            // A loan leaves some for a tenant that comes next, which does not wait then.
            Slots::lending(connections - quarter, or_else(limits.tenant_connections, quarter), quarter / 2)
        } else {
            Slots::new(UNLIMITED, UNLIMITED)
        };
        let half_of_cores = (available_parallelism().map_or(1, usize::from) / 2).max(1);
        // Heavy work of an embedded database takes a core of this process for as long as it runs.
        let heavy = or_else(limits.heavy, if embedded { half_of_cores.max(2) } else { quarter });
        Self(Arc::new(State {
            connections: for_requests,
            pages: Slots::new(UNLIMITED, PAGES_OF_TENANT),
            writer: Slots::new(UNLIMITED, 1),
            heavy: Slots::new(heavy, limits.tenant_heavy.clamp(1, (heavy / 2).max(1))),
            // With one place, a tenant that plans all the time would leave none to another.
            plans: Slots::new((heavy / 2).max(2), 1),
            exports: Slots::new(EXPORTS, EXPORTS_OF_TENANT),
            computing: Slots::new(half_of_cores, 1),
            connection_wait,
            limits,
        }))
    }

    pub(crate) fn limits(&self) -> &WorkLimits {
        &self.0.limits
    }

    /// A slot among the connections that serve requests.
    pub(crate) async fn connection(&self, tenant: TenantId) -> Result<Slot, StoreError> {
        self.admitted(&self.0.connections, tenant, "connections to the database").await
    }

    /// A slot among the pages that are made for a tenant.
    pub(crate) async fn page(&self, tenant: TenantId) -> Result<Slot, StoreError> {
        self.admitted(&self.0.pages, tenant, "pages of lists").await
    }

    /// A tenant's turn at the one writer.
    pub(crate) async fn writer(&self, tenant: TenantId) -> Result<Slot, StoreError> {
        self.admitted(&self.0.writer, tenant, "turn to write").await
    }

    async fn admitted(&self, slots: &Slots, tenant: TenantId, what: &str) -> Result<Slot, StoreError> {
        let wait = self.0.connection_wait;
        slots.take(tenant, wait).await.map_err(|full| match full {
            Full::Tenant => {
                let limit =
                    format!("all of this tenant's {} {what} are in use: send fewer requests at a time", slots.share());
                StoreError::Busy { limit, retry_after: Duration::from_secs(1) }
            }
            Full::All => StoreError::Unavailable("all connections are in use".into()),
        })
    }

    /// A slot for heavy work, and the rest of the time that a request has for all of its kind.
    async fn heavy(&self, request: &Budget, kind: HeavyKind) -> Result<HeavyWork, StoreError> {
        let State { limits, heavy, plans, exports, computing, .. } = &*self.0;
        let wait = if kind == HeavyKind::ExportPage { limits.export_time } else { limits.heavy_wait };
        let (slots, time) = match kind {
            HeavyKind::Export => (exports, limits.export_time),
            HeavyKind::ExportPage => (heavy, limits.export_time),
            HeavyKind::List | HeavyKind::Search => (heavy, limits.list_time),
            HeavyKind::Plan => (plans, limits.plan_time),
            HeavyKind::Preview | HeavyKind::GroupPatch => (computing, limits.compute_time),
        };
        let left = time.saturating_sub(request.database_time());
        if left.is_zero() {
            return Err(kind.too_long(time));
        }
        let slot = slots.take(request.tenant(), wait).await.map_err(|full| match full {
            Full::Tenant => kind.busy(slots.share()),
            Full::All => StoreError::Unavailable("the hub has as much heavy work as it takes".into()),
        })?;
        Ok(HeavyWork { kind, limit: Some(Limit { left, time }), budget: request.clone(), _slot: Some(slot) })
    }
}

fn or_else(given: usize, default: usize) -> usize {
    if given == 0 { default } else { given }
}

/// Heavy work that was admitted.
#[derive(Debug)]
pub struct HeavyWork {
    kind: HeavyKind,
    limit: Option<Limit>,
    budget: Budget,
    _slot: Option<Slot>,
}

/// The time that a request has for heavy work of a kind, and what is left of it.
#[derive(Clone, Copy, Debug)]
struct Limit {
    left: Duration,
    time: Duration,
}

/// Notes the time of heavy work at its end, also when nobody awaits it any more.
struct Spending<'a> {
    budget: &'a Budget,
    begun: Instant,
}

impl Drop for Spending<'_> {
    fn drop(&mut self) {
        self.budget.spend_database_time(self.begun.elapsed());
    }
}

impl HeavyWork {
    pub(crate) async fn admit(
        admission: Option<&Admission>,
        budget: &Budget,
        kind: HeavyKind,
    ) -> Result<Self, StoreError> {
        match admission {
            Some(admission) => admission.heavy(budget, kind).await,
            None => Ok(Self { kind, limit: None, budget: budget.clone(), _slot: None }),
        }
    }

    /// The time of the work, if it has one.
    pub fn time(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.time)
    }

    /// Runs the work until its time is over, and notes the time that it took. Work that is not awaited any more ends: its
    /// statement is cancelled.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`], and those of the work.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let _spending = Spending { budget: &self.budget, begun: Instant::now() };
        match self.limit {
            None => work.await,
            Some(limit) => timeout(limit.left, work).await.unwrap_or_else(|_| Err(self.kind.too_long(limit.time))),
        }
    }

    /// Computes in another thread, so that other requests are served meanwhile. The computation is told to end when the work's time
    /// is over, or when nobody awaits it any more.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`].
    pub async fn compute<T: Send + 'static>(
        &self,
        clock: &Clock,
        work: impl FnOnce(&Budget) -> Result<T, Spent> + Send + 'static,
    ) -> Result<T, StoreError> {
        let budget = match self.limit {
            Some(limit) => Budget::new(self.budget.tenant(), clock, limit.left),
            None => Budget::unlimited(self.budget.tenant()),
        };
        let _stop = budget.stop_on_drop();
        let computed = self.run(async move {
            let done = spawn_blocking(move || work(&budget)).await;
            done.map_err(|error| StoreError::Unavailable(error.to_string().into()))
        });
        computed.await?.map_err(|_| self.kind.too_long(self.limit.map_or(Duration::ZERO, |limit| limit.time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow reader holds its slot and takes no other tenant's.
    #[tokio::test]
    async fn s2_a_tenant_has_few_exports_at_a_time_beside_its_other_heavy_work() {
        let limits = WorkLimits { heavy_wait: Duration::ZERO, ..WorkLimits::default() };
        let admission = Admission::new(limits, 16, Duration::ZERO, false);
        let (tenant, other) = (Clock::System.new_id(), Clock::System.new_id());
        let take = async |tenant, kind| HeavyWork::admit(Some(&admission), &Budget::unlimited(tenant), kind).await;
        let held = [take(tenant, HeavyKind::Export).await, take(tenant, HeavyKind::Export).await];
        assert!(held.iter().all(Result::is_ok));
        let refused = take(tenant, HeavyKind::Export).await.err();
        assert!(matches!(&refused, Some(StoreError::Busy { limit, .. }) if limit.contains("2 exports")), "{refused:?}");
        assert!(take(tenant, HeavyKind::Search).await.is_ok() && take(other, HeavyKind::Export).await.is_ok());
        drop(held);
        assert!(take(tenant, HeavyKind::Export).await.is_ok());
    }

    /// Two plans of one tenant would take both cores of a small server.
    #[tokio::test]
    async fn s1_a_tenant_has_one_plan_at_a_time_beside_its_lists() {
        let limits = WorkLimits { heavy_wait: Duration::ZERO, ..WorkLimits::default() };
        for embedded in [false, true] {
            let admission = Admission::new(limits, 16, Duration::ZERO, embedded);
            let (tenant, other) = (Clock::System.new_id(), Clock::System.new_id());
            let take = async |tenant, kind| HeavyWork::admit(Some(&admission), &Budget::unlimited(tenant), kind).await;
            let plan = take(tenant, HeavyKind::Plan).await;
            let refused = take(tenant, HeavyKind::Plan).await.err();
            assert!(matches!(&refused, Some(StoreError::Busy { .. })), "{refused:?}");
            assert!(take(tenant, HeavyKind::List).await.is_ok());
            assert!(take(other, HeavyKind::Plan).await.is_ok(), "another tenant has a place, embedded: {embedded}");
            drop(plan);
            assert!(take(tenant, HeavyKind::Plan).await.is_ok());
        }
    }

    /// The tenant's own searches would end its export midway.
    #[tokio::test(start_paused = true)]
    async fn s2_a_page_of_an_export_waits_for_its_turn() {
        let limits = WorkLimits { heavy_wait: Duration::ZERO, ..WorkLimits::default() };
        let admission = Admission::new(limits, 16, Duration::ZERO, false);
        let tenant = Clock::System.new_id();
        let budget = Budget::unlimited(tenant);
        let take = async |kind| HeavyWork::admit(Some(&admission), &budget, kind).await;
        let searches = [take(HeavyKind::Search).await, take(HeavyKind::Search).await];
        assert!(searches.iter().all(Result::is_ok));
        assert!(matches!(take(HeavyKind::Search).await, Err(StoreError::Busy { .. })), "another search is refused");
        let (page, ()) = tokio::join!(take(HeavyKind::ExportPage), async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(searches);
        });
        let page = page.expect("its turn");
        assert_eq!(page.time(), Some(WorkLimits::default().export_time), "a page has the time of the export");
    }
}
