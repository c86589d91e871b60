//! Whole lists as files: what is in them, who may take them, and what the log says.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::email;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        exports_hold_what_the_lists_show,
        an_export_goes_on_over_all_pages,
        no_cell_of_an_export_is_a_formula,
        the_log_names_who_took_what,
        a_key_exports_when_its_permissions_say_so,
        exports_that_cannot_be_are_refused,
    ]
}

const BOSS: &str = "boss@acme.example";

async fn company(hub: &Hub, names: &[&str]) -> Tenant {
    let tenant = hub.tenant().seats(500).policy("onboarding", "federated").owner(BOSS).create();
    let source = tenant.scim_source();
    source.users(names).await;
    source.group("Pilots", &[]).await;
    tenant.eventually("all are in", |members| members.len() == names.len() + 1).await;
    tenant.eventually_group("Pilots", &[]).await;
    tenant
}

async fn export(tenant: &Tenant, path: &str) -> Answer {
    tenant.get(&format!("/api/v1/exports/{path}")).await.expect(200)
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert!(answer.text.is_empty() || answer.text.ends_with('\n'), "{}", answer.describe());
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn exports_hold_what_the_lists_show(hub: Hub) {
    let tenant = company(&hub, &["ann", "bea", "cem"]).await;
    for (list, query) in [
        ("members", ""),
        ("members", "q=ann"),
        ("members", "role=owner&order=desc"),
        ("members", "order=desc"),
        ("members", "status=removed"),
        ("groups", ""),
        ("audit-events", "kind=member.activated"),
    ] {
        let shown = tenant.get(&format!("/api/v1/{list}?limit=200&{query}")).await.expect(200);
        let taken = export(&tenant, &format!("{list}?format=jsonl&{query}")).await;
        assert_eq!(&json!(lines(&taken)), shown.at("/items"), "{list} {query}");
        assert_eq!(taken.content_type(), "application/x-ndjson");
        let file = taken.header("content-disposition");
        assert!(file.starts_with(&format!("attachment; filename=\"{list}-20")) && file.ends_with(".jsonl\""), "{file}");
    }
    let csv = export(&tenant, "members?fields=email,status,blocked,managed_by&managed_by=none").await;
    assert_eq!(csv.text, format!("email,status,blocked,managed_by\r\n{BOSS},active,false,\r\n"));
    assert_eq!(csv.content_type(), "text/csv; charset=utf-8; header=present");
    let events = export(&tenant, "audit-events?kind=tenant.created&fields=kind,subject.kind,subject.id").await;
    assert_eq!(events.text, format!("kind,subject.kind,subject.id\r\ntenant.created,tenant,{}\r\n", tenant.id));
    let chosen = export(&tenant, "members?format=jsonl&fields=email&role=owner").await;
    assert_eq!(lines(&chosen), [json!({ "email": BOSS })]);
}

async fn an_export_goes_on_over_all_pages(hub: Hub) {
    let names: Vec<String> = (0..120).map(|n| format!("p{n:03}")).collect();
    let tenant = company(&hub, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let ids = |items: &[Value]| -> Vec<String> { items.iter().map(|item| item["id"].to_string()).collect() };
    let listed = tenant.list::<Value>("/api/v1/audit-events").await;
    assert!(listed.len() > 240, "more than a page: {}", listed.len());
    let until = listed[listed.len() - 1]["at"].as_str().unwrap();
    let taken = lines(&export(&tenant, &format!("audit-events?format=jsonl&until={until}")).await);
    let before: Vec<Value> = listed.iter().filter(|event| event["at"].as_str().unwrap() < until).cloned().collect();
    assert_eq!(ids(&taken), ids(&before));
    let newest = lines(&export(&tenant, &format!("audit-events?format=jsonl&order=desc&until={until}")).await);
    assert_eq!(ids(&newest), ids(&before.into_iter().rev().collect::<Vec<_>>()));
    let csv = export(&tenant, "members").await;
    assert_eq!(csv.text.lines().count(), 122, "a header and everybody");
}

async fn no_cell_of_an_export_is_a_formula(hub: Hub) {
    let tenant = company(&hub, &[]).await;
    let formula = "=HYPERLINK(\"https://evil.example\",\"Click\")";
    let owner = tenant.member(BOSS).await.unwrap().id;
    let patch = json!({ "display_name": formula });
    tenant.send(reqwest::Method::PATCH, &format!("/api/v1/members/{owner}"), Some(&patch)).await.expect(200);
    let csv = export(&tenant, "members?fields=display_name,email").await;
    let cell = "\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"Click\"\")\"";
    assert_eq!(csv.text, format!("display_name,email\r\n{cell},{BOSS}\r\n"));
    let exact = lines(&export(&tenant, "members?format=jsonl&fields=display_name").await);
    assert_eq!(exact, [json!({ "display_name": formula })], "JSON computes nothing");
}

async fn the_log_names_who_took_what(hub: Hub) {
    let tenant = company(&hub, &["ann"]).await;
    let boss = Person::sign_in(&tenant, BOSS).await;
    // The log is kept for ever, and names of people are not to be.
    for personal in ["q=ann", "contains=ann", &format!("former_email={}", email("ann"))] {
        let query = format!("format=csv&status=active&{personal}");
        boss.get(&format!("/api/v1/exports/members?{query}")).await.expect(200);
        let told = tenant.get("/api/v1/audit-events?kind=export.made&order=desc&limit=1").await.expect(200);
        let name = personal.split('=').next().unwrap();
        let filters = json!({ "format": "csv", "status": "active", name: null });
        assert_eq!(told.at("/items/0/detail/filters"), &filters, "{personal}");
        assert!(!told.text.contains("ann"), "{}", told.describe());
    }
    let path = format!("/api/v1/exports/members?format=csv&email={}", email("ann"));
    let taken = boss.get(&path).await.expect(200);
    assert_eq!(taken.text.lines().count(), 2, "{}", taken.describe());
    boss.get("/api/v1/exports/audit-events?format=xml").await.expect_problem(400);
    let told = tenant.get("/api/v1/audit-events?kind=export.made&order=desc").await.expect(200);
    assert_eq!(told.at("/items").as_array().map(Vec::len), Some(4), "a refused one is none: {}", told.describe());
    let filters = json!({ "format": "csv", "email": null });
    assert_eq!(told.at("/items/0/detail"), &json!({ "list": "members", "format": "csv", "filters": filters }));
    assert_eq!(told.at("/items/0/actor_name"), &json!(BOSS));
    assert_eq!(told.at("/items/0/subject"), &json!({ "kind": "tenant", "id": tenant.id }));
}

async fn a_key_exports_when_its_permissions_say_so(hub: Hub) {
    let tenant = company(&hub, &[]).await;
    let key = async |permissions: Value| {
        let body = json!({ "role": "admin", "name": "auditor", "permissions": permissions });
        let made = tenant.post("/api/v1/api-keys", &body).await.expect(201);
        assert_eq!(made.at("/permissions"), &permissions);
        Tenant { key: made.text_at("/key"), ..tenant.clone() }
    };
    let auditor = key(json!(["export"])).await;
    for list in ["members", "groups", "audit-events"] {
        export(&auditor, list).await;
    }
    auditor.get("/api/v1/members").await.expect_problem(403);
    let reader = key(json!(["read", "members", "runs", "policy", "sources", "access"])).await;
    let refused = reader.get("/api/v1/exports/members").await.expect_problem(403);
    assert_eq!(refused.text_at("/code"), "not_permitted");
    assert!(refused.text_at("/detail").contains("`export`"), "{}", refused.describe());
    // A key that replaces another may do the same.
    let listed = tenant.get("/api/v1/api-keys?limit=200&order=desc").await.expect(200);
    let keys = listed.at("/items").as_array().unwrap();
    let id = keys.iter().find(|key| key["permissions"] == json!(["export"])).unwrap()["id"].as_str().unwrap();
    let rotated = tenant.post(&format!("/api/v1/api-keys/{id}/rotate"), &json!({})).await.expect(201);
    export(&Tenant { key: rotated.text_at("/key"), ..tenant.clone() }, "groups").await;
}

async fn exports_that_cannot_be_are_refused(hub: Hub) {
    let tenant = company(&hub, &[]).await;
    for (path, says) in [
        ("members?limit=5", "an export is whole"),
        ("groups?cursor=x", "an export is whole"),
        ("members?format=xml", "csv, jsonl"),
        ("members?fields=password", "suspended_from"),
        ("members?fields=email,status,email", "`email` is there twice"),
        ("audit-events?format=jsonl&fields=subject.id,subject.id", "`subject.id` is there twice"),
        ("members?kind=member.invited", "no parameter `kind`"),
        ("groups?q=x", "no parameter `q`"),
        ("audit-events?kind=nonsense", "kind"),
        ("members?order=up", "order"),
    ] {
        let refused = tenant.get(&format!("/api/v1/exports/{path}")).await.expect_problem(400);
        assert!(refused.text_at("/detail").contains(says), "{path}: {}", refused.describe());
    }
}
