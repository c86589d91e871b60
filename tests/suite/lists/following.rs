//! Readers who follow lists while many write: they miss nothing, see nothing twice and wait a second at most (F1).

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::{join, join_all};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::rest::Tenant;
use crate::verbs::{ScimSource, TIME_LIMIT, email, eventually, operation, person};

/// Rounds of [`f1_who_follows_a_list_misses_nothing`]; `ROLLCALL_F1_ROUNDS` overrides.
const ROUNDS: u32 = 2;
const WRITERS: usize = 24;
const USERS_PER_WRITER: usize = 8;
/// A row is shown this long after its time, and one poll, at most; beside other work of the machine it may take longer.
const LATE: Duration = Duration::from_secs(1);
const LATE_BESIDE_OTHERS: Duration = Duration::from_secs(10);

/// The lists that are followed, with what identifies a row. A member is seen again when it changed.
const FOLLOWED: [(&str, &str); 5] = [
    ("audit-events", ""),
    ("audit-events", "&kind=member.suspended"),
    ("members", ""),
    ("members", "&modified_since=2020-01-01T00:00:00Z"),
    ("request-log", ""),
];

/// One reader who polls a list and goes on from the last cursor.
struct Tail {
    path: String,
    cursor: Option<String>,
    pause: Duration,
    limit: u32,
    /// The rows by id, as they were seen last, and how often each was seen.
    seen: HashMap<String, (Value, u32)>,
    latest: Duration,
}

impl Tail {
    fn new((list, filter): (&str, &str), random: &mut StdRng) -> Self {
        // From a millisecond to a second, with as many short ones as long ones.
        let pause = Duration::from_millis(10_u64.pow(random.random_range(0..4)));
        let limit = random.random_range(1..=200);
        let path = format!("/api/v1/{list}?limit={limit}{filter}");
        Self { path, cursor: None, pause, limit, seen: HashMap::new(), latest: Duration::ZERO }
    }

    /// Reads to the end of the list, as it is now.
    async fn read_on(&mut self, tenant: &Tenant) {
        loop {
            let after = self.cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = tenant.get(&format!("{}{after}", self.path)).await;
            if page.status == 503 {
                // A busy hub: any client asks again.
                return;
            }
            let page = page.expect(200);
            let now = now();
            let items = page.at("/items").as_array().cloned().unwrap_or_default();
            assert!(items.len() <= self.limit as usize, "{}", page.describe());
            for item in items {
                let id = item["id"].as_str().unwrap().to_owned();
                if let Some(at) = item["at"].as_str() {
                    self.latest = self.latest.max(now.saturating_sub(since_1970(at)));
                }
                let count = self.seen.get(&id).map_or(0, |(_, count)| *count);
                self.seen.insert(id, (item, count + 1));
            }
            self.cursor = Some(page.text_at("/resume_cursor").to_owned());
            if page.at("/next_cursor").is_null() {
                return;
            }
        }
    }

