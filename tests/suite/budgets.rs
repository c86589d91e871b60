//! Budgets of work (RC22): long work is refused, bounded, and ended when nobody waits for it; the other requests go on.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, email, person, with, within};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const WIDE: &str = "urn:example:wide";
/// A debug build on a busy machine does the same in this time as a release build in a moment.
const A_WHILE: Duration = Duration::from_secs(10);

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc22_s1_a_list_that_costs_too_much_is_refused_before_it_runs,
        rc22_s1_a_list_without_an_index_has_its_time,
        rc22_s1_heavy_requests_of_a_tenant_are_few_at_a_time,
        rc22_s1_the_time_of_heavy_lists_is_charged_to_the_source,
        rc22_s1_a_caller_who_goes_away_is_charged_too,
        rc22_s1_a_page_far_down_is_charged,
        rc22_s1_a_caller_who_goes_away_takes_the_statement_along,
        rc22_s5b_a_group_patch_compares_each_member_within_a_bound,
        rc22_s5b_the_operations_of_a_bulk_share_the_bound,
        rc22_s5b_a_preview_of_costly_expressions_ends,
        rc22_s5b_a_hub_stops_while_expressions_run,
        rc22_s1_limits_are_settings,
    ]
}

fn encoded(filter: &str) -> String {
    url::form_urlencoded::byte_serialize(filter.as_bytes()).collect()
}

fn any_of(term: &str) -> String {
    (0..100).map(|number| term.replace('#', &number.to_string())).collect::<Vec<_>>().join(" or ")
}

async fn list(source: &ScimSource, filter: &str) -> Answer {
    source.get(&format!("/Users?filter={}", encoded(filter))).await
}

/// A list that no index serves, and that takes no time.
async fn quick(source: &ScimSource) -> Answer {
    list(source, "title eq \"x\"").await
}

/// People with an attribute of five hundred values, which each term of [`slow`] looks through.
async fn wide_people(source: &ScimSource, count: usize) {
    let values: Vec<Value> = (0..500).map(|number| json!(format!("v{number}"))).collect();
    for start in (0..count).step_by(150) {
        let post = |number: usize| {
            let name = format!("wide{number}");
            let data = with(person(&name), json!({ WIDE: { "l": values } }));
            json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": data })
        };
        let operations: Vec<Value> = (start..count.min(start + 150)).map(post).collect();
        source.post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).await.expect(200);
    }
}

fn slow() -> String {
    any_of(&format!("{WIDE}:l co \"z#\""))
}

async fn rc22_s1_a_list_that_costs_too_much_is_refused_before_it_runs(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_LIMITS_LIST_COST_MAX", "100").start().await;
    let source = hub.tenant().create().scim_source();
    let ids = source.users(&["ann", "bea", "cyd"]).await;
    source.group("Crew", &[&ids[0]]).await;
    let many = any_of("schemas co \"z#\"");
    for filter in [
        many.clone(),
        format!("not (not ({many}))"),
        any_of("meta.location co \"z#\""),
        any_of("urn:x:y:z eq \"#\""),
        format!("userName eq \"{}\" or {many}", email("ann")).replace(" or schemas co \"z99\"", ""),
    ] {
        let refused = list(&source, &filter).await.expect_scim_error(400, Some("tooMany"));
        assert!(refused.text_at("/detail").contains("userName"), "{}", refused.describe());
        for path in ["/Users/.search", "/.search"] {
            let body = json!({ "schemas": [SEARCH], "filter": filter });
            source.post(path, &body).await.expect_scim_error(400, Some("tooMany"));
        }
    }
    let by_custom = "/Users?sortBy=urn:x:y:z&filter=title%20eq%20%22x%22";
    source.get(by_custom).await.expect(200);
    // A list that an index serves, or that is cheap for so few records, is served.
    let looked_up = format!("userName eq \"{}\" and ({})", email("ann"), any_of("schemas co \"z#\""))
        .replace(" or schemas co \"z99\"", "");
    list(&source, &looked_up).await.expect(200);
    list(&source, "userName co \"a\"").await.expect(200);
    source.get("/Users?count=2").await.expect(200);
    source.get("/Groups?filter=displayName%20eq%20%22Crew%22").await.expect(200);
}

