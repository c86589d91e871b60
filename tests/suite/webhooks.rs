//! Webhooks against a real receiver: signatures, order, retries, replays, and addresses that are never called.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::events::{eventually_event, read_all};
use crate::hub::{Hub, HubBuilder};
use crate::receiver::{Got, Manner, Receiver};
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually, unknown_id, within};

pub(crate) fn cases() -> Vec<Case> {
    let timed = cases![pe16_an_endpoint_that_hangs_delays_no_other];
    let everywhere = cases![
        pe16_messages_are_signed_and_come_in_order,
        pe16_a_new_secret_overlaps_the_former_one,
        pe16_an_endpoint_hears_of_the_kinds_of_its_filter,
        pe16_a_failed_event_comes_again_before_the_next_ones,
        pe16_a_redirect_is_a_failure_and_is_not_followed,
        pe16_an_endpoint_that_is_gone_is_disabled_and_told,
        pe16_an_endpoint_that_fails_for_days_is_disabled,
        pe16_an_endpoint_that_fell_behind_is_stopped_and_not_skipped,
        pe16_events_are_replayed_one_by_one_in_ranges_and_from_a_place,
        pe16_a_paused_endpoint_gets_its_events_later,
        pe16_a_killed_worker_skips_nothing,
        pe16_a_test_tells_the_answer,
        pe16_private_addresses_are_refused_in_every_spelling,
        s6_endpoints_have_a_quota,
        rc22_webhooks_are_one_tenant_s,
        pe16_secrets_are_shown_once_and_sealed,
    ];
    let of_broker = cases![pe16_the_exchange_gets_the_events_of_all_in_order];
    let of_broker = of_broker.into_iter().map(|case| case.only_on(Combination::Full));
    timed.into_iter().map(Case::alone).chain(everywhere).chain(of_broker).collect()
}

/// Thirty-two bytes in base64.
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A hub that calls the receivers of this machine.
fn local(hub: &Hub) -> HubBuilder {
    hub.another().setting("ROLLCALL_WEBHOOKS_PRIVATE_ADDRESSES", "true").setting("ROLLCALL_SEALING_KEYS", SEALING_KEY)
}

/// An endpoint of a tenant.
struct Endpoint {
    tenant: Tenant,
    id: String,
    secret: String,
}

impl Endpoint {
    async fn create(tenant: &Tenant, body: &Value) -> Self {
        let made = tenant.post("/api/v1/webhooks", body).await.expect(201);
        Self { tenant: tenant.clone(), id: made.id(), secret: made.text_at("/secret") }
    }

    async fn to(tenant: &Tenant, receiver: &Receiver) -> Self {
        Self::create(tenant, &json!({ "endpoint": receiver.url() })).await
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/webhooks/{}{rest}", self.id)
    }

    async fn post(&self, rest: &str, body: &Value) -> Answer {
        self.tenant.post(&self.path(rest), body).await
    }

    async fn shown(&self) -> Answer {
        self.tenant.get(&self.path("")).await.expect(200)
    }

    async fn eventually(&self, what: &str, fits: impl Fn(&Answer) -> bool) -> Answer {
        eventually(what, async || {
            let shown = self.shown().await;
            if fits(&shown) { Ok(shown) } else { Err(shown.describe()) }
        })
        .await
    }

    async fn attempts(&self) -> Vec<Value> {
        self.tenant.list(&self.path("/deliveries")).await
    }
}

fn verify(secret: &str, got: &Got) {
    Webhook::new(secret)
        .unwrap()
        .verify(got.body.as_bytes(), &got.headers)
        .unwrap_or_else(|error| panic!("{error}: {got:?}"));
}

/// Waits until the receiver has got a message that fits.
async fn eventually_got(receiver: &Receiver, what: &str, fits: impl Fn(&Got) -> bool) -> Vec<Got> {
    eventually(what, async || {
        let got = receiver.got();
        if got.iter().any(&fits) { Ok(got) } else { Err(format!("{got:#?}")) }
    })
    .await
}

fn is_about(got: &Got, name: &str) -> bool {
    got.json()["data"]["member"]["email"] == email(name)
}

fn federated(hub: &Hub) -> Tenant {
    hub.tenant().policy("onboarding", "federated").create()
}

