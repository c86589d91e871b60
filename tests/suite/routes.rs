//! Walks the router's own table, so that a route without authentication fails a test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::answer::Answer;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::verbs::{ScimSource, email, person, within};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        every_guarded_route_refuses_a_missing_token,
        every_guarded_route_hides_what_belongs_to_another_tenant,
        s5_every_route_of_the_api_asks_for_its_least_role,
        every_route_of_the_api_asks_for_its_permission,
        every_route_of_the_api_is_as_strict_with_a_session,
        every_guarded_route_refuses_another_method_in_its_own_format,
        s10_no_answer_may_be_stored_or_sniffed,
        browsers_stay_with_https_where_the_hub_has_it,
        the_table_is_whole_and_only_probes_are_open,
    ]
}

/// One line of `rollcall routes --json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Route {
    method: String,
    /// With placeholders, as `/scim/v2/{source_id}/Users/{id}`.
    pub(crate) path: String,
    pub(crate) auth: String,
    /// For an API key or a session.
    least_role: Option<String>,
    permission: Option<String>,
    /// A session signed in within the last minutes.
    #[serde(default)]
    fresh: bool,
}

pub(crate) fn table(hub: &Hub) -> Vec<Route> {
    let routes: Vec<Route> = serde_json::from_value(hub.json_command(&["routes"])).unwrap();
    assert!(routes.len() > 20, "a table of {} routes", routes.len());
    routes
}

/// A tenant's ids, to fill placeholders with.
#[derive(Clone)]
pub(crate) struct Ids {
    pub(crate) source: String,
    pub(crate) user: String,
    pub(crate) group: String,
    pub(crate) member: String,
    pub(crate) sharing_group: String,
    pub(crate) run: String,
    pub(crate) token: String,
}

impl Ids {
    /// The same text for every placeholder.
    pub(crate) fn all(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            source: text(),
            user: text(),
            group: text(),
            member: text(),
            sharing_group: text(),
            run: text(),
            token: text(),
        }
    }
}

async fn ids_of_a_tenant(hub: &Hub) -> Ids {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    let group = source.group("Pilots", &[&user]).await;
    let sharing_group = tenant.eventually_group("Pilots", &[&email("ann")]).await.id;
    let member = tenant.member(&email("ann")).await.unwrap().id;
    let run = tenant.runs().await.first().map(|run| run.id.clone());
    let run = run.expect("a reconcile that changed something is a run");
    let token = source.token_id.expect("the first token");
    Ids { source: source.id, user, group, member, sharing_group, run, token }
}

impl Route {
    pub(crate) fn method(&self) -> Method {
        self.method.parse().unwrap()
    }

    pub(crate) fn filled(&self, ids: &Ids) -> String {
        let resource = [
            ("/Users/", &ids.user),
            ("/users/", &ids.user),
            ("/Groups/", &ids.group),
            ("/members/", &ids.member),
            ("/groups/", &ids.sharing_group),
            ("/runs/", &ids.run),
            ("/sources/", &ids.source),
            ("/tokens/", &ids.token),
        ];
        let mut path = self.path.replace("{source_id}", &ids.source);
        while let Some(start) = path.find('{') {
            let end = path[start..].find('}').map_or(path.len(), |length| start + length + 1);
            let before = &path[..start];
            let value = resource.iter().find(|(prefix, _)| before.ends_with(prefix)).map(|(_, id)| id.as_str());
            path = format!("{before}{}{}", value.unwrap_or("User"), &path[end..]);
        }
        path
    }

