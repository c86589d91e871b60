//! `/Bulk`, the search over everything, cursors and `/Me`: advertised features are served, others are refused.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{GROUP, ScimSource, email, operation, patch, person, unknown_id, with};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_bulk_resolves_references_in_any_order,
        a_bulk_does_all_verbs_and_reports_each,
        a_bulk_stops_after_so_many_errors,
        a_bulk_over_its_advertised_limits_is_413,
        a_bulk_costs_a_rate_token_for_ten_operations,
        a_bulk_that_is_none_is_400,
        the_root_search_finds_users_and_groups_over_its_pages,
        the_root_search_pages_by_cursor,
        the_root_search_takes_a_filter_that_only_one_kind_knows,
        a_filter_over_both_kinds_finds_of_each_what_it_says_of_it,
        a_cursor_walks_the_list_and_refuses_what_it_cannot_serve,
        prefer_respond_async_is_answered_at_once,
        me_is_not_implemented,
    ]
}

fn bulk(operations: &[Value]) -> Value {
    json!({ "schemas": [BULK], "Operations": operations })
}

fn post_user(name: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(name) })
}

async fn a_bulk_resolves_references_in_any_order(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let group = json!({ "method": "POST", "path": "/Groups", "bulkId": "crew", "data": {
        "displayName": "Crew", "members": [{ "value": "bulkId:ann" }, { "value": "bulkId:bob" }] } });
    let answer = source.post("/Bulk", &bulk(&[group, post_user("ann"), post_user("bob")])).await.expect(200);
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
    assert_eq!(answer.at("/schemas"), &json!([schema]), "{}", answer.describe());
    for index in 0..3 {
        assert_eq!(answer.at(&format!("/Operations/{index}/status")), "201", "{}", answer.describe());
    }
    // Reported in the order of the request, each with its address and version.
    assert_eq!(answer.at("/Operations/0/bulkId"), "crew");
    assert!(answer.text_at("/Operations/1/location").starts_with(&source.base), "{}", answer.describe());
    assert!(answer.text_at("/Operations/1/version").starts_with("W/"), "{}", answer.describe());
    tenant.eventually_group("Crew", &[&email("ann"), &email("bob")]).await;
}

async fn a_bulk_does_all_verbs_and_reports_each(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let (ann, bob) = (source.user("ann").await, source.user("bob").await);
    let group = source.group("Crew", &[&ann]).await;
    let replace = patch(vec![operation("replace", "displayName", json!("Ann B"))]);
    let add = patch(vec![operation("add", "members", json!([{ "value": bob }]))]);
    let operations = [
        json!({ "method": "PATCH", "path": format!("/Users/{ann}"), "data": replace }),
        json!({ "method": "PATCH", "path": format!("/Groups/{group}"), "data": add }),
        json!({ "method": "PUT", "path": format!("/Users/{bob}"), "data": with(person("bob"), json!({ "active": false })) }),
        json!({ "method": "PUT", "path": format!("/Users/{ann}"), "version": "W/\"77\"", "data": person("ann") }),
        json!({ "method": "DELETE", "path": format!("/Users/{}", unknown_id()) }),
        json!({ "method": "POST", "path": "/Users", "bulkId": "x", "data": person("ann") }),
        json!({ "method": "POST", "path": "/Shoes", "bulkId": "y", "data": {} }),
        json!({ "method": "POST", "path": "/Users", "data": person("cyd") }),
        json!({ "method": "DELETE", "path": format!("/Groups/{group}") }),
    ];
    let answer = source.post("/Bulk", &bulk(&operations)).await.expect(200);
    let statuses: Vec<&str> =
        answer.at("/Operations").as_array().unwrap().iter().filter_map(|one| one["status"].as_str()).collect();
    assert_eq!(statuses, ["200", "204", "200", "412", "404", "409", "400", "400", "204"], "{}", answer.describe());
    assert_eq!(answer.at("/Operations/5/response/scimType"), "uniqueness", "{}", answer.describe());
    assert_eq!(answer.at("/Operations/0/response"), &Value::Null, "{}", answer.describe());
    assert_eq!(source.get(&format!("/Users/{ann}")).await.expect(200).at("/displayName"), "Ann B");
    assert_eq!(source.get(&format!("/Users/{bob}")).await.expect(200).at("/active"), false);
    source.get(&format!("/Groups/{group}")).await.expect_scim_error(404, None);
}

