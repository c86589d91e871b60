//! OAuth 2.0 client credentials: an identity provider gets short-lived tokens for one source, and gives them back.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, eventually, person, with_form, within};

pub(crate) fn cases() -> Vec<Case> {
    let timed = cases![a_revoked_client_ends_with_its_tokens_on_every_process_within_a_second];
    let everywhere = cases![
        a_client_gets_a_token_that_opens_its_source_alone,
        a_client_names_itself_in_the_header_or_in_the_form,
        failures_are_those_of_the_specification,
        the_metadata_leads_a_client_to_its_token,
        a_rotated_client_keeps_its_id_and_its_old_secret_for_a_while,
        a_rotation_without_overlap_ends_secret_and_tokens,
        a_revoked_client_ends_with_its_tokens,
        a_client_gives_back_its_own_tokens_alone,
        rc22_no_client_of_another_tenant_is_seen_or_changed,
        guesses_of_secrets_are_limited_and_clients_go_on,
        no_secret_is_in_a_log_or_an_event,
    ];
    everywhere.into_iter().chain(timed.into_iter().map(|case| case.only_on(Combination::Full).alone())).collect()
}

/// A client as its identity provider knows it.
#[derive(Clone)]
struct Client {
    source: ScimSource,
    id: String,
    secret: String,
}

impl Client {
    async fn new(tenant: &Tenant, source: &ScimSource) -> Self {
        let made = tenant.post(&clients(source), &json!({ "name": "Entra" })).await.expect(201);
        let (id, secret) = (made.text_at("/client_id"), made.text_at("/client_secret"));
        assert!(secret.starts_with("rcc_"), "a prefix for secret scanners: {secret}");
        Self { source: source.clone(), id, secret }
    }

    async fn send(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.source.hub.machines_url());
        let request = self.source.hub.http().post(url).basic_auth(&self.id, Some(&self.secret));
        Answer::of(with_form(request, form)).await
    }

    async fn asks(&self) -> Answer {
        self.send("/oauth/token", &[("grant_type", "client_credentials")]).await
    }

    /// The source with a new token.
    async fn token(&self) -> ScimSource {
        let token = self.asks().await.expect(200).text_at("/access_token");
        ScimSource { token, ..self.source.clone() }
    }
}

fn clients(source: &ScimSource) -> String {
    format!("/api/v1/sources/{}/oauth-clients", source.id)
}

async fn refused_soon(source: &ScimSource) {
    within(Duration::from_secs(3), "the token is refused", async || {
        source.get("/Users").await.check_scim_error(401, None)
    })
    .await;
}