    /// Polls until a last reading after the writers' end is complete.
    async fn follow(mut self, tenant: &Tenant, ended: &std::cell::Cell<bool>) -> Self {
        let mut deadline = None;
        loop {
            let was_ended = ended.get();
            self.read_on(tenant).await;
            if was_ended {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + TIME_LIMIT);
                let all = self.all(tenant).await;
                if all.iter().all(|row| self.has(row)) {
                    return self;
                }
                let missed: Vec<&Value> = all.iter().filter(|row| !self.has(row)).collect();
                assert!(
                    Instant::now() < deadline,
                    "{}: {} missed of {}: {missed:?}",
                    self.path,
                    missed.len(),
                    all.len()
                );
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    /// The list as it is at one moment.
    async fn all(&self, tenant: &Tenant) -> Vec<Value> {
        let filter = self.path.split_once(&format!("limit={}", self.limit)).unwrap().1;
        let list = self.path.split_once('?').unwrap().0;
        tenant.list(&format!("{list}?{}", filter.trim_start_matches('&'))).await
    }

    /// Whether the row was seen as it is.
    fn has(&self, row: &Value) -> bool {
        let seen = self.seen.get(row["id"].as_str().unwrap());
        seen.is_some_and(|(seen, _)| !self.path.contains("modified_since") || seen == row)
    }

    fn expect_nothing_doubled(&self) {
        let doubled: Vec<&String> = self.seen.iter().filter(|(_, (_, count))| *count > 1).map(|(id, _)| id).collect();
        assert!(doubled.is_empty() || self.path.contains("modified_since"), "{}: doubled {doubled:?}", self.path);
    }
}

/// The time since 1970.
#[expect(clippy::disallowed_methods, reason = "it is compared with the hub's times")]
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// The time since 1970 of an RFC 3339 time in UTC.
fn since_1970(text: &str) -> Duration {
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days from the civil calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let seconds = (days - 719_468) * 86_400 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    let fraction = text[19..].trim_end_matches('Z').parse::<f64>().unwrap_or(0.0);
    Duration::from_secs(seconds) + Duration::from_secs_f64(fraction)
}

/// Asks again while the hub is busy, as identity providers do.
async fn until_done(request: impl AsyncFn() -> Answer) -> Answer {
    eventually("the hub has time", async || {
        let answer = request().await;
        if answer.status == 503 { Err(answer.describe()) } else { Ok(answer) }
    })
    .await
}

/// One writer: people come, change, leave and return.
async fn write(source: &ScimSource, writer: usize, mut random: StdRng) {
    for number in 0..USERS_PER_WRITER {
        let name = format!("w{writer}-{number}");
        let made = until_done(async || source.post("/Users", &person(&name)).await).await;
        let id = match made.status {
            // It was made, and the answer was lost.
            409 => source.find("/Users", &format!("userName eq \"{}\"", email(&name))).await.remove(0),
            _ => made.expect(201).id(),
        };
        if random.random_bool(0.5) {
            let rename = || vec![operation("replace", "displayName", json!(format!("Renamed {name}")))];
            until_done(async || source.patch(&format!("/Users/{id}"), rename()).await).await.expect_success();
        }
        if random.random_bool(0.3) {
            until_done(async || source.deactivate(&id).await).await.expect_success();
        }
    }
}

/// The acceptance of F1: 24 writers through two processes, two workers, and readers who poll a third one every millisecond to
/// every second.
pub(super) async fn f1_who_follows_a_list_misses_nothing(hub: Hub) {
    let asked = std::env::var("ROLLCALL_F1_ROUNDS").ok();
    let late_at_most = if asked.is_some() { LATE } else { LATE_BESIDE_OTHERS };
    let rounds = asked.map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    let apart = hub.another().apart(2).start().await;
    let other = match hub.combination() {
        crate::deployment::Combination::Full => apart.add_ingest().await,
        crate::deployment::Combination::Sqlite => apart.machines_url(),
    };
    let mut latest: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut rows = 0;
    for round in 0..rounds {
        let mut random = apart.randomness(&format!("round {round}"));
        let tenant = apart.tenant().policy("removal_limit.count", "1000").create();
        let source = tenant.scim_source();
        let there = ScimSource { base: source.base.replace(&apart.machines_url(), &other), ..source.clone() };
        let tails: Vec<Tail> = FOLLOWED.iter().map(|list| Tail::new(*list, &mut random)).collect();
        let pauses: Vec<Duration> = tails.iter().map(|tail| tail.pause).collect();
        let writers = (0..WRITERS).map(|writer| {
            let source = if writer % 2 == 0 { &source } else { &there };
            write(source, writer, apart.randomness(&format!("writer {round} {writer}")))
        });
        let ended = std::cell::Cell::new(false);
        let writing = async {
            join_all(writers).await;
            tenant.eventually("all are in", |members| members.len() == WRITERS * USERS_PER_WRITER).await;
            eventually("nothing waits", async || {
                let skipped = tenant.get("/api/v1/runs?limit=1&order=desc").await.expect(200);
                let recent = skipped.at("/items/0/modified_at").as_str().map(since_1970).unwrap_or_default();
                let now = now();
                if now.saturating_sub(recent) > Duration::from_secs(1) { Ok(()) } else { Err(skipped.describe()) }
            })
            .await;
            ended.set(true);
        };
        let following = join_all(tails.into_iter().map(|tail| tail.follow(&tenant, &ended)));
        let ((), tails) = join(writing, following).await;
        for ((tail, (list, filter)), pause) in tails.iter().zip(FOLLOWED).zip(pauses) {
            tail.expect_nothing_doubled();
            rows += tail.seen.len();
            // The request log is written a moment after the answers.
            if list != "request-log" && filter.is_empty() {
                let late = tail.latest.saturating_sub(pause);
                let entry = latest.entry(list).or_default();
                *entry = late.max(*entry);
            }
        }
    }
    println!("{}: {rounds} rounds, {rows} rows, none missed or doubled; late at most {latest:?}", hub.combination());
    assert!(latest.values().all(|late| *late <= late_at_most), "late: {latest:?}");
}
