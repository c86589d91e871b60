//! People whom an admin invites by hand, invitations that go out again, and members made by hand who are taken out (DW1, DW2).

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{TenantBuilder, email, eventually, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dw1_an_invited_person_has_a_seat_and_comes_in_once_they_accept,
        dw1_da8_who_finds_no_seat_waits_in_order_and_is_invited_when_one_is_free,
        dw1_lp13_where_people_sign_in_by_their_provider_the_invited_are_active_at_once,
        dw1_who_cannot_be_invited_is_refused_with_the_remedy,
        dw1_a_directory_takes_over_whom_an_admin_invited,
        dw1_a_withdrawn_invitation_frees_the_seat_and_goes_on_when_it_is_made_again,
        dw1_who_was_made_by_hand_is_taken_out_with_sessions_and_seat,
        dw2_an_invitation_goes_out_again_with_a_message_and_a_limit,
        dw1_a_thousand_are_invited_at_once_with_a_result_each,
        dw1_invitations_of_others_and_by_readers_change_nothing,
    ]
}

const BOSS: &str = "boss@acme.example";

fn company(hub: &Hub) -> TenantBuilder {
    hub.tenant().owner(BOSS)
}

async fn invite(tenant: &Tenant, name: &str) -> Value {
    tenant.post("/api/v1/members", &json!({ "email": email(name) })).await.expect(201).json
}

async fn remove(tenant: &Tenant, id: &str) -> Answer {
    tenant.send(Method::DELETE, &format!("/api/v1/members/{id}"), None).await
}

fn key_of(hub: &Hub, tenant: &Tenant, role: &str) -> Tenant {
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", role]);
    Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() }
}

async fn told(tenant: &Tenant, kind: &str, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/audit-events?kind={kind}&subject_id={id}");
    eventually(&format!("{kind} is told"), async || {
        let events: Vec<Value> = tenant.list(&path).await;
        if events.is_empty() { Err("no event".to_owned()) } else { Ok(events) }
    })
    .await
}

async fn dw1_an_invited_person_has_a_seat_and_comes_in_once_they_accept(hub: Hub) {
    let tenant = company(&hub).seats(3).create();
    let boss = Person::sign_in(&tenant, BOSS).await;
    let body = json!({
        "email": "  Ann.Lee@acme.example ", "role": "admin", "billing_contact": true, "display_name": "Ann Lee", "given_name": "Ann",
        "family_name": "Lee", "message": "Welcome,\nAnn",
    });
    let ann = boss.post("/api/v1/members", &body).await.expect(201).json;
    assert_eq!((&ann["email"], &ann["status"]), (&json!("Ann.Lee@acme.example"), &json!("invited")), "{ann}");
    assert_eq!((&ann["role"], &ann["billing_contact"]), (&json!("admin"), &json!(true)), "{ann}");
    assert_eq!((&ann["managed_by"], &ann["waiting_for"]), (&Value::Null, &Value::Null), "{ann}");
    let found = tenant.get("/api/v1/members?q=lee").await.expect(200);
    assert_eq!(found.at("/items/0/id"), &ann["id"], "{}", found.describe());
    let id = ann["id"].as_str().unwrap();
    let event = &told(&tenant, "member.invited", id).await[0];
    assert_eq!(event["actor_name"], json!(BOSS), "{event}");
    assert_eq!(event["detail"]["message"], json!("Welcome,\nAnn"), "{event}");
    assert_eq!((&event["detail"]["role"], &event["detail"]["after"]["given_name"]), (&json!("admin"), &json!("Ann")));
    assert_eq!(tenant.get("/api/v1/overview").await.expect(200).at("/seats/used"), &json!(2));
    let explained = tenant.get(&format!("/api/v1/members/{id}/explain")).await.expect(200);
    assert_eq!(explained.at("/decided_by"), &json!("status"), "{}", explained.describe());
    tenant.post(&format!("/api/v1/members/{id}/accept"), &json!({})).await.expect(200);
    let person = Person::sign_in(&tenant, "ann.lee@acme.example").await;
    assert_eq!(person.get("/api/v1/session").await.expect(200).at("/role"), &json!("admin"));
    expect_explained(&tenant).await;
}

