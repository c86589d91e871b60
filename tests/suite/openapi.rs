//! The OpenAPI documents against a running hub: every answer has the form that its document tells.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::json_schema::Schemas;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::email;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        every_read_answers_as_the_document_tells,
        writes_answer_as_the_document_tells,
        the_documents_are_served_without_a_key,
    ]
}

/// A document as it is served.
pub(crate) struct Document(Value);

impl Document {
    pub(crate) async fn of(hub: &Hub) -> Self {
        Self(hub.get(&format!("{}/api/openapi.json", hub.people_url())).await.expect(200).json)
    }

    /// Every read, by its path.
    pub(crate) fn reads(&self) -> impl Iterator<Item = (&String, &Value)> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        paths.filter_map(|(path, item)| Some((path, item.get("get")?)))
    }

    /// The ways in which an answer differs from what the operation tells.
    fn faults(&self, path: &str, method: &str, answer: &Answer) -> Vec<String> {
        let told = &self.0["paths"][path][method]["responses"][answer.status.to_string()];
        if told.is_null() {
            return vec![format!("{} is not told", answer.status)];
        }
        let kind = answer.content_type().split(';').next().unwrap_or_default();
        let schema = &told["content"][kind]["schema"];
        if answer.text.is_empty() && told["content"].is_null() {
            return Vec::new();
        }
        if schema.is_null() {
            return vec![format!("{kind} is not told")];
        }
        Schemas { document: &self.0, strict: true }.faults(&answer.json, schema)
    }
}

/// A tenant with one thing of nearly every kind.
pub(crate) struct Company {
    pub(crate) tenant: Tenant,
    source: String,
    user: String,
    member: String,
    group: String,
    run: String,
}

pub(crate) async fn company(hub: &Hub) -> Company {
    let tenant = hub.tenant().policy("onboarding", "federated").owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    source.user("bea").await;
    source.group("Pilots", &[&user]).await;
    let group = tenant.eventually_group("Pilots", &[&email("ann")]).await.id;
    tenant.eventually_status(&email("bea"), "active").await;
    let member = tenant.member(&email("ann")).await.unwrap().id;
    let run = tenant.runs().await.first().map(|run| run.id.clone()).expect("a run");
    let simulated = tenant.new_source().argument("--mode").argument("simulate").create();
    simulated.user("cid").await;
    tenant.post("/api/v1/domains", &json!({ "domain": "acme.example" })).await.expect(201);
    for (path, body) in [("oauth-clients", json!({ "name": "Entra" })), ("setup-links", json!({ "name": "Bea" }))] {
        tenant.post(&format!("/api/v1/sources/{}/{path}", source.id), &body).await.expect(201);
    }
    Company { tenant, source: source.id, user, member, group, run }
}

/// The path of a read with the ids of this tenant, and the parameters without which it is refused.
pub(crate) fn filled(path: &str, company: &Company) -> String {
    let id = match path.trim_start_matches("/api/v1/").split('/').next() {
        Some("members") => &company.member,
        Some("groups") => &company.group,
        Some("runs") => &company.run,
        Some("tenants") => &company.tenant.id,
        _ => &company.source,
    };
    let filled = path.replace("{id}", id).replace("{user_id}", &company.user);
    match path {
        "/api/v1/explain" => format!("{filled}?email={}", email("ann")),
        "/api/v1/runs/{id}/compare" => format!("{filled}?with={}", company.run),
        "/api/v1/sources/{id}/detachment" | "/api/v1/sources/{id}/detachment/items" => format!("{filled}?people=keep"),
        _ => filled,
    }
}

