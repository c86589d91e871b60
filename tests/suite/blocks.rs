//! Members whom an admin blocked: out at once, whatever the source says, until an admin lifts it (DW1, DW9).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{ScimSource, email, operation, unknown_id, within};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dw9_who_is_blocked_stays_out_through_all_that_the_source_says,
        dw9_a_block_is_explained_and_names_who_did_it,
        dw9_a_block_ends_sessions_and_frees_the_seat,
        dw9_who_left_while_blocked_stays_out_after_their_source_was_detached,
        dw1_many_are_blocked_at_once_with_a_result_each,
        dw9_blocks_that_cannot_be_are_refused_and_change_nothing,
    ]
}

const BOSS: &str = "boss@acme.example";

async fn company(hub: &Hub, seats: u32, names: &[&str]) -> (Tenant, ScimSource, Vec<String>) {
    let tenant = hub.tenant().seats(seats).policy("onboarding", "federated").owner(BOSS).create();
    let source = tenant.scim_source();
    let users = source.users(names).await;
    tenant.eventually("all are known", |members| members.len() == names.len() + 1).await;
    (tenant, source, users)
}

async fn id_of(tenant: &Tenant, name: &str) -> String {
    tenant.member(&email(name)).await.unwrap_or_else(|| panic!("no member {name}")).id
}

async fn set(tenant: &Tenant, name: &str, action: &str) -> Value {
    let path = format!("/api/v1/members/{}/{action}", id_of(tenant, name).await);
    tenant.post(&path, &json!({})).await.expect(200).json
}

async fn blocked(tenant: &Tenant) -> Vec<String> {
    let page = tenant.get("/api/v1/members?blocked=true").await.expect(200);
    page.at("/items").as_array().unwrap().iter().map(|item| item["email"].as_str().unwrap().to_owned()).collect()
}