/// The receiver got what the feed has, in its order, each at least once; repetitions come at once, as after a crash.
async fn expect_same_as_feed(tenant: &Tenant, receiver: &Receiver) {
    let (events, _) = read_all(tenant, "").await;
    let wanted: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    let mut first = Vec::new();
    for got in receiver.got() {
        let id = got.id();
        if !first.contains(&id) {
            first.push(id);
        }
    }
    assert_eq!(first, wanted, "{events:#?}");
}

async fn pe16_messages_are_signed_and_come_in_order(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let source = tenant.scim_source();
    let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    let mut ids = Vec::new();
    for name in &names {
        ids.push(source.user(name).await);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    source.group("Pilots", &ids).await;
    source.deactivate(ids[0]).await.expect_success();
    tenant.eventually_status(&email("p0"), "suspended").await;
    let got = eventually_got(&receiver, "the suspension", |got| got.kind() == "member.suspended").await;
    for got in &got {
        verify(&endpoint.secret, got);
        assert_eq!((got.signatures(), got.headers["content-type"].to_str().unwrap()), (1, "application/json"));
        assert_eq!(got.id(), got.json()["id"].as_str().unwrap());
    }
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert!(Webhook::new(other).unwrap().verify(got[0].body.as_bytes(), &got[0].headers).is_err());
    let sequences: Vec<String> = got.iter().map(Got::sequence).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    eventually("everything is delivered", async || {
        let (events, _) = read_all(&tenant, "").await;
        let got = receiver.got();
        if got.len() >= events.len() { Ok(()) } else { Err(format!("{} of {}", got.len(), events.len())) }
    })
    .await;
    expect_same_as_feed(&tenant, &receiver).await;
    let shown = endpoint.eventually("it has come to the end", |shown| shown.at("/last_status") == 200).await;
    assert_eq!((shown.at("/status"), shown.at("/failures")), (&json!("active"), &json!(0)));
    let attempts = endpoint.attempts().await;
    assert!(
        attempts.iter().all(|attempt| attempt["outcome"] == "delivered" && attempt["answer"] == "status 200"),
        "{attempts:#?}"
    );
    let known: BTreeSet<&str> = attempts.iter().filter_map(|attempt| attempt["event_id"].as_str()).collect();
    assert!(known.contains(got[0].id().as_str()));
}

async fn pe16_a_new_secret_overlaps_the_former_one(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let source = tenant.scim_source();
    let rotated = endpoint.post("/rotate", &json!({})).await.expect(200);
    let second = rotated.text_at("/secret");
    assert!(second != endpoint.secret && rotated.at("/former_secret_until").is_string(), "{}", rotated.describe());
    source.user("ann").await;
    let got = eventually_got(&receiver, "Ann", |got| is_about(got, "ann")).await;
    let of_ann = got.iter().find(|got| is_about(got, "ann")).unwrap();
    assert_eq!(of_ann.signatures(), 2);
    verify(&endpoint.secret, of_ann);
    verify(&second, of_ann);
    let third = endpoint.post("/rotate", &json!({ "overlap_seconds": 0 })).await.expect(200).text_at("/secret");
    source.user("bea").await;
    let got = eventually_got(&receiver, "Bea", |got| is_about(got, "bea")).await;
    let of_bea = got.iter().find(|got| is_about(got, "bea")).unwrap();
    assert_eq!(of_bea.signatures(), 1);
    verify(&third, of_bea);
    assert!(Webhook::new(&second).unwrap().verify(of_bea.body.as_bytes(), &of_bea.headers).is_err());
    endpoint.post("/rotate", &json!({ "overlap_seconds": 700_000 })).await.expect_problem(400);
}

async fn pe16_an_endpoint_hears_of_the_kinds_of_its_filter(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let kinds = json!(["member.suspended", "member.restored"]);
    let endpoint = Endpoint::create(&tenant, &json!({ "endpoint": receiver.url(), "kinds": kinds })).await;
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
    source.deactivate(&ann).await.expect_success();
    let got = eventually_got(&receiver, "the suspension", |got| got.kind() == "member.suspended").await;
    assert_eq!(got.len(), 1, "{got:#?}");
    let tag = endpoint.shown().await.header("etag").to_owned();
    let url = format!("{}{}", hub.people_url(), endpoint.path(""));
    let change = |kinds: Value| {
        hub.http().patch(&url).bearer_auth(&tenant.key).header("if-match", &tag).json(&json!({ "kinds": kinds }))
    };
    let changed = Answer::of(change(Value::Null)).await.expect(200);
    Answer::of(change(json!(["member.invited"]))).await.expect_problem(412);
    assert_eq!(changed.at("/kinds"), &Value::Null);
    source.user("bea").await;
    eventually_got(&receiver, "Bea", |got| is_about(got, "bea")).await;
    for kinds in [json!([]), json!(["policy.changed"]), json!(["member.eaten"]), json!("member.suspended")] {
        tenant
            .post("/api/v1/webhooks", &json!({ "endpoint": receiver.url(), "kinds": kinds }))
            .await
            .expect_problem(400);
    }
}

async fn pe16_a_failed_event_comes_again_before_the_next_ones(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    receiver.answers(Manner::Status(503));
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let source = tenant.scim_source();
    for name in ["ann", "bea", "cid"] {
        source.user(name).await;
    }
    let shown = endpoint.eventually("a failure", |shown| shown.at("/failures").as_u64() >= Some(1)).await;
    assert_eq!((shown.at("/last_status"), shown.at("/status")), (&json!(503), &json!("active")));
    assert!(shown.at("/failing_since").is_string() && shown.at("/retry_at").is_string(), "{}", shown.describe());
    let first = receiver.got()[0].id();
    endpoint.eventually("a second attempt", |shown| shown.at("/failures").as_u64() >= Some(2)).await;
    assert!(receiver.got().iter().all(|got| got.id() == first), "nothing overtakes the event that failed");
    receiver.answers(Manner::Status(204));
    // A mended receiver need not wait for the next attempt.
    endpoint.post("/resume", &json!({})).await.expect(200);
    eventually_got(&receiver, "Cid", |got| is_about(got, "cid")).await;
    let shown = endpoint.eventually("the failures are over", |shown| shown.at("/failures") == 0).await;
    assert!(shown.at("/failing_since").is_null() && shown.at("/last_error").is_null(), "{}", shown.describe());
    let (events, _) = read_all(&tenant, "").await;
    eventually("all is delivered", async || {
        let ids: BTreeSet<String> = receiver.got().iter().map(Got::id).collect();
        if ids.len() >= events.len() { Ok(()) } else { Err(format!("{} of {}", ids.len(), events.len())) }
    })
    .await;
    expect_same_as_feed(&tenant, &receiver).await;
    let attempts = endpoint.attempts().await;
    let of_first: Vec<&Value> = attempts.iter().filter(|attempt| attempt["event_id"] == first.as_str()).collect();
    assert!(of_first.len() >= 3, "{attempts:#?}");
    assert_eq!((&of_first[0]["outcome"], &of_first[0]["answer"]), (&json!("failed"), &json!("status 503")));
    assert_eq!((&of_first[0]["attempt"], &of_first[1]["attempt"]), (&json!(1), &json!(2)));
    let failed = tenant.get(&endpoint.path("/deliveries?outcome=failed")).await.expect(200);
    assert!(failed.at("/items").as_array().unwrap().iter().all(|attempt| attempt["outcome"] == "failed"));
}

async fn pe16_a_redirect_is_a_failure_and_is_not_followed(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver, elsewhere) = (federated(&hub), Receiver::start().await, Receiver::start().await);
    receiver.answers(Manner::Redirect(elsewhere.url()));
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    tenant.scim_source().user("ann").await;
    let shown = endpoint.eventually("a failure", |shown| shown.at("/last_status") == 307).await;
    assert!(shown.text_at("/last_error").contains("307"), "{}", shown.describe());
    assert!(elsewhere.got().is_empty());
}

