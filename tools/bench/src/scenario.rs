//! The scenarios s1 to s6 of bench/README.md: the unit of each, and its requests. (s7, the full sync, has an end rather
//! than a rate: see `sync`.)

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Deserialize;

use crate::{
    http,
    load::{Failed, Step, Worker},
    shapes,
};

/// Users on each page in s6.
pub(crate) const PAGE: u64 = 100;

/// One scenario, ready to run: shared by the workers of a cell.
pub(crate) enum Scenario {
    /// s1: filter by userName (no match), then POST. Numbers are taken from `next`.
    FilterThenCreate { series: Arc<str>, next: Arc<AtomicU64> },
    /// s2: GET by id of a random user.
    GetById { ids: Arc<[String]> },
    /// s3: filter by the userName of a random existing user, who must be found.
    FilterUserName { series: Arc<str>, people: u64 },
    /// s4: PATCH active=false, each user once; runs out.
    Deactivate { ids: Vec<String>, next: AtomicU64 },
    /// s5: PATCH that adds one member to a group or removes it again; worker n uses outsider n.
    OneMember { group: String, outsiders: Vec<String> },
    /// s6: all pages of 100 in turn, repeatedly.
    ListPages { pages: u64, next: AtomicU64 },
}

/// Result of one unit.
pub(crate) enum Unit {
    /// Done; `rows` users were listed.
    Done { rows: u64 },
    /// No unit is left.
    RanOut,
}

const DONE: Result<Unit, Failed> = Ok(Unit::Done { rows: 0 });

/// The parts of a ListResponse that are checked (RFC 7644 §3.4.2).
#[derive(Deserialize)]
pub(crate) struct ListedPage<'a> {
    #[serde(rename = "totalResults")]
    pub(crate) total: u64,
    #[serde(rename = "Resources", borrow, default)]
    pub(crate) rows: Vec<Row<'a>>,
}

/// One listed resource.
#[derive(Deserialize)]
pub(crate) struct Row<'a> {
    #[serde(borrow)]
    pub(crate) id: std::borrow::Cow<'a, str>,
}

impl Scenario {
    /// True when the prepared data, not time, limits the number of units.
    pub(crate) fn runs_out(&self) -> bool {
        matches!(self, Self::Deactivate { .. })
    }

    pub(crate) async fn unit(&self, worker: &mut Worker) -> Result<Unit, Failed> {
        match self {
            Self::FilterThenCreate { series, next } => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                filter_then_create(worker, series, number).await?;
                DONE
            }
            Self::GetById { ids } => {
                let id = &ids[scatter(worker, ids.len() as u64) as usize];
                worker.path.clear();
                let _ = write!(worker.path, "/Users/{id}");
                worker.call(Step::Get, "GET", false).await?;
                DONE
            }
            Self::FilterUserName { series, people } => {
                let name = shapes::user_name(series, scatter(worker, *people));
                match find_user(worker, &name).await? {
                    Some(_) => DONE,
                    None => Err(worker.wrong(Step::Filter, "did not find the user")),
                }
            }
            Self::Deactivate { ids, next } => {
                let number = next.fetch_add(1, Ordering::Relaxed) as usize;
                let Some(id) = ids.get(number) else {
                    return Ok(Unit::RanOut);
                };
                set_active(worker, id, false).await?;
                DONE
            }
            Self::OneMember { group, outsiders } => {
                let add = worker.begun.is_multiple_of(2);
                change_member(worker, group, &outsiders[worker.number % outsiders.len()], add).await?;
                DONE
            }
            Self::ListPages { pages, next } => {
                let page = next.fetch_add(1, Ordering::Relaxed) % pages;
                let rows = list_page(worker, page).await?;
                Ok(Unit::Done { rows })
            }
        }
    }

    /// Restores the state for the next cell: in s5 every outsider is outside again. Not counted as a unit.
    pub(crate) async fn finish(&self, worker: &mut Worker) {
        if let Self::OneMember { group, outsiders } = self
            && worker.begun % 2 == 1
        {
            // A failure here is in the cell's error count already.
            let _ = change_member(worker, group, &outsiders[worker.number % outsiders.len()], false).await;
        }
    }
}

/// A number below `below`, spread evenly and repeatably over units and workers (splitmix64).
fn scatter(worker: &Worker, below: u64) -> u64 {
    let seed = worker.begun.wrapping_mul(0x1_0000).wrapping_add(worker.number as u64);
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % below.max(1)
}

/// A new person as an IdP creates one: look, find no match, create.
pub(crate) async fn filter_then_create(worker: &mut Worker, series: &str, number: u64) -> Result<(), Failed> {
    let name = shapes::user_name(series, number);
    if find_user(worker, &name).await?.is_some() {
        return Err(worker.wrong(Step::Filter, "found a person who should not exist"));
    }
    create_user(worker, series, number).await
}

/// POST /Users.
pub(crate) async fn create_user(worker: &mut Worker, series: &str, number: u64) -> Result<(), Failed> {
    worker.path.clear();
    worker.path.push_str("/Users");
    shapes::create_user(series, number, &mut worker.text);
    worker.call(Step::CreateUser, "POST", true).await
}

/// PATCH active.
pub(crate) async fn set_active(worker: &mut Worker, id: &str, active: bool) -> Result<(), Failed> {
    worker.path.clear();
    let _ = write!(worker.path, "/Users/{id}");
    shapes::set_active(active, &mut worker.text);
    worker.call(Step::PatchUser, "PATCH", true).await
}

/// GET with `userName eq`, as Okta sends it; returns the id.
async fn find_user(worker: &mut Worker, name: &str) -> Result<Option<String>, Failed> {
    worker.path.clear();
    worker.path.push_str("/Users?filter=userName%20eq%20%22");
    http::encode_query_value(name, &mut worker.path);
    worker.path.push_str("%22&startIndex=1&count=100");
    worker.call(Step::Filter, "GET", false).await?;
    match serde_json::from_slice::<ListedPage<'_>>(worker.body()) {
        Ok(page) => Ok(page.rows.first().map(|row| row.id.clone().into_owned())),
        Err(_) => Err(worker.wrong(Step::Filter, "is not a ListResponse")),
    }
}

async fn change_member(worker: &mut Worker, group: &str, user: &str, add: bool) -> Result<(), Failed> {
    worker.path.clear();
    let _ = write!(worker.path, "/Groups/{group}");
    if add {
        shapes::add_members(std::slice::from_ref(&user.to_owned()), &mut worker.text);
    } else {
        shapes::remove_member(user, &mut worker.text);
    }
    worker.call(Step::PatchGroup, "PATCH", true).await
}

/// GET of one page (0-based); returns its number of users.
async fn list_page(worker: &mut Worker, page: u64) -> Result<u64, Failed> {
    worker.path.clear();
    let _ = write!(worker.path, "/Users?startIndex={}&count={PAGE}", page * PAGE + 1);
    worker.call(Step::List, "GET", false).await?;
    match serde_json::from_slice::<ListedPage<'_>>(worker.body()) {
        Ok(page) if page.rows.is_empty() => Err(worker.wrong(Step::List, "is an empty page")),
        Ok(page) => Ok(page.rows.len() as u64),
        Err(_) => Err(worker.wrong(Step::List, "is not a ListResponse")),
    }
}