async fn a_bulk_stops_after_so_many_errors(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let wrong = json!({ "method": "POST", "path": "/Users", "bulkId": "w", "data": {} });
    let body = with(bulk(&[wrong.clone(), wrong, post_user("ann")]), json!({ "failOnErrors": 2 }));
    let answer = source.post("/Bulk", &body).await.expect(200);
    assert_eq!(answer.at("/Operations").as_array().map(Vec::len), Some(2), "{}", answer.describe());
    source.expect_found("/Users", "userName pr", &[]).await;
}

async fn a_bulk_over_its_advertised_limits_is_413(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let config = source.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(config.at("/bulk/supported"), true, "{}", config.describe());
    let limit = |name: &str| usize::try_from(config.at(&format!("/bulk/{name}")).as_u64().unwrap()).unwrap();
    let one = json!({ "method": "DELETE", "path": "/Users/x" });
    let many = vec![one; limit("maxOperations") + 1];
    source.post("/Bulk", &bulk(&many)).await.expect_scim_error(413, None);
    let large = "x".repeat(limit("maxPayloadSize") + 1);
    source.send_text(Method::POST, "/Bulk", large).await.expect_scim_error(413, None);
}

/// The bulk is admitted whole, and its sender waits for the overdrawn tokens afterwards.
async fn a_bulk_costs_a_rate_token_for_ten_operations(hub: Hub) {
    let slow =
        hub.another().setting("ROLLCALL_INGEST_RATE_PER_SECOND", "0.1").setting("ROLLCALL_INGEST_RATE_BURST", "5");
    let source = slow.start().await.tenant().create().scim_source();
    let people: Vec<Value> = (0..75).map(|number| post_user(&format!("p{number}"))).collect();
    let answer = source.post("/Bulk", &bulk(&people)).await.expect(200);
    for index in 0..75 {
        assert_eq!(answer.at(&format!("/Operations/{index}/status")), "201", "{}", answer.describe());
    }
    let refused = source.post("/Bulk", &bulk(&[post_user("late")])).await.expect_scim_error(429, None);
    let seconds: u64 = refused.header("retry-after").parse().unwrap_or_default();
    assert!((30..=40).contains(&seconds), "8 tokens of a burst of 5, and one for the next: {seconds}");
}

async fn a_bulk_that_is_none_is_400(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for body in [json!([]), json!({}), json!({ "Operations": [1] }), json!({ "Operations": {} })] {
        source.post("/Bulk", &body).await.expect_scim_error(400, Some("invalidSyntax"));
    }
    let body = json!({ "failOnErrors": 0, "Operations": [] });
    source.post("/Bulk", &body).await.expect_scim_error(400, Some("invalidValue"));
}

async fn crew(source: &ScimSource) {
    let ann = source.user("ann").await;
    source.user("bob").await;
    source.group("Crew", &[&ann]).await;
    source.group("Staff", &[]).await;
}

fn kinds(resources: &Value) -> Vec<&str> {
    resources.as_array().unwrap().iter().filter_map(|one| one["meta"]["resourceType"].as_str()).collect()
}

async fn the_root_search_finds_users_and_groups_over_its_pages(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    crew(&source).await;
    let all = source.post("/.search", &json!({ "schemas": [SEARCH] })).await.expect(200);
    assert_eq!(all.at("/totalResults"), 4, "{}", all.describe());
    assert_eq!(kinds(all.at("/Resources")), ["User", "User", "Group", "Group"], "{}", all.describe());
    for (start, count, wanted) in
        [(1, 1, vec!["User"]), (2, 2, vec!["User", "Group"]), (4, 9, vec!["Group"]), (9, 9, vec![]), (1, 0, vec![])]
    {
        let page = source.post("/.search", &json!({ "startIndex": start, "count": count })).await.expect(200);
        assert_eq!(kinds(page.at("/Resources")), wanted, "{start} {count}: {}", page.describe());
        assert_eq!(page.at("/totalResults"), 4, "{}", page.describe());
        assert_eq!(page.at("/itemsPerPage"), wanted.len(), "{}", page.describe());
    }
    let sorted = source.post("/.search", &json!({ "sortBy": "externalId" })).await;
    sorted.expect_scim_error(400, Some("invalidValue"));
}

async fn the_root_search_pages_by_cursor(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    crew(&source).await;
    let mut cursor = json!("");
    let mut seen = Vec::new();
    for _ in 0..10 {
        let page = source.post("/.search", &json!({ "cursor": cursor, "count": 1 })).await.expect(200);
        seen.extend(kinds(page.at("/Resources")).into_iter().map(str::to_owned));
        cursor = page.at("/nextCursor").clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["User", "User", "Group", "Group"]);
    let body = json!({ "cursor": unknown_id().to_string() });
    source.post("/.search", &body).await.expect_scim_error(400, Some("invalidCursor"));
}

