//! What requests of one tenant ask of Postgres in the same words, and at the same time, is asked in one statement. While one is
//! on its way those that come wait, and all of them go with the next; one alone goes at once. So a statement's fixed price, which
//! is most of what one row costs, is paid once for many rows, and one tenant's requests of a kind take few connections.

use crate::engine::connection::Tx;
use crate::engine::error::StoreError;
use crate::engine::session::SessionPool;
use crate::engine::single_write::{Addition, Change};
use rollcall_core::ids::{SourceId, TenantId};
use sea_orm::sea_query::Value;
use sea_orm::sqlx::Postgres;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Jobs of one statement at most.
const OF_ONE_STATEMENT: usize = 16;

/// What can be asked together with others of the same key.
pub(crate) trait Job: Sized + Send + Sync + 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Answer: Send;

    /// Runs jobs by one statement that is a transaction of its own: an answer for each, or nothing is done for any.
    fn run(
        tx: Tx,
        key: &Self::Key,
        jobs: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// What is asked of one database, by what it is.
#[derive(Clone)]
pub(crate) struct Gathered {
    pub(crate) looks: Gather<Look>,
    pub(crate) additions: Gather<Addition>,
    pub(crate) changes: Gather<Change>,
    pub(crate) totals: Gather<Total>,
}

impl Gathered {
    /// Must be called on a runtime that lives as long as the store: whose request it was that made others wait may end with the
    /// thread that serves it.
    pub(crate) fn new(pool: &SessionPool<Postgres>) -> Self {
        Self {
            looks: Gather::new(pool),
            additions: Gather::new(pool),
            changes: Gather::new(pool),
            totals: Gather::new(pool),
        }
    }
}

/// Jobs of one kind, and those of them that wait.
pub(crate) struct Gather<J: Job> {
    pool: SessionPool<Postgres>,
    runtime: Handle,
    lines: Arc<Mutex<Lines<J>>>,
}

/// By key those who wait while a statement of that key is on its way.
type Lines<J> = HashMap<<J as Job>::Key, VecDeque<Asked<J>>>;
type Asked<J> = (J, oneshot::Sender<Result<<J as Job>::Answer, StoreError>>);

impl<J: Job> Clone for Gather<J> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), runtime: self.runtime.clone(), lines: self.lines.clone() }
    }
}

impl<J: Job> Gather<J> {
    fn new(pool: &SessionPool<Postgres>) -> Self {
        Self { pool: pool.clone(), runtime: Handle::current(), lines: Arc::default() }
    }

    /// Does the job, at once or with the others that wait by then. One that has to wait is done whether or not its caller stays.
    pub(crate) async fn ask(&self, key: J::Key, job: J) -> Result<J::Answer, StoreError> {
        let answered = match self.lines().entry(key.clone()) {
            Entry::Vacant(line) => {
                line.insert(VecDeque::new());
                Err(job)
            }
            Entry::Occupied(mut line) => {
                let (answer, answered) = oneshot::channel();
                line.get_mut().push_back((job, answer));
                Ok(answered)
            }
        };
        match answered {
            Ok(answered) => answered.await.map_err(|_| StoreError::Unavailable("the hub is ending".into()))?,
            Err(job) => {
                let turn = Turn { gather: self.clone(), key, begun: true };
                alone(&self.pool, &turn.key, &job).await
            }
        }
    }

    /// Whoever panicked left nothing half done: a line is changed in one go.
    fn lines(&self) -> MutexGuard<'_, Lines<J>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to send a statement of a key. However it ends, it is given to those who wait.
struct Turn<J: Job> {
    gather: Gather<J>,
    key: J::Key,
    begun: bool,
}

impl<J: Job> Turn<J> {
    async fn serve(mut self) {
        self.begun = true;
        loop {
            let (jobs, answers): (Vec<J>, Vec<_>) = self.next().into_iter().unzip();
            if jobs.is_empty() {
                return;
            }
            for (answer, result) in answers.into_iter().zip(several(&self.gather.pool, &self.key, &jobs).await) {
                // Whoever asked may be gone.
                let _ = answer.send(result);
            }
        }
    }

    /// A power of two of those who wait, so that there are few texts to be prepared.
    fn next(&self) -> Vec<Asked<J>> {
        let mut lines = self.gather.lines();
        let Some(waiting) = lines.get_mut(&self.key) else { return Vec::new() };
        match waiting.len().min(OF_ONE_STATEMENT).checked_ilog2() {
            Some(power) => waiting.drain(..1 << power).collect(),
            None => Vec::new(),
        }
    }
}

impl<J: Job> Drop for Turn<J> {
    fn drop(&mut self) {
        let mut lines = self.gather.lines();
        let somebody_waits = lines.get(&self.key).is_some_and(|waiting| !waiting.is_empty());
        // One that never began was refused by a runtime that has ended, and the next would be as well.
        if somebody_waits && self.begun {
            // Before it is spawned: it may be dropped there and then.
            drop(lines);
            let next = Self { gather: self.gather.clone(), key: self.key.clone(), begun: false };
            self.gather.runtime.spawn(next.serve());
        } else {
            // With the line go the answers that somebody may wait for.
            lines.remove(&self.key);
        }
    }
}

async fn alone<J: Job>(pool: &SessionPool<Postgres>, key: &J::Key, job: &J) -> Result<J::Answer, StoreError> {
    let answers = J::run(Tx::of_pool(pool).await?, key, std::slice::from_ref(job)).await?;
    answers.into_iter().next().ok_or_else(|| StoreError::Database("a job without an answer".into()))
}

async fn several<J: Job>(pool: &SessionPool<Postgres>, key: &J::Key, jobs: &[J]) -> Vec<Result<J::Answer, StoreError>> {
    let done = async { J::run(Tx::of_pool(pool).await?, key, jobs).await };
    match done.await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if jobs.len() == 1 => vec![Err(error)],
        // Whether it was done is not known, or the database is away: not to be done twice.
        Err(StoreError::Unavailable(why)) => jobs.iter().map(|_| Err(StoreError::Unavailable(why.clone()))).collect(),
        // One of them failed, so each of them for itself.
        Err(_) => {
            let mut results = Vec::with_capacity(jobs.len());
            for job in jobs {
                results.push(alone(pool, key, job).await);
            }
            results
        }
    }
}