async fn pe16_an_endpoint_that_is_gone_is_disabled_and_told(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    receiver.answers(Manner::Status(410));
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let source = tenant.scim_source();
    source.user("ann").await;
    let shown = endpoint.eventually("it is disabled", |shown| shown.at("/status") == "disabled").await;
    assert_eq!((shown.at("/disabled_reason"), shown.at("/retry_at")), (&json!("gone"), &Value::Null));
    let events = tenant.events().await;
    let told = events.iter().find(|event| event.kind == "webhook.disabled").expect("a notice");
    assert_eq!(told.subject.id, endpoint.id);
    let sent = receiver.got().len();
    receiver.answers(Manner::Status(200));
    source.user("bea").await;
    eventually_event(&tenant, "Bea", |event| event["data"]["member"]["email"] == email("bea")).await;
    assert_eq!(receiver.got().len(), sent);
    endpoint.post("/resume", &json!({})).await.expect(200);
    eventually_got(&receiver, "Bea", |got| is_about(got, "bea")).await;
    expect_same_as_feed(&tenant, &receiver).await;
}

/// Moves times of the endpoints of a hub into the past.
async fn age(hub: &Hub, column: &str, days: u32) {
    let earlier = match hub.combination() {
        Combination::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', {column}, '-{days} days')"),
        Combination::Full => format!("{column} - interval '{days} days'"),
    };
    hub.deployment().change(&format!("UPDATE webhook_endpoints SET {column} = {earlier}")).await;
}