#[track_caller]
fn expect_error(answer: &Answer, status: u16, error: &str) {
    let is_so = answer.status == status
        && answer.content_type().starts_with("application/json")
        && answer.at("/error") == error
        && answer.header("cache-control") == "no-store";
    assert!(is_so, "expected {status} {error}: {}", answer.describe());
    let description = answer.text_at("/error_description");
    // RFC 6749 §5.2 names the characters.
    assert!(description.chars().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\'), "{description}");
}

async fn a_client_gets_a_token_that_opens_its_source_alone(hub: Hub) {
    let tenant = hub.tenant().create();
    let (source, other) = (tenant.scim_source(), tenant.new_source().argument("--mode").argument("simulate").create());
    let client = Client::new(&tenant, &source).await;
    let answer = client.asks().await.expect(200);
    assert_eq!((answer.at("/token_type"), answer.at("/expires_in")), (&json!("Bearer"), &json!(3600)));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let token = ScimSource { token: answer.text_at("/access_token"), ..source.clone() };
    assert!(token.token.starts_with("rca_"), "a prefix for secret scanners");
    token.post("/Users", &person("ann")).await.expect(201);
    ScimSource { token: token.token.clone(), ..other }.get("/Users").await.expect_scim_error(404, None);
    let members = hub.http().get(format!("{}/api/v1/members", hub.people_url()));
    Answer::of(members.bearer_auth(&token.token)).await.expect_problem(401);
    // The secret is no token, and says so.
    let secret = ScimSource { token: client.secret.clone(), ..source.clone() };
    let refused = secret.get("/Users").await.expect_scim_error(401, None);
    assert!(refused.text_at("/detail").contains("/oauth/token"), "{}", refused.describe());
    source.get("/Users").await.expect(200);
    // A switch of the source counts for the token at once, and within a second elsewhere.
    let path = format!("/api/v1/sources/{}", source.id);
    tenant.send(Method::PATCH, &path, Some(&json!({ "mode": "off" }))).await.expect(200);
    within(Duration::from_secs(3), "the source is off", async || token.get("/Users").await.check_scim_error(403, None))
        .await;
}

async fn a_client_names_itself_in_the_header_or_in_the_form(hub: Hub) {
    let tenant = hub.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let url = format!("{}/oauth/token", hub.machines_url());
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", "a b")];
    let posted = Answer::of(with_form(hub.http().post(&url), &form)).await.expect(200);
    assert_eq!(posted.at("/scope"), "scim", "{}", posted.describe());
    client.asks().await.expect(200);
    let both = client.send("/oauth/token", &form).await;
    expect_error(&both, 400, "invalid_request");
    let named = [("grant_type", "client_credentials"), ("client_id", id)];
    client.send("/oauth/token", &named).await.expect(200);
}

async fn failures_are_those_of_the_specification(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let client = Client::new(&tenant, &source).await;
    let other = Client::new(&tenant, &source).await;
    let grant = ("grant_type", "client_credentials");
    for (form, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "")], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![grant, grant], "invalid_request"),
        (vec![grant, ("scope", "a"), ("scope", "b")], "invalid_request"),
    ] {
        expect_error(&client.send("/oauth/token", &form).await, 400, error);
    }
    for wrong in [
        Client { secret: other.secret.clone(), ..client.clone() },
        Client { secret: source.token.clone(), ..client.clone() },
        Client { secret: String::new(), ..client.clone() },
        Client { id: String::new(), ..client.clone() },
        Client { id: "\0".to_owned(), ..client.clone() },
        Client { id: source.id.clone(), ..client.clone() },
    ] {
        let refused = wrong.asks().await;
        expect_error(&refused, 401, "invalid_client");
        assert!(refused.header("www-authenticate").starts_with("Basic"), "{:?}", refused.headers);
    }
    let url = format!("{}/oauth/token", hub.machines_url());
    let bare = Answer::of(with_form(hub.http().post(&url), &[grant])).await;
    expect_error(&bare, 401, "invalid_client");
    let as_json = hub.http().post(&url).basic_auth(&client.id, Some(&client.secret));
    expect_error(
        &Answer::of(as_json.json(&json!({ "grant_type": "client_credentials" }))).await,
        400,
        "invalid_request",
    );
    let read = Answer::of(hub.http().get(&url)).await;
    expect_error(&read, 405, "invalid_request");
    assert_eq!(read.header("allow"), "POST");
    expect_error(&client.send("/oauth/revoke", &[]).await, 400, "invalid_request");
    let long = "x".repeat(20_000);
    expect_error(&client.send("/oauth/token", &[("scope", &long)]).await, 413, "invalid_request");
}

async fn the_metadata_leads_a_client_to_its_token(hub: Hub) {
    let base = hub.machines_url();
    let answer = hub.get(&format!("{base}/.well-known/oauth-authorization-server")).await.expect(200);
    assert_eq!(answer.at("/issuer"), base.as_str());
    let grants = json!(["client_credentials", "urn:ietf:params:oauth:grant-type:device_code"]);
    assert_eq!(answer.at("/grant_types_supported"), &grants);
    assert_eq!(answer.at("/response_types_supported"), &json!([]));
    let tenant = hub.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let form = [("grant_type", "client_credentials")];
    let asked = hub.http().post(answer.text_at("/token_endpoint")).basic_auth(&client.id, Some(&client.secret));
    Answer::of(with_form(asked, &form)).await.expect(200);
    let public = hub.another().setting("ROLLCALL_HTTP_PUBLIC_URL", "https://hub.example").start().await;
    let answer = public.get(&format!("{}/.well-known/oauth-authorization-server", public.machines_url())).await;
    assert_eq!(answer.at("/token_endpoint"), "https://hub.example/oauth/token", "{}", answer.describe());
}

