//! Device authorization (RFC 8628): an agent without a browser is let in by an owner who types its code.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::sign_in::{age_session, set_role};
use crate::verbs::{email, eventually, unknown_id, with_form};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dx4_an_agent_that_an_owner_lets_in_gets_one_token,
        dx4_an_agent_is_told_to_wait_to_slow_down_and_that_its_code_has_ended,
        dx4_an_agent_that_is_refused_gets_nothing,
        dx4_an_owner_alone_lets_agents_in_after_a_fresh_sign_in,
        dx4_rc22_no_agent_is_let_in_for_the_source_of_another_tenant,
        dx4_questions_that_are_none_are_refused,
        dx4_requests_and_guesses_of_codes_are_limited,
    ]
}

const BOSS: &str = "boss@acme.example";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CLIENT: (&str, &str) = ("client_id", "rollcall-agent");

/// An agent that has begun.
struct Agent {
    hub: Hub,
    /// No other agent has it.
    name: String,
    device_code: String,
    user_code: String,
}

async fn post(hub: &Hub, path: &str, form: &[(&str, &str)]) -> Answer {
    Answer::of(with_form(hub.http().post(format!("{}{path}", hub.machines_url())), form)).await
}

impl Agent {
    async fn begin(hub: &Hub) -> Self {
        let name = format!("dc1 <{}>", unknown_id().simple());
        let begun = post(hub, "/oauth/device_authorization", &[CLIENT, ("device_name", &name)]).await.expect(200);
        assert_eq!((begun.header("cache-control"), begun.header("pragma")), ("no-store", "no-cache"));
        assert_eq!((begun.at("/expires_in"), begun.at("/interval")), (&json!(600), &json!(5)));
        let (page, user_code) = (begun.text_at("/verification_uri"), begun.text_at("/user_code"));
        assert!(page.ends_with("/activate"), "{page}");
        assert_eq!(begun.text_at("/verification_uri_complete"), format!("{page}?user_code={user_code}"));
        assert!(user_code.len() == 9 && user_code.as_bytes()[4] == b'-', "{user_code}");
        Self { hub: hub.clone(), name, device_code: begun.text_at("/device_code"), user_code }
    }

    async fn asks(&self) -> Answer {
        let form = [CLIENT, ("grant_type", GRANT), ("device_code", &self.device_code)];
        post(&self.hub, "/oauth/token", &form).await
    }

    #[track_caller]
    fn told(answer: &Answer, error: &str) {
        let is_so =
            answer.status == 400 && answer.at("/error") == error && answer.header("cache-control") == "no-store";
        assert!(is_so, "expected {error}: {}", answer.describe());
    }

    /// Lets the ten minutes of the code pass.
    async fn age(&self) {
        let when = match self.hub.combination() {
            Combination::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f+00:00', expires_at, '-11 minutes')",
            Combination::Full => "expires_at - interval '11 minutes'",
        };
        let sql = format!("UPDATE device_authorizations SET expires_at = {when} WHERE device_name = '{}'", self.name);
        self.hub.deployment().change(&sql).await;
    }
}

/// A hub of one case: every agent has the address of this machine.
async fn own(hub: &Hub) -> (Hub, Tenant, Person) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let boss = Person::sign_in(&tenant, BOSS).await;
    (hub, tenant, boss)
}

fn agent_source(tenant: &Tenant, name: &str) -> String {
    let create = ["source", "create", "--tenant", &tenant.slug, "--kind", "agent", "--mode", "off", "--name", name];
    let made = tenant.hub.json_command(&create);
    made["source_id"].as_str().unwrap_or_else(|| panic!("no source in {made}")).to_owned()
}

/// A press of a button of the page, as a page of this site sends it.
async fn press(person: &Person, site: &str, form: &[(&str, &str)]) -> Answer {
    let request = person.http.post(format!("{}/activate", person.base));
    let request = request.header("cookie", &person.cookie).header("sec-fetch-site", site);
    Answer::of(with_form(request, form)).await
}

async fn approve(person: &Person, user_code: &str, source: &str) -> Answer {
    press(person, "same-origin", &[("user_code", user_code), ("source", source), ("decision", "approve")]).await
}