async fn pe16_an_endpoint_that_fails_for_days_is_disabled(hub: Hub) {
    let hub = local(&hub).setting("ROLLCALL_WEBHOOKS_GIVE_UP_DAYS", "3").start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    receiver.answers(Manner::Status(500));
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    tenant.scim_source().user("ann").await;
    endpoint.eventually("a failure", |shown| shown.at("/failures").as_u64() >= Some(1)).await;
    age(&hub, "failing_since", 2).await;
    let failures = endpoint.shown().await.at("/failures").as_u64();
    let shown = endpoint.eventually("one more attempt", |shown| shown.at("/failures").as_u64() > failures).await;
    assert_eq!(shown.at("/status"), "active");
    age(&hub, "failing_since", 2).await;
    age(&hub, "retry_at", 1).await;
    let shown = endpoint.eventually("it is disabled", |shown| shown.at("/status") == "disabled").await;
    assert_eq!(shown.at("/disabled_reason"), "failing");
    assert!(tenant.events().await.iter().any(|event| event.kind == "webhook.disabled"));
}

async fn pe16_an_endpoint_that_fell_behind_is_stopped_and_not_skipped(hub: Hub) {
    let hub = local(&hub).setting("ROLLCALL_EVENTS_KEPT_DAYS", "10").start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    endpoint.post("/pause", &json!({})).await.expect(200);
    let source = tenant.scim_source();
    source.user("ann").await;
    eventually_event(&tenant, "Ann", |event| event["data"]["member"]["email"] == email("ann")).await;
    let earlier = match hub.combination() {
        Combination::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f+00:00', at, '-20 days')",
        Combination::Full => "at - interval '20 days'",
    };
    hub.deployment().change(&format!("UPDATE audit_events SET at = {earlier}")).await;
    source.user("bea").await;
    eventually_event(&tenant, "Bea", |event| event["data"]["member"]["email"] == email("bea")).await;
    endpoint.post("/resume", &json!({})).await.expect(200);
    let shown = endpoint.eventually("it is stopped", |shown| shown.at("/status") == "disabled").await;
    assert_eq!(shown.at("/disabled_reason"), "resync_required");
    assert!(receiver.got().is_empty());
    // The product reads the roster, and its admin lets the endpoint go on from there.
    let old = shown.text_at("/after");
    endpoint.post("/replay", &json!({ "after": old })).await.expect_problem(410);
    let (events, _) = read_all(&tenant, "").await;
    let kept = events[0]["sequence"].as_str().unwrap();
    endpoint.post("/replay", &json!({ "after": kept })).await.expect(202);
    endpoint.post("/resume", &json!({})).await.expect(200);
    source.user("cid").await;
    eventually_got(&receiver, "Cid", |got| is_about(got, "cid")).await;
}

