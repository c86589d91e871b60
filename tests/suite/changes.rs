//! `GET /api/v1/changes`: server-sent events that tell which lists changed, and nothing of their rows.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::answer::Answer;
use crate::decisions::change_policy;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{TIME_LIMIT, email, eventually, within};

pub(crate) fn cases() -> Vec<Case> {
    let of_several = cases![
        a_change_by_another_process_is_told,
        s7_a_key_that_another_process_revokes_ends_its_stream_within_a_second,
    ];
    let timed = cases![
        s7_a_stream_ends_with_its_key_within_a_second,
        s7_a_stream_ends_with_the_role_of_its_person_within_a_second,
    ];
    let everywhere = cases![
        a_change_is_told_without_a_row_of_it,
        plans_of_a_simulation_are_told_as_changes_of_runs,
        a_stream_goes_on_after_the_last_event_that_was_heard,
        rc22_another_tenant_s_changes_are_not_told,
        s5_a_caller_hears_of_the_lists_that_it_may_read,
        an_operator_hears_the_tenant_that_it_names,
        streams_have_a_number_and_an_ended_one_makes_room,
        a_stopping_hub_ends_its_streams_first,
    ];
    let of_several = of_several.into_iter().map(|case| case.only_on(Combination::Full).alone());
    everywhere.into_iter().chain(timed.into_iter().map(Case::alone)).chain(of_several).collect()
}

/// An event of a stream.
#[derive(Debug)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Event {
    fn lists(&self) -> BTreeSet<&str> {
        self.data["lists"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// An open stream, and everything that came by it.
struct Stream {
    response: Response,
    all: String,
    read: usize,
}

impl Stream {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.timeout(Duration::from_secs(120)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{:?}", response.headers());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, all: String::new(), read: 0 }
    }

    /// The next event; none at the end of the stream.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.all[self.read..].find("\n\n") {
                let block = self.all[self.read..self.read + end].to_owned();
                self.read += end + 2;
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.map(str::to_owned)
                };
                // A comment keeps the connection alive, and `retry` is no event.
                let Some(name) = field("event") else { continue };
                let data = serde_json::from_str(&field("data").unwrap_or_default()).unwrap();
                return Some(Event { name, id: field("id"), data });
            }
            let chunk = timeout(TIME_LIMIT, self.response.chunk()).await.expect("an event in time");
            self.all += std::str::from_utf8(&chunk.unwrap()?).unwrap();
        }
    }

    async fn expect(&mut self, name: &str) -> Event {
        let event = self.event().await.unwrap_or_else(|| panic!("the stream ended before `{name}`: {}", self.all));
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// The lists of the events up to the one that tells of this list.
    async fn until(&mut self, list: &str) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        while !told.contains(list) {
            told.extend(self.expect("changed").await.lists().into_iter().map(str::to_owned));
        }
        told
    }

    /// How long it takes until the stream is over, and why it is.
    async fn end(&mut self) -> (Duration, String) {
        let begun = Instant::now();
        loop {
            let event = self.event().await.expect("an end that is told");
            if event.name == "end" {
                assert!(self.event().await.is_none(), "nothing comes after the end");
                return (begun.elapsed(), event.data["reason"].as_str().unwrap().to_owned());
            }
        }
    }
}

fn at(base: &str, hub: &Hub, key: &str, query: &str) -> RequestBuilder {
    hub.http().get(format!("{base}/api/v1/changes{query}")).bearer_auth(key)
}

async fn open(tenant: &Tenant, query: &str) -> (Stream, Event) {
    let mut stream = Stream::open(at(&tenant.hub.people_url(), &tenant.hub, &tenant.key, query)).await;
    let opened = stream.expect("open").await;
    (stream, opened)
}