    /// The least role by the rules: reads are everybody's, what makes credentials or moves the authority is the owner's, other
    /// changes are an admin's. A person's own sessions are everybody's; keys, the ways to sign in and whole lists are an auditor's to
    /// see, keys an admin's to make, and the ways to sign in an owner's to change.
    fn wanted_role(&self) -> &'static str {
        const OWNERS: [&str; 10] = [
            "/promote",
            "/detach",
            "/tokens",
            "/tokens/{token_id}/rotate",
            "/oauth-clients",
            "/oauth-clients/{client_id}/rotate",
            "/setup-links",
            "/install-tokens",
            "/sign-in-link",
            "/recovery-codes",
        ];
        let path = self.path.trim_start_matches("/api/v1");
        match self.method.as_str() {
            "GET" if path.starts_with("/api-keys") || path.starts_with("/exports/") => "auditor",
            _ if path.starts_with("/api-keys") => "admin",
            "GET" if self.is_about_signing_in() || self.is_about_webhooks() => "auditor",
            _ if self.is_about_signing_in() => "owner",
            // An address, and a secret, are the owner's: events of everybody go there.
            "PATCH" | "DELETE" if self.is_about_webhooks() => "owner",
            "POST" if path == "/webhooks" || self.is_about_webhooks() && path.ends_with("/rotate") => "owner",
            // It shows what a mapping would make of a person, and writes nothing.
            _ if path == "/policy/mapping/preview" => "auditor",
            "GET" => "member",
            _ if path == "/session" || path == "/sessions/{id}" => "member",
            "POST" if path == "/sources" || OWNERS.iter().any(|end| path.ends_with(end)) => "owner",
            _ => "admin",
        }
    }

    /// The ways to sign in, which `access` lets see and change.
    fn is_about_signing_in(&self) -> bool {
        let path = self.path.trim_start_matches("/api/v1");
        path.starts_with("/sign-in-connections") || path.starts_with("/domains") || path.ends_with("/identities")
    }

    /// Endpoints of webhooks, which `access` lets see and change.
    fn is_about_webhooks(&self) -> bool {
        self.path.starts_with("/api/v1/webhooks")
    }

    fn url(&self, hub: &Hub, ids: &Ids) -> String {
        let base = if matches!(self.auth.as_str(), "scim" | "agent") { hub.machines_url() } else { hub.people_url() };
        format!("{base}{}", self.filled(ids))
    }

    fn check(&self, answer: &Answer, status: u16) -> Result<(), String> {
        match self.auth.as_str() {
            "scim" => answer.check_scim_error(status, None),
            "api" | "operator" => answer.check_problem(status),
            "agent" if answer.status == status && answer.at("/code") == status && answer.at("/message").is_string() => {
                Ok(())
            }
            "agent" => Err(format!("expected {status} with a message: {}", answer.describe())),
            other => Err(format!("unknown auth {other:?} in the table")),
        }
    }
}

fn guarded(hub: &Hub) -> Vec<Route> {
    table(hub).into_iter().filter(|route| route.auth != "none").collect()
}

#[track_caller]
fn expect_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} routes fail:\n- {}", failures.len(), failures.join("\n- "));
}

async fn every_guarded_route_refuses_a_missing_token(hub: Hub) {
    let ids = ids_of_a_tenant(&hub).await;
    let mut failures = Vec::new();
    for route in guarded(&hub) {
        let request = hub.http().request(route.method(), route.url(&hub, &ids)).json(&json!({}));
        let answer = Answer::of(request).await;
        failures.extend(route.check(&answer, 401).err());
    }
    expect_none(&failures);
}

async fn every_guarded_route_hides_what_belongs_to_another_tenant(hub: Hub) {
    let ids = ids_of_a_tenant(&hub).await;
    let stranger = hub.tenant().create();
    let stranger_source = stranger.scim_source();
    let mut failures = Vec::new();
    let mut walked = 0;
    // A list without an id in its path cannot name a resource of another tenant. Agents sign, and have a walk of their own.
    let named = |route: &Route| route.path.contains('{') && !matches!(route.auth.as_str(), "operator" | "agent");
    for route in guarded(&hub).into_iter().filter(named) {
        let token = if route.auth == "scim" { &stranger_source.token } else { &stranger.key };
        let request = hub.http().request(route.method(), route.url(&hub, &ids)).bearer_auth(token);
        // A body that is valid for every route that reads one, so that the id in the path is refused.
        let body = if route.auth == "scim" { person("ann") } else { json!({ "digest": "0" }) };
        let answer = Answer::of(request.json(&body)).await;
        failures.extend(route.check(&answer, 404).err());
        walked += 1;
    }
    expect_none(&failures);
    assert!(walked > 15, "only {walked} routes with an id");
}

/// The owner's routes make credentials and move a tenant to another authority; the table says so, and each key is held to it.
async fn s5_every_route_of_the_api_asks_for_its_least_role(hub: Hub) {
    const ROLES: [&str; 4] = ["member", "auditor", "admin", "owner"];
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = Ids { source: source.id.clone(), ..Ids::all("01890000-0000-7000-8000-000000000000") };
    let keys = ROLES.map(|role| {
        let made = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", role]);
        made["key"].as_str().unwrap().to_owned()
    });
    let mut failures = Vec::new();
    let (mut walked, mut of_owner) = (0, 0);
    for route in guarded(&hub).into_iter().filter(|route| route.auth == "api") {
        let least = route.least_role.clone().unwrap_or_else(|| panic!("no least role: {route:?}"));
        let rank = ROLES.iter().position(|role| *role == least).unwrap_or_else(|| panic!("{route:?}"));
        assert_eq!(least, route.wanted_role(), "{route:?}");
        of_owner += usize::from(least == "owner");
        for (place, key) in keys.iter().enumerate() {
            // A body that no route takes: a key of the least role is refused for its body or its id at most.
            let request = hub.http().request(route.method(), route.url(&hub, &ids)).bearer_auth(key);
            let answer = Answer::of(request.json(&json!({ "no such key": 1 }))).await;
            let refused = answer.status == 403;
            if refused != (place < rank) || answer.status == 401 || answer.status >= 500 {
                failures.push(format!("{} {} by {}: {}", route.method, route.path, ROLES[place], answer.describe()));
            }
            walked += 1;
        }
    }
    expect_none(&failures);
    assert!(walked > 100 && of_owner == 23, "{walked} calls, {of_owner} routes of the owner");
}