async fn pe16_events_are_replayed_one_by_one_in_ranges_and_from_a_place(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let source = tenant.scim_source();
    for name in ["ann", "bea", "cid"] {
        source.user(name).await;
    }
    eventually_got(&receiver, "Cid", |got| is_about(got, "cid")).await;
    let (events, _) = read_all(&tenant, "").await;
    let sequence = |place: usize| events[place]["sequence"].as_str().unwrap();
    let times = |event: &Value| {
        let id = event["id"].as_str().unwrap();
        receiver.got().iter().filter(|got| got.id() == id).count()
    };
    let all_times = |wanted: &[usize]| {
        let seen: Vec<usize> = events.iter().map(times).collect();
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
    };
    let last = events.len() - 1;
    let mut wanted = vec![1; events.len()];
    eventually("each came once", async || all_times(&wanted)).await;
    endpoint.post("/replay", &json!({ "sequence": sequence(1) })).await.expect(202);
    wanted[1] += 1;
    eventually("one came again", async || all_times(&wanted)).await;
    endpoint.post("/replay", &json!({ "after": sequence(0), "until": sequence(2) })).await.expect(202);
    wanted[1] += 1;
    wanted[2] += 1;
    eventually("a range came again", async || all_times(&wanted)).await;
    endpoint.post("/replay", &json!({ "after": sequence(0) })).await.expect(202);
    wanted[1..=last].iter_mut().for_each(|times| *times += 1);
    eventually("everything after came again", async || all_times(&wanted)).await;
    let purposes: BTreeSet<String> =
        endpoint.attempts().await.iter().map(|attempt| attempt["purpose"].as_str().unwrap().to_owned()).collect();
    assert_eq!(purposes, BTreeSet::from(["event".to_owned(), "replay".to_owned()]));
    for got in receiver.got() {
        verify(&endpoint.secret, &got);
    }
    let (gone, one) = (format!("{}{}", &sequence(0)[..16], unknown_id().simple()), sequence(1));
    for (body, status) in [
        (json!({}), 400),
        (json!({ "sequence": one, "after": one }), 400),
        (json!({ "until": one }), 400),
        (json!({ "after": sequence(2), "until": one }), 400),
        (json!({ "sequence": "x" }), 400),
        (json!({ "sequence": gone }), 410),
    ] {
        endpoint.post("/replay", &body).await.expect_problem(status);
    }
}

async fn pe16_a_paused_endpoint_gets_its_events_later(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let paused = endpoint.post("/pause", &json!({})).await.expect(200);
    assert_eq!(paused.at("/status"), "paused");
    tenant.scim_source().user("ann").await;
    eventually_event(&tenant, "Ann", |event| event["data"]["member"]["email"] == email("ann")).await;
    assert!(receiver.got().is_empty());
    endpoint.post("/resume", &json!({})).await.expect(200);
    eventually_got(&receiver, "Ann", |got| is_about(got, "ann")).await;
    expect_same_as_feed(&tenant, &receiver).await;
    let kinds = tenant.kinds_about(&endpoint.id).await;
    assert_eq!(kinds, ["webhook.created", "webhook.updated", "webhook.updated"]);
    tenant.send(Method::DELETE, &endpoint.path(""), None).await.expect(204);
    tenant.get(&endpoint.path("")).await.expect_problem(404);
    tenant.get(&endpoint.path("/deliveries")).await.expect_problem(404);
}

/// Kills and starts the workers while events go out. What comes is in order, but for repetitions after a crash, and complete.
async fn pe16_a_killed_worker_skips_nothing(hub: Hub) {
    let hub = local(&hub).apart(2).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    Endpoint::to(&tenant, &receiver).await;
    let source = tenant.scim_source();
    for round in 0..3 {
        for person in 0..8 {
            source.user(&format!("p{round}x{person}")).await;
        }
        hub.crash_worker().await;
    }
    source.user("last").await;
    within(Duration::from_secs(90), "the last one is heard of", async || {
        let got = receiver.got();
        if got.iter().any(|got| is_about(got, "last")) { Ok(()) } else { Err(format!("{} messages", got.len())) }
    })
    .await;
    let (events, _) = read_all(&tenant, "").await;
    eventually("all is delivered", async || {
        let ids: BTreeSet<String> = receiver.got().iter().map(Got::id).collect();
        if ids.len() >= events.len() { Ok(()) } else { Err(format!("{} of {}", ids.len(), events.len())) }
    })
    .await;
    expect_same_as_feed(&tenant, &receiver).await;
}

async fn pe16_an_endpoint_that_hangs_delays_no_other(hub: Hub) {
    let hub = local(&hub).start().await;
    let receiver = Receiver::start().await;
    let (hanging, dripping) = (Receiver::start().await, Receiver::start().await);
    hanging.answers(Manner::Hang);
    dripping.answers(Manner::Drip);
    let (tenant, neighbour) = (federated(&hub), federated(&hub));
    for bad in [&hanging, &dripping].into_iter().cycle().take(8) {
        Endpoint::to(&tenant, bad).await;
    }
    let good = Endpoint::to(&tenant, &receiver).await;
    let other = Receiver::start().await;
    Endpoint::to(&neighbour, &other).await;
    let (source, beside) = (tenant.scim_source(), neighbour.scim_source());
    source.user("ann").await;
    eventually_got(&receiver, "Ann", |got| is_about(got, "ann")).await;
    eventually("they hang", async || {
        let count = hanging.got().len();
        if count >= 4 { Ok(()) } else { Err(format!("{count}")) }
    })
    .await;
    beside.user("bea").await;
    neighbour.eventually_status(&email("bea"), "active").await;
    let begun = Instant::now();
    eventually_got(&other, "Bea", |got| is_about(got, "bea")).await;
    source.user("cid").await;
    eventually_got(&receiver, "Cid", |got| is_about(got, "cid")).await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let shown = good.shown().await;
    assert_eq!(shown.at("/failures"), 0);
    let slow = eventually("a slow answer is a failure", async || {
        let listed = tenant.get("/api/v1/webhooks").await.expect(200);
        let items = listed.at("/items").as_array().cloned().unwrap();
        let failed: Vec<Value> = items.into_iter().filter(|one| one["failures"] != 0).collect();
        if failed.len() >= 8 { Ok(failed) } else { Err(listed.describe()) }
    })
    .await;
    assert!(slow.iter().all(|one| one["last_error"].as_str().is_some_and(|why| why.contains("answer"))), "{slow:#?}");
}