async fn every_read_answers_as_the_document_tells(hub: Hub) {
    let company = company(&hub).await;
    let document = Document::of(&hub).await;
    let (mut faults, mut read) = (Vec::new(), 0);
    for (path, _) in document.reads().filter(|(path, _)| !path.contains("/exports/") && !path.contains("/tenants")) {
        let url = filled(path, &company);
        let answer = company.tenant.get(&url).await;
        if path != "/api/v1/changes" {
            faults.extend(document.faults(path, "get", &answer).into_iter().map(|fault| format!("GET {url}: {fault}")));
        }
        read += usize::from(answer.status == 200);
        if path.contains('{') {
            let absent = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{user_id}", "x");
            let absent = company.tenant.get(&absent).await;
            faults.extend(
                document.faults(path, "get", &absent).into_iter().map(|fault| format!("GET {path}, absent: {fault}")),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(read >= 30, "only {read} reads succeeded");
}

async fn writes_answer_as_the_document_tells(hub: Hub) {
    let company = company(&hub).await;
    let (tenant, source) = (&company.tenant, &company.source);
    let document = Document::of(&hub).await;
    let mut faults = Vec::new();
    for (path, body, status) in [
        ("/api/v1/api-keys", json!({ "role": "member" }), 201),
        ("/api/v1/api-keys", json!({ "role": "king" }), 400),
        ("/api/v1/sources", json!({ "name": "second" }), 201),
        ("/api/v1/sources/{id}/tokens", json!({}), 201),
        ("/api/v1/sources/{id}/oauth-clients", json!({}), 201),
        ("/api/v1/sources/{id}/setup-links", json!({}), 201),
        ("/api/v1/members/block", json!({ "member_ids": [company.member] }), 200),
        ("/api/v1/members/unblock", json!({ "member_ids": [company.member] }), 200),
        ("/api/v1/members/approve", json!({ "member_ids": [company.member] }), 200),
        ("/api/v1/members/{id}/block", json!({}), 200),
        ("/api/v1/members/{id}/unblock", json!({}), 200),
        ("/api/v1/members/{id}/accept", json!({}), 400),
        ("/api/v1/sources/{id}/release", json!({}), 409),
        ("/api/v1/sources/{id}/users/{user_id}/reconcile", json!({ "dry_run": true }), 200),
        ("/api/v1/sources/{id}/users/{user_id}/reconcile", json!({ "dry_run": false }), 202),
        ("/api/v1/policy/mapping/preview", json!({ "mapping": {}, "source_id": source }), 200),
        ("/api/v1/session", json!({ "link": "rcl_unknown" }), 401),
    ] {
        let answer = tenant.post(&filled(path, &company), &body).await.expect(status);
        faults.extend(
            document.faults(path, "post", &answer).into_iter().map(|fault| format!("POST {path} {status}: {fault}")),
        );
    }
    let policy = tenant.get("/api/v1/policy").await.expect(200);
    for (path, method, body) in [
        ("/api/v1/policy", "patch", json!({ "policy": { "approval": true } })),
        ("/api/v1/policy", "put", json!({ "policy": policy.at("/policy"), "version": 0 })),
        ("/api/v1/members/{id}", "patch", json!({ "billing_contact": true })),
        ("/api/v1/sources/{id}", "patch", json!({ "users_only": false })),
    ] {
        let method_name = method.to_uppercase().parse().unwrap();
        let answer = tenant.send(method_name, &filled(path, &company), Some(&body)).await;
        faults.extend(
            document.faults(path, method, &answer).into_iter().map(|fault| format!("{method} {path}: {fault}")),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

async fn the_documents_are_served_without_a_key(hub: Hub) {
    for url in [format!("{}/api/openapi.json", hub.people_url()), format!("{}/oauth/openapi.json", hub.machines_url())]
    {
        let document = hub.get(&url).await.expect(200);
        assert!(document.text_at("/openapi").starts_with("3.1"), "{url}");
        assert!(document.at("/paths").as_object().is_some_and(|paths| !paths.is_empty()), "{url}");
    }
    let page = hub.get(&format!("{}/api/docs", hub.people_url())).await.expect(200);
    assert!(
        page.text.contains("<summary>example</summary>") && page.text.contains("v1&#x2F;changes"),
        "{}",
        page.describe()
    );
}
