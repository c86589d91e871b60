//! Set-up links: somebody without an account connects an identity provider to one source.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, eventually, person, with_form};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        pe12_a_link_connects_a_provider_without_an_account,
        pe12_a_link_makes_one_token_also_when_two_press_at_once,
        pe12_a_link_makes_an_oauth_client_instead,
        pe12_a_link_opens_nothing_else,
        pe12_a_link_ends_when_it_is_revoked_or_over,
        pe12_the_log_names_the_link_as_the_actor,
        pe12_the_page_loads_nothing_and_is_framed_by_nobody,
        pe12_another_sites_page_makes_no_token,
        pe12_links_are_bounded_and_lists_show_no_secret,
        rc22_no_link_of_another_tenant_is_seen_or_changed,
    ]
}

/// The page of a link, as its holder's browser has it.
struct Page {
    hub: Hub,
    link: String,
}

impl Page {
    async fn open(&self, provider: &str) -> Answer {
        let chosen = if provider.is_empty() { String::new() } else { format!("&provider={provider}") };
        let url = format!("{}/set-up?link={}{chosen}", self.hub.people_url(), self.link);
        readable(Answer::of(self.hub.http().get(url)).await)
    }

    async fn press(&self) -> Answer {
        self.press_from("same-origin", "token").await
    }

    async fn press_from(&self, site: &str, what: &str) -> Answer {
        let form = [("link", self.link.as_str()), ("provider", "okta")];
        let request = self.hub.http().post(format!("{}/set-up/{what}", self.hub.people_url()));
        readable(Answer::of(with_form(request.header("sec-fetch-site", site), &form)).await)
    }
}

/// The page with its slashes as a browser shows them.
fn readable(answer: Answer) -> Answer {
    Answer { text: answer.text.replace("&#x2F;", "/"), ..answer }
}

fn links(source: &ScimSource) -> String {
    format!("/api/v1/sources/{}/setup-links", source.id)
}

async fn new_link(tenant: &Tenant, source: &ScimSource, asked: Value) -> (Page, String) {
    let made = tenant.post(&links(source), &asked).await.expect(201);
    let url = made.text_at("/url");
    let (base, link) = url.split_once("/set-up?link=").unwrap_or_else(|| panic!("{url}"));
    assert_eq!(base, tenant.hub.people_url());
    assert!(link.starts_with("rcu_"), "a prefix for secret scanners: {link}");
    (Page { hub: tenant.hub.clone(), link: link.to_owned() }, made.id())
}

/// The token that a page shows.
fn token_in(answer: &Answer) -> String {
    let (_, rest) = answer.text.split_once("<code>rcs_").unwrap_or_else(|| panic!("no token: {}", answer.describe()));
    format!("rcs_{}", rest.split('<').next().unwrap_or_default())
}