async fn pe16_a_test_tells_the_answer(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, receiver) = (federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let tested = endpoint.post("/test", &json!({})).await.expect(200);
    assert_eq!((tested.at("/outcome"), tested.at("/answer_status")), (&json!("delivered"), &json!(200)));
    assert_eq!(tested.text_at("/answer"), "status 200");
    let got = receiver.got();
    assert_eq!((got.len(), got[0].kind()), (1, "webhook.test".to_owned()));
    verify(&endpoint.secret, &got[0]);
    receiver.answers(Manner::Status(401));
    let refused = endpoint.post("/test", &json!({})).await.expect(200);
    assert_eq!((refused.at("/outcome"), refused.at("/answer_status")), (&json!("failed"), &json!(401)));
    let closed = json!({ "endpoint": "http://127.0.0.1:1/" });
    tenant.send(Method::PATCH, &endpoint.path(""), Some(&closed)).await.expect(200);
    let unreachable = endpoint.post("/test", &json!({})).await.expect(200);
    assert!(unreachable.text_at("/failure").contains("refused"), "{}", unreachable.describe());
    let attempts = endpoint.attempts().await;
    let purposes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["purpose"]).collect();
    assert_eq!(purposes, ["test", "test", "test"]);
    assert_eq!(endpoint.shown().await.at("/failures"), 0, "a test is no delivery");
}

async fn pe16_private_addresses_are_refused_in_every_spelling(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_SEALING_KEYS", SEALING_KEY).start().await;
    let tenant = hub.tenant().create();
    let receiver = Receiver::start().await;
    let port = receiver.url().rsplit(':').next().unwrap().trim_end_matches("/hook").to_owned();
    for endpoint in [
        receiver.url(),
        receiver.url().replace("http", "https"),
        "https://127.0.0.1/".into(),
        "https://127.1/".into(),
        "https://2130706433/".into(),
        "https://0x7f000001/".into(),
        "https://0177.0.0.1/".into(),
        "https://[::1]/".into(),
        "https://[::ffff:127.0.0.1]/".into(),
        "https://[::ffff:7f00:1]/".into(),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://2852039166/".into(),
        "https://10.0.0.1/".into(),
        "https://[fd00:ec2::254]/".into(),
        "https://[64:ff9b::7f00:1]/".into(),
        "https://localhost/".into(),
        "https://LOCALHOST./".into(),
        "https://postgres/".into(),
        "https://metadata.google.internal/".into(),
        "https://user:secret@hooks.example/".into(),
        "https://hooks.example:22/".into(),
        format!("https://hooks.example:{port}/"),
        "http://hooks.example/".into(),
        "ftp://hooks.example/".into(),
        "hooks.example".into(),
        String::new(),
    ] {
        let refused = tenant.post("/api/v1/webhooks", &json!({ "endpoint": endpoint })).await.expect_problem(400);
        assert!(refused.text_at("/detail").starts_with("endpoint"), "{endpoint}: {}", refused.describe());
    }
    // The rules hold at each attempt, too: the operator allowed it once, and does no more.
    let made = Endpoint::create(&tenant, &json!({ "endpoint": "https://hooks.example/" })).await;
    let url = receiver.url();
    hub.deployment().change(&format!("UPDATE webhook_endpoints SET url = '{url}'")).await;
    let tested = made.post("/test", &json!({})).await.expect(200);
    assert_eq!(tested.at("/outcome"), "failed", "{}", tested.describe());
    tenant.scim_source().user("ann").await;
    made.eventually("a refusal", |shown| shown.at("/failures").as_u64() >= Some(1)).await;
    hub.deployment().change("UPDATE webhook_endpoints SET url = 'https://localhost/'").await;
    let tested = made.post("/test", &json!({})).await.expect(200);
    assert!(tested.text_at("/failure").contains("private address"), "{}", tested.describe());
    assert!(receiver.got().is_empty());
}

