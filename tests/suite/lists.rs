//! Lists: cursors (F1); order and times (F5); the sizes of groups (R14).

mod following;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, eventually};
use following::f1_who_follows_a_list_misses_nothing;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        f1_every_list_has_a_cursor_to_go_on_from,
        f1_a_cursor_is_good_for_its_list_alone,
        f1_members_are_listed_by_their_last_change,
        f1_a_filtered_list_is_followed_from_where_the_search_ended,
        f5_lists_are_read_from_either_end,
        f5_times_bound_a_list,
        f5_wrong_orders_and_times_name_the_parameter,
        r14_groups_know_their_sizes,
    ];
    // It measures how late a row is.
    cases.extend(cases![f1_who_follows_a_list_misses_nothing].into_iter().map(Case::alone));
    cases
}

async fn f1_every_list_has_a_cursor_to_go_on_from(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let run_lists = ["members", "groups", "runs", "audit-events", "request-log", "skipped-records", "sources"];
    let source_lists = ["rejected", "tokens"].map(|list| format!("sources/{}/{list}", source.id));
    let lists: Vec<String> = run_lists.iter().map(|list| (*list).to_owned()).chain(source_lists).collect();
    let mut ends = BTreeMap::new();
    for list in &lists {
        let page = tenant.get(&format!("/api/v1/{list}")).await.expect(200);
        ends.insert(list, page.text_at("/resume_cursor").to_owned());
        let newest = tenant.get(&format!("/api/v1/{list}?order=desc")).await.expect(200);
        assert!(newest.at("/resume_cursor").is_null(), "{}", newest.describe());
    }
    let ann = source.user("ann").await;
    source.group("Pilots", &[&ann]).await;
    source.post("/Users", &json!({ "userName": 7 })).await;
    source.post("/Users", &json!({ "userName": "no address", "schemas": [crate::verbs::USER] })).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let grown = ["members", "groups", "runs", "audit-events", "request-log", "skipped-records"];
    for list in grown {
        eventually(&format!("{list} goes on"), async || {
            let page = tenant.get(&format!("/api/v1/{list}?cursor={}", ends[&list.to_owned()])).await.expect(200);
            let new = page.at("/items").as_array().is_some_and(|items| !items.is_empty());
            if new { Ok(()) } else { Err(page.describe()) }
        })
        .await;
    }
    for list in &lists {
        let page = tenant.get(&format!("/api/v1/{list}?limit=200")).await.expect(200);
        let resumed = format!("/api/v1/{list}?cursor={}", page.text_at("/resume_cursor"));
        let empty = tenant.get(&resumed).await.expect(200);
        assert!(empty.at("/next_cursor").is_null(), "{}", empty.describe());
        assert!(empty.at("/resume_cursor").is_string(), "{}", empty.describe());
    }
}

async fn f1_a_cursor_is_good_for_its_list_alone(hub: Hub) {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let events = tenant.get("/api/v1/audit-events").await.expect(200).text_at("/resume_cursor").to_owned();
    let first = tenant.get("/api/v1/audit-events?limit=1").await.expect(200);
    let id = first.at("/items/0/id").as_str().unwrap().to_owned();
    for (path, says) in [
        (format!("members?cursor={events}"), "not one that this list gave"),
        (format!("audit-events?cursor={events}&kind=member.created"), "same filters"),
        (format!("audit-events?cursor={events}&order=desc"), "order"),
        (format!("audit-events?cursor={id}"), "earlier versions"),
        ("audit-events?cursor=x".to_owned(), "begin without cursor"),
        (format!("audit-events?cursor={}", &events[1..]), "begin without cursor"),
    ] {
        let refused = tenant.get(&format!("/api/v1/{path}")).await.expect_problem(400);
        assert!(refused.text_at("/detail").contains(says), "{path}: {}", refused.describe());
    }
    // The times and the limit may be others: they are no part of the list's name.
    let path = format!("/api/v1/audit-events?limit=3&since=2020-01-01T00:00:00Z&cursor={events}");
    tenant.get(&path).await.expect(200);
}