async fn a_change_is_told_without_a_row_of_it(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (mut stream, opened) = open(&tenant, "").await;
    assert!(opened.lists().is_superset(&BTreeSet::from(["members", "groups", "runs", "api-keys"])), "{opened:?}");
    let user = source.user("ann").await;
    source.group("Pilots", &[&user]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let mut told = stream.until("members").await;
    // Both may have come by one event.
    if !told.contains("groups") {
        told.extend(stream.until("groups").await);
    }
    assert!(told.contains("audit-events"), "{told:?}");
    for word in ["ann", "Pilots", &user] {
        assert!(!stream.all.contains(word), "{word} in {}", stream.all);
    }
    // The id is a place in the audit log.
    let since = opened.id.unwrap();
    let events = tenant.get(&format!("/api/v1/audit-events?cursor={since}&limit=200")).await.expect(200);
    assert!(
        events.text.contains("sharing_group.created") && !events.text.contains("tenant.created"),
        "{}",
        events.describe()
    );
}

async fn plans_of_a_simulation_are_told_as_changes_of_runs(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let (mut stream, _) = open(&tenant, "?lists=runs").await;
    source.user("ann").await;
    assert_eq!(stream.expect("changed").await.lists(), BTreeSet::from(["runs"]));
    eventually("the plan is listed", async || {
        let runs = tenant.get("/api/v1/runs?state=planned").await.expect(200);
        if runs.at("/items").as_array().map(Vec::len) == Some(1) { Ok(()) } else { Err(runs.describe()) }
    })
    .await;
}

async fn a_stream_goes_on_after_the_last_event_that_was_heard(hub: Hub) {
    let tenant = hub.tenant().create();
    let (stream, opened) = open(&tenant, "").await;
    drop(stream);
    change_policy(&tenant, "approval", json!(true)).await.expect(200);
    let base = hub.people_url();
    let again =
        |id: &str| at(&base, &hub, &tenant.key, "?lists=policy,members,domains").header("last-event-id", id.to_owned());
    let policy_is_told = async || {
        let mut resumed = Stream::open(again(opened.id.as_deref().unwrap())).await;
        resumed.expect("open").await;
        // A list ends before the oldest open transaction, so the change may be told a moment later.
        resumed.until("policy").await
    };
    // The making of the tenant is told too, when an older transaction was open at the first event.
    let told = policy_is_told().await;
    assert!(told.contains("policy") && !told.contains("domains"), "{told:?}");
    let mut lost = Stream::open(again("no such id")).await;
    lost.expect("open").await;
    assert_eq!(lost.expect("changed").await.lists(), BTreeSet::from(["policy", "members", "domains"]));
}

async fn rc22_another_tenant_s_changes_are_not_told(hub: Hub) {
    let (tenant, stranger) = (hub.tenant().create(), hub.tenant().create());
    let (mut stream, _) = open(&tenant, "").await;
    let (mut strange, _) = open(&stranger, "?lists=policy").await;
    change_policy(&stranger, "approval", json!(true)).await.expect(200);
    // The stranger has heard of it, so the tenant would have.
    strange.until("policy").await;
    tenant.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect(201);
    let told = stream.until("api-keys").await;
    assert!(!told.contains("policy"), "{told:?}");
}

async fn s5_a_caller_hears_of_the_lists_that_it_may_read(hub: Hub) {
    let tenant = hub.tenant().create();
    let made = async |body: Value| tenant.post("/api/v1/api-keys", &body).await.expect(201).text_at("/key");
    let reader = Tenant { key: made(json!({ "role": "member" })).await, ..tenant.clone() };
    let (_, opened) = open(&reader, "").await;
    let mut lists = opened.lists();
    assert!(lists.contains("members") && lists.contains("runs"), "{lists:?}");
    lists.retain(|list| ["api-keys", "domains", "sign-in-connections"].contains(list));
    assert_eq!(lists, BTreeSet::new());
    reader.get("/api/v1/changes?lists=members,api-keys").await.expect_problem(403);
    let unknown = tenant.get("/api/v1/changes?lists=everything").await.expect_problem(400).text_at("/detail");
    assert!(unknown.contains("audit-events"), "{unknown}");
    let blind = Tenant { key: made(json!({ "role": "admin", "permissions": ["members"] })).await, ..tenant.clone() };
    blind.get("/api/v1/changes").await.expect_problem(403);
    hub.get(&format!("{}/api/v1/changes", hub.people_url())).await.expect_problem(401);
}

async fn an_operator_hears_the_tenant_that_it_names(hub: Hub) {
    let tenant = hub.tenant().create();
    let made = hub.json_command(&["operator-key", "create", "--name", "billing"]);
    let key = made["key"].as_str().unwrap_or_else(|| panic!("{made}"));
    let request = at(&hub.people_url(), &hub, key, "?lists=policy").header("rollcall-tenant", &tenant.slug);
    let mut stream = Stream::open(request).await;
    stream.expect("open").await;
    change_policy(&tenant, "approval", json!(true)).await.expect(200);
    stream.until("policy").await;
    let id = made["key_id"].as_str().unwrap_or_else(|| panic!("{made}"));
    hub.json_command(&["operator-key", "revoke", "--key-id", id]);
    assert_eq!(stream.end().await.1, "credential");
}

async fn streams_have_a_number_and_an_ended_one_makes_room(hub: Hub) {
    // A quarter of four is one stream for each tenant.
    let hub = hub.another().setting("ROLLCALL_ADMIN_STREAMS_MAX", "4").start().await;
    let (tenant, other) = (hub.tenant().create(), hub.tenant().create());
    let (first, _) = open(&tenant, "").await;
    let refused = tenant.get("/api/v1/changes").await.expect_problem(429);
    assert_eq!((refused.text_at("/code").as_str(), refused.header("retry-after")), ("too_many_streams", "30"));
    let _others = open(&other, "").await;
    let metrics = hub.get(&hub.metrics_url()).await.text;
    assert!(metrics.contains("rollcall_change_streams 2"), "two are open");
    drop(first);
    let again = eventually("the first stream's room", async || {
        let answer = tenant.get("/api/v1/changes").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.describe()) }
    });
    again.await;
}

