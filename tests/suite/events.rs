//! Outgoing events as a product asks for them: the feed of a tenant, that of an operator, and the roster with its sequence.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    let everywhere = cases![
        pe16_events_come_in_commit_order_with_the_present_state,
        pe16_a_reader_who_waits_hears_soon,
        pe16_rc25_a_place_that_the_log_does_not_have_is_told,
        pe16_a_reader_who_fell_behind_is_told,
        pe16_the_roster_goes_with_a_sequence,
        pe16_no_event_is_skipped_while_many_write,
        rc22_events_are_one_tenant_s,
        pe16_an_operator_reads_the_events_of_all,
        s7_a_reader_who_waits_is_sent_away_with_its_key,
        dw3_an_invitation_is_told_to_the_product,
        dx16_a_wipe_is_asked_of_the_product,
        dx15_a_removal_is_told_and_takes_nobody_s_account,
    ];
    everywhere.into_iter().collect()
}

/// A page of a feed.
pub(crate) struct Read {
    pub(crate) events: Vec<Value>,
    pub(crate) next: String,
    pub(crate) more: bool,
}

impl Read {
    fn of(answer: Answer) -> Self {
        let answer = answer.expect(200);
        let Some(events) = answer.at("/items").as_array().cloned() else { panic!("{}", answer.describe()) };
        Self { events, next: answer.text_at("/next_after"), more: answer.at("/more").as_bool().unwrap() }
    }
}

pub(crate) async fn read(tenant: &Tenant, after: &str, query: &str) -> Read {
    let after = if after.is_empty() { String::new() } else { format!("after={after}&") };
    Read::of(tenant.get(&format!("/api/v1/events?{after}{query}")).await)
}

/// All events after a place.
pub(crate) async fn read_all(tenant: &Tenant, after: &str) -> (Vec<Value>, String) {
    let (mut events, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = read(tenant, &after, "limit=7").await;
        events.extend(page.events);
        after = page.next;
        if !page.more {
            return (events, after);
        }
    }
}

pub(crate) fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}: {value}"))
}

/// Waits until the feed has an event that fits, and returns everything up to now.
pub(crate) async fn eventually_event(tenant: &Tenant, what: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
    eventually(what, async || {
        let (events, _) = read_all(tenant, "").await;
        if events.iter().any(&fits) { Ok(events) } else { Err(format!("{events:#?}")) }
    })
    .await
}

