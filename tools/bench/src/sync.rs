//! s7: a first full sync as an IdP does it. For each person filter and POST, then groups, then a PATCH that adds the
//! group's members. It has an end, so it is timed; a cap stops slow targets, and the rest is extrapolated and marked so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    error::BenchError,
    http::Connection,
    latency::{Latency, micros},
    shapes,
    tenant::{Tenant, send, send_json},
};

/// The size of a sync.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SyncPlan {
    pub(crate) people: u64,
    pub(crate) groups: u64,
    pub(crate) members_a_group: u64,
    pub(crate) concurrency: usize,
    /// Each of the two phases (people, groups) stops here.
    pub(crate) cap: Duration,
}

/// Result of a sync.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SyncResult {
    /// Seconds for everything; extrapolated when capped.
    pub(crate) seconds: f64,
    /// Seconds for the people.
    pub(crate) people_seconds: f64,
    /// Seconds for the groups and their members.
    pub(crate) group_seconds: f64,
    /// A phase hit its cap: the seconds above are extrapolated from the completed part.
    pub(crate) extrapolated: bool,
    /// Latency of the PATCH that adds a group's members.
    pub(crate) add_members: Latency,
    /// Requests that failed.
    pub(crate) errors: u64,
    /// One of them.
    pub(crate) example_error: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "totalResults")]
    total: u64,
}

/// State shared by the workers of a phase.
struct Phase {
    next: AtomicU64,
    done: AtomicU64,
    goal: u64,
    deadline: Instant,
}

impl Phase {
    fn new(goal: u64, cap: Duration) -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(0), done: AtomicU64::new(0), goal, deadline: Instant::now() + cap })
    }

    fn take(&self) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.goal && Instant::now() < self.deadline).then_some(number)
    }

    /// Seconds for the whole goal, and whether they are extrapolated.
    fn total(&self, start: Instant) -> (f64, bool) {
        let (seconds, done) = (start.elapsed().as_secs_f64(), self.done.load(Ordering::Relaxed));
        if done >= self.goal { (seconds, false) } else { (seconds * self.goal as f64 / done.max(1) as f64, true) }
    }
}

/// Result of one worker: created ids with their number, latencies of the member PATCHes, failures.
#[derive(Default)]
struct Done {
    ids: Vec<(u64, String)>,
    patches: Vec<u32>,
    errors: u64,
    example: Option<String>,
}

impl Done {
    fn record<T>(&mut self, outcome: Result<T, BenchError>) -> Option<T> {
        outcome
            .map_err(|error| {
                self.errors += 1;
                self.example.get_or_insert_with(|| error.to_string());
            })
            .ok()
    }
}

/// Syncs into an empty tenant.
pub(crate) async fn full_sync(tenant: &Tenant, plan: SyncPlan) -> Result<SyncResult, BenchError> {
    let mut result = SyncResult::default();
    let (start, phase) = (Instant::now(), Phase::new(plan.people, plan.cap));
    let workers = (0..plan.concurrency).map(|_| sync_people(tenant, Arc::clone(&phase)));
    let people = merge(join_all(workers).await, &mut result)?;
    let capped;
    (result.people_seconds, capped) = phase.total(start);
    let mut users: Vec<(u64, String)> = people.ids;
    users.sort_unstable();
    let users: Vec<String> = users.into_iter().map(|(_, id)| id).collect();

    let (start, phase) = (Instant::now(), Phase::new(plan.groups, plan.cap));
    let workers =
        (0..plan.concurrency).map(|_| sync_groups(tenant, Arc::clone(&phase), &users, plan.members_a_group as usize));
    let groups = merge(join_all(workers).await, &mut result)?;
    let groups_capped;
    (result.group_seconds, groups_capped) = phase.total(start);
    result.add_members = Latency::of(groups.patches);
    result.extrapolated = capped || groups_capped;
    result.seconds = result.people_seconds + result.group_seconds;
    Ok(result)
}

fn merge(workers: Vec<Result<Done, BenchError>>, result: &mut SyncResult) -> Result<Done, BenchError> {
    let mut all = Done::default();
    for worker in workers {
        let done = worker?;
        all.ids.extend(done.ids);
        all.patches.extend(done.patches);
        result.errors += done.errors;
        result.example_error = result.example_error.take().or(done.example);
    }
    Ok(all)
}

async fn sync_people(tenant: &Tenant, phase: Arc<Phase>) -> Result<Done, BenchError> {
    let (mut connection, mut done, mut body) = (Connection::new(tenant.address()?), Done::default(), String::new());
    while let Some(number) = phase.take() {
        let mut path = "/Users?filter=userName%20eq%20%22".to_owned();
        crate::http::encode_query_value(&shapes::user_name(&tenant.series, number), &mut path);
        path.push_str("%22&startIndex=1&count=100");
        let found: Result<Found, _> = send_json(&mut connection, "GET", &path, "").await;
        if done.record(found).is_none_or(|found| found.total != 0) {
            continue;
        }
        shapes::create_user(&tenant.series, number, &mut body);
        let created: Result<Created, _> = send_json(&mut connection, "POST", "/Users", &body).await;
        if let Some(user) = done.record(created) {
            done.ids.push((number, user.id));
            phase.done.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(done)
}

async fn sync_groups(tenant: &Tenant, phase: Arc<Phase>, users: &[String], size: usize) -> Result<Done, BenchError> {
    let (mut connection, mut done, mut body) = (Connection::new(tenant.address()?), Done::default(), String::new());
    while let Some(number) = phase.take() {
        shapes::create_group(&format!("{} group {number:03}", tenant.series), &mut body);
        let created: Result<Created, _> = send_json(&mut connection, "POST", "/Groups", &body).await;
        let Some(group) = done.record(created) else {
            continue;
        };
        let first = (number as usize * size) % users.len().max(1);
        shapes::add_members(&users[first..users.len().min(first + size)], &mut body);
        let start = Instant::now();
        let added = send(&mut connection, "PATCH", &format!("/Groups/{}", group.id), &body).await;
        if done.record(added).is_some() {
            done.patches.push(micros(start.elapsed()));
            phase.done.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(done)
}
