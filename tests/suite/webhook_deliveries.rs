//! Messages of webhooks against a real receiver: signatures, order, retries and replays.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::events::{eventually_event, read_all};
use crate::hub::Hub;
use crate::receiver::{Got, Manner, Receiver};
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually, unknown_id, within};
use crate::webhooks::{Endpoint, eventually_got, federated, is_about, local, verify};

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
    ];
    timed.into_iter().map(Case::alone).chain(everywhere).collect()
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