async fn pe16_events_come_in_commit_order_with_the_present_state(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    let group = source.group("Pilots", &[&user]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let member = tenant.member(&email("ann")).await.unwrap();
    source.deactivate(&user).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    let events = eventually_event(&tenant, "the suspension", |event| kind(event) == "member.suspended").await;
    let sequences: Vec<&str> = events.iter().map(|event| text(event, "/sequence")).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    assert_eq!(sequences.iter().collect::<BTreeSet<_>>().len(), sequences.len());
    let kinds: Vec<&str> = events.iter().map(kind).collect();
    let place =
        |wanted: &str| kinds.iter().position(|kind| *kind == wanted).unwrap_or_else(|| panic!("{wanted} in {kinds:?}"));
    assert!(place("sharing_group.created") < place("sharing_group.member_added"), "{kinds:?}");
    assert!(place("sharing_group.member_added") < place("member.suspended"), "{kinds:?}");
    assert!(kinds.iter().all(|kind| !kind.starts_with("directory_") && !kind.starts_with("credential")), "{kinds:?}");
    let suspended = &events[place("member.suspended")];
    assert_eq!(text(suspended, "/data/member/id"), member.id);
    // The state is the present one, in every event about the member.
    for event in events.iter().filter(|event| event["data"]["member"].is_object()) {
        assert_eq!(text(event, "/data/member/status"), "suspended", "{event}");
    }
    let listed = tenant.get(&format!("/api/v1/members/{}", member.id)).await.expect(200);
    for (name, value) in suspended["data"]["member"].as_object().unwrap() {
        assert_eq!(listed.at(&format!("/{name}")), value, "{name}");
    }
    assert_eq!(text(suspended, "/tenant_id"), tenant.id);
    assert!(text(suspended, "/data/cause/actor").starts_with("source:"), "{suspended}");
    let added = &events[place("sharing_group.member_added")];
    assert_eq!(added["data"]["is_in_group"], json!(true), "{added}");
    assert_eq!(text(added, "/data/group/name"), "Pilots");
    let logged = tenant.get(&format!("/api/v1/audit-events?subject_id={}", member.id)).await.expect(200);
    assert!(logged.text.contains(text(suspended, "/id")), "an event has the id of its audit event");
    source.delete(&format!("/Groups/{group}")).await.expect_success();
    let events =
        eventually_event(&tenant, "the end of the group", |event| kind(event) == "sharing_group.removed").await;
    let added = events.iter().find(|event| kind(event) == "sharing_group.member_added").unwrap();
    assert_eq!((&added["data"]["is_in_group"], &added["data"]["group"]), (&json!(false), &Value::Null), "{added}");
}

async fn pe16_a_reader_who_waits_hears_soon(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let (_, after) = read_all(&tenant, "").await;
    let begun = Instant::now();
    let empty = read(&tenant, &after, "wait=1").await;
    assert!(empty.events.is_empty() && begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    let waiting = {
        let (tenant, after) = (tenant.clone(), empty.next.clone());
        tokio::spawn(async move { read(&tenant, &after, "wait=30").await })
    };
    source.user("ann").await;
    let heard = waiting.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(heard.events.iter().any(|event| event["data"]["member"]["email"] == email("ann")), "{:?}", heard.events);
    tenant.get("/api/v1/events?wait=31").await.expect_problem(400);
    tenant.get("/api/v1/events?wait=soon").await.expect_problem(400);
}

async fn pe16_rc25_a_place_that_the_log_does_not_have_is_told(hub: Hub) {
    let (tenant, other) =
        (hub.tenant().owner("boss@acme.example").create(), hub.tenant().owner("boss@acme.example").create());
    let events = eventually_event(&other, "an event", |_| true).await;
    let own = eventually_event(&tenant, "an event", |_| true).await;
    let own = text(&own[0], "/sequence");
    for (lost, why) in [
        (text(&events[0], "/sequence").to_owned(), "another tenant's"),
        (format!("7fffffffffffffff{}", unknown_id().simple()), "one of the future"),
        (format!("{}{}", &own[..16], unknown_id().simple()), "one beside an event"),
    ] {
        let told = tenant.get(&format!("/api/v1/events?after={lost}")).await.expect_problem(410);
        assert_eq!(told.text_at("/code"), "resync_required", "{why}");
        assert!(told.text_at("/detail").contains("/api/v1/exports/roster"), "{why}: {}", told.describe());
    }
    for wrong in ["x", "0", &own[1..]] {
        tenant.get(&format!("/api/v1/events?after={wrong}")).await.expect_problem(400);
    }
    read(&tenant, own, "limit=1").await;
}

async fn pe16_a_reader_who_fell_behind_is_told(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_EVENTS_KEPT_DAYS", "10").start().await;
    let tenant = hub.tenant().policy("onboarding", "federated").owner("boss@acme.example").create();
    let source = tenant.scim_source();
    source.user("ann").await;
    eventually_event(&tenant, "Ann", |event| event["data"]["member"]["email"] == email("ann")).await;
    let (_, after) = read_all(&tenant, "").await;
    let first = text(&read(&tenant, "", "limit=1").await.events[0], "/sequence").to_owned();
    let age = match hub.combination() {
        Combination::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f+00:00', at, '-20 days')",
        Combination::Full => "at - interval '20 days'",
    };
    hub.deployment().change(&format!("UPDATE audit_events SET at = {age}")).await;
    let told = tenant.get(&format!("/api/v1/events?after={first}")).await.expect_problem(410);
    assert_eq!(told.text_at("/code"), "resync_required");
    // A reader who missed nothing goes on, and one that begins gets what is kept.
    assert_eq!(read(&tenant, &after, "limit=1").await.events, Vec::<Value>::new());
    source.user("bea").await;
    let events = eventually_event(&tenant, "Bea", |event| event["data"]["member"]["email"] == email("bea")).await;
    assert!(!events.iter().any(|event| event["data"]["member"]["email"] == email("ann")), "{events:#?}");
}

async fn pe16_the_roster_goes_with_a_sequence(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cid"]).await;
    source.group("Pilots", &[&ids[0], &ids[1]]).await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    tenant.eventually_status(&email("cid"), "active").await;
    eventually("the roster is whole", async || {
        let answer = tenant.get("/api/v1/exports/roster").await.expect(200);
        assert!(answer.content_type().starts_with("application/x-ndjson"));
        let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |name: &str| lines.iter().filter(|line| line.get(name).is_some()).count();
        let end = json!({ "end": true, "members": 3, "groups": 1, "memberships": 2 });
        if lines.last() != Some(&end) {
            return Err(answer.describe());
        }
        assert_eq!((of("member"), of("group"), of("membership")), (3, 1, 2), "{lines:#?}");
        let after = text(&lines[0], "/sequence");
        read(&tenant, after, "limit=1").await;
        Ok(())
    })
    .await;
    let after = text(
        &serde_json::from_str(tenant.get("/api/v1/exports/roster").await.text.lines().next().unwrap()).unwrap(),
        "/sequence",
    )
    .to_owned();
    source.user("dan").await;
    eventually("an event after the sequence", async || {
        let (events, _) = read_all(&tenant, &after).await;
        let found = events.iter().any(|event| event["data"]["member"]["email"] == email("dan"));
        if found { Ok(()) } else { Err(format!("{events:#?}")) }
    })
    .await;
    assert!(tenant.events().await.iter().any(|event| event.kind == "export.made"));
}

/// A reader polls while several tenants and connections write; it ends with each outgoing event of the log, once, in order.
async fn pe16_no_event_is_skipped_while_many_write(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let other = hub.tenant().policy("onboarding", "federated").create();
    let sources = [tenant.scim_source(), other.scim_source()];
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let source = sources[writer % 2].clone();
            tokio::spawn(async move {
                for person in 0..12 {
                    source.user(&format!("p{writer}x{person}")).await;
                }
            })
        })
        .collect();
    let (mut seen, mut after) = (Vec::<Value>::new(), String::new());
    let wanted = 24;
    eventually("all people are heard of", async || {
        let page = read(&tenant, &after, "limit=5").await;
        after = page.next;
        seen.extend(page.events);
        let heard: BTreeSet<&str> = seen.iter().filter_map(|event| event["data"]["member"]["email"].as_str()).collect();
        if heard.len() >= wanted { Ok(()) } else { Err(format!("{} of {wanted}", heard.len())) }
    })
    .await;
    for writer in writers {
        writer.await.unwrap();
    }
    let (rest, _) = read_all(&tenant, &after).await;
    seen.extend(rest);
    let ids: Vec<&str> = seen.iter().map(|event| text(event, "/id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no event comes twice");
    let (again, _) = read_all(&tenant, "").await;
    let again: Vec<&str> = again.iter().map(|event| text(event, "/id")).collect();
    assert_eq!(ids, &again[..ids.len()], "the order is one");
    let logged: BTreeSet<String> = tenant
        .events()
        .await
        .into_iter()
        .filter(|event| event.kind.starts_with("member."))
        .map(|event| event.id)
        .collect();
    let read: BTreeSet<String> = seen
        .iter()
        .filter(|event| kind(event).starts_with("member."))
        .map(|event| text(event, "/id").to_owned())
        .collect();
    assert_eq!(read, logged);
}

async fn rc22_events_are_one_tenant_s(hub: Hub) {
    let (tenant, other) = (hub.tenant().create(), hub.tenant().owner("boss@acme.example").create());
    eventually_event(&other, "the owner", |event| kind(event) == "member.created").await;
    let (events, _) = read_all(&tenant, "").await;
    assert!(events.iter().all(|event| text(event, "/tenant_id") == tenant.id), "{events:#?}");
    tenant.get("/api/v1/operator-events").await.expect_problem(401);
    let roster = tenant.get("/api/v1/exports/roster").await.expect(200);
    assert!(!roster.text.contains("boss@acme.example"), "{}", roster.describe());
    let reader = tenant.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect(201).text_at("/key");
    let reader = Tenant { key: reader, ..tenant.clone() };
    read(&reader, "", "limit=1").await;
    reader.get("/api/v1/exports/roster").await.expect_problem(403);
    let blind = tenant.post("/api/v1/api-keys", &json!({ "role": "admin", "permissions": ["runs"] })).await.expect(201);
    let blind = Tenant { key: blind.text_at("/key"), ..tenant };
    blind.get("/api/v1/events").await.expect_problem(403);
}

fn operator(hub: &Hub, tenant: &Tenant) -> (Tenant, String) {
    let made = hub.json_command(&["operator-key", "create", "--name", "billing"]);
    let [key, id] = ["key", "key_id"].map(|name| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned());
    (Tenant { key, ..tenant.clone() }, id)
}

async fn pe16_an_operator_reads_the_events_of_all(hub: Hub) {
    let (one, two) = (hub.tenant().owner("one@acme.example").create(), hub.tenant().owner("two@acme.example").create());
    let (operator, _) = operator(&hub, &one);
    let page = async |after: &str, query: &str| {
        let after = if after.is_empty() { String::new() } else { format!("after={after}&") };
        Read::of(operator.get(&format!("/api/v1/operator-events?{after}{query}")).await)
    };
    let both: BTreeSet<String> = [&one, &two].map(|tenant| tenant.id.clone()).into();
    let (mut events, mut after) = (Vec::new(), String::new());
    eventually("both organisations are heard of", async || {
        let read = page(&after, "limit=200").await;
        after = read.next;
        events.extend(read.events);
        let heard: BTreeSet<String> = events.iter().map(|event| text(event, "/tenant_id").to_owned()).collect();
        if heard.is_superset(&both) { Ok(()) } else { Err(format!("{} events", events.len())) }
    })
    .await;
    let sequences: Vec<&str> = events.iter().map(|event| text(event, "/sequence")).collect();
    assert!(sequences.is_sorted());
    for (tenant, owner) in [(&one, "one@acme.example"), (&two, "two@acme.example")] {
        let own = events.iter().find(|event| text(event, "/tenant_id") == tenant.id).unwrap();
        assert_eq!(text(own, "/data/member/email"), owner, "{own}");
        // An event's sequence is its place in the feed of its tenant, too.
        read(tenant, text(own, "/sequence"), "limit=1").await;
        page(text(own, "/sequence"), "limit=1").await;
    }
    let lost = format!("7fffffffffffffff{}", unknown_id().simple());
    let told = operator.get(&format!("/api/v1/operator-events?after={lost}")).await.expect_problem(410);
    assert_eq!(told.text_at("/code"), "resync_required");
}

async fn s7_a_reader_who_waits_is_sent_away_with_its_key(hub: Hub) {
    let tenant = hub.tenant().create();
    let made = tenant.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect(201);
    let reader = Tenant { key: made.text_at("/key"), ..tenant.clone() };
    let (_, after) = read_all(&reader, "").await;
    let waiting = {
        let (reader, path) = (reader.clone(), format!("/api/v1/events?wait=30&after={after}"));
        tokio::spawn(async move { reader.get(&path).await })
    };
    // The key may be revoked before the call waits, which refuses it as well.
    tenant.send(reqwest::Method::DELETE, &format!("/api/v1/api-keys/{}", made.id()), None).await.expect_success();
    let begun = Instant::now();
    waiting.await.unwrap().expect_problem(401);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let (operator, id) = operator(&hub, &tenant);
    let (mut after, mut more) = (String::new(), true);
    while more {
        let cursor = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let read = Read::of(operator.get(&format!("/api/v1/operator-events?limit=200{cursor}")).await);
        (after, more) = (read.next, read.more);
    }
    hub.run_command(&["operator-key", "revoke", "--key-id", &id]).expect_success();
    operator.get(&format!("/api/v1/operator-events?wait=5&after={after}")).await.expect_problem(401);
}

async fn dw3_an_invitation_is_told_to_the_product(hub: Hub) {
    let tenant = hub.tenant().create();
    tenant.scim_source().user("ann").await;
    let is_invited =
        |event: &Value| kind(event) == "member.invited" && event["data"]["member"]["email"] == email("ann");
    let events = eventually_event(&tenant, "the invitation", is_invited).await;
    let invited = events.iter().find(|event| is_invited(event)).unwrap();
    assert_eq!(text(invited, "/data/member/status"), "invited", "{invited}");
    tenant.accept(&email("ann")).await;
    let is_active = |event: &Value| kind(event) == "member.activated" && event["data"]["member"]["status"] == "active";
    eventually_event(&tenant, "the acceptance", is_active).await;
}

async fn dx16_a_wipe_is_asked_of_the_product(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").policy("wipe_on_suspend", "true").create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
    source.deactivate(&ann).await.expect_success();
    let events = eventually_event(&tenant, "the wipe", |event| kind(event) == "device.wipe_requested").await;
    let wipe = events.iter().find(|event| kind(event) == "device.wipe_requested").unwrap();
    assert_eq!(text(wipe, "/data/member/email"), email("ann"));
    assert_eq!(text(wipe, "/data/member/status"), "suspended");
}

async fn dx15_a_removal_is_told_and_takes_nobody_s_account(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").policy("on_deleted", "remove").create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
    source.delete(&format!("/Users/{ann}")).await.expect_success();
    let events = eventually_event(&tenant, "the removal", |event| kind(event) == "member.removed").await;
    let removed = events.iter().find(|event| kind(event) == "member.removed").unwrap();
    // The account is held: the product still reads whose it was.
    assert_eq!(text(removed, "/data/member/status"), "removed", "{removed}");
    assert_eq!(text(removed, "/data/member/email"), email("ann"));
    let roster = tenant.get("/api/v1/exports/roster").await.expect(200);
    assert!(!roster.text.contains(&email("ann")), "{}", roster.describe());
}
