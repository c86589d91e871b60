//! Fills a tenant over SCIM as an IdP would (POSTs and group PATCHes) and remembers its content for the measurements.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{
    error::BenchError,
    http::{Connection, Endpoint},
    latency::{Latency, micros},
    scenario::{ListedPage, PAGE},
    shapes,
};

/// Connections used for filling.
const FILL_CONCURRENCY: usize = 16;
/// Members in each PATCH when a group is built.
const MEMBERS_A_PATCH: usize = 500;

/// A source of some server, reachable over SCIM, and its people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tenant {
    /// Base URL of the source.
    pub(crate) endpoint: String,
    /// Bearer token.
    pub(crate) token: String,
    /// The tenant's slug, if the server has slugs (for API keys).
    pub(crate) slug: Option<String>,
    /// The series of user names: user n is `{series}.{n:07}@bench.example`.
    pub(crate) series: String,
    /// SCIM ids by number.
    pub(crate) users: Vec<String>,
}

/// Result of listing all pages.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// Every expected user was on exactly one page.
    pub(crate) each_user_once: bool,
    /// Every page named the right totalResults.
    pub(crate) total_right: bool,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl Tenant {
    pub(crate) fn new(endpoint: String, token: String, series: &str) -> Self {
        Self { endpoint, token, slug: None, series: series.to_owned(), users: Vec::new() }
    }

    pub(crate) fn address(&self) -> Result<Endpoint, BenchError> {
        Endpoint::parse(&self.endpoint, &self.token)
    }

    /// The same source, for people with other names.
    pub(crate) fn with_series(&self, series: &str) -> Self {
        Self { series: series.to_owned(), users: Vec::new(), ..self.clone() }
    }

    /// POSTs users until there are `people`; returns users per second.
    pub(crate) async fn fill(&mut self, people: u64) -> Result<f64, BenchError> {
        let (start, first) = (Instant::now(), self.users.len() as u64);
        let next = Arc::new(AtomicU64::new(first));
        let workers =
            (0..FILL_CONCURRENCY).map(|_| fill_some(self.address(), self.series.clone(), Arc::clone(&next), people));
        let mut created: Vec<(u64, String)> = try_join_all(workers).await?.into_iter().flatten().collect();
        created.sort_unstable();
        self.users.extend(created.into_iter().map(|(_, id)| id));
        Ok((people.saturating_sub(first)) as f64 / start.elapsed().as_secs_f64())
    }

    /// Creates a group of the first `size` users; returns its id and the seconds.
    pub(crate) async fn build_group(&self, name: &str, size: usize) -> Result<(String, f64), BenchError> {
        let start = Instant::now();
        let mut connection = Connection::new(self.address()?);
        let mut body = String::new();
        shapes::create_group(name, &mut body);
        let group: Created = send_json(&mut connection, "POST", "/Groups", &body).await?;
        let path = format!("/Groups/{}", group.id);
        for members in self.users[..size.min(self.users.len())].chunks(MEMBERS_A_PATCH) {
            shapes::add_members(members, &mut body);
            send(&mut connection, "PATCH", &path, &body).await?;
        }
        Ok((group.id, start.elapsed().as_secs_f64()))
    }

    /// Makes these users active again, unmeasured, so that the next cell's deactivations are real changes.
    pub(crate) async fn reactivate(&self, users: &[String]) -> Result<(), BenchError> {
        let share = users.len().div_ceil(FILL_CONCURRENCY).max(1);
        let workers = users.chunks(share).map(|users| async move {
            let (mut connection, mut body) = (Connection::new(self.address()?), String::new());
            shapes::set_active(true, &mut body);
            for user in users {
                send(&mut connection, "PATCH", &format!("/Users/{user}"), &body).await?;
            }
            Ok::<_, BenchError>(())
        });
        try_join_all(workers).await.map(drop)
    }

    /// Reads every page once and compares them with the expected users.
    pub(crate) async fn check_listing(&self) -> Result<Listing, BenchError> {
        let mut connection = Connection::new(self.address()?);
        let expected = self.users.len() as u64;
        let (mut seen, mut total_right, mut path) = (Vec::with_capacity(self.users.len()), true, String::new());
        for page in 0..expected.div_ceil(PAGE) {
            path.clear();
            let _ = write!(path, "/Users?startIndex={}&count={PAGE}", page * PAGE + 1);
            send(&mut connection, "GET", &path, "").await?;
            let page: ListedPage<'_> = serde_json::from_slice(connection.body()).map_err(BenchError::json(&path))?;
            total_right &= page.total == expected;
            seen.extend(page.rows.into_iter().map(|row| row.id.into_owned()));
        }
        let mut users = self.users.clone();
        users.sort_unstable();
        seen.sort_unstable();
        Ok(Listing { each_user_once: users == seen, total_right })
    }
}

/// Requests for each end of a list that is paged by cursor.
const ENDS: usize = 60;

/// Latency of the first and the last page of a list by cursor.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct CursorEnds {
    pub(crate) first: Latency,
    pub(crate) last: Latency,
}

#[derive(Deserialize)]
struct CursorPage {
    #[serde(rename = "nextCursor")]
    next: Option<String>,
}

impl Tenant {
    /// Walks all pages by cursor, then requests the first and the last in turn.
    pub(crate) async fn cursor_ends(&self) -> Result<CursorEnds, BenchError> {
        let mut connection = Connection::new(self.address()?);
        let first = format!("/Users?count={PAGE}&cursor=");
        let mut last = first.clone();
        while let Some(next) = send_json::<CursorPage>(&mut connection, "GET", &last, "").await?.next {
            last = format!("{first}{next}");
        }
        let mut took = [Vec::with_capacity(ENDS), Vec::with_capacity(ENDS)];
        for _ in 0..ENDS {
            for (path, took) in [&first, &last].into_iter().zip(&mut took) {
                let begun = Instant::now();
                send(&mut connection, "GET", path, "").await?;
                took.push(micros(begun.elapsed()));
            }
        }
        let [first, last] = took.map(Latency::of);
        Ok(CursorEnds { first, last })
    }
}

/// One filling worker: takes numbers until `people` are reached.
async fn fill_some(
    address: Result<Endpoint, BenchError>,
    series: String,
    next: Arc<AtomicU64>,
    people: u64,
) -> Result<Vec<(u64, String)>, BenchError> {
    let (mut connection, mut body, mut created) = (Connection::new(address?), String::new(), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= people {
            return Ok(created);
        }
        shapes::create_user(&series, number, &mut body);
        let user: Created = send_json(&mut connection, "POST", "/Users", &body).await?;
        created.push((number, user.id));
    }
}

/// A request whose refusal ends the run, because the measurement would be wrong without it.
pub(crate) async fn send(connection: &mut Connection, method: &str, path: &str, body: &str) -> Result<(), BenchError> {
    let what = || format!("{method} {path}");
    match connection.send(method, path, body.as_bytes()).await {
        Ok(200..=299) => Ok(()),
        Ok(status) => {
            let body = String::from_utf8_lossy(connection.body()).chars().take(300).collect();
            Err(BenchError::Answer { what: what(), status, body })
        }
        Err(error) => Err(BenchError::setup(format!("{}: {error}", what()))),
    }
}

/// [`send`], and the answer read as JSON.
pub(crate) async fn send_json<T: serde::de::DeserializeOwned>(
    connection: &mut Connection,
    method: &str,
    path: &str,
    body: &str,
) -> Result<T, BenchError> {
    send(connection, method, path, body).await?;
    serde_json::from_slice(connection.body()).map_err(BenchError::json(format!("{method} {path}")))
}