async fn rc22_s1_a_list_without_an_index_has_its_time(hub: Hub) {
    let hub = hub.another().setting("ROLLCALL_LIMITS_LIST_SECONDS", "1").start().await;
    let source = hub.tenant().create().scim_source();
    wide_people(&source, 300).await;
    let begun = Instant::now();
    let ended = list(&source, &slow()).await.expect_scim_error(400, Some("tooMany"));
    assert!(ended.text_at("/detail").contains("longer than the 1 s"), "{}", ended.describe());
    assert!(begun.elapsed() < A_WHILE, "{:?}", begun.elapsed());
    quick(&source).await.expect(200);
}

async fn rc22_s1_heavy_requests_of_a_tenant_are_few_at_a_time(hub: Hub) {
    let hub = one_at_a_time(&hub, "4").await;
    let (source, other) = (hub.tenant().create().scim_source(), hub.tenant().create().scim_source());
    let ann = source.user("ann").await;
    wide_people(&source, 750).await;
    let long = tokio::spawn({
        let source = source.clone();
        async move { list(&source, &slow()).await }
    });
    let refused = until_refused(&source).await;
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0), "{}", refused.describe());
    assert!(refused.text_at("/detail").starts_with("1 heavy requests of this tenant"), "{}", refused.describe());
    // The same tenant's look-ups, and the other tenant's heavy work, go on.
    source.get(&format!("/Users/{ann}")).await.expect(200);
    list(&source, &format!("userName eq \"{}\"", email("ann"))).await.expect(200);
    quick(&other).await.expect(200);
    long.await.unwrap();
    until_admitted(&source, A_WHILE).await;
}

async fn rc22_s1_the_time_of_heavy_lists_is_charged_to_the_source(hub: Hub) {
    let builder = hub.another().setting("ROLLCALL_LIMITS_LIST_SECONDS", "1");
    let builder = builder.setting("ROLLCALL_INGEST_RATE_PER_SECOND", "1").setting("ROLLCALL_INGEST_RATE_BURST", "40");
    let hub = builder.start().await;
    let (source, other) = (hub.tenant().create().scim_source(), hub.tenant().create().scim_source());
    wide_people(&source, 300).await;
    for _ in 0..3 {
        source.get("/Users?count=1").await.expect(200);
    }
    list(&source, &slow()).await.expect_scim_error(400, Some("tooMany"));
    // A second of the database costs a hundred rate tokens.
    let refused = source.get("/Users?count=1").await.expect_scim_error(429, None);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0), "{}", refused.describe());
    other.get("/Users?count=1").await.expect(200);
}

/// The database walks over the rows before a page, so `startIndex` is no way around the charge for time.
async fn rc22_s1_a_page_far_down_is_charged(hub: Hub) {
    let builder = hub.another().setting("ROLLCALL_INGEST_RATE_PER_SECOND", "1");
    let hub = builder.setting("ROLLCALL_INGEST_RATE_BURST", "40").start().await;
    let (source, other) = (hub.tenant().create().scim_source(), hub.tenant().create().scim_source());
    for _ in 0..10 {
        source.get("/Users?startIndex=5001&count=1").await.expect(200);
    }
    source.get("/Users?startIndex=1000000&count=1").await.expect(200);
    source.get("/Users?count=1").await.expect_scim_error(429, None);
    other.get("/Users?count=1").await.expect(200);
}