/// Lists of values as relations, their parameters one after the other. The first column of each, `asked`, is the list's number.
pub(crate) struct Lists {
    pub(crate) values: Vec<Value>,
}

impl Lists {
    /// After the parameters that are there already.
    pub(crate) fn after(values: impl IntoIterator<Item = Value>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    /// One more value; what it is called.
    pub(crate) fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Lists as the rows of one relation of these columns.
    pub(crate) fn relation<L: IntoIterator<Item = Value>>(
        &mut self,
        name: &str,
        columns: &[&str],
        lists: impl Iterator<Item = L>,
    ) -> String {
        let mut rows = String::new();
        for (number, list) in lists.enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let _ = write!(rows, "{comma}({number}");
            for value in list {
                rows.push_str(", ");
                rows.push_str(&self.value(value));
            }
            rows.push(')');
        }
        format!("(VALUES {rows}) AS {name}(asked, {})", columns.join(", "))
    }
}

/// What belongs to the list that a row is about.
pub(crate) fn asked_by<'a, T>(row: &QueryResult, by_list: &'a mut [T]) -> Result<&'a mut T, StoreError> {
    let asked: i32 = row.try_get("", "asked")?;
    let place = usize::try_from(asked).unwrap_or(usize::MAX);
    by_list.get_mut(place).ok_or_else(|| StoreError::Database("an answer that nobody asked for".into()))
}

/// The values of one look: those of `$2` and on. Its key is the `SELECT` they belong to, with `{tenant}` for the tenant's id.
pub(crate) struct Look(pub(crate) Vec<Value>);

impl Job for Look {
    type Key = (TenantId, String);
    type Answer = Vec<QueryResult>;

    async fn run(tx: Tx, (tenant, select): &Self::Key, looks: &[Self]) -> Result<Vec<Self::Answer>, StoreError> {
        let mut lists = Lists::after([tenant.to_string().into()]);
        if let [Self(only)] = looks {
            lists.values.extend(only.iter().cloned());
            let look = Statement::from_sql_and_values(DbBackend::Postgres, glance(select), lists.values);
            return Ok(vec![tx.query_all_raw(look).await?]);
        }
        let width = looks.first().map_or(0, |look| look.0.len());
        let names: Vec<String> = (2..width + 2).map(|place| format!("v{place}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let p = lists.relation("p", &names, looks.iter().map(|look| look.0.iter().cloned()));
        let sql = glances(select, &p);
        let rows = tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, lists.values)).await?;
        let mut answers: Vec<Self::Answer> = looks.iter().map(|_| Vec::new()).collect();
        for row in rows {
            asked_by(&row, &mut answers)?.push(row);
        }
        Ok(answers)
    }
}

/// How many rows a source has. Its key has the `SELECT`, where `$2` is the source: whoever asks at the same time has the same answer.
pub(crate) struct Total;

impl Job for Total {
    type Key = (TenantId, SourceId, String);
    type Answer = u64;

    async fn run(tx: Tx, (tenant, source, select): &Self::Key, askers: &[Self]) -> Result<Vec<u64>, StoreError> {
        let values = [tenant.to_string().into(), source.0.into()];
        let counted = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, glance(select), values));
        let row = counted.await?.ok_or_else(|| StoreError::Database("a count without a row".into()))?;
        let total: i64 = row.try_get("", "total")?;
        Ok(vec![u64::try_from(total).unwrap_or(0); askers.len()])
    }
}

/// Where a statement that reads takes the tenant from.
const GLANCE: &str = "(SELECT CAST(set_config('app.tenant_id', $1, true) AS uuid) AS id OFFSET 0) AS tenant";

/// A statement that sets the tenant and reads.
///
/// The sub-select that sets it depends on nothing and is kept apart by its OFFSET, and the one that reads depends on it, so it
/// runs after it, and row-level security sees the tenant; were it ever otherwise, it would see none, and no row.
pub(crate) fn glance(select: &str) -> String {
    let select = select.replace("{tenant}", "tenant.id");
    format!("SELECT q.* FROM {GLANCE} CROSS JOIN LATERAL (SELECT i.* FROM ({select}) AS i OFFSET 0) AS q")
}

/// The same for each list of the relation `p`: what was a parameter is a column of it.
fn glances(select: &str, p: &str) -> String {
    let select = with_columns(&select.replace("{tenant}", "tenant.id"));
    format!(
        "SELECT q.*, p.asked FROM {GLANCE} CROSS JOIN {p} CROSS JOIN LATERAL (SELECT i.* FROM ({select}) AS i OFFSET 0) AS q"
    )
}

/// `$7` becomes `p.v7`; what is quoted stays, the paths of JSON among it.
fn with_columns(select: &str) -> String {
    let part = |(place, part): (usize, &str)| if place % 2 == 0 { part.replace('$', "p.v") } else { part.to_owned() };
    select.split('\'').enumerate().map(part).collect::<Vec<_>>().join("'")
}

#[cfg(test)]
mod tests;