async fn a_stopping_hub_ends_its_streams_first(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().create();
    let (mut stream, _) = open(&tenant, "").await;
    let stopping = hub.clone();
    let begun = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || stopping.stop());
    assert_eq!(stream.end().await.1, "stopping");
    let statuses = stopped.await.unwrap();
    assert!(statuses.iter().all(|status| status.is_some_and(|status| status.success())), "{statuses:?}");
    // Requests that do not end have 8 seconds.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// A revocation is effective within a second. Half a one more is for a machine that runs other tests beside this.
const ENDED_WITHIN: Duration = Duration::from_millis(1_500);

async fn s7_a_stream_ends_with_its_key_within_a_second(hub: Hub) {
    let tenant = hub.tenant().create();
    let made = tenant.post("/api/v1/api-keys", &json!({ "role": "admin" })).await.expect(201);
    let keyed = Tenant { key: made.text_at("/key"), ..tenant.clone() };
    let (mut stream, _) = open(&keyed, "").await;
    tenant.send(Method::DELETE, &format!("/api/v1/api-keys/{}", made.id()), None).await.expect(204);
    let (took, why) = stream.end().await;
    assert!(why == "credential" && took < ENDED_WITHIN, "{why} after {took:?}");
    keyed.get("/api/v1/changes").await.expect_problem(401);
}

async fn s7_a_stream_ends_with_the_role_of_its_person_within_a_second(hub: Hub) {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let source = tenant.scim_source();
    source.user("ann").await;
    tenant.accept(&email("ann")).await;
    let ann = tenant.member(&email("ann")).await.unwrap().id;
    let path = format!("/api/v1/members/{ann}");
    tenant.send(Method::PATCH, &path, Some(&json!({ "role": "admin" }))).await.expect(200);
    let person = Person::sign_in(&tenant, &email("ann")).await;
    let mut stream = Stream::open(person.request(Method::GET, "/api/v1/changes")).await;
    stream.expect("open").await;
    tenant.send(Method::PATCH, &path, Some(&json!({ "role": "auditor" }))).await.expect(200);
    let (took, why) = stream.end().await;
    assert!(why == "credential" && took < ENDED_WITHIN, "{why} after {took:?}");
}

async fn a_change_by_another_process_is_told(hub: Hub) {
    let hub = hub.another().apart(1).start().await;
    let second = hub.add_admin().await;
    let tenant = hub.tenant().create();
    let mut stream = Stream::open(at(&second, &hub, &tenant.key, "?lists=policy,members")).await;
    stream.expect("open").await;
    change_policy(&tenant, "approval", json!(true)).await.expect(200);
    stream.until("policy").await;
    // A worker is another process still.
    tenant.scim_source().user("ann").await;
    stream.until("members").await;
}

async fn s7_a_key_that_another_process_revokes_ends_its_stream_within_a_second(hub: Hub) {
    let hub = hub.another().apart(1).start().await;
    let second = hub.add_admin().await;
    let tenant = hub.tenant().create();
    let made = tenant.post("/api/v1/api-keys", &json!({ "role": "admin" })).await.expect(201);
    let mut stream = Stream::open(at(&second, &hub, &made.text_at("/key"), "")).await;
    stream.expect("open").await;
    tenant.send(Method::DELETE, &format!("/api/v1/api-keys/{}", made.id()), None).await.expect(204);
    let (took, why) = stream.end().await;
    assert!(why == "credential" && took < ENDED_WITHIN, "{why} after {took:?}");
    // The other process may believe the key for half a second.
    within(ENDED_WITHIN, "the key opens no stream", async || {
        let answer = Answer::of(at(&second, &hub, &made.text_at("/key"), "")).await;
        if answer.status == 401 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
}
