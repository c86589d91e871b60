//! Bad input for the REST API. The tests walk the router's own table, so a new route cannot be left out.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use super::Quiet;
use crate::answer::Answer;
use crate::hub::Hub;
use crate::routes::{Ids, Route, table};

/// Routes for which `{}` is a valid request, or an empty one.
const NEED_NO_BODY: [&str; 23] = [
    "/api/v1/api-keys/{id}/rotate",
    "/api/v1/domains/{id}/check",
    "/api/v1/members/{id}",
    "/api/v1/members/{id}/accept",
    "/api/v1/members/{id}/invite-again",
    "/api/v1/members/{id}/block",
    "/api/v1/members/{id}/unblock",
    "/api/v1/members/{id}/approve",
    "/api/v1/members/{id}/decline",
    "/api/v1/members/{id}/sign-in-link",
    "/api/v1/runs/{id}/rewind",
    "/api/v1/skipped-records/{id}/retry",
    "/api/v1/skipped-records/{id}/ignore",
    "/api/v1/session/recovery-codes",
    "/api/v1/sign-in-connections/{id}",
    "/api/v1/sign-in-connections/{id}/test",
    "/api/v1/sources",
    "/api/v1/sources/{id}/oauth-clients",
    "/api/v1/sources/{id}/oauth-clients/{client_id}/rotate",
    "/api/v1/sources/{id}/release",
    "/api/v1/sources/{id}/setup-links",
    "/api/v1/sources/{id}/tokens",
    "/api/v1/sources/{id}/tokens/{token_id}/rotate",
];

/// Every key of any body.
const KEYS: [&str; 37] = [
    "billing_contact",
    "client_id",
    "client_secret",
    "digest",
    "display_name",
    "domain",
    "dry_run",
    "email",
    "email_trusted",
    "expires_at",
    "expires_in_seconds",
    "family_name",
    "given_name",
    "groups_from_sign_in",
    "issuer",
    "mapping",
    "member_ids",
    "members",
    "message",
    "mode",
    "modified_at",
    "name",
    "no_such_key",
    "note",
    "overlap_seconds",
    "people",
    "permissions",
    "plain_discovery",
    "policy",
    "role",
    "sample",
    "source_id",
    "token_expires_at",
    "use",
    "user_id",
    "users_only",
    "version",
];

/// Lists without pages.
const WHOLE_LISTS: [&str; 1] = ["/api/v1/explain"];

impl Quiet {
    async fn ids(&self) -> Ids {
        let strip = |path: &str, of: &str| path.trim_start_matches(of).to_owned();
        Ids {
            source: self.source.id.clone(),
            user: strip(&self.user, "/Users/"),
            group: strip(&self.group, "/Groups/"),
            member: self.tenant.members().await.remove(0).id,
            sharing_group: self.tenant.groups().await.remove(0).id,
            run: self.tenant.runs().await.remove(0).id,
            token: self.source.token_id.clone().unwrap(),
        }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.tenant.hub.http().request(method, format!("{}{path}", self.tenant.hub.people_url()));
        Answer::of(request.bearer_auth(&self.tenant.key).body(body)).await
    }

    /// Accepts any well-formed refusal.
    fn note_refusal(&mut self, what: &str, answer: &Answer) {
        let outcome = match answer.status {
            400..500 => answer.check_problem(answer.status),
            _ => Err(format!("was not refused: {}", answer.describe())),
        };
        self.note(what, outcome);
    }
}

/// Routes that write and take a body.
fn writing(hub: &Hub) -> Vec<Route> {
    let writes = |route: &Route| route.auth == "api" && ![Method::GET, Method::DELETE].contains(&route.method());
    let routes: Vec<Route> = table(hub).into_iter().filter(writes).collect();
    assert!(routes.len() > 15, "{routes:#?}");
    routes
}