async fn s6_endpoints_have_a_quota(hub: Hub) {
    let hub = local(&hub).setting("ROLLCALL_QUOTAS_WEBHOOKS", "2").start().await;
    let tenant = hub.tenant().create();
    let body = json!({ "endpoint": "http://127.0.0.1:1/" });
    Endpoint::create(&tenant, &body).await;
    let second = Endpoint::create(&tenant, &body).await;
    let refused = tenant.post("/api/v1/webhooks", &body).await.expect_problem(403);
    assert_eq!(refused.text_at("/code"), "over_quota");
    tenant.send(Method::DELETE, &second.path(""), None).await.expect(204);
    Endpoint::create(&tenant, &body).await;
    hub.run_command(&["tenant", "set-quota", "--tenant", &tenant.slug, "--webhooks", "3"]).expect_success();
    Endpoint::create(&tenant, &body).await;
}

async fn rc22_webhooks_are_one_tenant_s(hub: Hub) {
    let hub = local(&hub).start().await;
    let (tenant, stranger, receiver) = (federated(&hub), federated(&hub), Receiver::start().await);
    let endpoint = Endpoint::to(&tenant, &receiver).await;
    let own = Endpoint::create(&stranger, &json!({ "endpoint": "http://127.0.0.1:1/" })).await;
    tenant.scim_source().user("ann").await;
    let events = eventually_event(&tenant, "Ann", |event| event["data"]["member"]["email"] == email("ann")).await;
    let sequence = events[0]["sequence"].as_str().unwrap();
    let as_stranger = Endpoint { tenant: stranger.clone(), id: endpoint.id.clone(), secret: String::new() };
    for (method, rest, body) in [
        (Method::GET, "", Value::Null),
        (Method::GET, "/deliveries", Value::Null),
        (Method::PATCH, "", json!({ "description": "mine" })),
        (Method::POST, "/pause", json!({})),
        (Method::POST, "/resume", json!({})),
        (Method::POST, "/rotate", json!({})),
        (Method::POST, "/test", json!({})),
        (Method::POST, "/replay", json!({ "sequence": sequence })),
        (Method::DELETE, "", Value::Null),
    ] {
        let body = Some(&body).filter(|body| !body.is_null());
        stranger.send(method, &as_stranger.path(rest), body).await.expect_problem(404);
    }
    // A sequence of another tenant names nothing here.
    for body in [json!({ "sequence": sequence }), json!({ "after": sequence })] {
        own.post("/replay", &body).await.expect_problem(410);
    }
    stranger
        .post("/api/v1/webhooks", &json!({ "endpoint": receiver.url(), "after": sequence }))
        .await
        .expect_problem(410);
    eventually_got(&receiver, "Ann", |got| is_about(got, "ann")).await;
    assert!(receiver.got().iter().all(|got| got.json()["tenant_id"] == tenant.id.as_str()));
    let listed = stranger.get("/api/v1/webhooks").await.expect(200);
    assert!(!listed.text.contains(&endpoint.id), "{}", listed.describe());
}