async fn dw1_da8_who_finds_no_seat_waits_in_order_and_is_invited_when_one_is_free(hub: Hub) {
    let tenant = company(&hub).seats(2).create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    source.user("bea").await;
    tenant.eventually_member(&email("bea"), |bea| bea.waiting_for.as_deref() == Some("seat")).await;
    let cem = invite(&tenant, "cem").await;
    assert_eq!((&cem["status"], &cem["waiting_for"]), (&json!("pending"), &json!("seat")), "{cem}");
    let dan = invite(&tenant, "dan").await;
    let place = async |member: &Value| {
        let path = format!("/api/v1/members/{}/explain", member["id"].as_str().unwrap());
        let told = tenant.get(&path).await.expect(200).json;
        let gate = told["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "seat").unwrap().clone();
        gate["evidence"]["place"].clone()
    };
    assert_eq!((place(&cem).await, place(&dan).await), (json!(2), json!(3)), "behind who was announced before");
    source.deactivate(&ann).await.expect_success();
    tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(tenant.member(&email("cem")).await.unwrap().status, "pending");
    hub.json_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "3"]);
    tenant.eventually_status(&email("cem"), "invited").await;
    let dan = dan["id"].as_str().unwrap();
    assert_eq!(tenant.member(&email("dan")).await.unwrap().waiting_for.as_deref(), Some("seat"));
    // An admin's decline keeps them waiting, an approval lets them in.
    tenant.post(&format!("/api/v1/members/{dan}/decline"), &json!({})).await.expect(200);
    hub.json_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "9"]);
    source.user("eve").await;
    tenant.eventually_status(&email("eve"), "invited").await;
    assert_eq!(tenant.member(&email("dan")).await.unwrap().status, "pending", "declined");
    tenant.post(&format!("/api/v1/members/{dan}/approve"), &json!({})).await.expect(200);
    tenant.eventually_status(&email("dan"), "invited").await;
    expect_explained(&tenant).await;
}

async fn dw1_lp13_where_people_sign_in_by_their_provider_the_invited_are_active_at_once(hub: Hub) {
    let tenant = company(&hub).policy("onboarding", "federated").policy("approval", "true").create();
    assert_eq!(invite(&tenant, "ann").await["status"], "active");
    let ann = tenant.member(&email("ann")).await.unwrap();
    assert_eq!(told(&tenant, "member.activated", &ann.id).await.len(), 1);
    assert_eq!(tenant.kinds_about(&ann.id).await, ["member.activated"]);
    expect_explained(&tenant).await;
}

async fn dw1_who_cannot_be_invited_is_refused_with_the_remedy(hub: Hub) {
    let tenant = company(&hub).seats(4).create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let off = crate::verbs::with(crate::verbs::person("off"), json!({ "active": false }));
    source.post("/Users", &off).await.expect(201);
    tenant.eventually_status(&email("ann"), "invited").await;
    invite(&tenant, "bea").await;
    let eve = invite(&tenant, "eve").await["id"].as_str().unwrap().to_owned();
    invite(&tenant, "fay").await;
    tenant.post(&format!("/api/v1/members/{eve}/block"), &json!({})).await.expect(200);
    tenant.eventually_status(&email("fay"), "invited").await;
    let events = tenant.events().await.len();
    let admin = key_of(&hub, &tenant, "admin");
    for (body, status, says) in [
        (json!({ "email": BOSS.to_uppercase() }), 409, "PATCH /api/v1/members/{id}"),
        (json!({ "email": email("ann") }), 409, "invite-again"),
        (json!({ "email": email("bea") }), 409, "invite-again"),
        (json!({ "email": email("eve") }), 409, "unblock"),
        (json!({ "email": email("off") }), 409, "assign them"),
        (json!({ "email": email("gil"), "role": "owner" }), 403, "only an owner"),
        (json!({ "email": "nobody" }), 400, "no email address"),
        (json!({ "email": "a@b.test", "role": "boss" }), 400, "role"),
        (json!({ "email": "a@b.test", "display_name": "" }), 400, "display_name"),
        (json!({ "email": "a@b.test", "given_name": "a\u{7}b" }), 400, "given_name"),
        (json!({ "email": "a@b.test", "message": "" }), 400, "message"),
        (json!({ "email": "a@b.test", "message": "x".repeat(501) }), 400, "message"),
        (json!({ "email": "a@b.test", "status": "active" }), 400, "status"),
        (json!({}), 400, "email"),
    ] {
        let refused = admin.post("/api/v1/members", &body).await.expect_problem(status);
        assert!(refused.text_at("/detail").contains(says), "{body}: {}", refused.describe());
    }
    eventually("the key is told, and nothing else", async || {
        let told = tenant.events().await;
        let new: Vec<&str> = told.iter().skip(events).map(|event| event.kind.as_str()).collect();
        if new == ["credential.created"] { Ok(()) } else { Err(format!("{new:?}")) }
    })
    .await;
    expect_explained(&tenant).await;
}

