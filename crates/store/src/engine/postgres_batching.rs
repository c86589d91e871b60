//! Batching of concurrent statements on Postgres. Requests of one tenant that need the same statement at the same time share one:
//! while a statement is in flight, requests with the same key queue up and are sent as the next batch. A request that finds
//! nothing in flight is sent at once. So a statement's fixed price, which is most of what one row costs, is paid once for many
//! rows, and one tenant's requests of a kind take few connections (decision 0038).
//!
//! This file is the queue and the relation of a batch's parameters. The statements are jobs: [`crate::engine::batched_read`] and
//! [`crate::engine::single_write`].

use crate::engine::admission::Admission;
use crate::engine::connection::Tx;
use crate::engine::error::StoreError;
use crate::engine::faults::Faults;
use crate::engine::session::{SessionPool, Terms};
use rollcall_core::ids::TenantId;
use sea_orm::QueryResult;
use sea_orm::sea_query::Value;
use sea_orm::sqlx::Postgres;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Instrument;

/// Jobs of one batch at most.
const JOBS_PER_BATCH: usize = 16;

/// One caller's part of a statement that jobs of the same key share.
pub(crate) trait Job: Sized + Send + Sync + 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Answer: Send;

    fn tenant(key: &Self::Key) -> TenantId;

    /// Runs jobs by one statement that is a transaction of its own: an answer for each, or nothing is done for any.
    fn run(
        tx: Tx,
        key: &Self::Key,
        jobs: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// Batches jobs of one kind.
pub(crate) struct Batcher<J: Job> {
    connections: Connections,
    runtime: Handle,
    queues: Arc<Mutex<Queues<J>>>,
}

/// The jobs that wait, by key. A key is present while a statement of that key is in flight.
type Queues<J> = HashMap<<J as Job>::Key, VecDeque<Waiting<J>>>;
type Waiting<J> = (J, oneshot::Sender<Result<<J as Job>::Answer, StoreError>>);

impl<J: Job> Clone for Batcher<J> {
    fn clone(&self) -> Self {
        Self { connections: self.connections.clone(), runtime: self.runtime.clone(), queues: self.queues.clone() }
    }
}

impl<J: Job> Batcher<J> {
    /// Must be called on a runtime that lives as long as the store: a batch outlives the request that queued its first job, and
    /// that request's thread may end.
    pub(super) fn new(pool: &SessionPool<Postgres>, admission: &Admission) -> Self {
        let connections = Connections { pool: pool.clone(), admission: admission.clone() };
        Self { connections, runtime: Handle::current(), queues: Arc::default() }
    }

    /// Runs the job, at once or in the next batch. A queued job runs even if its caller goes away.
    pub(super) async fn run(&self, key: J::Key, job: J) -> Result<J::Answer, StoreError> {
        let queued = match self.queues().entry(key.clone()) {
            Entry::Vacant(queue) => {
                queue.insert(VecDeque::new());
                Err(job)
            }
            Entry::Occupied(mut queue) => {
                let (sender, answer) = oneshot::channel();
                queue.get_mut().push_back((job, sender));
                Ok(answer)
            }
        };
        match queued {
            Ok(answer) => answer
                .instrument(tracing::info_span!("store.batch"))
                .await
                .map_err(|_| StoreError::Unavailable("the hub is ending".into()))?,
            Err(job) => {
                let turn = Turn { batcher: self.clone(), key, begun: true };
                run_one(&self.connections, &turn.key, &job).await
            }
        }
    }

    /// A poisoned lock holds whole queues: each is changed in one step.
    fn queues(&self) -> MutexGuard<'_, Queues<J>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.queues().is_empty()
    }
}

/// The right to send statements of a key. However it ends, the waiting jobs get it next.
struct Turn<J: Job> {
    batcher: Batcher<J>,
    key: J::Key,
    begun: bool,
}

impl<J: Job> Turn<J> {
    async fn serve(mut self) {
        self.begun = true;
        loop {
            let (jobs, senders): (Vec<J>, Vec<_>) = self.next_batch().into_iter().unzip();
            if jobs.is_empty() {
                return;
            }
            for (sender, result) in
                senders.into_iter().zip(run_batch(&self.batcher.connections, &self.key, &jobs).await)
            {
                // The caller may be gone.
                let _ = sender.send(result);
            }
        }
    }

