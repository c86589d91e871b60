//! Finding members: by the words of their address and names, by ids, and by what they are.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{email, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dw1_people_are_found_by_the_beginnings_of_words,
        dw1_people_are_found_by_parts_of_words_and_by_ids,
        dw9_members_are_listed_by_what_they_are,
        a_renamed_person_is_found_by_the_new_name_alone,
        searches_that_cannot_be_are_refused_with_the_remedy,
    ]
}

const BOSS: &str = "boss@acme.example";

/// The names before the `@` of those whom a query finds, in any order.
/// From the newest on: read from the oldest, a list shows a change once no earlier transaction is open.
async fn found(tenant: &Tenant, query: &str) -> BTreeSet<String> {
    let page = tenant.get(&format!("/api/v1/members?limit=200&order=desc&{query}")).await.expect(200);
    let items = page.at("/items").as_array().unwrap().clone();
    let name = |item: &Value| item["email"].as_str().unwrap().split('@').next().unwrap().to_owned();
    let names: BTreeSet<String> = items.iter().map(name).collect();
    assert_eq!(names.len(), items.len(), "each member once: {}", page.describe());
    names
}

fn names(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|name| (*name).to_owned()).collect()
}

async fn company(hub: &Hub) -> Tenant {
    let tenant = hub.tenant().policy("onboarding", "federated").owner(BOSS).create();
    let source = tenant.scim_source();
    for (name, display) in [
        ("ann.lee", "Ann Lee-O’Brien"),
        ("ann.park", "Ann Park"),
        ("cem", "Cem Özgür"),
        ("leeroy", "Roy %_100"),
        ("straße", "Straße"),
    ] {
        source.post("/Users", &with(person(name), json!({ "displayName": display }))).await.expect(201);
    }
    tenant.eventually("all are in", |members| members.with_status("active").len() == 6).await;
    tenant
}

async fn dw1_people_are_found_by_the_beginnings_of_words(hub: Hub) {
    let (tenant, other) = (company(&hub).await, company(&hub).await);
    for (query, who) in [
        ("q=ann", &["ann.lee", "ann.park"][..]),
        ("q=LEE", &["ann.lee", "leeroy"]),
        ("q=lee+ann", &["ann.lee"]),
        ("q=brien", &["ann.lee"]),
        ("q=ann.l", &["ann.lee"]),
        ("q=ann.lee@acme.example", &["ann.lee"]),
        ("q=%C3%96ZG", &["cem"]),
        ("q=STRASSE", &["straße"]),
        ("q=acme", &[]),
        ("q=nn", &[]),
        ("q=_", &[]),
        ("q=%25", &["leeroy"]),
        ("q=%25_1", &["leeroy"]),
        ("q=ann&status=suspended", &[]),
        ("q=ann&role=member&status=active", &["ann.lee", "ann.park"]),
        ("q=nobody+ann", &[]),
    ] {
        assert_eq!(found(&tenant, query).await, names(who), "{query}");
        assert_eq!(found(&other, query).await, names(who), "{query} in the other tenant");
    }
    let newest = tenant.get("/api/v1/members?q=ann&order=desc&limit=1").await.expect(200);
    let next = newest.text_at("/next_cursor");
    let older = tenant.get(&format!("/api/v1/members?q=ann&order=desc&limit=1&cursor={next}")).await.expect(200);
    assert_eq!(
        (newest.at("/items/0/email"), older.at("/items/0/email")),
        (&json!(email("ann.park")), &json!(email("ann.lee")))
    );
    tenant.get(&format!("/api/v1/members?q=lee&order=desc&limit=1&cursor={next}")).await.expect_problem(400);
}

async fn dw1_people_are_found_by_parts_of_words_and_by_ids(hub: Hub) {
    let (tenant, other) = (company(&hub).await, company(&hub).await);
    assert_eq!(found(&tenant, "contains=@acme").await.len(), 6);
    assert_eq!(found(&tenant, "contains=ROY").await, names(&["leeroy"]));
    assert_eq!(found(&tenant, "contains=brie+ann").await, names(&["ann.lee"]));
    let ann = tenant.member(&email("ann.lee")).await.unwrap();
    let read = tenant.get(&format!("/api/v1/members/{}", ann.id)).await.expect(200);
    for id in [&ann.id, &read.text_at("/directory_user_id"), "ext-ann.lee"] {
        assert_eq!(found(&tenant, &format!("q={id}")).await, names(&["ann.lee"]), "{id}");
    }
    let theirs = other.member(&email("ann.lee")).await.unwrap();
    assert!(found(&tenant, &format!("q={}", theirs.id)).await.is_empty());
}