/// A key with every other permission is refused by the one that it lacks, before anything else is read.
async fn every_route_of_the_api_asks_for_its_permission(hub: Hub) {
    const ALL: [&str; 7] = ["read", "members", "runs", "policy", "sources", "access", "export"];
    let tenant = hub.tenant().create();
    let ids = Ids::all("01890000-0000-7000-8000-000000000000");
    let mut keys = BTreeMap::new();
    for lacked in ALL {
        let others: Vec<&str> = ALL.into_iter().filter(|permission| *permission != lacked).collect();
        let made = tenant.post("/api/v1/api-keys", &json!({ "role": "owner", "permissions": others })).await;
        keys.insert(lacked, made.expect(201).text_at("/key"));
    }
    let mut failures = Vec::new();
    for route in guarded(&hub).into_iter().filter(|route| route.auth == "api") {
        let asked = route.permission.clone().unwrap_or_else(|| panic!("no permission: {route:?}"));
        let own = if route.path.contains("/exports/") { "export" } else { "read" };
        let is_access = route.path.contains("/api-keys") || route.is_about_signing_in() || route.is_about_webhooks();
        let reads = route.method == "GET" && !is_access;
        if reads && asked != own {
            failures.push(format!("{route:?}: to read takes the permission to read"));
        }
        for (lacked, key) in &keys {
            let request = hub.http().request(route.method(), route.url(&hub, &ids)).bearer_auth(key);
            let answer = Answer::of(request.json(&json!({ "no such key": 1 }))).await;
            let refused = answer.status == 403 && answer.text_at("/code") == "not_permitted";
            if refused != (*lacked == asked) {
                failures.push(format!("{} {} without {lacked}: {}", route.method, route.path, answer.describe()));
            }
        }
    }
    expect_none(&failures);
}

