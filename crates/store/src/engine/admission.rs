//! Admission: how much of this process one tenant may use at a time. Two things are counted: connections, of which a tenant gets a
//! share and requests together leave a reserve for the look-up of credentials, workers and checks; and heavy work, which reads a
//! whole tenant (decision 0064).

use crate::engine::error::StoreError;
use rollcall_core::budget::{Budget, Spent};
use rollcall_core::clock::Clock;
use rollcall_core::ids::TenantId;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// An operator's limits on the work of requests. A pool of few connections is not divided.
#[derive(Clone, Copy, Debug)]
pub struct WorkLimits {
    /// Connections that the requests of one tenant use at a time; 0 is a quarter of the pool.
    pub tenant_connections: usize,
    /// Pieces of heavy work of one tenant at a time.
    pub tenant_heavy: usize,
    /// Pieces of heavy work of all tenants at a time; 0 is a quarter of the pool.
    pub heavy: usize,
    /// Longest wait of a request for its turn at heavy work.
    pub heavy_wait: Duration,
    /// Longest time of a list that no index serves.
    pub list_time: Duration,
    /// Highest estimated cost of such a list.
    pub list_cost: u64,
    /// Longest time of a plan about a whole tenant: promotion, detachment, comparison.
    pub plan_time: Duration,
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
            compute_time: Duration::from_secs(1),
        }
    }
}

/// A kind of heavy work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeavyKind {
    /// A list that no index serves.
    List,
    /// A plan about a whole tenant.
    Plan,
    /// A mapping's preview, of which a tenant has one at a time.
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
            Self::Plan => "ask again when the hub is less busy, or have the operator raise limits.plan_seconds",
            Self::Preview => "preview fewer records at a time, or simplify the expressions",
            Self::GroupPatch => "name the members by `members[value eq \"…\"]`",
        };
        StoreError::TooMuch(format!("this takes longer than the {} s that it may: {remedy}", time.as_secs_f64()))
    }

    fn busy(self, limit: usize, retry_after: Duration) -> StoreError {
        let limit = match self {
            Self::Preview => "a preview of this tenant is running, and one may run at a time".to_owned(),
            _ => format!(
                "{limit} heavy requests of this tenant are running, and no more may at a time: lists without an index, plans of a \
                 promotion or detachment, previews, and filters on a group's members are heavy"
            ),
        };
        StoreError::Busy { limit, retry_after }
    }
}

/// Slots for some kind of use: so many in all, and so many for one tenant.
#[derive(Debug)]
struct Slots {
    all: Arc<Semaphore>,
    of_tenant: usize,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// A slot in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _of_tenant: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// Reason why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    Tenant,
    All,
}

/// Tenants that are remembered before those without a slot in use are forgotten.
const TENANTS_REMEMBERED: usize = 1_000;

impl Slots {
    fn new(all: usize, of_tenant: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_tenant, tenants: Mutex::default() }
    }

    fn semaphore(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS_REMEMBERED && !tenants.contains_key(&tenant) {
            // A slot in use, and a caller that waits for one, hold the semaphore too.
            tenants.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.of_tenant))))
    }

    /// Waits for the tenant's own turn first, so that a tenant with many requests queues behind itself.
    async fn take(&self, tenant: TenantId, wait: Duration) -> Result<Slot, Full> {
        let semaphore = self.semaphore(tenant);
        let of_tenant = match Arc::clone(&semaphore).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => timeout(wait, semaphore.acquire_owned()).await.ok().and_then(Result::ok).ok_or(Full::Tenant)?,
        };
        let of_all = match Arc::clone(&self.all).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let all = Arc::clone(&self.all).acquire_owned();
                timeout(wait, all).await.ok().and_then(Result::ok).ok_or(Full::All)?
            }
        };
        Ok(Slot { _of_tenant: of_tenant, _of_all: of_all })
    }
}

/// The slots of a process. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<State>);

#[derive(Debug)]
struct State {
    limits: WorkLimits,
    connections: Slots,
    /// Transactions that write, where there is one writer.
    writer: Slots,
    heavy: Slots,
    previews: Slots,
    connection_wait: Duration,
}

/// A pool of fewer connections than this is not divided: a command's, or a test's.
const DIVIDED: usize = 8;