async fn the_root_search_takes_a_filter_that_only_one_kind_knows(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    crew(&source).await;
    for (filter, kind) in [(format!("userName eq \"{}\"", email("ann")), "User"), ("members pr".to_owned(), "Group")] {
        let found = source.post("/.search", &json!({ "filter": filter })).await.expect(200);
        assert_eq!(kinds(found.at("/Resources")), [kind], "{}", found.describe());
        assert_eq!(found.at("/totalResults"), 1, "{}", found.describe());
    }
    source.post("/.search", &json!({ "filter": "shoe eq" })).await.expect_scim_error(400, Some("invalidFilter"));
}

async fn a_filter_over_both_kinds_finds_of_each_what_it_says_of_it(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    crew(&source).await;
    let body = json!({ "schemas": [GROUP], "displayName": "Outside", "externalId": "g1" });
    source.post("/Groups", &body).await.expect(201);
    for (filter, wanted) in [
        (format!("userName eq \"{}\" or externalId eq \"g1\"", email("ann")), vec!["User", "Group"]),
        ("userName pr or members pr".to_owned(), vec!["User", "User", "Group"]),
        ("members[value pr] or userName sw \"bob\"".to_owned(), vec!["User", "Group"]),
        ("userName pr and members pr".to_owned(), vec![]),
        ("not (userName pr) and not (members pr)".to_owned(), vec!["Group", "Group"]),
        (format!("userName ne \"{}\" and displayName sw \"O\"", email("ann")), vec!["Group"]),
        ("active eq true or members.value eq null".to_owned(), vec!["User", "User", "Group", "Group"]),
    ] {
        let found = source.post("/.search", &json!({ "filter": filter })).await.expect(200);
        assert_eq!(kinds(found.at("/Resources")), wanted, "{filter}: {}", found.describe());
        assert_eq!(found.at("/totalResults"), wanted.len(), "{filter}");
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        for base in ["", "/"] {
            let listed = source.get(&format!("{base}?filter={query}")).await.expect(200);
            assert_eq!(listed.json, found.json, "GET {base:?} {filter}");
        }
    }
    for filter in ["shoe pr or userName pr", "active eq \"x\" or members pr", "members pr and", "members.shoe pr"] {
        let refused = source.post("/.search", &json!({ "filter": filter })).await;
        refused.expect_scim_error(400, Some("invalidFilter"));
    }
}

async fn a_cursor_walks_the_list_and_refuses_what_it_cannot_serve(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let mut wanted = source.users(&["ann", "bob", "cyd"]).await;
    let config = source.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(config.at("/pagination/cursor"), true, "{}", config.describe());
    assert_eq!(config.at("/pagination/defaultPaginationMethod"), "index", "{}", config.describe());
    let mut seen = Vec::new();
    let mut path = "/Users?cursor=&count=2".to_owned();
    for _ in 0..5 {
        let page = source.get(&path).await.expect(200);
        assert_eq!(page.at("/startIndex"), &Value::Null, "{}", page.describe());
        let resources = page.at("/Resources").as_array().cloned().unwrap_or_default();
        seen.extend(resources.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)));
        let Some(next) = page.at("/nextCursor").as_str() else { break };
        path = format!("/Users?cursor={next}&count=2");
    }
    seen.sort();
    wanted.sort();
    assert_eq!(seen, wanted);
    source.get("/Users?cursor=nobody").await.expect_scim_error(400, Some("invalidCursor"));
    source.get("/Users?cursor=&count=many").await.expect_scim_error(400, Some("invalidCount"));
    source.get("/Users?cursor=&sortBy=userName").await.expect_scim_error(400, Some("invalidValue"));
}

/// RFC 9967: a server that advertises no asynchronous requests ignores the preference.
async fn prefer_respond_async_is_answered_at_once(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let config = source.get("/ServiceProviderConfig").await.expect(200);
    assert!(config.json.get("securityEvents").is_none(), "{}", config.describe());
    let request = source.request(Method::POST, "/Users").header("prefer", "respond-async");
    let answer = crate::answer::Answer::of(request.body(person("ann").to_string())).await.expect(201);
    assert!(answer.header("preference-applied").is_empty(), "{}", answer.describe());
    source.get(&format!("/Users/{}", answer.id())).await.expect(200);
}

async fn me_is_not_implemented(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        source.send(method, "/Me", &json!({})).await.expect_scim_error(501, None);
    }
}