    /// A power of two of the waiting jobs, so that few texts are prepared.
    fn next_batch(&self) -> Vec<Waiting<J>> {
        let mut queues = self.batcher.queues();
        let Some(waiting) = queues.get_mut(&self.key) else { return Vec::new() };
        match waiting.len().min(JOBS_PER_BATCH).checked_ilog2() {
            Some(power) => waiting.drain(..1 << power).collect(),
            None => Vec::new(),
        }
    }
}

impl<J: Job> Drop for Turn<J> {
    fn drop(&mut self) {
        let mut queues = self.batcher.queues();
        let jobs_wait = queues.get(&self.key).is_some_and(|waiting| !waiting.is_empty());
        // A turn that never began was refused by a runtime that has ended, and the next would be as well.
        if jobs_wait && self.begun {
            // The lock is released before the spawn, because an ending runtime drops the next turn at once.
            drop(queues);
            let next = Self { batcher: self.batcher.clone(), key: self.key.clone(), begun: false };
            self.batcher.runtime.spawn(next.serve());
        } else {
            // The senders are dropped with the queue, so waiting callers get an error.
            queues.remove(&self.key);
        }
    }
}

/// The connections of batches. A batch takes one slot of its tenant's share.
#[derive(Clone)]
struct Connections {
    pool: SessionPool<Postgres>,
    admission: Admission,
}

impl Connections {
    /// Faults are armed before the batch, in its caller.
    async fn open(&self, tenant: TenantId) -> Result<Tx, StoreError> {
        let slot = Some(self.admission.connection(tenant).await?);
        Tx::on_postgres(&self.pool, Terms { slot: slot.map(Arc::new), statement_time: None }, Faults::default()).await
    }
}

async fn run_one<J: Job>(connections: &Connections, key: &J::Key, job: &J) -> Result<J::Answer, StoreError> {
    let answers = J::run(connections.open(J::tenant(key)).await?, key, std::slice::from_ref(job)).await?;
    answers.into_iter().next().ok_or_else(|| StoreError::database("a job without an answer"))
}

async fn run_batch<J: Job>(connections: &Connections, key: &J::Key, jobs: &[J]) -> Vec<Result<J::Answer, StoreError>> {
    let done = async { J::run(connections.open(J::tenant(key)).await?, key, jobs).await };
    match done.await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if jobs.len() == 1 => vec![Err(error)],
        // The statement may have been committed, or the database is away: it must not run twice.
        Err(StoreError::Unavailable(why)) => jobs.iter().map(|_| Err(StoreError::Unavailable(why.clone()))).collect(),
        // One job failed the batch, so each runs alone.
        Err(_) => {
            let mut results = Vec::with_capacity(jobs.len());
            for job in jobs {
                results.push(run_one(connections, key, job).await);
            }
            results
        }
    }
}

/// The parameters of a batch: one relation per set of values, whose first column `asked` is the job's position in the batch.
pub(super) struct BatchParameters {
    pub(super) values: Vec<Value>,
}

impl BatchParameters {
    /// After the parameters that are there already.
    pub(super) fn after(values: impl IntoIterator<Item = Value>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    /// Adds a value and gives its name.
    pub(super) fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Each job's values as a row of one relation with these columns.
    pub(super) fn relation<L: IntoIterator<Item = Value>>(
        &mut self,
        name: &str,
        columns: &[&str],
        jobs: impl Iterator<Item = L>,
    ) -> String {
        let mut rows = String::new();
        for (position, values) in jobs.enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let _ = write!(rows, "{comma}({position}");
            for value in values {
                rows.push_str(", ");
                rows.push_str(&self.value(value));
            }
            rows.push(')');
        }
        format!("(VALUES {rows}) AS {name}(asked, {})", columns.join(", "))
    }
}

/// The element of the job that a row answers.
pub(super) fn asked_by<'a, T>(row: &QueryResult, by_job: &'a mut [T]) -> Result<&'a mut T, StoreError> {
    let asked: i32 = row.try_get("", "asked")?;
    let position = usize::try_from(asked).unwrap_or(usize::MAX);
    by_job.get_mut(position).ok_or_else(|| StoreError::database("an answer to no job"))
}

#[cfg(test)]
mod tests;