async fn dw1_a_directory_takes_over_whom_an_admin_invited(hub: Hub) {
    let tenant = company(&hub).seats(2).create();
    let source = tenant.scim_source();
    let ann = invite(&tenant, "ann").await;
    let bea = invite(&tenant, "bea").await;
    assert_eq!((&ann["status"], &bea["status"]), (&json!("invited"), &json!("pending")));
    source.users(&["ann", "bea"]).await;
    for name in ["ann", "bea"] {
        let member = tenant.eventually_member(&email(name), |member| member.managed_by.is_some()).await;
        assert_eq!(json!(member.id), if name == "ann" { ann["id"].clone() } else { bea["id"].clone() });
        let refused = remove(&tenant, &member.id).await.expect_problem(409);
        assert!(refused.text_at("/detail").contains("a source manages the member"), "{}", refused.describe());
    }
    hub.json_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "3"]);
    tenant.eventually_status(&email("bea"), "invited").await;
    expect_explained(&tenant).await;
}

async fn dw1_a_withdrawn_invitation_frees_the_seat_and_goes_on_when_it_is_made_again(hub: Hub) {
    let tenant = company(&hub).seats(2).create();
    let ann = invite(&tenant, "ann").await["id"].as_str().unwrap().to_owned();
    invite(&tenant, "bea").await;
    remove(&tenant, &ann).await.expect(204);
    remove(&tenant, &ann).await.expect(204);
    tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(tenant.kinds_about(&ann).await, ["member.invited", "member.removed"]);
    tenant.post(&format!("/api/v1/members/{ann}/accept"), &json!({})).await.expect_problem(400);
    hub.json_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "9"]);
    for repeat in 1..=10 {
        let again = invite(&tenant, "ann").await;
        assert_eq!((again["id"].as_str(), &again["status"]), (Some(ann.as_str()), &json!("invited")), "{repeat}");
        remove(&tenant, &ann).await.expect(204);
    }
    // Nobody fills a mailbox by inviting and withdrawing.
    let refused = tenant.post("/api/v1/members", &json!({ "email": email("ann") })).await.expect_problem(409);
    assert!(refused.text_at("/detail").contains("as often as it may be"), "{}", refused.describe());
    expect_explained(&tenant).await;
}