async fn pe12_a_link_connects_a_provider_without_an_account(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--name").argument("Okta <prod>").create();
    let (page, id) = new_link(&tenant, &source, json!({ "name": "for Ann" })).await;
    let answer = page.open("").await.expect(200);
    assert!(answer.content_type().starts_with("text/html"), "{}", answer.describe());
    for part in [source.id.as_str(), "Okta &lt;prod&gt;", "Make the token", "Not yet", "Choose yours"] {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
    let guide = page.open("entra").await.expect(200);
    let address = format!("<code>{}/scim/v2/{}?aadOptscim062020</code>", hub.people_url(), source.id);
    assert!(guide.text.contains(&address) && guide.text.contains("Secret token"), "{}", guide.text);
    page.open("nonsense").await.expect(200);

    let made = page.press().await.expect(200);
    let token = token_in(&made);
    assert!(made.text.contains("not shown again") && made.text.matches(&token).count() == 2, "{}", made.text);
    let again = page.open("okta").await.expect(200);
    assert!(!again.text.contains(&token) && !again.text.contains("Make the token"), "{}", again.text);
    assert!(again.text.contains(&token[..8]), "the token is recognised by its beginning: {}", again.text);
    let provider = ScimSource { token, ..source.clone() };
    provider.post("/Users", &person("ann")).await.expect(201);
    eventually("the page has seen the call", async || {
        let seen = page.open("okta").await.expect(200);
        if seen.text.contains("Yes, last on") { Ok(()) } else { Err(seen.text) }
    })
    .await;
    eventually("the list shows opening and token", async || {
        let listed: Vec<Value> = tenant.list(&links(&source)).await;
        let link = listed.iter().find(|one| one["id"] == id.as_str()).cloned().unwrap_or_default();
        if link["last_used_at"].is_string() && link["token_id"].is_string() { Ok(()) } else { Err(link.to_string()) }
    })
    .await;
}

async fn pe12_a_link_makes_one_token_also_when_two_press_at_once(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (page, _) = new_link(&tenant, &source, json!({})).await;
    let presses = futures_util::future::join_all((0..4).map(async |_| page.press().await)).await;
    let made: Vec<&Answer> = presses.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(made.len(), 1, "{presses:?}");
    for refused in presses.iter().filter(|answer| answer.status != 200) {
        assert!(refused.status == 409 && refused.text.contains("another link"), "{}", refused.describe());
    }
    ScimSource { token: token_in(made[0]), ..source.clone() }.get("/Users").await.expect(200);
    eventually("the first token and the link's", async || {
        let tokens: Vec<Value> = tenant.list(&format!("/api/v1/sources/{}/tokens", source.id)).await;
        if tokens.len() == 2 { Ok(()) } else { Err(format!("{tokens:?}")) }
    })
    .await;
}

async fn pe12_a_link_makes_an_oauth_client_instead(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (page, link) = new_link(&tenant, &source, json!({ "name": "Ann of IT" })).await;
    let made = page.press_from("same-origin", "oauth-client").await.expect(200);
    let mut values = made.text.split("class=\"value\"><code>").skip(2).filter_map(|rest| rest.split('<').next());
    let mut value = || values.next().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let (id, secret, endpoint) = (value(), value(), value());
    let request = hub.http().post(&endpoint).basic_auth(&id, Some(&secret));
    let answer = Answer::of(with_form(request, &[("grant_type", "client_credentials")])).await.expect(200);
    ScimSource { token: answer.text_at("/access_token"), ..source.clone() }.get("/Users").await.expect(200);
    // The link has made what it makes.
    let again = page.open("").await.expect(200);
    assert!(again.text.contains(&id) && !again.text.contains(&secret), "{}", again.text);
    page.press().await.expect(409);
    let events = tenant.get("/api/v1/audit-events?order=desc&kind=oauth_client.created&limit=1").await.expect(200);
    assert_eq!(events.at("/items/0/actor"), format!("setup_link:{link}").as_str(), "{}", events.describe());
}

async fn pe12_a_link_opens_nothing_else(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (page, id) = new_link(&tenant, &source, json!({})).await;
    ScimSource { token: page.link.clone(), ..source.clone() }.get("/Users").await.expect_scim_error(401, None);
    for path in ["/api/v1/members".to_owned(), links(&source), "/api/v1/session".to_owned()] {
        let url = format!("{}{path}", hub.people_url());
        Answer::of(hub.http().get(&url).bearer_auth(&page.link)).await.expect_problem(401);
        let cookie = format!("__Host-rollcall={}", page.link);
        Answer::of(hub.http().get(&url).header("cookie", cookie)).await.expect_problem(401);
    }
    let session = hub.http().post(format!("{}/api/v1/session", hub.people_url()));
    Answer::of(session.json(&json!({ "link": page.link }))).await.expect_problem(401);
    // It is no token of the source either, so the route of tokens does not end it.
    let token = format!("/api/v1/sources/{}/tokens/{id}", source.id);
    tenant.send(Method::DELETE, &token, None).await.expect_problem(404);
    page.open("").await.expect(200);
}

async fn pe12_a_link_ends_when_it_is_revoked_or_over(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (page, id) = new_link(&tenant, &source, json!({})).await;
    let token = token_in(&page.press().await.expect(200));
    let path = format!("{}/{id}", links(&source));
    for _ in 0..2 {
        tenant.send(Method::DELETE, &path, None).await.expect(204);
    }
    for answer in [page.open("").await, page.press().await] {
        assert!(answer.status == 401 && answer.text.contains("has ended"), "{}", answer.describe());
        assert!(!answer.text.contains(&source.id), "{}", answer.describe());
    }
    ScimSource { token, ..source.clone() }.get("/Users").await.expect(200);
    let (short, _) = new_link(&tenant, &source, json!({ "expires_in_seconds": 1 })).await;
    eventually("the link is over", async || match short.press().await.status {
        401 | 409 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    eventually("its page is over", async || match short.open("").await.status {
        401 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    for wrong in ["", "rcu_nonsense", "%00"] {
        let answer = Page { hub: hub.clone(), link: wrong.to_owned() }.open("").await;
        assert!([400, 401].contains(&answer.status), "{}", answer.describe());
    }
}

async fn pe12_the_log_names_the_link_as_the_actor(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (page, id) = new_link(&tenant, &source, json!({ "name": "Ann of IT" })).await;
    page.press().await.expect(200);
    let events = tenant.get("/api/v1/audit-events?order=desc&kind=credential.created&limit=1").await.expect(200);
    let event = events.at("/items/0");
    assert_eq!(event["actor"], format!("setup_link:{id}"), "{event}");
    assert_eq!(event["actor_name"], "Ann of IT", "{event}");
    assert_eq!(tenant.kinds_about(&id).await, ["setup_link.created"]);
    assert!(!events.text.contains(&page.link), "{}", events.describe());
}

async fn pe12_the_page_loads_nothing_and_is_framed_by_nobody(hub: Hub) {
    let tenant = hub.tenant().create();
    let (page, _) = new_link(&tenant, &tenant.scim_source(), json!({})).await;
    for answer in [page.open("okta").await, page.press().await] {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert_eq!((answer.header("referrer-policy"), answer.header("cache-control")), ("no-referrer", "no-store"));
        assert!(answer.header("set-cookie").is_empty(), "{:?}", answer.headers);
        assert!(!answer.text.contains("<script") && !answer.text.contains("style=\""), "{}", answer.text);
    }
}

async fn pe12_another_sites_page_makes_no_token(hub: Hub) {
    let tenant = hub.tenant().create();
    let (page, _) = new_link(&tenant, &tenant.scim_source(), json!({})).await;
    for site in ["cross-site", "same-site", "none"] {
        page.press_from(site, "token").await.expect(403);
        page.press_from(site, "oauth-client").await.expect(403);
    }
    page.press().await.expect(200);
}

async fn pe12_links_are_bounded_and_lists_show_no_secret(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for wrong in [json!({ "expires_in_seconds": 0 }), json!({ "expires_in_seconds": 2_592_001 }), json!({ "x": 1 })] {
        tenant.post(&links(&source), &wrong).await.expect_problem(400);
    }
    let (page, _) = new_link(&tenant, &source, json!({ "expires_in_seconds": 2_592_000 })).await;
    for _ in 1..10 {
        tenant.post(&links(&source), &json!({})).await.expect(201);
    }
    let refused = tenant.post(&links(&source), &json!({})).await.expect_problem(409);
    assert!(refused.text_at("/detail").contains("revoke"), "{}", refused.describe());
    let listed = tenant.get(&format!("{}?order=desc", links(&source))).await.expect(200);
    assert_eq!(listed.at("/items").as_array().map(Vec::len), Some(10), "{}", listed.describe());
    assert!(!listed.text.contains(&page.link), "{}", listed.describe());
    // Links take the place of no token.
    tenant.post(&format!("/api/v1/sources/{}/tokens", source.id), &json!({})).await.expect(201);
}

async fn rc22_no_link_of_another_tenant_is_seen_or_changed(hub: Hub) {
    let (tenant, stranger) = (hub.tenant().create(), hub.tenant().create());
    let source = tenant.scim_source();
    let (page, id) = new_link(&tenant, &source, json!({})).await;
    let own = stranger.scim_source();
    stranger.get(&links(&source)).await.expect_problem(404);
    stranger.post(&links(&source), &json!({})).await.expect_problem(404);
    for source in [&source, &own] {
        stranger.send(Method::DELETE, &format!("{}/{id}", links(source)), None).await.expect_problem(404);
    }
    page.open("").await.expect(200);
}