async fn deny(person: &Person, user_code: &str) -> Answer {
    press(person, "same-origin", &[("user_code", user_code), ("decision", "deny")]).await
}

async fn first(tenant: &Tenant, kind: &str) -> Option<Value> {
    let events = tenant.get(&format!("/api/v1/audit-events?kind={kind}")).await.expect(200);
    Some(events.at("/items/0").clone()).filter(|event| !event.is_null())
}

async fn event(tenant: &Tenant, kind: &str) -> Value {
    eventually(&format!("{kind} is told"), async || first(tenant, kind).await.ok_or_else(|| "no event".to_owned()))
        .await
}

async fn dx4_an_agent_that_an_owner_lets_in_gets_one_token(hub: Hub) {
    let (hub, tenant, boss) = own(&hub).await;
    let metadata = hub.get(&format!("{}/.well-known/oauth-authorization-server", hub.machines_url())).await.expect(200);
    let endpoint = metadata.text_at("/device_authorization_endpoint");
    assert_eq!(endpoint, format!("{}/oauth/device_authorization", hub.machines_url()));
    let none = Agent::begin(&hub).await;
    let page = boss.get(&format!("/activate?user_code={}", none.user_code)).await.expect(200);
    assert!(page.text.contains("No source is fed by agents yet"), "{}", page.text);

    let source = agent_source(&tenant, "Head office <AD>");
    let agent = Agent::begin(&hub).await;
    let empty = boss.get("/activate").await.expect(200);
    assert!(empty.text.contains("name=\"user_code\""), "{}", empty.text);
    let typed = agent.user_code.to_lowercase().replace('-', "%20");
    let page = boss.get(&format!("/activate?user_code={typed}")).await.expect(200);
    for part in [&agent.user_code, "Head office &lt;AD&gt;", "dc1 &lt;", "127.0.0.1", &source] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    Agent::told(&agent.asks().await, "authorization_pending");

    approve(&boss, &agent.user_code, &source).await.expect(200);
    // Two questions at once get one token.
    let both = futures_util::future::join_all((0..4).map(|_| agent.asks())).await;
    let given: Vec<&Answer> = both.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(given.len(), 1, "{both:?}");
    let token = given[0].text_at("/access_token");
    assert!(token.starts_with("rce_"), "a prefix for secret scanners");
    assert_eq!((given[0].at("/expires_in"), given[0].at("/scope")), (&json!(3600), &json!("agent")));
    assert_eq!(given[0].text_at("/source_id"), source);
    Agent::told(&agent.asks().await, "invalid_grant");
    approve(&boss, &agent.user_code, &source).await.expect(404);

    // The token opens nothing of people and nothing of SCIM.
    let members = hub.http().get(format!("{}/api/v1/members", hub.people_url())).bearer_auth(&token);
    Answer::of(members).await.expect_problem(401);
    let events = tenant.get("/api/v1/audit-events?kind=credential.created&order=desc&limit=1").await.expect(200);
    assert_eq!(events.at("/items/0/detail/kind"), "agent_enrolment", "{}", events.describe());
    let scim = tenant.scim_source();
    crate::verbs::ScimSource { token: token.clone(), ..scim }.get("/Users").await.expect_scim_error(401, None);
    let revoke = format!("/api/v1/sources/{source}/tokens/{}", events.text_at("/items/0/subject/id"));
    tenant.send(reqwest::Method::DELETE, &revoke, None).await.expect(204);

    let approved = event(&tenant, "enrolment.approved").await;
    assert_eq!(approved["subject"]["id"], source.as_str(), "{approved}");
    assert!(approved["actor"].as_str().is_some_and(|actor| actor.starts_with("member:")), "{approved}");
    assert_eq!(approved["detail"], json!({ "device_name": agent.name, "address": "127.0.0.1" }));
    let events = tenant.get("/api/v1/audit-events?order=desc&limit=200").await.expect(200);
    for secret in [&token, &agent.device_code, &agent.user_code] {
        assert!(!events.text.contains(secret.as_str()), "a secret is in the log");
    }
}