async fn dw1_who_was_made_by_hand_is_taken_out_with_sessions_and_seat(hub: Hub) {
    let tenant = company(&hub).policy("onboarding", "federated").create();
    let made = tenant.post("/api/v1/members", &json!({ "email": email("ann"), "role": "admin" })).await.expect(201);
    let ann = made.text_at("/id");
    let session = Person::sign_in(&tenant, &email("ann")).await;
    let own = session.send(Method::DELETE, &format!("/api/v1/members/{ann}"), &json!({})).await.expect_problem(409);
    assert!(own.text_at("/detail").contains("another admin"), "{}", own.describe());
    let boss = tenant.member(BOSS).await.unwrap().id;
    let theirs = session.send(Method::DELETE, &format!("/api/v1/members/{boss}"), &json!({})).await;
    theirs.expect_problem(403);
    remove(&tenant, &boss).await.expect_problem(409);
    remove(&tenant, &ann).await.expect(204);
    session.post("/api/v1/members/approve", &json!({ "member_ids": [unknown_id()] })).await.expect_problem(401);
    assert_eq!(tenant.get("/api/v1/overview").await.expect(200).at("/seats/used"), &json!(1));
    let event = &told(&tenant, "member.removed", &ann).await[0];
    assert_eq!(event["detail"], json!({ "from": "active", "why": "removed_by_admin" }), "{event}");
    // The address is free, and who has it now is somebody else.
    let again = tenant.post("/api/v1/members", &json!({ "email": email("ann") })).await.expect(201);
    assert_ne!(again.text_at("/id"), ann);
    let source = tenant.scim_source();
    let body = json!({ "member_ids": [again.text_at("/id"), boss, ann, unknown_id()] });
    let answer = tenant.post("/api/v1/members/remove", &body).await.expect(200).json;
    let results: Vec<&str> =
        answer["items"].as_array().unwrap().iter().map(|item| item["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["done", "refused", "unchanged", "not_found"], "{answer}");
    assert_eq!(answer["items"][1]["reason"], "last_active_admin", "{answer}");
    source.user("ann").await;
    tenant
        .eventually("the directory brings a new person in", |members| {
            members.iter().any(|member| member.managed_by.is_some() && member.status == "active")
        })
        .await;
    expect_explained(&tenant).await;
}

async fn dw2_an_invitation_goes_out_again_with_a_message_and_a_limit(hub: Hub) {
    let tenant = company(&hub).seats(9).create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let announced = tenant.eventually_status(&email("ann"), "invited").await.id;
    let by_hand = invite(&tenant, "bea").await["id"].as_str().unwrap().to_owned();
    let path = |id: &str| format!("/api/v1/members/{id}/invite-again");
    for id in [&announced, &by_hand] {
        let sent = tenant.post(&path(id), &json!({ "message": "Still there?" })).await.expect(200);
        assert_eq!(sent.json, json!({ "member_id": id, "result": "done", "repeats": 1, "repeats_left": 9 }));
        let event = &told(&tenant, "member.invited_again", id).await[0];
        assert_eq!(event["detail"], json!({ "repeats": 1, "message": "Still there?" }), "{event}");
    }
    let boss = tenant.member(BOSS).await.unwrap().id;
    tenant.post(&path(&boss), &json!({})).await.expect_problem(409);
    let body = json!({ "member_ids": [by_hand, boss, by_hand, unknown_id()] });
    let answer = tenant.post("/api/v1/members/invite-again", &body).await.expect(200).json;
    let results: Vec<(&str, &Value)> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["result"].as_str().unwrap(), &item["repeats"]))
        .collect();
    let none = Value::Null;
    let two = json!(2);
    assert_eq!(
        results,
        [("done", &two), ("not_invited", &none), ("done", &two), ("not_found", &none)],
        "one mail each"
    );
    for repeat in 3..=10 {
        let sent = tenant.post(&path(&by_hand), &Value::Null).await;
        sent.expect_problem(400);
        let sent = tenant.post(&path(&by_hand), &json!({})).await.expect(200);
        assert_eq!(sent.at("/repeats"), &json!(repeat));
    }
    let refused = tenant.post(&path(&by_hand), &json!({})).await.expect_problem(409);
    assert!(refused.text_at("/detail").contains("as often as it may be"), "{}", refused.describe());
    let many = tenant.post("/api/v1/members/invite-again", &json!({ "member_ids": [by_hand] })).await.expect(200);
    assert_eq!(many.at("/items/0/result"), &json!("too_many_invitations"));
    // An accepted invitation is none any more, and none of it touched the member.
    tenant.post(&format!("/api/v1/members/{announced}/accept"), &json!({})).await.expect(200);
    tenant.post(&path(&announced), &json!({})).await.expect_problem(409);
    expect_explained(&tenant).await;
}