async fn f1_members_are_listed_by_their_last_change(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    tenant.eventually("all are in", |members| members.len() == 3).await;
    let all = "/api/v1/members?modified_since=2020-01-01T00:00:00Z";
    let cursor = eventually("all three are listed", async || {
        let page = tenant.get(all).await.expect(200);
        let count = page.at("/items").as_array().map(Vec::len);
        if count == Some(3) { Ok(page.text_at("/resume_cursor").to_owned()) } else { Err(page.describe()) }
    })
    .await;
    source.deactivate(&ids[1]).await.expect_success();
    let bea = tenant.eventually_status(&email("bea"), "suspended").await;
    let page = eventually("the change is listed", async || {
        let page = tenant.get(&format!("{all}&cursor={cursor}")).await.expect(200);
        if page.at("/items/0").is_object() { Ok(page) } else { Err(page.describe()) }
    })
    .await;
    let emails = |items: &Value| -> Vec<String> {
        items.as_array().unwrap().iter().map(|item| item["email"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(emails(page.at("/items")), [email("bea")], "each member once, at its last change");
    let modified = page.at("/items/0/modified_at").as_str().unwrap().to_owned();
    assert_eq!(page.at("/items/0/id"), bea.id.as_str());
    let newest = tenant.get(&format!("{all}&order=desc&limit=1")).await.expect(200);
    assert_eq!(emails(newest.at("/items")), [email("bea")]);
    let since = tenant.get(&format!("/api/v1/members?order=desc&modified_since={modified}")).await.expect(200);
    assert_eq!(emails(since.at("/items")), [email("bea")], "the time itself is included");
    let suspended = tenant.get(&format!("{all}&order=desc&status=invited")).await.expect(200);
    assert_eq!(suspended.at("/items").as_array().map(Vec::len), Some(2));
    let refused = tenant.get("/api/v1/members?modified_since=yesterday").await.expect_problem(400);
    assert!(refused.text_at("/detail").contains("modified_since"), "{}", refused.describe());
}

async fn f1_a_filtered_list_is_followed_from_where_the_search_ended(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let suspended = "/api/v1/audit-events?kind=member.suspended";
    let before = tenant.get(suspended).await.expect(200).text_at("/resume_cursor").to_owned();
    let id = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    eventually("the cursor moves though nothing was found", async || {
        let page = tenant.get(&format!("{suspended}&cursor={before}")).await.expect(200);
        if page.text_at("/resume_cursor") == before { Err(page.describe()) } else { Ok(()) }
    })
    .await;
    source.deactivate(&id).await.expect_success();
    eventually("the event is found", async || {
        let page = tenant.get(&format!("{suspended}&cursor={before}")).await.expect(200);
        if page.at("/items/0").is_object() { Ok(()) } else { Err(page.describe()) }
    })
    .await;
}

async fn f5_lists_are_read_from_either_end(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for number in 0..7 {
        source.user(&format!("p{number}")).await;
    }
    tenant.eventually("all are in", |members| members.len() == 7).await;
    let run = tenant.runs().await.pop().expect("a run");
    // Rows may change between two reads (a source's last use does), so their ids are compared.
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    for list in ["members", "audit-events", "runs", &format!("runs/{}/items", run.id), "sources"] {
        let newest = tenant.list::<Value>(&format!("/api/v1/{list}")).await;
        let oldest = eventually(&format!("the end of {list}"), async || {
            let page = tenant.get(&format!("/api/v1/{list}?order=asc&limit=200")).await.expect(200);
            let items = page.at("/items").as_array().cloned().unwrap_or_default();
            if items.len() >= newest.len() { Ok(items) } else { Err(page.describe()) }
        })
        .await;
        assert_eq!(ids(&oldest), ids(&newest), "{list}");
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = tenant.get(&format!("/api/v1/{list}?order=desc&limit=2{cursor}")).await.expect(200);
            paged.extend(page.at("/items").as_array().cloned().unwrap_or_default());
            match page.at("/next_cursor").as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        paged.reverse();
        assert_eq!(ids(&paged), ids(&oldest), "{list}: pages of 2 from the end");
    }
}

async fn f5_times_bound_a_list(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(source.user(&format!("p{number}")).await);
        tenant.eventually_status(&email(&format!("p{number}")), "invited").await;
    }
    source.group("Pilots", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let all: Vec<String> = (0..6).map(|number| email(&format!("p{number}"))).collect();
    let group = tenant.eventually_group("Pilots", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let lists = [("members", "created_at"), ("audit-events", "at"), ("runs", "created_at"), ("groups", "created_at")];
    for (list, field) in lists {
        let rows = tenant.list::<Value>(&format!("/api/v1/{list}")).await;
        let times: Vec<String> = rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect();
        let (since, until) = (&times[times.len() / 3], &times[times.len() * 2 / 3]);
        for (query, wanted) in [
            (format!("since={since}"), times.iter().filter(|time| *time >= since).count()),
            (format!("until={until}"), times.iter().filter(|time| *time < until).count()),
            (
                format!("since={since}&until={until}"),
                times.iter().filter(|time| *time >= since && *time < until).count(),
            ),
            ("since=2999-01-01T00:00:00Z".to_owned(), 0),
            ("until=2001-01-01T00:00:00%2B02:00".to_owned(), 0),
            ("since=2001-01-01T00:00:00+02:00".to_owned(), times.len()),
        ] {
            if since == until && query.contains("&until") {
                continue;
            }
            let found = tenant.list::<Value>(&format!("/api/v1/{list}?{query}")).await;
            assert_eq!(found.len(), wanted, "{list}?{query} of {times:?}");
        }
    }
    let inside = format!("/api/v1/groups/{}/members", group.id);
    let item = format!("/api/v1/runs/{}/items", tenant.runs().await[0].id);
    for list in [inside, item] {
        assert!(!tenant.list::<Value>(&format!("{list}?since=2020-01-01T00:00:00Z")).await.is_empty(), "{list}");
        assert!(tenant.list::<Value>(&format!("{list}?since=2999-01-01T00:00:00Z")).await.is_empty(), "{list}");
        assert!(tenant.list::<Value>(&format!("{list}?until=2020-01-01T00:00:00Z")).await.is_empty(), "{list}");
    }
}

async fn f5_wrong_orders_and_times_name_the_parameter(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let run = {
        source.user("ann").await;
        tenant.eventually_status(&email("ann"), "invited").await;
        tenant.runs().await[0].id.clone()
    };
    let lists = ["members", "groups", "runs", "audit-events", "request-log", "skipped-records", "sources"];
    for list in lists {
        for (query, name) in [
            ("order=newest", "order"),
            ("since=yesterday", "since"),
            ("since=2026-11-29", "since"),
            ("until=1700000000", "until"),
            ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
            ("limit=many", "limit"),
        ] {
            let refused = tenant.get(&format!("/api/v1/{list}?{query}")).await.expect_problem(400);
            assert!(refused.text_at("/detail").contains(name), "{list}?{query}: {}", refused.describe());
        }
    }
    for plan in
        [format!("runs/{run}/compare?with={run}"), format!("sources/{}/detachment/items?people=keep", source.id)]
    {
        tenant.get(&format!("/api/v1/{plan}")).await.expect(200);
        for (name, value) in [("order", "desc"), ("since", "2020-01-01T00:00:00Z"), ("until", "2020-01-01T00:00:00Z")] {
            let refused = tenant.get(&format!("/api/v1/{plan}&{name}={value}")).await.expect_problem(400);
            assert!(refused.text_at("/detail").contains(name), "{plan}: {}", refused.describe());
        }
    }
}

async fn r14_groups_know_their_sizes(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    source.group("All", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    source.group("Few", &[&ids[0]]).await;
    tenant.eventually_group("All", &[&email("ann"), &email("bea"), &email("cem")]).await;
    tenant.eventually_group("Few", &[&email("ann")]).await;
    let sizes = async |what: &str, wanted: [(&str, u64, u64); 2]| {
        let wanted: BTreeSet<(String, u64, u64)> = wanted.map(|(name, all, some)| (name.to_owned(), all, some)).into();
        eventually(what, async || {
            let groups: Vec<Value> = tenant.list("/api/v1/groups").await;
            let count = |group: &Value, field: &str| group[field].as_u64().unwrap();
            let size = |group: &Value| {
                let name = group["name"].as_str().unwrap().to_owned();
                (name, count(group, "members_count"), count(group, "entitled_count"))
            };
            let seen: BTreeSet<_> = groups.iter().map(size).collect();
            if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    };
    sizes("all are in", [("All", 3, 3), ("Few", 1, 1)]).await;
    tenant.accept(&email("ann")).await;
    sizes("an accepted invitation changes no size", [("All", 3, 3), ("Few", 1, 1)]).await;
    source.deactivate(&ids[0]).await.expect_success();
    sizes("a suspended member is counted, and not entitled", [("All", 3, 2), ("Few", 1, 0)]).await;
    source.activate(&ids[0]).await.expect_success();
    sizes("a restored one is", [("All", 3, 3), ("Few", 1, 1)]).await;
    source.delete(&format!("/Users/{}", ids[1])).await.expect(204);
    eventually("bea left the group", async || {
        let groups: Vec<Value> = tenant.list("/api/v1/groups").await;
        let all = groups.iter().find(|group| group["name"] == "All").cloned().unwrap_or_default();
        let members = tenant.group_members(all["id"].as_str().unwrap()).await;
        let is_true = all["members_count"].as_u64() == Some(members.len() as u64);
        if is_true && all["entitled_count"] == 2 { Ok(()) } else { Err(format!("{all} {members:?}")) }
    })
    .await;
}