impl Admission {
    pub(crate) fn new(limits: WorkLimits, connections: usize, connection_wait: Duration) -> Self {
        let quarter = (connections / 4).max(2);
        let (for_requests, of_tenant) = if connections >= DIVIDED {
            (connections - quarter, or_else(limits.tenant_connections, quarter))
        } else {
            (Semaphore::MAX_PERMITS, Semaphore::MAX_PERMITS)
        };
        let heavy = or_else(limits.heavy, quarter);
        Self(Arc::new(State {
            connections: Slots::new(for_requests, of_tenant),
            writer: Slots::new(Semaphore::MAX_PERMITS, 1),
            heavy: Slots::new(heavy, limits.tenant_heavy.max(1)),
            previews: Slots::new(heavy, 1),
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

    /// A tenant's turn at the one writer.
    pub(crate) async fn writer(&self, tenant: TenantId) -> Result<Slot, StoreError> {
        self.admitted(&self.0.writer, tenant, "turn to write").await
    }

    async fn admitted(&self, slots: &Slots, tenant: TenantId, what: &str) -> Result<Slot, StoreError> {
        let wait = self.0.connection_wait;
        slots.take(tenant, wait).await.map_err(|full| match full {
            Full::Tenant => {
                let limit = format!(
                    "all of this tenant's {} {what} are in use: send fewer requests at a time",
                    slots.of_tenant
                );
                StoreError::Busy { limit, retry_after: Duration::from_secs(1) }
            }
            Full::All => StoreError::Unavailable("all connections are in use".into()),
        })
    }

    /// A slot for heavy work, with its budget.
    async fn heavy(&self, whole: &Budget, kind: HeavyKind) -> Result<HeavyWork, StoreError> {
        let State { limits, heavy, previews, .. } = &*self.0;
        let (tenant, wait) = (whole.tenant(), limits.heavy_wait);
        let full = |of_tenant: usize| {
            move |full| match full {
                Full::Tenant => kind.busy(of_tenant, Duration::from_secs(2)),
                Full::All => StoreError::Unavailable("the hub has as much heavy work as it takes".into()),
            }
        };
        let mut slots = Vec::new();
        if kind == HeavyKind::Preview {
            slots.push(previews.take(tenant, wait).await.map_err(full(1))?);
        }
        slots.push(heavy.take(tenant, wait).await.map_err(full(heavy.of_tenant))?);
        let time = match kind {
            HeavyKind::List => limits.list_time,
            HeavyKind::Plan => limits.plan_time,
            HeavyKind::Preview | HeavyKind::GroupPatch => limits.compute_time,
        };
        Ok(HeavyWork { kind, time: Some(time), budget: whole.clone(), _slots: slots })
    }
}

fn or_else(given: usize, default: usize) -> usize {
    if given == 0 { default } else { given }
}

/// Heavy work that was admitted.
#[derive(Debug)]
pub struct HeavyWork {
    kind: HeavyKind,
    time: Option<Duration>,
    budget: Budget,
    _slots: Vec<Slot>,
}

impl HeavyWork {
    pub(crate) async fn admit(
        admission: Option<&Admission>,
        budget: &Budget,
        kind: HeavyKind,
    ) -> Result<Self, StoreError> {
        match admission {
            Some(admission) => admission.heavy(budget, kind).await,
            None => Ok(Self { kind, time: None, budget: budget.clone(), _slots: Vec::new() }),
        }
    }

    /// Runs the work until its time is over, and notes the time that it took. Work that is not awaited any more ends: its
    /// statement is cancelled.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`], and those of the work.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let begun = Instant::now();
        let done = match self.time {
            None => work.await,
            Some(time) => timeout(time, work).await.unwrap_or_else(|_| Err(self.kind.too_long(time))),
        };
        self.budget.spend_database_time(begun.elapsed());
        done
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
        let budget = match self.time {
            Some(time) => Budget::new(self.budget.tenant(), clock, time),
            None => Budget::unlimited(self.budget.tenant()),
        };
        let _stop = budget.stop_on_drop();
        let computed = self.run(async move {
            let done = spawn_blocking(move || work(&budget)).await;
            done.map_err(|error| StoreError::Unavailable(error.to_string().into()))
        });
        computed.await?.map_err(|_| self.kind.too_long(self.time.unwrap_or_default()))
    }
}