async fn dw1_a_thousand_are_invited_at_once_with_a_result_each(hub: Hub) {
    let tenant = company(&hub).seats(1_000).create();
    let person = |number: usize| json!({ "email": format!("p{number}@acme.example"), "display_name": "Somebody" });
    let mut people: Vec<Value> = (0..996).map(person).collect();
    people.extend([
        json!({ "email": BOSS }),
        json!({ "email": "P0@acme.example" }),
        json!({ "email": "nobody" }),
        json!({ "email": "new@acme.example", "role": "auditor" }),
    ]);
    let answer = tenant.post("/api/v1/members/invite", &json!({ "members": people })).await.expect(200).json;
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 1_000);
    assert!(items[..996].iter().all(|item| item["result"] == "done" && item["status"] == "invited"), "{:?}", items[0]);
    let reasons: Vec<&Value> = items[996..].iter().map(|item| &item["reason"]).collect();
    assert_eq!(reasons, [&json!("is_member"), &json!("is_invited"), &json!("not_an_address"), &Value::Null]);
    assert_eq!(items[997]["member_id"], items[0]["member_id"], "the one because of whom");
    assert!(items[996]["detail"].as_str().is_some_and(|detail| detail.contains("PATCH")), "{}", items[996]);
    assert_eq!(tenant.get("/api/v1/overview").await.expect(200).at("/seats/used"), &json!(998));
    people.push(person(5_000));
    tenant.post("/api/v1/members/invite", &json!({ "members": people })).await.expect_problem(400);
    tenant.post("/api/v1/members/invite", &json!({ "members": [] })).await.expect_problem(400);
    let ids: Vec<Value> = items[..996].iter().map(|item| item["member_id"].clone()).collect();
    let gone = tenant.post("/api/v1/members/remove", &json!({ "member_ids": ids })).await.expect(200).json;
    assert!(gone["items"].as_array().unwrap().iter().all(|item| item["result"] == "done"));
    assert_eq!(tenant.get("/api/v1/overview").await.expect(200).at("/seats/used"), &json!(2));
    // With a key of its own a repetition gets the first answer.
    let once = |body: Value| {
        let url = format!("{}/api/v1/members", hub.people_url());
        Answer::of(hub.http().post(url).bearer_auth(&tenant.key).header("idempotency-key", "one").json(&body))
    };
    let first = once(json!({ "email": email("zoe") })).await.expect(201);
    let second = once(json!({ "email": email("zoe") })).await.expect(201);
    assert_eq!((&first.json, second.header("idempotency-replayed")), (&second.json, "true"));
}

async fn dw1_invitations_of_others_and_by_readers_change_nothing(hub: Hub) {
    let tenant = company(&hub).create();
    let ann = invite(&tenant, "ann").await["id"].as_str().unwrap().to_owned();
    let stranger = company(&hub).create();
    let events = tenant.events().await;
    remove(&stranger, &ann).await.expect_problem(404);
    stranger.post(&format!("/api/v1/members/{ann}/invite-again"), &json!({})).await.expect_problem(404);
    for (path, items) in [("remove", 1), ("invite-again", 1)] {
        let body = json!({ "member_ids": [ann] });
        let answer = stranger.post(&format!("/api/v1/members/{path}"), &body).await.expect(200).json;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(items));
        assert_eq!(answer["items"][0]["result"], "not_found", "{answer}");
    }
    // The same address is another person of another organisation.
    let theirs = invite(&stranger, "ann").await;
    assert_ne!(theirs["id"].as_str(), Some(ann.as_str()));
    assert_eq!(tenant.events().await, events);
    for role in ["member", "auditor"] {
        let reader = key_of(&hub, &tenant, role);
        reader.post("/api/v1/members", &json!({ "email": email("bea") })).await.expect_problem(403);
        remove(&reader, &ann).await.expect_problem(403);
    }
    // Authority takes a fresh sign-in, an ordinary member does not.
    let boss = Person::sign_in(&tenant, BOSS).await;
    let id = boss.get("/api/v1/session").await.expect(200).text_at("/session/id");
    crate::sign_in::age_session(&tenant, &id, 11).await;
    let stale = async |body: Value| boss.post("/api/v1/members", &body).await;
    crate::verbs::eventually("the sign-in is stale", async || {
        let answer = stale(json!({ "email": email("cem"), "role": "auditor" })).await;
        if answer.text_at("/code") == "sign_in_again" { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    stale(json!({ "email": email("dan") })).await.expect(201);
}