/// The same table for a person: no session, one of garbage, one that ended, a request from another site, and an old sign-in.
async fn every_route_of_the_api_is_as_strict_with_a_session(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let ids = Ids::all("01890000-0000-7000-8000-000000000000");
    let [boss, ended, stale] = [(); 3].map(|()| Person::sign_in(&tenant, "boss@acme.example"));
    let (boss, ended, stale) = (boss.await, ended.await, stale.await);
    ended.send(Method::DELETE, "/api/v1/session", &json!({})).await.expect(204);
    let id = stale.get("/api/v1/session").await.expect(200).text_at("/session/id");
    crate::sign_in::age_session(&tenant, &id, 11).await;
    within(Duration::from_secs(2), "the sign-in is stale", async || {
        let answer = stale.post("/api/v1/sources", &json!({ "no such key": 1 })).await;
        if answer.status == 403 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    let mut failures = Vec::new();
    for route in guarded(&hub).into_iter().filter(|route| route.auth == "api" && route.path != "/api/v1/session") {
        let path = route.filled(&ids);
        let body = json!({ "no such key": 1 });
        let url = format!("{}{path}", hub.people_url());
        let with = |cookie: &str| hub.http().request(route.method(), &url).header("cookie", cookie.to_owned());
        let garbage = Answer::of(with("__Host-rollcall=rss_garbage").json(&body)).await;
        let over = Answer::of(ended.request(route.method(), &path).json(&body)).await;
        let elsewhere = Answer::of(with(&boss.cookie).header("sec-fetch-site", "cross-site").json(&body)).await;
        let old = Answer::of(stale.request(route.method(), &path).json(&body)).await;
        let own = Answer::of(boss.request(route.method(), &path).json(&body)).await;
        let reads = route.method == "GET";
        for (what, answer, wanted) in [
            ("garbage", &garbage, answer_is(&garbage, 401)),
            ("an ended session", &over, answer_is(&over, 401)),
            ("another site", &elsewhere, reads != answer_is(&elsewhere, 403)),
            ("an old sign-in", &old, route.fresh == (old.status == 403 && old.text_at("/code") == "sign_in_again")),
            ("the owner", &own, !matches!(own.status, 401 | 403 | 500..)),
        ] {
            if !wanted {
                failures.push(format!("{} {} by {what}: {}", route.method, route.path, answer.describe()));
            }
        }
    }
    expect_none(&failures);
}

fn answer_is(answer: &Answer, status: u16) -> bool {
    answer.check_problem(status).is_ok()
}

async fn every_guarded_route_refuses_another_method_in_its_own_format(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = Ids { source: source.id.clone(), ..Ids::all("x") };
    let routes = guarded(&hub);
    let mut failures = Vec::new();
    let paths: BTreeSet<&str> = routes.iter().map(|route| route.path.as_str()).collect();
    for path in paths {
        let route = routes.iter().find(|route| route.path == path).unwrap();
        let token = if route.auth == "scim" { &source.token } else { &tenant.key };
        // No route of the hub is served by TRACE.
        let request = hub.http().request(Method::TRACE, route.url(&hub, &ids)).bearer_auth(token);
        let answer = Answer::of(request).await;
        failures.extend(route.check(&answer, 405).err());
    }
    expect_none(&failures);
}

async fn browsers_stay_with_https_where_the_hub_has_it(hub: Hub) {
    assert_eq!(hub.get(&format!("{}/sign-in", hub.people_url())).await.header("strict-transport-security"), "");
    let public = hub.another().setting("ROLLCALL_HTTP_PUBLIC_URL", "https://rollcall.example").start().await;
    for path in ["/sign-in", "/api/v1/members", "/nothing"] {
        let answer = public.get(&format!("{}{path}", public.people_url())).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{}", answer.describe());
    }
}

async fn s10_no_answer_may_be_stored_or_sniffed(hub: Hub) {
    let ids = ids_of_a_tenant(&hub).await;
    let mut failures = Vec::new();
    let probes =
        ["/healthz", "/readyz", "/nothing", "/scim/v9", "/api/v9"].map(|path| format!("{}{path}", hub.machines_url()));
    let mut answers = Vec::new();
    for url in probes.iter().chain([&hub.metrics_url()]) {
        answers.push(hub.get(url).await);
    }
    for route in guarded(&hub) {
        answers.push(Answer::of(hub.http().request(route.method(), route.url(&hub, &ids)).json(&json!({}))).await);
    }
    for answer in answers {
        if answer.header("cache-control") != "no-store" || answer.header("x-content-type-options") != "nosniff" {
            failures.push(format!("{:?}{}", answer.headers, answer.describe()));
        }
    }
    expect_none(&failures);
}

async fn the_table_is_whole_and_only_probes_are_open(hub: Hub) {
    let routes = table(&hub);
    let has = |method: &str, path: &str| routes.iter().any(|route| route.method == method && route.path == path);
    for resource in ["Users", "Groups"] {
        let (list, one) =
            (format!("/scim/v2/{{source_id}}/{resource}"), format!("/scim/v2/{{source_id}}/{resource}/{{id}}"));
        for (method, path) in
            [("GET", &list), ("POST", &list), ("GET", &one), ("PUT", &one), ("PATCH", &one), ("DELETE", &one)]
        {
            assert!(has(method, path), "{method} {path} is missing in {routes:#?}");
        }
    }
    for path in ["members", "groups", "runs", "audit-events"] {
        assert!(has("GET", &format!("/api/v1/{path}")), "GET /api/v1/{path} is missing");
    }
    for route in &routes {
        let wanted = if route.path.starts_with("/scim/") {
            "scim"
        } else if ["/api/v1/tenants", "/api/v1/operator"].iter().any(|start| route.path.starts_with(start)) {
            "operator"
        } else if route.path.starts_with("/agent/v1/") {
            "agent"
        } else if route.path.starts_with("/api/v1/") {
            "api"
        } else {
            "none"
        };
        // A caller without a credential gets one there.
        let signs_in = [("POST", "/api/v1/session")].contains(&(route.method.as_str(), route.path.as_str()));
        assert_eq!(route.auth, if signs_in { "none" } else { wanted }, "{route:?}");
    }
    // Every route in the table is served: none answers 404 or 405 to its owner.
    let tenant = hub.tenant().create();
    let source: ScimSource = tenant.scim_source();
    for (base, path, token) in [
        (hub.machines_url(), format!("/scim/v2/{}/Schemas", source.id), &source.token),
        (hub.people_url(), "/api/v1/runs".to_owned(), &tenant.key),
    ] {
        Answer::of(hub.http().get(format!("{base}{path}")).bearer_auth(token)).await.expect(200);
    }
}
