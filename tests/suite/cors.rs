//! CORS: pages of the sites that the operator names call the REST API with a key, and nobody else's pages do.

use reqwest::Method;
use serde_json::json;

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        no_other_site_calls_unless_it_is_named,
        a_named_site_calls_with_a_key,
        s10_a_site_that_is_not_named_gets_no_leave,
        s10_no_leave_is_for_cookies_or_for_signing_in,
    ]
}

const PORTAL: &str = "https://portal.acme.example";
const EVIL: &str = "https://portal.acme.example.evil.example";

async fn open_hub(hub: &Hub) -> Hub {
    let origins = format!("{PORTAL}, http://localhost:5173");
    hub.another().setting("ROLLCALL_ADMIN_CORS_ORIGINS", &origins).start().await
}

async fn preflight(hub: &Hub, path: &str, origin: &str) -> Answer {
    let request = hub.http().request(Method::OPTIONS, format!("{}{path}", hub.people_url()));
    let request = request.header("origin", origin).header("access-control-request-method", "PATCH");
    Answer::of(request.header("access-control-request-headers", "authorization, if-match")).await
}

async fn call(tenant: &Tenant, path: &str, key: &str, origin: &str) -> Answer {
    let request = tenant.hub.http().get(format!("{}{path}", tenant.hub.people_url()));
    Answer::of(request.bearer_auth(key).header("origin", origin)).await
}

/// The headers of an answer that give leave.
fn leave(answer: &Answer) -> Vec<String> {
    let names = answer.headers.keys().map(|name| name.as_str().to_owned());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

async fn no_other_site_calls_unless_it_is_named(hub: Hub) {
    let tenant = hub.tenant().create();
    assert_eq!(preflight(&hub, "/api/v1/members", PORTAL).await.expect(405).header("access-control-allow-origin"), "");
    let answer = call(&tenant, "/api/v1/members", &tenant.key, PORTAL).await.expect(200);
    assert_eq!((leave(&answer), answer.header("vary")), (Vec::new(), ""));
}

async fn a_named_site_calls_with_a_key(hub: Hub) {
    let hub = open_hub(&hub).await;
    let tenant = hub.tenant().create();
    for origin in [PORTAL, "http://localhost:5173"] {
        let asked = preflight(&hub, "/api/v1/members", origin).await.expect(204);
        assert_eq!(asked.header("access-control-allow-origin"), origin);
        assert!(asked.header("access-control-allow-methods").contains("PATCH"), "{:?}", asked.headers);
        for name in ["Authorization", "If-Match", "Idempotency-Key", "Content-Type"] {
            assert!(asked.header("access-control-allow-headers").contains(name), "{name}: {:?}", asked.headers);
        }
        assert_eq!((asked.header("access-control-max-age"), asked.header("vary")), ("600", "Origin"));
        let answer = call(&tenant, "/api/v1/policy", &tenant.key, origin).await.expect(200);
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (origin, "Origin"));
        assert!(answer.header("access-control-expose-headers").contains("ETag"), "{:?}", answer.headers);
    }
    // A page has to be able to read why it was refused.
    for (path, key, status) in [("/api/v1/members", "rck_unknown", 401), ("/api/v1/members?limit=0", &tenant.key, 400)]
    {
        let refused = call(&tenant, path, key, PORTAL).await.expect_problem(status);
        assert_eq!(refused.header("access-control-allow-origin"), PORTAL, "{}", refused.describe());
    }
    let document = hub.http().get(format!("{}/api/openapi.json", hub.people_url())).header("origin", PORTAL);
    assert_eq!(Answer::of(document).await.expect(200).header("access-control-allow-origin"), PORTAL);
}

async fn s10_a_site_that_is_not_named_gets_no_leave(hub: Hub) {
    let hub = open_hub(&hub).await;
    let tenant = hub.tenant().create();
    for origin in
        [EVIL, "http://portal.acme.example", "https://portal.acme.example:8443", "null", "HTTPS://PORTAL.ACME.EXAMPLE"]
    {
        let asked = preflight(&hub, "/api/v1/members", origin).await.expect(405);
        assert_eq!((leave(&asked), asked.header("vary")), (Vec::new(), "Origin"), "{origin}");
        let answer = call(&tenant, "/api/v1/members", &tenant.key, origin).await.expect(200);
        assert_eq!((leave(&answer), answer.header("vary")), (Vec::new(), "Origin"), "{origin}");
    }
    let without = tenant.get("/api/v1/members").await.expect(200);
    assert_eq!(without.header("vary"), "Origin", "a cache must not keep it for a page of a site");
}

async fn s10_no_leave_is_for_cookies_or_for_signing_in(hub: Hub) {
    let hub = open_hub(&hub).await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let asked = preflight(&hub, "/api/v1/members", PORTAL).await.expect(204);
    assert_eq!(asked.header("access-control-allow-credentials"), "");
    assert!(!asked.header("access-control-allow-headers").to_lowercase().contains("csrf"), "{:?}", asked.headers);
    let answer = call(&tenant, "/api/v1/members", &tenant.key, PORTAL).await;
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let scim = format!("/scim/v2/{}/Users", source.id);
    for path in ["/api/v1/session", "/api/v1/session/recovery-codes", "/sign-in", "/set-up", "/oauth/token", &scim] {
        let base =
            if path.starts_with("/scim") || path.starts_with("/oauth") { hub.machines_url() } else { hub.people_url() };
        for method in [Method::OPTIONS, Method::GET, Method::POST] {
            let request = hub.http().request(method.clone(), format!("{base}{path}")).header("origin", PORTAL);
            let request = request.header("access-control-request-method", "POST");
            let answer = Answer::of(request.bearer_auth(&source.token).json(&json!({}))).await;
            assert_eq!(leave(&answer), Vec::<String>::new(), "{method} {}", answer.describe());
        }
    }
}