async fn a_rotated_client_keeps_its_id_and_its_old_secret_for_a_while(hub: Hub) {
    let tenant = hub.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let path = format!("{}/{}/rotate", clients(&client.source), client.id);
    let made = tenant.post(&path, &json!({ "overlap_seconds": 3600 })).await.expect(201);
    assert_eq!(made.at("/client_id"), client.id.as_str());
    let renewed = Client { secret: made.text_at("/client_secret"), ..client.clone() };
    client.token().await.get("/Users").await.expect(200);
    renewed.token().await.get("/Users").await.expect(200);
    eventually("both secrets are listed, and were used", async || {
        let listed: Vec<Value> = tenant.list(&clients(&client.source)).await;
        let of = |id: &Value| listed.iter().find(|one| one["id"] == *id);
        let (old, new) = (of(made.at("/replaces/id")), of(made.at("/id")));
        let is_so = |one: &Value| one["client_id"] == client.id.as_str() && one["last_used_at"].is_string();
        match (old, new) {
            (Some(old), Some(new)) if is_so(old) && is_so(new) && old["expires_at"].is_string() => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await;
}

async fn a_rotation_without_overlap_ends_secret_and_tokens(hub: Hub) {
    let tenant = hub.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let token = client.token().await;
    token.get("/Users").await.expect(200);
    let path = format!("{}/{}/rotate", clients(&client.source), client.id);
    tenant.post(&path, &json!({ "overlap_seconds": 0 })).await.expect(201);
    refused_soon(&token).await;
    expect_error(&client.asks().await, 401, "invalid_client");
}

async fn revoke(tenant: &Tenant, client: &Client, status: u16) {
    let path = format!("{}/{}", clients(&client.source), client.id);
    tenant.send(Method::DELETE, &path, None).await.expect(status);
}

async fn a_revoked_client_ends_with_its_tokens(hub: Hub) {
    let tenant = hub.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let tokens = [client.token().await, client.token().await];
    tokens[0].get("/Users").await.expect(200);
    revoke(&tenant, &client, 204).await;
    expect_error(&client.asks().await, 401, "invalid_client");
    for token in &tokens {
        refused_soon(token).await;
    }
    // A caller that got no answer repeats the request and gets the same result.
    revoke(&tenant, &client, 204).await;
    client.source.get("/Users").await.expect(200);
    let kinds = tenant.kinds_about(&client.id).await;
    assert_eq!(kinds, ["oauth_client.created", "oauth_client.revoked"]);
}

/// Three processes that serve SCIM have the token in their caches.
async fn a_revoked_client_ends_with_its_tokens_on_every_process_within_a_second(hub: Hub) {
    let hub = hub.another().apart(0).start().await;
    let others = [hub.add_ingest().await, hub.add_ingest().await];
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for _ in 0..3 {
        let client = Client::new(&tenant, &source).await;
        let token = client.token().await;
        let through = |url: &String| ScimSource { base: format!("{url}/scim/v2/{}", source.id), ..token.clone() };
        let doors: Vec<ScimSource> = others.iter().map(through).chain([token.clone()]).collect();
        for door in &doors {
            door.get("/Users?count=1").await.expect(200);
        }
        revoke(&tenant, &client, 204).await;
        within(Duration::from_secs(1), "every process refuses the token", async || {
            for door in &doors {
                door.get("/Users?count=1").await.check_scim_error(401, None)?;
            }
            Ok(())
        })
        .await;
    }
}

async fn a_client_gives_back_its_own_tokens_alone(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (client, other) = (Client::new(&tenant, &source).await, Client::new(&tenant, &source).await);
    let (given, kept) = (client.token().await, client.token().await);
    given.get("/Users").await.expect(200);
    for text in ["nonsense", &source.token, &given.token, "\0"] {
        other.send("/oauth/revoke", &[("token", text)]).await.expect(200);
    }
    given.get("/Users").await.expect(200);
    let form = [("token", given.token.as_str()), ("token_type_hint", "refresh_token")];
    client.send("/oauth/revoke", &form).await.expect(200);
    refused_soon(&given).await;
    client.send("/oauth/revoke", &form).await.expect(200);
    kept.get("/Users").await.expect(200);
    source.get("/Users").await.expect(200);
    let thief = Client { secret: other.secret.clone(), ..client.clone() };
    expect_error(&thief.send("/oauth/revoke", &[("token", &kept.token)]).await, 401, "invalid_client");
}

async fn rc22_no_client_of_another_tenant_is_seen_or_changed(hub: Hub) {
    let (tenant, stranger) = (hub.tenant().create(), hub.tenant().create());
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let own = stranger.scim_source();
    for source in [&client.source, &own] {
        let path = format!("{}/{}", clients(source), client.id);
        stranger.send(Method::DELETE, &path, None).await.expect_problem(404);
        stranger.post(&format!("{path}/rotate"), &json!({})).await.expect_problem(404);
    }
    stranger.get(&clients(&client.source)).await.expect_problem(404);
    assert!(stranger.list::<Value>(&clients(&own)).await.is_empty());
    client.token().await.get("/Users").await.expect(200);
}

async fn guesses_of_secrets_are_limited_and_clients_go_on(hub: Hub) {
    let strict = hub
        .another()
        .setting("ROLLCALL_INGEST_FAILED_AUTH_PER_SECOND", "0.01")
        .setting("ROLLCALL_INGEST_FAILED_AUTH_BURST", "5")
        .start()
        .await;
    let tenant = strict.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    client.asks().await.expect(200);
    for guess in 0..5 {
        let thief = Client { secret: format!("rcc_{guess:043}"), ..client.clone() };
        expect_error(&thief.asks().await, 401, "invalid_client");
    }
    let thief = Client { secret: format!("rcc_{:043}", 7), ..client.clone() };
    let limited = thief.asks().await;
    expect_error(&limited, 429, "temporarily_unavailable");
    assert!(limited.header("retry-after").parse::<u64>().is_ok_and(|wait| wait >= 1), "{:?}", limited.headers);
    client.asks().await.expect(200);
}

async fn no_secret_is_in_a_log_or_an_event(hub: Hub) {
    let own = hub.another().setting("ROLLCALL_TELEMETRY_LOG_FILTER", "debug").start().await;
    let tenant = own.tenant().create();
    let client = Client::new(&tenant, &tenant.scim_source()).await;
    let token = client.token().await;
    token.get("/Users").await.expect(200);
    client.send("/oauth/revoke", &[("token", &token.token)]).await.expect(200);
    let listed = tenant.get(&clients(&client.source)).await.expect(200);
    let events = tenant.get("/api/v1/audit-events?order=desc&limit=200").await.expect(200);
    for kind in ["oauth_client.created", "access_token.issued", "access_token.revoked"] {
        assert!(events.text.contains(kind), "{kind}: {}", events.describe());
    }
    let log = std::fs::read_to_string(own.deployment().folder.join("everything.log")).unwrap();
    assert!(log.len() > 1_000, "a log of {} bytes", log.len());
    for text in [&listed.text, &events.text, &log] {
        assert!(!text.contains(&client.secret) && !text.contains(&token.token), "a secret is shown");
    }
}
