//! The operator of a hosted service: one key for all tenants.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        an_operator_makes_a_tenant_and_its_owner_signs_in,
        one_key_works_in_every_tenant_that_it_names,
        tenants_page_by_slug,
        seats_in_use_are_not_taken_by_mistake,
        only_an_operators_key_reaches_tenants,
        operators_who_sign_in_are_seen_by_operators_alone,
    ]
}

struct Operator {
    hub: Hub,
    id: String,
    key: String,
}

impl Operator {
    fn of(hub: &Hub) -> Self {
        let made = hub.json_command(&["operator-key", "create", "--name", "billing"]);
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        Self { hub: hub.clone(), id: text("key_id"), key: text("key") }
    }

    async fn send(&self, method: Method, path: &str, tenant: Option<&str>, body: Option<Value>) -> Answer {
        let url = format!("{}{path}", self.hub.people_url());
        let mut request = self.hub.http().request(method, url).bearer_auth(&self.key);
        if let Some(tenant) = tenant {
            request = request.header("rollcall-tenant", tenant);
        }
        Answer::of(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    async fn make(&self, name: &str) -> Answer {
        let body = json!({ "name": name, "seats": 3, "owner_email": "boss@acme.example" });
        self.send(Method::POST, "/api/v1/tenants", None, Some(body)).await
    }
}

async fn an_operator_makes_a_tenant_and_its_owner_signs_in(hub: Hub) {
    let operator = Operator::of(&hub);
    let made = operator.make("Hooli").await.expect(201);
    assert_eq!((made.at("/seats"), made.at("/seats_used")), (&json!(3), &json!(1)), "{}", made.describe());
    let url = made.text_at("/sign_in_link/url");
    let link = url.split_once("link=").unwrap().1;
    let tenant =
        crate::rest::Tenant { hub: hub.clone(), id: made.id(), slug: made.text_at("/slug"), key: String::new() };
    let answer = Person::present(&tenant, link).await.expect(201);
    let session = Person::of(&tenant, &answer).get("/api/v1/session").await.expect(200);
    assert_eq!(session.at("/tenant/name"), "Hooli", "{}", session.describe());
}

async fn one_key_works_in_every_tenant_that_it_names(hub: Hub) {
    let operator = Operator::of(&hub);
    for name in ["Initech", "Umbrella"] {
        let made = operator.make(name).await.expect(201);
        for tenant in [made.id(), made.text_at("/slug")] {
            let source = json!({ "name": name, "mode": "off" });
            operator.send(Method::POST, "/api/v1/sources", Some(&tenant), Some(source)).await.expect(201);
            let session = operator.send(Method::GET, "/api/v1/session", Some(&tenant), None).await.expect(200);
            assert_eq!(session.at("/tenant/id"), made.id().as_str(), "{}", session.describe());
        }
        let path = "/api/v1/audit-events?kind=source.created&order=desc";
        let events = operator.send(Method::GET, path, Some(&made.id()), None).await.expect(200);
        assert_eq!(
            events.at("/items/0/actor"),
            &json!(format!("operator_key:{}", operator.id)),
            "{}",
            events.describe()
        );
    }
    let unnamed = operator.send(Method::GET, "/api/v1/members", None, None).await.expect_problem(400);
    assert!(unnamed.text_at("/detail").contains("Rollcall-Tenant"), "{}", unnamed.describe());
    operator.send(Method::GET, "/api/v1/members", Some("nobody-at-all"), None).await.expect_problem(404);
    hub.json_command(&["operator-key", "revoke", "--key-id", &operator.id]);
    operator.send(Method::GET, "/api/v1/tenants", None, None).await.expect_problem(401);
}

async fn tenants_page_by_slug(hub: Hub) {
    let hub = hub.another().start().await;
    let operator = Operator::of(&hub);
    for number in 0..7 {
        operator.make(&format!("Tenant {number}")).await.expect(201);
    }
    let (mut slugs, mut path) = (Vec::new(), "/api/v1/tenants?limit=3".to_owned());
    loop {
        let page = operator.send(Method::GET, &path, None, None).await.expect(200);
        let items = page.at("/items").as_array().cloned().unwrap_or_default();
        assert!(items.len() <= 3, "{}", page.describe());
        slugs.extend(items.iter().map(|tenant| tenant["slug"].as_str().unwrap().to_owned()));
        match page.at("/next_cursor").as_str() {
            Some(next) => path = format!("/api/v1/tenants?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(slugs, (0..7).map(|number| format!("tenant-{number}")).collect::<Vec<_>>());
}

async fn seats_in_use_are_not_taken_by_mistake(hub: Hub) {
    let operator = Operator::of(&hub);
    let made = operator.make("Stark").await.expect(201);
    let path = format!("/api/v1/tenants/{}", made.id());
    let change = async |body: Value| operator.send(Method::PATCH, &path, None, Some(body)).await;
    let refused = change(json!({ "seats": 0 })).await.expect_problem(400);
    assert!(refused.text_at("/detail").contains("below_use"), "{}", refused.describe());
    let changed = change(json!({ "seats": 0, "below_use": true, "name": "Stark Industries" })).await.expect(200);
    assert_eq!((changed.at("/seats"), changed.at("/name")), (&json!(0), &json!("Stark Industries")));
    change(json!({ "seats": -1 })).await.expect_problem(400);
    change(json!({ "slug": "No Slug" })).await.expect_problem(400);
}

async fn only_an_operators_key_reaches_tenants(hub: Hub) {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let boss = Person::sign_in(&tenant, "boss@acme.example").await;
    for path in ["/api/v1/tenants".to_owned(), format!("/api/v1/tenants/{}", tenant.id)] {
        tenant.get(&path).await.expect_problem(401);
        boss.get(&path).await.expect_problem(401);
        hub.get(&format!("{}{path}", hub.people_url())).await.expect_problem(401);
    }
    // A tenant's key does not become another's by naming it, and does not answer with its own as if it had.
    let other = hub.tenant().create();
    let url = format!("{}/api/v1/session", hub.people_url());
    let named = async |name: &str| {
        Answer::of(hub.http().get(&url).bearer_auth(&tenant.key).header("rollcall-tenant", name)).await
    };
    named(&other.slug).await.expect_problem(403);
    named(&other.id).await.expect_problem(403);
    for own in [&tenant.slug, &tenant.id] {
        let session = named(own).await.expect(200);
        assert_eq!(session.at("/tenant/id"), tenant.id.as_str(), "{}", session.describe());
    }
}

/// No provider is set here: `tests/providers` walks through the sign-in itself.
async fn operators_who_sign_in_are_seen_by_operators_alone(hub: Hub) {
    let operator = Operator::of(&hub);
    let none = operator.send(Method::GET, "/api/v1/operators", None, None).await.expect(200);
    assert_eq!(none.at("/items"), &json!([]), "{}", none.describe());
    let nobody = format!("/api/v1/operators/{}", crate::verbs::unknown_id());
    operator.send(Method::DELETE, &nobody, None, None).await.expect_problem(404);
    for method in [Method::GET, Method::DELETE] {
        let refused = operator.send(method, "/api/v1/operator-session", None, None).await.expect_problem(400);
        assert!(refused.text_at("/detail").contains("a key has no session"), "{}", refused.describe());
    }
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let boss = Person::sign_in(&tenant, "boss@acme.example").await;
    for path in ["/api/v1/operators", "/api/v1/operator-session"] {
        tenant.get(path).await.expect_problem(401);
        boss.get(path).await.expect_problem(401);
        let url = format!("{}{path}", hub.people_url());
        for cookie in
            ["__Host-rollcall-operator=ros_garbage".to_owned(), boss.cookie.replace("rollcall=", "rollcall-operator=")]
        {
            Answer::of(hub.http().get(&url).header("cookie", cookie)).await.expect_problem(401);
        }
    }
    let page = hub.get(&format!("{}/sign-in/operator", hub.people_url())).await;
    assert!(page.status == 404 && page.text.contains("operators.issuer"), "{}", page.describe());
    Answer::of(hub.http().post(format!("{}/sign-in/operator", hub.people_url()))).await.expect(400);
    hub.get(&format!("{}/sign-in/operator/callback?code=x&state=y", hub.people_url())).await.expect(400);
}
