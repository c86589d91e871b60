//! Pages of the lists of the REST API: the first and the last one of each, in turn. `bench/lists` fills the tenant.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::BenchError,
    http::Connection,
    latency::{Latency, micros},
    tenant::{Tenant, send, send_json},
};

/// Requests for each page.
const REQUESTS: usize = 100;
/// Rows of a page.
const LIMIT: usize = 200;

/// The measurements of one list.
#[derive(Debug, Serialize)]
pub(crate) struct ListPages {
    /// Path and filters.
    pub(crate) list: String,
    /// Rows on all pages.
    pub(crate) rows: usize,
    /// Pages.
    pub(crate) pages: usize,
    /// Latency of the first page.
    pub(crate) first: Latency,
    /// Latency of the last one.
    pub(crate) last: Latency,
    /// Latency of the first page with the newest rows first.
    pub(crate) newest: Latency,
}

#[derive(Deserialize)]
struct ApiPage {
    items: Vec<Value>,
    next_cursor: Option<String>,
}

/// Measures every list of one tenant's REST API, `http://host:port/api/v1`.
pub(crate) async fn measure(endpoint: String, key: String) -> Result<Vec<ListPages>, BenchError> {
    let tenant = Tenant::new(endpoint, key, "");
    let mut connection = Connection::new(tenant.address()?);
    let mut measured = Vec::new();
    for list in lists(&mut connection).await? {
        measured.push(list_pages(&mut connection, list).await?);
    }
    Ok(measured)
}

/// Every list, with parents and filters that the tenant has.
async fn lists(connection: &mut Connection) -> Result<Vec<String>, BenchError> {
    let mut lists: Vec<String> =
        ["/members?", "/members?status=active&", "/members?modified_since=2020-01-01T00:00:00Z&"]
            .into_iter()
            .chain([
                "/members?q=p4711&",
                "/members?contains=4711&",
                "/members?managed_by=none&",
                "/members?fields=id,email&",
            ])
            .chain(["/groups?", "/runs?", "/runs?state=held&", "/skipped-records?", "/sources?"])
            .chain(["/audit-events?", "/audit-events?kind=device.wipe_requested&", "/request-log?"])
            .map(str::to_owned)
            .collect();
    let of_first = [
        ("/groups", "/id", "/groups/{}/members?"),
        ("/runs", "/id", "/runs/{}/items?"),
        ("/sources", "/id", "/sources/{}/rejected?"),
        ("/sources", "/id", "/sources/{}/tokens?"),
        ("/sources", "/id", "/request-log?source_id={}&"),
        ("/audit-events", "/subject/id", "/audit-events?subject_id={}&"),
    ];
    for (parents, id, list) in of_first {
        let page: ApiPage = send_json(connection, "GET", &format!("{parents}?limit=1"), "").await?;
        let parent = page.items.first().and_then(|row| row.pointer(id)).and_then(Value::as_str);
        let parent = parent.ok_or_else(|| BenchError::setup(format!("the tenant has no {parents}")))?;
        lists.push(list.replace("{}", parent));
    }
    Ok(lists)
}

async fn list_pages(connection: &mut Connection, list: String) -> Result<ListPages, BenchError> {
    let first = format!("{list}limit={LIMIT}");
    let newest = format!("{first}&order=desc");
    let (mut last, mut rows, mut pages) = (first.clone(), 0, 0);
    loop {
        let page: ApiPage = send_json(connection, "GET", &last, "").await?;
        rows += page.items.len();
        pages += 1;
        let Some(next) = page.next_cursor else { break };
        last = format!("{first}&cursor={next}");
    }
    let mut took = [const { Vec::new() }; 3];
    for _ in 0..REQUESTS {
        for (path, took) in [&first, &last, &newest].into_iter().zip(&mut took) {
            let begun = Instant::now();
            send(connection, "GET", path, "").await?;
            took.push(micros(begun.elapsed()));
        }
    }
    let [first, last, newest] = took.map(Latency::of);
    Ok(ListPages { list, rows, pages, first, last, newest })
}

/// One line for each list.
pub(crate) fn table(lists: &[ListPages]) -> String {
    let mut text =
        "| list | rows | first page p50 / p95 / p99 ms | last page | newest first |\n|---|---:|---:|---:|---:|\n"
            .to_owned();
    for ListPages { list, rows, first, last, newest, .. } in lists {
        let [first, last, newest] =
            [first, last, newest].map(|page| format!("{:.1} / {:.1} / {:.1}", page.p50, page.p95, page.p99));
        let name = list.trim_end_matches(['?', '&']);
        text += &format!("| `{name}` | {rows} | {first} | {last} | {newest} |\n");
    }
    text
}