/// Bodies that are invalid for every route.
fn nonsense() -> Vec<(String, Vec<u8>)> {
    let long = "x".repeat(20_000);
    let texts: [(&str, &[u8]); 9] = [
        ("cut off", br#"{"digest": "#),
        ("plain text", b"hello"),
        ("a list", b"[]"),
        ("a string", br#""ann""#),
        ("null", b"null"),
        ("not UTF-8", b"{\"name\":\"\xff\xfe\"}"),
        ("two objects", b"{}{}"),
        ("a raw NUL", b"{\"name\":\"a\0b\"}"),
        ("NUL in a key", br#"{"na\u0000me": "x"}"#),
    ];
    let mut bodies: Vec<(String, Vec<u8>)> =
        texts.into_iter().map(|(what, body)| (what.to_owned(), body.to_vec())).collect();
    let deep = format!("{{\"policy\":{}1{}}}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    bodies.push(("a thousand levels".to_owned(), deep.into_bytes()));
    bodies.push(("70 kB".to_owned(), json!({ "no_such_key": "x".repeat(70_000) }).to_string().into_bytes()));
    for key in KEYS {
        let wrong = [
            ("a fraction", json!(-7.5)),
            ("an object", json!({ "no": ["such", { "key": null }] })),
            ("a list", json!([[], 7])),
            ("text with a NUL", json!("a\u{0}b")),
            ("a list with a NUL", json!(["a\u{0}b"])),
            ("over-long text", json!(long)),
        ];
        for (what, value) in wrong {
            bodies.push((format!("{key} is {what}"), json!({ key: value }).to_string().into_bytes()));
        }
    }
    bodies
}

pub(super) async fn bodies_that_no_admin_route_takes(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let ids = quiet.ids().await;
    for route in writing(&hub) {
        let path = route.filled(&ids);
        let mut bodies = nonsense();
        if !NEED_NO_BODY.contains(&route.path.as_str()) {
            bodies.extend([("no body".to_owned(), Vec::new()), ("no key".to_owned(), b"{}".to_vec())]);
        }
        for (what, body) in bodies {
            let answer = quiet.send(route.method(), &path, body).await;
            quiet.note_refusal(&format!("{what} in {} {}", route.method(), route.path), &answer);
        }
    }
    let policy = |text: &str| json!({ "policy": { "group_scope": { "names": [text] } } }).to_string();
    let whole = quiet.tenant.get("/api/v1/policy").await.expect(200).json;
    for text in ["a\u{0}b", "a\u{7}b"] {
        let answer = quiet.send(Method::PATCH, "/api/v1/policy", policy(text)).await;
        quiet.note("a group's name in PATCH policy", answer.check_problem(400));
        let mut whole = whole.clone();
        whole["policy"]["group_scope"] = json!({ "names": [text] });
        let answer = quiet.send(Method::PUT, "/api/v1/policy", whole.to_string()).await;
        quiet.note("a group's name in PUT policy", answer.check_problem(400));
        let name = json!({ "name": text }).to_string();
        let answer = quiet.send(Method::POST, &format!("/api/v1/sources/{}/tokens", ids.source), name).await;
        quiet.note("a token's name", answer.check_problem(400));
    }
    let answer = quiet.send(Method::PATCH, "/api/v1/policy", "x".repeat(2 * 1024 * 1024)).await;
    quiet.note("2 MB", answer.check_problem(413));
    quiet.expect_all_refused_and_nothing_changed().await;
}

pub(super) async fn ids_and_pages_that_no_admin_route_knows(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let own = quiet.ids().await;
    let unknown = crate::verbs::unknown_id().to_string();
    for route in table(&hub).into_iter().filter(|route| route.auth == "api" && route.path.contains('{')) {
        for id in [unknown.as_str(), "nonsense", "%00", "..%2F..%2Fetc", "1'%20OR%20'1'='1"] {
            let paths = [
                route.filled(&Ids::all(id)),
                // The first id is valid.
                route.filled(&Ids { token: id.to_owned(), user: id.to_owned(), ..own.clone() }),
            ];
            let both = route.path.matches('{').count() > 1;
            for path in paths.iter().take(if both { 2 } else { 1 }) {
                let needs_none = NEED_NO_BODY.contains(&route.path.as_str());
                let body = if needs_none { json!({}) } else { json!({ "digest": "0" }) }.to_string();
                let answer = quiet.send(route.method(), path, body).await;
                quiet.note(&format!("{id} in {} {}", route.method(), route.path), answer.check_problem(404));
            }
        }
    }
    let mut lists = 0;
    // An export has no pages, and the log tells of it.
    let reads =
        |route: &Route| route.auth == "api" && route.method() == Method::GET && !route.path.contains("/exports/");
    for route in table(&hub).into_iter().filter(reads) {
        let path = route.filled(&own);
        let is_list = quiet.tenant.get(&path).await.json["items"].is_array();
        if !is_list || WHOLE_LISTS.contains(&route.path.as_str()) {
            continue;
        }
        lists += 1;
        for query in ["limit=0", "limit=-1", "limit=201", "limit=x", "cursor=nonsense", "cursor=%00", "no_such=1"] {
            let answer = quiet.tenant.get(&format!("{path}?{query}")).await;
            quiet.note(&format!("{} {query}", route.path), answer.check_problem(400));
        }
    }
    assert!(lists >= 9, "only {lists} lists");
    quiet.expect_all_refused_and_nothing_changed().await;
}

/// Each list names in its refusal of an unknown parameter those that it takes.
pub(super) async fn r15_a_parameter_without_a_value_is_refused_by_every_list_with_the_values_it_takes(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let own = quiet.ids().await;
    let reads = |route: &Route| route.auth == "api" && route.method() == Method::GET;
    let mut told = BTreeMap::new();
    for route in table(&hub).into_iter().filter(reads) {
        let path = route.filled(&own);
        let unknown = quiet.tenant.get(&format!("{path}?no_such=1")).await;
        let detail = unknown.at("/detail").as_str().unwrap_or_default();
        let Some((_, takes)) = detail.split_once("it takes ") else { continue };
        for name in takes.split(", ") {
            for query in [format!("{name}="), name.to_owned(), format!("limit=5&{name}=&limit=5")] {
                let answer = quiet.tenant.get(&format!("{path}?{query}")).await;
                let detail = answer.text_at("/detail").to_owned();
                let named = detail.contains(&format!("`{name}` is empty: it takes "));
                let outcome = answer.check_problem(400).and_then(|()| if named { Ok(()) } else { Err(detail.clone()) });
                quiet.note(&format!("{} {query}", route.path), outcome);
                told.insert(name.to_owned(), detail);
            }
        }
    }
    for (name, values) in [
        ("status", "pending, invited, active, suspended, removed"),
        ("state", "applied, held, approved"),
        ("kind", "member.invited"),
        ("dispute", "email_taken"),
        ("role", "owner, admin, auditor, member"),
        ("blocked", "true or false"),
        ("since", "2026-"),
        ("people", "keep, remove"),
    ] {
        assert!(told.get(name).is_some_and(|told| told.contains(values)), "{name}: {told:?}");
    }
    for path in ["/api/v1/explain?email=".to_owned(), format!("/api/v1/sources/{}/dialect?days=", own.source)] {
        let answer = quiet.tenant.get(&path).await;
        quiet.note(&path, answer.check_problem(400));
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

pub(super) async fn refused_input_is_named_in_the_words_of_rest(hub: Hub) {
    let tenant = hub.tenant().create();
    for (path, says) in [
        (
            "/api/v1/members?state=active",
            "no parameter `state`; it takes limit, cursor, order, since, until, fields, email, former_email, status",
        ),
        ("/api/v1/explain?name=ann", "unknown key `name`; known: `email` or `external_id`"),
    ] {
        let told = tenant.get(path).await;
        assert!(told.text_at("/detail").contains(says), "{}", told.describe());
    }
    let told = tenant.send(Method::PATCH, "/api/v1/policy", Some(&json!({ "policy": {}, "version": "one" }))).await;
    let says = "`version` in the body: string \"one\" where a whole number";
    assert!(told.text_at("/detail").contains(says), "{}", told.describe());
}

/// A parameter that is passed over looks as if it had been obeyed.
pub(super) async fn unknown_parameters_are_refused_by_every_route(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let ids = quiet.ids().await;
    for route in table(&hub).iter().filter(|route| route.auth == "api") {
        let path = format!("{}?bogus=1", route.filled(&ids));
        let answer = quiet.send(route.method(), &path, "{}").await;
        let refused = if [400, 403, 404].contains(&answer.status) { Ok(()) } else { Err(answer.describe()) };
        quiet.note(&format!("{} {path}", route.method()), refused);
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

pub(super) async fn rest_queries_that_cannot_be_understood(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let unknown = crate::verbs::unknown_id();
    let lists = ["members", "groups", "runs", "audit-events"];
    for list in lists {
        for query in ["limit=0", "limit=-1", "limit=many", "cursor=nonsense", "cursor=%00"] {
            let answer = quiet.tenant.get(&format!("/api/v1/{list}?{query}")).await;
            quiet.note(&format!("{list} {query}"), answer.check_problem(400));
        }
    }
    let source = format!("/api/v1/sources/{}", quiet.source.id);
    for path in [
        "/api/v1/members?status=sleeping",
        "/api/v1/members?status=%00",
        "/api/v1/members?email=%00",
        "/api/v1/members?email=ann%00@acme.example",
        "/api/v1/members?state=active",
        "/api/v1/groups?status=active",
        "/api/v1/runs?status=held",
        "/api/v1/runs?state=nonsense",
        "/api/v1/runs?state=%00",
        "/api/v1/audit-events?kind=member.eaten",
        "/api/v1/audit-events?subject_id=nobody",
        "/api/v1/skipped-records?dispute=nonsense",
        "/api/v1/skipped-records?ignored=perhaps",
        "/api/v1/request-log?member_id=%00",
        "/api/v1/explain?email=%00",
        "/api/v1/explain?external_id=a%00b",
        "/api/v1/explain",
        &format!("{source}/dialect?days=0"),
        &format!("{source}/dialect?days=%00"),
        &format!("{source}/detachment"),
        &format!("{source}/detachment?people=eat"),
        &format!("{source}/detachment/items?people=keep&limit=0"),
    ] {
        let answer = quiet.tenant.get(path).await;
        quiet.note(path, answer.check_problem(400));
    }
    let states = quiet.tenant.get("/api/v1/runs?state=nonsense").await;
    assert!(states.text_at("/detail").contains("held, approved"), "{}", states.describe());
    for path in [format!("groups/{unknown}/members"), "groups/nonsense/members".to_owned(), "nothing".to_owned()] {
        let answer = quiet.tenant.get(&format!("/api/v1/{path}")).await;
        quiet.note(&path, answer.check_problem(404));
    }
    let run = quiet.tenant.runs().await.first().map(|run| run.id.clone()).unwrap();
    for query in ["", "with=", "with=nonsense", "with=nonsense&limit=5", "without=1"] {
        let answer = quiet.tenant.get(&format!("/api/v1/runs/{run}/compare?{query}")).await;
        quiet.note(&format!("compare {query}"), answer.check_problem(400));
    }
    let nul = format!("cursor={unknown}.%00.{unknown}");
    for query in ["cursor=nonsense", "cursor=a.b.c", &nul, "limit=0", "limit=201"] {
        let answer = quiet.tenant.get(&format!("/api/v1/runs/{run}/compare?with={run}&{query}")).await;
        quiet.note(&format!("compare {query}"), answer.check_problem(400));
    }
    let answer = quiet.tenant.get(&format!("/api/v1/runs/{run}/compare?with={unknown}")).await;
    quiet.note("compare with an unknown run", answer.check_problem(404));
    for path in [format!("runs/{unknown}/rewind"), "runs/nonsense/rewind".to_owned()] {
        let answer = quiet.tenant.post(&format!("/api/v1/{path}"), &json!({})).await;
        quiet.note(&path, answer.check_problem(404));
    }
    for path in [format!("members/{unknown}/accept"), "members/nonsense/accept".to_owned()] {
        let answer = quiet.tenant.post(&format!("/api/v1/{path}"), &json!({})).await;
        quiet.note(&path, answer.check_problem(404));
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}
