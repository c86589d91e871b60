//! Walks the router's own table, so that a route without authentication fails a test.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{ScimSource, email, person};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        every_guarded_route_refuses_a_missing_token,
        every_guarded_route_hides_what_belongs_to_another_tenant,
        s5_every_route_of_the_api_asks_for_its_least_role,
        every_guarded_route_refuses_another_method_in_its_own_format,
        s10_no_answer_may_be_stored_or_sniffed,
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
    /// For an API key.
    least_role: Option<String>,
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

    fn url(&self, hub: &Hub, ids: &Ids) -> String {
        let base = if self.auth == "scim" { hub.machines_url() } else { hub.people_url() };
        format!("{base}{}", self.filled(ids))
    }

    fn check(&self, answer: &Answer, status: u16) -> Result<(), String> {
        match self.auth.as_str() {
            "scim" => answer.check_scim_error(status, None),
            "api" => answer.check_problem(status),
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
    // A list without an id in its path cannot name a resource of another tenant.
    for route in guarded(&hub).into_iter().filter(|route| route.path.contains('{')) {
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
    const ROLES: [&str; 3] = ["member", "admin", "owner"];
    const OWNERS: [&str; 4] = ["/promote", "/detach", "/tokens", "/rotate"];
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
        let wanted = match route.method.as_str() {
            "GET" => "member",
            "POST" if OWNERS.iter().any(|end| route.path.ends_with(end)) => "owner",
            _ => "admin",
        };
        assert_eq!(least, wanted, "{route:?}");
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
    assert!(walked > 100 && of_owner == 4, "{walked} calls, {of_owner} routes of the owner");
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
        } else if route.path.starts_with("/api/") {
            "api"
        } else {
            "none"
        };
        assert_eq!(route.auth, wanted, "{route:?}");
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