async fn dx4_an_agent_is_told_to_wait_to_slow_down_and_that_its_code_has_ended(hub: Hub) {
    let (hub, tenant, boss) = own(&hub).await;
    let source = agent_source(&tenant, "AD");
    let agent = Agent::begin(&hub).await;
    Agent::told(&agent.asks().await, "authorization_pending");
    Agent::told(&agent.asks().await, "slow_down");
    Agent::told(&agent.asks().await, "slow_down");
    agent.age().await;
    Agent::told(&agent.asks().await, "expired_token");
    let late = approve(&boss, &agent.user_code, &source).await.expect(404);
    assert!(late.text.contains("has ended"), "{}", late.text);
    Agent::told(&agent.asks().await, "expired_token");
    // An approval that the agent does not fetch in time ends too.
    let other = Agent::begin(&hub).await;
    approve(&boss, &other.user_code, &source).await.expect(200);
    other.age().await;
    Agent::told(&other.asks().await, "expired_token");
}

async fn dx4_an_agent_that_is_refused_gets_nothing(hub: Hub) {
    let (hub, tenant, boss) = own(&hub).await;
    let source = agent_source(&tenant, "AD");
    let agent = Agent::begin(&hub).await;
    deny(&boss, &agent.user_code).await.expect(200);
    Agent::told(&agent.asks().await, "access_denied");
    approve(&boss, &agent.user_code, &source).await.expect(404);
    Agent::told(&agent.asks().await, "access_denied");
    let denied = event(&tenant, "enrolment.denied").await;
    assert_eq!(denied["detail"]["device_name"], agent.name.as_str(), "{denied}");
    assert_eq!(first(&tenant, "enrolment.approved").await, None);
}

