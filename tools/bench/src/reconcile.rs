//! Latency from the IdP's write to the roster: the time from the SCIM answer until the new member is visible in
//! `/api/v1/members`, in a small and in a large tenant. Cost must follow the change, not the tenant
//! (docs/design.md#the-idea).

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::BenchError,
    http::{Connection, Endpoint, encode_query_value},
    latency::{Latency, micros},
    shapes,
    tenant::{Tenant, send, send_json},
};

/// Interval between two polls of the roster; also the resolution of the figure.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Time after which a member counts as missing.
const MISSING_AFTER: Duration = Duration::from_secs(20);
const API_PAGE: usize = 200;

/// Latencies of one tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Visibility {
    /// Members in the tenant before.
    pub(crate) members: u64,
    /// SCIM answer to visible, ms.
    pub(crate) visible: Latency,
    /// Mean duration of a reconcile by the hub's own metric, ms; `None` without metrics.
    pub(crate) reconcile_ms: Option<f64>,
    /// Pushes whose member never appeared.
    pub(crate) missing: u64,
}

#[derive(Deserialize)]
struct MemberPage {
    items: Vec<Member>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    status: String,
}

/// The read side of one tenant.
struct Roster {
    connection: Connection,
    /// Status of new members here (pending or invited), once one was seen; used as a filter with the email.
    status: Option<String>,
}

impl Roster {
    async fn page(&mut self, query: &str) -> Result<MemberPage, BenchError> {
        send_json(&mut self.connection, "GET", &format!("/api/v1/members?{query}"), "").await
    }

    /// The number of members, read page by page.
    async fn count(&mut self) -> Result<u64, BenchError> {
        let (mut count, mut query) = (0, format!("limit={API_PAGE}"));
        loop {
            let page = self.page(&query).await?;
            count += page.items.len() as u64;
            let Some(cursor) = page.next_cursor else { return Ok(count) };
            query = format!("limit={API_PAGE}&cursor=");
            encode_query_value(&cursor, &mut query);
        }
    }

    async fn wait_for(&mut self, email: &str) -> Result<bool, BenchError> {
        let (deadline, mut query) = (Instant::now() + MISSING_AFTER, "limit=1&email=".to_owned());
        encode_query_value(email, &mut query);
        if let Some(status) = &self.status {
            query.push_str("&status=");
            query.push_str(status);
        }
        while Instant::now() < deadline {
            if let Some(member) = self.page(&query).await?.items.into_iter().next() {
                self.status = Some(member.status);
                return Ok(true);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(false)
    }
}

/// One measured tenant.
pub(crate) struct Watched {
    tenant: Tenant,
    scim: Connection,
    roster: Roster,
    next: u64,
    samples: Vec<u32>,
    result: Visibility,
    reconciles: (f64, f64),
}

impl Watched {
    /// `api_url` is the hub's base, `key` an API key of the tenant.
    pub(crate) async fn open(tenant: &Tenant, api_url: &str, key: &str) -> Result<Self, BenchError> {
        let mut roster = Roster { connection: Connection::new(Endpoint::parse(api_url, key)?), status: None };
        let result = Visibility { members: roster.count().await?, ..Visibility::default() };
        let (scim, next) = (Connection::new(tenant.address()?), tenant.users.len() as u64 + 1_000_000);
        Ok(Self { tenant: tenant.clone(), scim, roster, next, samples: Vec::new(), result, reconciles: (0.0, 0.0) })
    }

    /// One push, watched until it is visible.
    pub(crate) async fn sample(&mut self, metrics: Option<&Endpoint>) -> Result<(), BenchError> {
        let before = reconcile_totals(metrics).await;
        let mut body = String::new();
        shapes::create_user(&self.tenant.series, self.next, &mut body);
        let email = shapes::user_name(&self.tenant.series, self.next);
        self.next += 1;
        send(&mut self.scim, "POST", "/Users", &body).await?;
        let answered = Instant::now();
        if self.roster.wait_for(&email).await? {
            self.samples.push(micros(answered.elapsed()));
        } else {
            self.result.missing += 1;
        }
        if let (Some(before), Some(after)) = (before, reconcile_totals(metrics).await) {
            self.reconciles.0 += after.0 - before.0;
            self.reconciles.1 += after.1 - before.1;
        }
        Ok(())
    }

    /// False once several pushes never appeared, because more of them would show nothing new.
    pub(crate) fn still_shows(&self) -> bool {
        self.result.missing < 3
    }

    pub(crate) fn finish(mut self) -> Visibility {
        self.result.visible = Latency::of(self.samples);
        self.result.reconcile_ms = (self.reconciles.1 > 0.0).then(|| self.reconciles.0 / self.reconciles.1 * 1e3);
        self.result
    }
}

/// Sum (seconds) and count of the hub's reconcile histogram over all label values.
async fn reconcile_totals(metrics: Option<&Endpoint>) -> Option<(f64, f64)> {
    let mut connection = Connection::new(metrics?.clone());
    send(&mut connection, "GET", "/metrics", "").await.ok()?;
    let text = String::from_utf8_lossy(connection.body()).into_owned();
    totals_in(&text)
}

fn totals_in(text: &str) -> Option<(f64, f64)> {
    let total = |suffix: &str| {
        let values = text.lines().filter_map(|line| {
            let name = line.split(['{', ' ']).next()?;
            let wanted = name.contains("reconcile") && name.ends_with(suffix);
            wanted.then(|| line.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        values.reduce(|a, b| a + b)
    };
    Some((total("seconds_sum")?, total("seconds_count")?))
}

/// `p50 12 ms …` for people.
pub(crate) fn describe(visibility: &Visibility) -> String {
    let mut text = String::new();
    let seen = visibility.visible;
    let _ = write!(
        text,
        "{:>7} members: visible after p50 {:.1} ms, p95 {:.1} ms (n={})",
        visibility.members, seen.p50, seen.p95, seen.count
    );
    if let Some(ms) = visibility.reconcile_ms {
        let _ = write!(text, "; reconcile itself {ms:.2} ms");
    }
    if visibility.missing > 0 {
        let _ = write!(text, "; {} NEVER SHOWED", visibility.missing);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reconcile_histogram_is_summed_over_labels() {
        let text = "# HELP x\nrollcall_reconcile_seconds_sum{lane=\"push\"} 0.5\nrollcall_reconcile_seconds_sum{lane=\"bulk\"} 1\n\
                    rollcall_reconcile_seconds_count{lane=\"push\"} 4\nrollcall_other_seconds_sum 9\n";
        assert_eq!(totals_in(text), Some((1.5, 4.0)));
        assert_eq!(totals_in("nothing 1"), None);
    }
}