async fn dw9_members_are_listed_by_what_they_are(hub: Hub) {
    let tenant = company(&hub).await;
    let source = tenant.member(&email("cem")).await.unwrap().managed_by.unwrap();
    let promote = async |name: &str, body: Value| {
        let id = tenant.member(&email(name)).await.unwrap().id;
        tenant.send(Method::PATCH, &format!("/api/v1/members/{id}"), Some(&body)).await.expect(200);
    };
    promote("cem", json!({ "role": "admin" })).await;
    promote("leeroy", json!({ "billing_contact": true })).await;
    assert_eq!(found(&tenant, "role=owner").await, names(&["boss"]));
    assert_eq!(found(&tenant, "role=admin").await, names(&["cem"]));
    assert_eq!(found(&tenant, "role=member").await, names(&["ann.lee", "ann.park", "leeroy", "straße"]));
    assert_eq!(found(&tenant, "billing_contact=true").await, names(&["boss", "leeroy"]));
    assert_eq!(found(&tenant, "billing_contact=false&role=admin").await, names(&["cem"]));
    assert_eq!(found(&tenant, "managed_by=none").await, names(&["boss"]));
    assert_eq!(found(&tenant, &format!("managed_by={source}")).await.len(), 5);
    assert!(found(&tenant, &format!("managed_by={}", crate::verbs::unknown_id())).await.is_empty());
    assert!(found(&tenant, "waiting_for=seat").await.is_empty());
    let full = hub.tenant().seats(1).policy("onboarding", "federated").create();
    full.scim_source().users(&["ann", "bea", "cem"]).await;
    full.eventually("two wait", |members| members.with_status("pending").len() == 2).await;
    assert_eq!(found(&full, "waiting_for=seat").await, names(&["bea", "cem"]));
    assert_eq!(found(&full, "waiting_for=seat&q=bea").await, names(&["bea"]));
    assert!(found(&full, "waiting_for=approval").await.is_empty());
}

async fn a_renamed_person_is_found_by_the_new_name_alone(hub: Hub) {
    let tenant = company(&hub).await;
    let id = tenant.member(BOSS).await.unwrap().id;
    let path = format!("/api/v1/members/{id}");
    tenant.send(Method::PATCH, &path, Some(&json!({ "display_name": "Mary Jones" }))).await.expect(200);
    assert_eq!(found(&tenant, "q=jon").await, names(&["boss"]));
    tenant.send(Method::PATCH, &path, Some(&json!({ "display_name": "Mary Smith" }))).await.expect(200);
    assert_eq!(found(&tenant, "q=smi").await, names(&["boss"]));
    assert!(found(&tenant, "q=jon").await.is_empty());
    assert_eq!(found(&tenant, "q=boss").await, names(&["boss"]));
    let changed = "q=smi&modified_since=2020-01-01T00:00:00Z";
    assert_eq!(found(&tenant, changed).await, names(&["boss"]));
}

async fn searches_that_cannot_be_are_refused_with_the_remedy(hub: Hub) {
    let tenant = hub.tenant().create();
    for (query, says) in [
        ("q=a+b+c+d+e+f+g+h+i", "1 to 8 words"),
        ("q=%22", "1 to 8 words"),
        ("contains=ab", "at least 3 characters"),
        ("contains=abc+ab", "at least 3 characters"),
        ("role=king", "owner, admin"),
        ("billing_contact=perhaps", "billing_contact"),
        ("managed_by=nobody", "`none`"),
        ("waiting_for=godot", "seat, approval"),
    ] {
        let refused = tenant.get(&format!("/api/v1/members?{query}")).await.expect_problem(400);
        assert!(refused.text_at("/detail").contains(says), "{query}: {}", refused.describe());
    }
    tenant.get("/api/v1/groups?q=ann").await.expect_problem(400);
}
