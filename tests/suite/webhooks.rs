//! Endpoints of webhooks: trials, addresses that are never called, quotas, secrets, and whose they are.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::events::eventually_event;
use crate::hub::{Hub, HubBuilder};
use crate::receiver::{Got, Manner, Receiver};
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        pe16_a_test_tells_the_answer,
        pe16_private_addresses_are_refused_in_every_spelling,
        s6_endpoints_have_a_quota,
        rc22_webhooks_are_one_tenant_s,
        pe16_secrets_are_shown_once_and_sealed,
    ]
}

/// Thirty-two bytes in base64.
pub(crate) const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A hub that calls the receivers of this machine.
pub(crate) fn local(hub: &Hub) -> HubBuilder {
    hub.another().setting("ROLLCALL_WEBHOOKS_PRIVATE_ADDRESSES", "true").setting("ROLLCALL_SEALING_KEYS", SEALING_KEY)
}

/// An endpoint of a tenant.
pub(crate) struct Endpoint {
    pub(crate) tenant: Tenant,
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Endpoint {
    pub(crate) async fn create(tenant: &Tenant, body: &Value) -> Self {
        let made = tenant.post("/api/v1/webhooks", body).await.expect(201);
        Self { tenant: tenant.clone(), id: made.id(), secret: made.text_at("/secret") }
    }

    pub(crate) async fn to(tenant: &Tenant, receiver: &Receiver) -> Self {
        Self::create(tenant, &json!({ "endpoint": receiver.url() })).await
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/webhooks/{}{rest}", self.id)
    }

    pub(crate) async fn post(&self, rest: &str, body: &Value) -> Answer {
        self.tenant.post(&self.path(rest), body).await
    }

    pub(crate) async fn shown(&self) -> Answer {
        self.tenant.get(&self.path("")).await.expect(200)
    }

    pub(crate) async fn eventually(&self, what: &str, fits: impl Fn(&Answer) -> bool) -> Answer {
        eventually(what, async || {
            let shown = self.shown().await;
            if fits(&shown) { Ok(shown) } else { Err(shown.describe()) }
        })
        .await
    }

    pub(crate) async fn attempts(&self) -> Vec<Value> {
        self.tenant.list(&self.path("/deliveries")).await
    }
}

pub(crate) fn verify(secret: &str, got: &Got) {
    Webhook::new(secret)
        .unwrap()
        .verify(got.body.as_bytes(), &got.headers)
        .unwrap_or_else(|error| panic!("{error}: {got:?}"));
}

/// Waits until the receiver has got a message that fits.
pub(crate) async fn eventually_got(receiver: &Receiver, what: &str, fits: impl Fn(&Got) -> bool) -> Vec<Got> {
    eventually(what, async || {
        let got = receiver.got();
        if got.iter().any(&fits) { Ok(got) } else { Err(format!("{got:#?}")) }
    })
    .await
}

pub(crate) fn is_about(got: &Got, name: &str) -> bool {
    got.json()["data"]["member"]["email"] == email(name)
}

pub(crate) fn federated(hub: &Hub) -> Tenant {
    hub.tenant().policy("onboarding", "federated").create()
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