async fn pe16_secrets_are_shown_once_and_sealed(hub: Hub) {
    let hub = local(&hub).start().await;
    let tenant = hub.tenant().create();
    let body =
        json!({ "endpoint": "http://127.0.0.1:1/services/T0/token-of-the-receiver?key=hidden", "description": "wiki" });
    let request = hub.http().post(format!("{}/api/v1/webhooks", hub.people_url())).bearer_auth(&tenant.key);
    let request = request.header("idempotency-key", "once").json(&body);
    let made = Answer::of(request.try_clone().unwrap()).await.expect(201);
    let (id, secret) = (made.id(), made.text_at("/secret"));
    let again = Answer::of(request).await.expect(201);
    assert_eq!((again.id(), again.at("/secret")), (id.clone(), &Value::Null), "{}", again.describe());
    for path in [format!("/api/v1/webhooks/{id}"), "/api/v1/webhooks".into()] {
        let shown = tenant.get(&path).await.expect(200);
        assert!(!shown.text.contains(&secret) && !shown.text.contains("sealed"), "{}", shown.describe());
    }
    let log = tenant.get("/api/v1/audit-events?order=desc").await.expect(200);
    assert!(log.text.contains("webhook.created") && log.text.contains("127.0.0.1:1"), "{}", log.describe());
    for hidden in [secret.as_str(), "token-of-the-receiver", "hidden"] {
        assert!(!log.text.contains(hidden), "the log holds {hidden}");
    }
    // A hub without a key to seal with makes no endpoint, and says so.
    if hub.combination() == Combination::Full {
        let bare = hub.another().setting("ROLLCALL_WEBHOOKS_PRIVATE_ADDRESSES", "true").start().await;
        let refused = bare.tenant().create().post("/api/v1/webhooks", &body).await.expect_problem(409);
        assert!(refused.text_at("/detail").contains("sealing.keys"), "{}", refused.describe());
    }
    let by_kind: HashMap<String, usize> = tenant.events().await.iter().fold(HashMap::new(), |mut by_kind, event| {
        *by_kind.entry(event.kind.clone()).or_default() += 1;
        by_kind
    });
    assert_eq!(by_kind.get("webhook.created"), Some(&1), "{by_kind:?}");
}

/// The exchange gets the events of all organisations, in order, each confirmed; a worker that dies repeats some and skips none.
async fn pe16_the_exchange_gets_the_events_of_all_in_order(hub: Hub) {
    let exchange = format!("rollcall.events.{}", unknown_id().simple());
    let url = hub.deployment().setting("AMQP_URL").unwrap().to_owned();
    let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = lapin::options::ExchangeDeclareOptions { durable: true, ..Default::default() };
    let none = lapin::types::FieldTable::default;
    channel.exchange_declare(exchange.as_str().into(), lapin::ExchangeKind::Topic, durable, none()).await.unwrap();
    let options = lapin::options::QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, none()).await.unwrap();
    let name = queue.name().clone();
    channel.queue_bind(name.clone(), exchange.as_str().into(), "#".into(), Default::default(), none()).await.unwrap();
    let hub = hub.another().setting("ROLLCALL_EVENTS_EXCHANGE", &exchange).apart(2).start().await;
    let (one, two) = (federated(&hub), federated(&hub));
    let sources = [one.scim_source(), two.scim_source()];
    for person in 0..6 {
        for source in &sources {
            source.user(&format!("p{person}")).await;
        }
        if person == 2 {
            hub.crash_worker().await;
        }
    }
    let mut got: Vec<(String, Value)> = Vec::new();
    let wanted: BTreeSet<String> = [&one, &two]
        .iter()
        .flat_map(|tenant| (0..6).map(|p| format!("{} {}", tenant.id, email(&format!("p{p}")))))
        .collect();
    within(Duration::from_secs(90), "everybody of both is heard of", async || {
        while let Some(message) =
            channel.basic_get(name.clone(), lapin::options::BasicGetOptions { no_ack: true }).await.unwrap()
        {
            let event: Value = serde_json::from_slice(&message.delivery.data).unwrap();
            let text = |name: &str| event[name].as_str().unwrap();
            assert_eq!(message.delivery.routing_key.as_str(), format!("{}.{}", text("tenant_id"), text("type")));
            let id = message.delivery.properties.message_id().as_ref().unwrap().to_string();
            assert_eq!(id, text("id"));
            got.push((id, event));
        }
        let told = |(_, event): &(String, Value)| {
            Some(format!("{} {}", event["tenant_id"].as_str()?, event["data"]["member"]["email"].as_str()?))
        };
        let heard: BTreeSet<String> = got.iter().filter_map(told).collect();
        if heard.is_superset(&wanted) { Ok(()) } else { Err(format!("{} messages", got.len())) }
    })
    .await;
    for tenant in [&one, &two] {
        let (events, _) = read_all(tenant, "").await;
        let mut seen: Vec<&str> = Vec::new();
        for (id, event) in got.iter().filter(|(_, event)| event["tenant_id"] == tenant.id.as_str()) {
            if !seen.contains(&id.as_str()) {
                seen.push(event["id"].as_str().unwrap());
            }
        }
        let feed: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        let begins = feed.iter().position(|id| Some(id) == seen.first()).expect("an event of the feed");
        assert_eq!(seen, &feed[begins..begins + seen.len()], "in order, and none is skipped");
    }
}