async fn dx4_an_owner_alone_lets_agents_in_after_a_fresh_sign_in(hub: Hub) {
    let (hub, tenant, boss) = own(&hub).await;
    let source = agent_source(&tenant, "AD");
    let agent = Agent::begin(&hub).await;
    let page = format!("/activate?user_code={}", agent.user_code);
    let stranger = hub.get(&format!("{}{page}", hub.people_url())).await.expect(401);
    assert!(stranger.text.contains("/sign-in") && !stranger.text.contains("dc1"), "{}", stranger.text);
    let nobody = Person { cookie: String::new(), ..boss.clone() };
    approve(&nobody, &agent.user_code, &source).await.expect(401);

    tenant.scim_source().user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    set_role(&tenant, &ann.id, &json!({ "role": "admin" })).await;
    let admin = Person::sign_in(&tenant, &email("ann")).await;
    admin.get(&page).await.expect(403);
    approve(&admin, &agent.user_code, &source).await.expect(403);
    deny(&admin, &agent.user_code).await.expect(403);

    let form = [("user_code", agent.user_code.as_str()), ("source", &source), ("decision", "approve")];
    for site in ["cross-site", "same-site", "none"] {
        press(&boss, site, &form).await.expect(403);
    }
    let id = boss.get("/api/v1/session").await.expect(200).text_at("/session/id");
    age_session(&tenant, &id, 11).await;
    eventually("the sign-in is stale", async || {
        let answer = boss.get(&page).await;
        if answer.status == 403 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    approve(&boss, &agent.user_code, &source).await.expect(403);
    Agent::told(&agent.asks().await, "authorization_pending");
    let again = Person::sign_in(&tenant, BOSS).await;
    approve(&again, &agent.user_code, &source).await.expect(200);
    agent.asks().await.expect(200);
}

async fn dx4_rc22_no_agent_is_let_in_for_the_source_of_another_tenant(hub: Hub) {
    let (hub, tenant, boss) = own(&hub).await;
    let other = hub.tenant().owner("chief@other.example").create();
    let (source, theirs) = (agent_source(&tenant, "AD"), agent_source(&other, "Theirs"));
    let scim = tenant.scim_source().id;
    let agent = Agent::begin(&hub).await;
    let page = boss.get(&format!("/activate?user_code={}", agent.user_code)).await.expect(200);
    assert!(page.text.contains(&source) && !page.text.contains(&theirs) && !page.text.contains(&scim), "{}", page.text);
    for wrong in [theirs.as_str(), &scim, &unknown_id().to_string()] {
        approve(&boss, &agent.user_code, wrong).await.expect(404);
    }
    for wrong in ["", "AD"] {
        approve(&boss, &agent.user_code, wrong).await.expect(400);
    }
    press(&boss, "same-origin", &[("user_code", &agent.user_code), ("decision", "maybe")]).await.expect(400);
    Agent::told(&agent.asks().await, "authorization_pending");
    // It is of the tenant that decides first.
    approve(&boss, &agent.user_code, &source).await.expect(200);
    let chief = Person::sign_in(&other, "chief@other.example").await;
    approve(&chief, &agent.user_code, &theirs).await.expect(404);
    deny(&chief, &agent.user_code).await.expect(404);
    assert_eq!(agent.asks().await.expect(200).text_at("/source_id"), source);
    assert_eq!(first(&other, "enrolment.approved").await, None);
}

async fn dx4_questions_that_are_none_are_refused(hub: Hub) {
    let (hub, _, boss) = own(&hub).await;
    let begin = "/oauth/device_authorization";
    let long = "x".repeat(101);
    for (form, error) in [
        (vec![], "invalid_request"),
        (vec![CLIENT, CLIENT], "invalid_request"),
        (vec![CLIENT, ("device_name", long.as_str())], "invalid_request"),
        (vec![CLIENT, ("device_name", "a\nb")], "invalid_request"),
        (vec![CLIENT, ("device_name", "a\0b")], "invalid_request"),
    ] {
        let answer = post(&hub, begin, &form).await;
        Agent::told(&answer, error);
    }
    let other = post(&hub, begin, &[("client_id", "another")]).await.expect(401);
    assert_eq!(other.at("/error"), "invalid_client");
    let grant = ("grant_type", GRANT);
    Agent::told(&post(&hub, "/oauth/token", &[CLIENT, grant]).await, "invalid_request");
    for code in ["nonsense", "\0", &format!("rcd_{:0>43}", 1), &format!("rcd_{}", "é".repeat(43))] {
        Agent::told(&post(&hub, "/oauth/token", &[CLIENT, grant, ("device_code", code)]).await, "invalid_grant");
    }
    for code in ["AAAA-AAAA", "BCDF-GHJK", "<script>alert(1)</script>", "%C3%A9"] {
        let page = boss.get(&format!("/activate?user_code={code}")).await.expect(404);
        assert!(!page.text.contains("alert(1)"), "{}", page.text);
    }
    boss.get("/activate?user_code=%00").await.expect(400);
    boss.get("/activate?more=1").await.expect(400);
}

async fn dx4_requests_and_guesses_of_codes_are_limited(hub: Hub) {
    let slow = [("ROLLCALL_INGEST_FAILED_AUTH_PER_SECOND", "0.01"), ("ROLLCALL_INGEST_FAILED_AUTH_BURST", "5")];
    let hub = slow.iter().fold(hub.another(), |hub, (key, value)| hub.setting(key, value)).start().await;
    let tenant = hub.tenant().owner(BOSS).create();
    let boss = Person::sign_in(&tenant, BOSS).await;
    let mut limited = Vec::new();
    for _ in 0..15 {
        let answer = post(&hub, "/oauth/device_authorization", &[CLIENT]).await;
        match answer.status {
            200 => {}
            status => {
                assert!(matches!(status, 429 | 503), "{}", answer.describe());
                limited.push(answer);
            }
        }
    }
    assert!(limited.len() >= 3, "15 requests of one address at once: {limited:?}");
    let mut guesses = Vec::new();
    for letter in "BCDFGHJKLMNP".chars() {
        let guess = format!("/activate?user_code={letter}BBBBBBB");
        guesses.push(boss.get(&guess).await.status);
    }
    assert!(guesses.iter().all(|status| matches!(status, 404 | 429)), "{guesses:?}");
    assert!(guesses[8..].iter().all(|status| *status == 429), "{guesses:?}");
}