async fn dw9_who_is_blocked_stays_out_through_all_that_the_source_says(hub: Hub) {
    let (tenant, source, users) = company(&hub, 9, &["ann", "bea"]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    let answer = set(&tenant, "ann", "block").await;
    assert_eq!(
        (&answer["status"], &answer["blocked"], &answer["suspended_from"]),
        (&json!("suspended"), &json!(true), &json!("active"))
    );
    assert_eq!(set(&tenant, "ann", "block").await, answer, "a repetition changes nothing");
    assert_eq!(blocked(&tenant).await, [email("ann")]);
    source.deactivate(&users[0]).await.expect_success();
    source.activate(&users[0]).await.expect_success();
    let rename = vec![operation("Replace", "displayName", json!("Ann Renamed"))];
    source.patch(&format!("/Users/{}", users[0]), rename).await.expect_success();
    let renamed = tenant.eventually_member(&email("ann"), |m| m.display_name.as_deref() == Some("Ann Renamed")).await;
    assert_eq!(renamed.status, "suspended", "the profile follows the record, access does not");
    source.delete(&format!("/Users/{}", users[0])).await.expect_success();
    let again = source.user("ann").await;
    let explained = format!("/api/v1/sources/{}/users/{again}/explain", source.id);
    crate::verbs::eventually("the new record is hers, and she is out", async || {
        let told = tenant.get(&explained).await.expect(200).json;
        let out =
            told["member_id"] == json!(renamed.id) && told["access"] == json!(false) && told["decided_by"] == "blocked";
        if out { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    set(&tenant, "ann", "unblock").await;
    tenant.eventually_status(&email("ann"), "active").await;
    assert!(blocked(&tenant).await.is_empty());
    expect_explained(&tenant).await;
}

async fn dw9_a_block_is_explained_and_names_who_did_it(hub: Hub) {
    let (tenant, _, _) = company(&hub, 9, &["ann"]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    let boss = Person::sign_in(&tenant, BOSS).await;
    let ann = id_of(&tenant, "ann").await;
    let me = boss.get("/api/v1/session").await.expect(200).text_at("/member/id");
    boss.send(Method::POST, &format!("/api/v1/members/{ann}/block"), &json!({})).await.expect(200);
    let explained = tenant.get(&format!("/api/v1/members/{ann}/explain")).await.expect(200).json;
    assert_eq!(explained["decided_by"], "blocked", "{explained}");
    let gate = explained["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "blocked").unwrap();
    assert_eq!(gate["evidence"]["actor"], json!(format!("member:{me}")), "{gate}");
    assert!(gate["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("Unblock")), "{gate}");
    let told =
        tenant.get(&format!("/api/v1/audit-events?kind=member.blocked&order=desc&subject_id={ann}")).await.expect(200);
    assert_eq!(told.at("/items/0/actor_name"), &json!(BOSS), "{}", told.describe());
    assert_eq!(told.at("/items/0/detail"), &json!({ "from": "active", "seat_released": true }));
    boss.send(Method::POST, &format!("/api/v1/members/{ann}/unblock"), &json!({})).await.expect(200);
    tenant.eventually_status(&email("ann"), "active").await;
    let kinds = tenant.kinds_about(&ann).await;
    assert_eq!(&kinds[kinds.len() - 3..], ["member.blocked", "member.unblocked", "member.restored"]);
}

async fn dw9_a_block_ends_sessions_and_frees_the_seat(hub: Hub) {
    let (tenant, _, _) = company(&hub, 2, &["ann", "bea"]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    assert_eq!(tenant.member(&email("bea")).await.unwrap().waiting_for.as_deref(), Some("seat"));
    let ann = id_of(&tenant, "ann").await;
    tenant.send(Method::PATCH, &format!("/api/v1/members/{ann}"), Some(&json!({ "role": "admin" }))).await.expect(200);
    let session = Person::sign_in(&tenant, &email("ann")).await;
    session.get("/api/v1/session").await.expect(200);
    set(&tenant, "ann", "block").await;
    session.post("/api/v1/members/approve", &json!({ "member_ids": [unknown_id()] })).await.expect_problem(401);
    tenant.eventually_status(&email("bea"), "active").await;
    let lifted = set(&tenant, "ann", "unblock").await;
    assert!(lifted["next"].as_str().is_some_and(|next| next.contains("waits for an owner")), "{lifted}");
    tenant.owner_approves().await;
    let back = tenant.eventually_member(&email("ann"), |m| m.waiting_for.as_deref() == Some("seat")).await;
    assert_eq!(back.status, "suspended", "the seat is another's now");
    within(Duration::from_secs(1), "the session reads nothing either", async || {
        let answer = session.get("/api/v1/session").await;
        answer.check_problem(401)
    })
    .await;
}

/// The source is not asked at the unblock any more.
async fn dw9_who_left_while_blocked_stays_out_after_their_source_was_detached(hub: Hub) {
    let (tenant, source, users) = company(&hub, 9, &["ann", "bea", "cem"]).await;
    for name in ["ann", "bea", "cem"] {
        tenant.eventually_status(&email(name), "active").await;
        set(&tenant, name, "block").await;
    }
    source.deactivate(&users[0]).await.expect_success();
    source.delete(&format!("/Users/{}", users[1])).await.expect_success();
    let plan = format!("/api/v1/sources/{}/detachment", source.id);
    let digest = tenant.get(&format!("{plan}?people=keep")).await.expect(200).text_at("/digest");
    let items: Vec<Value> = tenant.list(&format!("{plan}/items?people=keep")).await;
    let behind = |name: &str| {
        let item = items.iter().find(|item| item["who"]["email"] == json!(email(name))).unwrap();
        (item["before"]["blocked_from"].clone(), item["after"]["blocked_from"].clone())
    };
    assert_eq!(behind("ann"), (json!("active"), json!("suspended")), "{items:#?}");
    assert!(behind("cem").1.is_null(), "the source wants this one in: {items:#?}");
    let body = json!({ "people": "keep", "digest": digest });
    tenant.post(&format!("/api/v1/sources/{}/detach", source.id), &body).await.expect(200);
    for (name, status) in [("ann", "suspended"), ("bea", "suspended"), ("cem", "active")] {
        let answer = set(&tenant, name, "unblock").await;
        assert_eq!((&answer["status"], &answer["blocked"]), (&json!(status), &json!(false)), "{name}");
    }
    expect_explained(&tenant).await;
}

async fn dw1_many_are_blocked_at_once_with_a_result_each(hub: Hub) {
    let (tenant, _, _) = company(&hub, 9, &["ann", "bea", "cem"]).await;
    tenant.eventually("all are in", |members| members.with_status("active").len() == 4).await;
    let members = tenant.members().await;
    let id = |address: &str| members.member(address).id.clone();
    let ids = json!([id(&email("ann")), id(BOSS), id(&email("bea")), id(&email("ann")), unknown_id()]);
    let body = json!({ "member_ids": ids });
    let answer = tenant.post("/api/v1/members/block", &body).await.expect(200).json;
    let results: Vec<&str> =
        answer["items"].as_array().unwrap().iter().map(|item| item["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["done", "refused", "done", "unchanged", "not_found"], "{answer}");
    assert_eq!(answer["items"][1]["reason"], "last_active_admin", "{answer}");
    assert!(answer["items"][1]["detail"].as_str().is_some_and(|detail| detail.contains("make another")), "{answer}");
    assert_eq!(blocked(&tenant).await, [email("ann"), email("bea")]);
    let stranger = hub.tenant().create();
    let theirs = stranger.post("/api/v1/members/unblock", &body).await.expect(200).json;
    assert!(theirs["items"].as_array().unwrap().iter().all(|item| item["result"] == "not_found"), "{theirs}");
    let answer = tenant.post("/api/v1/members/unblock", &body).await.expect(200).json;
    let results: Vec<&str> =
        answer["items"].as_array().unwrap().iter().map(|item| item["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["done", "unchanged", "done", "unchanged", "not_found"], "{answer}");
    tenant.eventually("all are in again", |members| members.with_status("active").len() == 4).await;
    let thousand: Vec<uuid::Uuid> = std::iter::repeat_with(unknown_id).take(1_001).collect();
    tenant.post("/api/v1/members/block", &json!({ "member_ids": thousand })).await.expect_problem(400);
    let answer = tenant.post("/api/v1/members/block", &json!({ "member_ids": thousand[1..] })).await.expect(200);
    assert_eq!(answer.at("/items").as_array().map(Vec::len), Some(1_000));
}

async fn dw9_blocks_that_cannot_be_are_refused_and_change_nothing(hub: Hub) {
    let (tenant, _, _) = company(&hub, 9, &["ann"]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    let (ann, boss) = (id_of(&tenant, "ann").await, tenant.member(BOSS).await.unwrap().id);
    let events = tenant.events().await.len();
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "admin"]);
    let admin = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    let path = |id: &str| format!("/api/v1/members/{id}/block");
    admin.post(&path(&boss), &json!({})).await.expect_problem(403);
    let last = tenant.post(&path(&boss), &json!({})).await.expect_problem(409);
    assert!(last.text_at("/detail").contains("last active admin"), "{}", last.describe());
    let person = Person::sign_in(&tenant, BOSS).await;
    let own = person.post(&path(&boss), &json!({})).await.expect_problem(409);
    assert!(own.text_at("/detail").contains("another admin"), "{}", own.describe());
    tenant.post(&path(&ann), &json!({ "note": "no such key" })).await.expect_problem(400);
    tenant.post("/api/v1/members/block", &json!({ "member_ids": [] })).await.expect_problem(400);
    hub.tenant().create().post(&path(&ann), &json!({})).await.expect_problem(404);
    let told = tenant.events().await;
    let new: Vec<&str> = told.iter().skip(events).map(|event| event.kind.as_str()).collect();
    assert_eq!(
        new,
        ["credential.created", "sign_in_link.created", "sign_in_link.used", "session.started"],
        "nothing but the keys"
    );
    assert!(blocked(&tenant).await.is_empty());
}