/// Going away is no cheaper than waiting for the answer.
async fn rc22_s1_a_caller_who_goes_away_is_charged_too(hub: Hub) {
    let builder = hub.another().setting("ROLLCALL_LIMITS_TENANT_HEAVY", "1");
    let builder = builder.setting("ROLLCALL_INGEST_RATE_PER_SECOND", "1").setting("ROLLCALL_INGEST_RATE_BURST", "40");
    let hub = builder.setting("ROLLCALL_LIMITS_LIST_SECONDS", "60").start().await;
    let source = hub.tenant().create().scim_source();
    wide_people(&source, 300).await;
    let caller = abandonable(&source, &slow());
    until_refused(&source).await;
    // The second heavy request has waited a second meanwhile, which is a hundred rate tokens of the first one.
    caller.shutdown(std::net::Shutdown::Both).unwrap();
    drop(caller);
    within(A_WHILE, "the source has no rate tokens left", async || {
        let answer = source.get("/Users?count=1").await;
        let spent = answer.status == 429 && answer.text_at("/detail").contains("too many requests");
        if spent { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
}

async fn rc22_s1_a_caller_who_goes_away_takes_the_statement_along(hub: Hub) {
    let hub = one_at_a_time(&hub, "60").await;
    let source = hub.tenant().create().scim_source();
    wide_people(&source, 750).await;
    let caller = abandonable(&source, &slow());
    until_refused(&source).await;
    // An orderly close, not a reset.
    caller.shutdown(std::net::Shutdown::Both).unwrap();
    drop(caller);
    until_admitted(&source, Duration::from_secs(6)).await;
}

/// A connection that has asked for a list, and that can be closed before the answer.
fn abandonable(source: &ScimSource, filter: &str) -> TcpStream {
    let path = format!("{}/Users?filter={}", source.base, encoded(filter));
    let address = url::Url::parse(&path).unwrap();
    let mut caller = TcpStream::connect(("127.0.0.1", address.port().unwrap())).unwrap();
    let line = format!("GET {}?{} HTTP/1.1", address.path(), address.query().unwrap());
    write!(caller, "{line}\r\nHost: hub\r\nAuthorization: Bearer {}\r\n\r\n", source.token).unwrap();
    caller
}

async fn one_at_a_time(hub: &Hub, list_seconds: &str) -> Hub {
    let builder = hub.another().setting("ROLLCALL_LIMITS_TENANT_HEAVY", "1");
    // A wait, or a quick list could hold the slot when the slow one comes.
    let builder = builder.setting("ROLLCALL_LIMITS_HEAVY_WAIT_SECONDS", "1");
    builder.setting("ROLLCALL_LIMITS_LIST_SECONDS", list_seconds).start().await
}

/// Asks until a heavy request runs and another one is refused.
async fn until_refused(source: &ScimSource) -> Answer {
    within(A_WHILE, "a second heavy request is refused", async || {
        let answer = quick(source).await;
        answer.check_scim_error(429, None).map(|()| answer)
    })
    .await
}

async fn until_admitted(source: &ScimSource, limit: Duration) {
    within(limit, "no heavy request runs any more", async || {
        let answer = quick(source).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
}

/// A group of 120 people, and their ids in the order of their names.
async fn crew(source: &ScimSource) -> (String, Vec<String>) {
    let names: Vec<String> = (0..120).map(|number| format!("m{number}")).collect();
    let post = |name: &String| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(name) });
    let operations: Vec<Value> = names.iter().map(post).collect();
    let made = source.post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).await.expect(200);
    let ids: Vec<String> = (0..names.len())
        .map(|number| made.text_at(&format!("/Operations/{number}/location")).rsplit('/').next().unwrap().to_owned())
        .collect();
    let group = source.group("Crew", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (group, ids)
}

/// A hub whose bound is the number of comparisons, because a debug build on a busy machine may need more than a second for them.
async fn unhurried(hub: &Hub) -> Hub {
    hub.another().setting("ROLLCALL_LIMITS_COMPUTE_SECONDS", "60").start().await
}

fn remove(filter: &str) -> Value {
    json!({ "op": "remove", "path": format!("members[{filter}]") })
}

async fn rc22_s5b_a_group_patch_compares_each_member_within_a_bound(hub: Hub) {
    let source = unhurried(&hub).await.tenant().create().scim_source();
    let (group, ids) = crew(&source).await;
    // A thousand filters: the group is read once, and those who fulfil one leave.
    let mut operations: Vec<Value> = (0..998).map(|number| remove(&format!("display co \"z{number}\""))).collect();
    operations.push(remove("display sw \"m11 \""));
    operations.push(remove("not (display co \"Example\")"));
    let begun = Instant::now();
    source.patch(&format!("/Groups/{group}"), operations.clone()).await.expect(204);
    assert!(begun.elapsed() < A_WHILE, "{:?}", begun.elapsed());
    let mut left: Vec<String> =
        ids.iter().enumerate().filter(|(number, _)| *number != 11).map(|(_, id)| id.clone()).collect();
    left.sort();
    assert_eq!(source.member_ids(&group).await, left);
    // More comparisons than the bound are refused as a whole, with what to do instead.
    let refused = source.patch(&format!("/Groups/{group}"), costly(&operations)).await.expect_scim_error(413, None);
    assert!(refused.text_at("/detail").contains("members[value eq"), "{}", refused.describe());
    assert_eq!(source.member_ids(&group).await.len(), 119);
}

async fn rc22_s5b_the_operations_of_a_bulk_share_the_bound(hub: Hub) {
    let source = unhurried(&hub).await.tenant().create().scim_source();
    let (group, _) = crew(&source).await;
    let filters: Vec<Value> = (0..1_000).map(|number| remove(&format!("display co \"z{number}\""))).collect();
    let patch = json!({ "schemas": [PATCH], "Operations": filters });
    let patch = json!({ "method": "PATCH", "path": format!("/Groups/{group}"), "data": patch });
    let bulk = json!({ "schemas": [BULK], "Operations": [patch, patch, patch] });
    let answer = source.post("/Bulk", &bulk).await.expect(200);
    // 120,000 comparisons each.
    let statuses: Vec<String> = (0..3).map(|number| answer.text_at(&format!("/Operations/{number}/status"))).collect();
    assert_eq!(statuses, ["204", "204", "413"], "{}", answer.describe());
    assert_eq!(source.member_ids(&group).await.len(), 120);
}

/// The same operations with two more terms in each filter.
fn costly(operations: &[Value]) -> Vec<Value> {
    let thrice = |one: &Value| {
        let path = one["path"].as_str().unwrap();
        let filter = path.trim_start_matches("members[").trim_end_matches(']');
        json!({ "op": "remove", "path": format!("members[{filter} or display eq \"q\" or display eq \"r\"]") })
    };
    operations.iter().map(thrice).collect()
}

/// A person who makes each evaluation of [`expression`] as long as any.
fn laborious(name: &str) -> Value {
    let values: Vec<Value> = (0..100).map(|number| json!({ "value": format!("v{number}") })).collect();
    with(person(name), json!({ "title": "z".repeat(2_000), WIDE: { "l": values } }))
}

fn expression() -> String {
    let tests = vec!["user.title.contains(\"zy\")"; 14].join("||");
    format!("user[\"{WIDE}\"].l.exists(e,{tests})?\"a\":\"b\"")
}

async fn rc22_s5b_a_preview_of_costly_expressions_ends(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for number in 0..20 {
        source.post("/Users", &laborious(&format!("p{number}"))).await.expect(201);
    }
    let mapping = json!({ "display_name": expression(), "given_name": expression(), "family_name": expression() });
    let body = json!({ "source_id": source.id, "mapping": mapping, "sample": 20 });
    let begun = Instant::now();
    let answer = tenant.post("/api/v1/policy/mapping/preview", &body).await;
    assert!(begun.elapsed() < A_WHILE, "{:?}", begun.elapsed());
    if answer.status != 200 {
        let refused = answer.expect_problem(400);
        assert_eq!(refused.text_at("/code"), "too_much_work", "{}", refused.describe());
    }
    // Many at once: one runs, the others wait a moment or are told to come again.
    let many = (0..6).map(|_| preview(tenant.clone(), body.clone())).map(tokio::spawn);
    for one in many.collect::<Vec<_>>() {
        let answer = one.await.unwrap();
        assert!([200, 400, 429].contains(&answer.status), "{}", answer.describe());
        assert!(answer.status != 429 || !answer.header("retry-after").is_empty(), "{}", answer.describe());
    }
}

async fn preview(tenant: Tenant, body: Value) -> Answer {
    tenant.post("/api/v1/policy/mapping/preview", &body).await
}

async fn rc22_s5b_a_hub_stops_while_expressions_run(hub: Hub) {
    let hub = hub.another().start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for number in 0..40 {
        source.post("/Users", &laborious(&format!("p{number}"))).await.expect(201);
    }
    let mapping = json!({ "display_name": expression(), "given_name": expression(), "family_name": expression() });
    tenant.send(Method::PATCH, "/api/v1/policy", Some(&json!({ "policy": { "mapping": mapping } }))).await.expect(200);
    let begun = Instant::now();
    hub.stop();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

async fn rc22_s1_limits_are_settings(hub: Hub) {
    let shown = hub.run_command(&["help", "config"]).expect_success().stdout;
    for key in [
        "tenant_connections",
        "tenant_heavy",
        "all_heavy",
        "list_seconds",
        "list_cost_max",
        "plan_seconds",
        "export_seconds",
        "compute_seconds",
    ] {
        assert!(shown.contains(&format!("\n{key} = ")), "{key}: {shown}");
    }
}
