//! The request log: every read and write of an identity provider, by source and by person.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually, operation, patch, person, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        pe15_reads_and_writes_are_logged_by_source_and_by_person,
        pe15_each_operation_of_a_bulk_is_logged,
        pe15_a_logged_write_leads_to_its_audit_events,
        pe15_another_tenants_requests_are_not_shown,
    ]
}

async fn logged(tenant: &Tenant, parameters: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/v1/request-log?{parameters}");
    eventually(&format!("{count} lines of {path}"), async || match tenant.list::<Value>(&path).await {
        lines if lines.len() == count => Ok(lines),
        lines => Err(format!("{lines:#?}")),
    })
    .await
}

/// `GET /Users 200`
fn summary(lines: &[Value]) -> Vec<String> {
    let text = |line: &Value, pointer: &str| {
        line.pointer(pointer).map_or(String::new(), |value| value.to_string().replace('"', ""))
    };
    lines
        .iter()
        .map(|line| format!("{} {} {}", text(line, "/method"), text(line, "/path"), text(line, "/answer/status")))
        .collect()
}

async fn pe15_reads_and_writes_are_logged_by_source_and_by_person(hub: Hub) {
    let tenant = hub.tenant().create();
    let (source, beside) = (tenant.scim_source(), tenant.new_source().argument("--mode").argument("simulate").create());
    let ann = source.user("ann").await;
    let path = format!("/Users/{ann}");
    source.expect_found("/Users", &format!("userName eq \"{}\"", email("ann")), &[&ann]).await;
    source.get(&path).await.expect(200);
    source.patch(&path, vec![operation("replace", "title", json!("Pilot"))]).await.expect(200);
    source.post("/Users", &person("ann")).await.expect_scim_error(409, Some("uniqueness"));
    source.user("bob").await;
    source.get("/Users").await.expect(200);
    // Nobody becomes a member who has left before a worker looks.
    tenant.eventually_member(&email("ann"), |_| true).await;
    source.delete(&path).await.expect(204);
    beside.get("/Users").await.expect(200);

    let lines = logged(&tenant, &format!("source_id={}", source.id), 8).await;
    let of_ann = format!("GET {path} 200");
    let wanted = [
        "POST /Users 201",
        "GET /Users 200",
        &of_ann,
        &format!("PATCH {path} 200"),
        "POST /Users 409",
        "POST /Users 201",
        "GET /Users 200",
        &format!("DELETE {path} 204"),
    ];
    assert_eq!(summary(&lines), wanted);
    assert_eq!(lines[4].pointer("/answer/scim_type"), Some(&json!("uniqueness")));
    let text = serde_json::to_string(&lines).unwrap();
    assert!(!text.contains("acme.example"), "no line holds a name: {text}");

    let about_ann = logged(&tenant, &format!("subject_id={ann}"), 5).await;
    assert_eq!(summary(&about_ann), [wanted[0], wanted[1], wanted[2], wanted[3], wanted[7]]);
    let member = tenant.eventually_member(&email("ann"), |member| member.status == "suspended").await;
    assert_eq!(logged(&tenant, &format!("member_id={}", member.id), 5).await, about_ann);
    assert_eq!(summary(&logged(&tenant, &format!("source_id={}", beside.id), 1).await), ["GET /Users 200"]);
}

async fn pe15_each_operation_of_a_bulk_is_logged(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let operations = json!([
        { "method": "POST", "path": "/Users", "bulkId": "1", "data": person("bob") },
        { "method": "PATCH", "path": format!("/Users/{ann}"), "data": patch(vec![operation("replace", "title", json!("Pilot"))]) },
        { "method": "DELETE", "path": format!("/Users/{}", unknown_id()) },
    ]);
    let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    source.send(Method::POST, "/Bulk", &bulk).await.expect(200);
    let lines = logged(&tenant, &format!("source_id={}", source.id), 5).await;
    let summary = summary(&lines);
    assert_eq!(
        summary[1..4],
        ["POST /Bulk 200".to_owned(), "POST /Users 201".to_owned(), format!("PATCH /Users/{ann} 200")]
    );
    assert!(summary[4].starts_with("DELETE /Users/") && summary[4].ends_with(" 404"), "{summary:?}");
    assert_eq!(logged(&tenant, &format!("subject_id={ann}"), 2).await[1], lines[3]);
    let bob = source.find("/Users", &format!("userName eq \"{}\"", email("bob"))).await;
    assert_eq!(lines[2]["subject_id"], json!(bob[0]));
}

async fn pe15_a_logged_write_leads_to_its_audit_events(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let line = logged(&tenant, &format!("subject_id={ann}"), 1).await.remove(0);
    tenant.eventually_status(&email("ann"), "invited").await;
    let request = line["request_id"].as_str().expect("a request id");
    let events: Vec<Value> = tenant.list("/api/v1/audit-events").await;
    let kinds: Vec<&str> = events
        .iter()
        .filter(|event| event.pointer("/cause/request_id") == Some(&json!(request)))
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert!(kinds.contains(&"member.invited"), "{kinds:?}");
}

async fn pe15_another_tenants_requests_are_not_shown(hub: Hub) {
    let (tenant, other) = (hub.tenant().create(), hub.tenant().create());
    let (source, others) = (tenant.scim_source(), other.scim_source());
    let (ann, bob) = (source.user("ann").await, others.user("bob").await);
    logged(&other, &format!("subject_id={bob}"), 1).await;
    logged(&tenant, "", 1).await;
    assert_eq!(logged(&tenant, &format!("subject_id={bob}"), 0).await, Vec::<Value>::new());
    let member = other.eventually_status(&email("bob"), "invited").await;
    for parameters in
        [format!("source_id={}", others.id), format!("member_id={}", member.id), format!("source_id={}", unknown_id())]
    {
        tenant.get(&format!("/api/v1/request-log?{parameters}")).await.expect_problem(404);
    }
    for parameters in ["source_id=x", "member_id=1", "subject_id=", "limit=0", "cursor=x", "path=/Users"] {
        tenant.get(&format!("/api/v1/request-log?{parameters}")).await.expect_problem(400);
    }
    assert_eq!(logged(&tenant, &format!("subject_id={ann}"), 1).await.len(), 1);
}
