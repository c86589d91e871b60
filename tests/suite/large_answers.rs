//! Answers are bounded by bytes: a page ends early and goes on, and a group with too many members says how to read them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::group_scope::set_policy;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{GROUP, ScimSource, members_value, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        rc22_s2_pages_end_at_their_bytes_and_go_on_by_index,
        rc22_s2_pages_end_at_their_bytes_and_go_on_by_cursor,
        rc22_s2_users_and_groups_in_one_list_lose_nobody_at_the_bytes,
        rc22_s2_a_group_with_too_many_members_says_how_to_read_them,
        rc22_s2_a_page_of_the_rest_api_ends_at_its_bytes_and_goes_on,
    ];
    cases.extend(cases![an_answer_waits_for_no_delayed_acknowledgement].into_iter().map(Case::alone));
    cases
}

/// Shorter than a client delays an acknowledgement (40 ms on Linux), longer than this answer takes.
const WITHOUT_DELAY: Duration = Duration::from_millis(35);

/// An answer of many segments on a connection that is kept: its end does not wait until the client acknowledges its beginning.
async fn an_answer_waits_for_no_delayed_acknowledgement(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for number in 0..8 {
        let notes = json!({ "urn:acme:1.0:User": { "notes": "x".repeat(7000) } });
        source.post("/Users", &with(person(&format!("p{number}")), notes)).await.expect(201);
    }
    let mut took = Vec::new();
    for _ in 0..60 {
        let begun = Instant::now();
        let page = source.get("/Users?count=8").await.expect(200);
        assert!(page.text.len() > 50_000, "{} bytes", page.text.len());
        took.push(begun.elapsed());
    }
    // A new connection acknowledges its first answers at once.
    let quickest = took[20..].iter().min().unwrap();
    assert!(*quickest < WITHOUT_DELAY, "{took:?}");
}

const PEOPLE: usize = 23;

/// Ten members fit into an answer of this hub, and some people.
async fn narrow_hub(hub: &Hub) -> ScimSource {
    let hub = hub.another().setting("ROLLCALL_INGEST_ANSWER_BYTES_MAX", "2000").start().await;
    hub.tenant().create().scim_source()
}

async fn with_people(source: &ScimSource) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..PEOPLE {
        // Every seventh person is larger than a page.
        let notes = "x".repeat(if number % 7 == 3 { 5000 } else { 100 });
        let person = with(person(&format!("p{number}")), json!({ "urn:acme:1.0:User": { "notes": notes } }));
        ids.push(source.post("/Users", &person).await.expect(201).id());
    }
    ids.sort();
    ids
}

fn ids_of(page: &Value) -> Vec<String> {
    let resources = page["Resources"].as_array().cloned().unwrap_or_default();
    resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

async fn rc22_s2_pages_end_at_their_bytes_and_go_on_by_index(hub: Hub) {
    let source = narrow_hub(&hub).await;
    let people = with_people(&source).await;
    for list in ["/Users?", "/Users?sortBy=userName&", "/Users?filter=userName%20pr&"] {
        let (mut found, mut pages) = (Vec::new(), 0);
        while found.len() < PEOPLE {
            let page = source.get(&format!("{list}count=100&startIndex={}", found.len() + 1)).await.expect(200);
            let ids = ids_of(&page.json);
            assert!(!ids.is_empty(), "{}", page.describe());
            assert_eq!(page.at("/totalResults"), PEOPLE, "{}", page.describe());
            assert_eq!(page.at("/itemsPerPage"), ids.len(), "{}", page.describe());
            assert!(page.text.len() < 12_000, "{} bytes", page.text.len());
            found.extend(ids);
            pages += 1;
        }
        found.sort();
        assert_eq!(found, people, "{list}");
        assert!(pages > 4, "{list} took {pages} pages");
    }
}

async fn rc22_s2_pages_end_at_their_bytes_and_go_on_by_cursor(hub: Hub) {
    let source = narrow_hub(&hub).await;
    let people = with_people(&source).await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = source.get(&format!("/Users?count=100&cursor={cursor}")).await.expect(200);
        found.extend(ids_of(&page.json));
        match page.at("/nextCursor").as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(found, people);
}

async fn rc22_s2_users_and_groups_in_one_list_lose_nobody_at_the_bytes(hub: Hub) {
    let source = narrow_hub(&hub).await;
    let mut everything = with_people(&source).await;
    for name in ["Pilots", "Crew", "Ground"] {
        let members: Vec<&str> = everything.iter().take(6).map(String::as_str).collect();
        let group = source.group(name, &members).await;
        everything.push(group);
    }
    everything.sort();
    let mut found: Vec<String> = Vec::new();
    while found.len() < everything.len() {
        let page = source.get(&format!("?count=100&startIndex={}", found.len() + 1)).await.expect(200);
        let ids = ids_of(&page.json);
        assert!(!ids.is_empty() && page.at("/totalResults") == everything.len(), "{}", page.describe());
        found.extend(ids);
    }
    found.sort();
    assert_eq!(found, everything);
}

async fn rc22_s2_a_group_with_too_many_members_says_how_to_read_them(hub: Hub) {
    let source = narrow_hub(&hub).await;
    let people = with_people(&source).await;
    let ids: Vec<&str> = people.iter().map(String::as_str).collect();
    let small = source.group("Small", &ids[..10]).await;
    // The write is done, so its answer leaves the members out rather than fail.
    let body = json!({ "schemas": [GROUP], "displayName": "Everybody", "members": members_value(&ids) });
    let made = source.post("/Groups", &body).await.expect(201);
    assert_eq!(made.at("/members"), &Value::Null, "{}", made.describe());
    let large = made.id();
    assert_eq!(source.member_ids(&small).await.len(), 10);
    let refused = source.get(&format!("/Groups/{large}")).await.expect_scim_error(400, Some("tooMany"));
    let remedy = format!("/Users?filter=groups.value eq \"{large}\"");
    assert!(refused.text_at("/detail").contains(&remedy), "{}", refused.describe());
    source.get(&format!("/Groups/{large}?excludedAttributes=members")).await.expect(200);
    let mut seen = 0;
    while seen < PEOPLE {
        let filter = format!("/Users?filter=groups.value%20eq%20%22{large}%22&startIndex={}", seen + 1);
        let page = source.get(&filter).await.expect(200);
        assert_eq!(page.at("/totalResults"), PEOPLE, "{}", page.describe());
        seen += ids_of(&page.json).len();
    }
    // A list ends before the large group, and then says the same about it.
    let list = source.get("/Groups?count=10").await.expect(200);
    assert_eq!((ids_of(&list.json), list.at("/totalResults")), (vec![small.clone()], &json!(2)), "{}", list.describe());
    source.get("/Groups?count=10&startIndex=2").await.expect_scim_error(400, Some("tooMany"));
    let whole = source.get("/Groups?count=10&excludedAttributes=members").await.expect(200);
    assert_eq!(ids_of(&whole.json).len(), 2);
    // In another order a group that does not fit leaves room for the one before it.
    let sorted = source.get("/Groups?count=10&sortBy=displayName&sortOrder=descending").await.expect(200);
    assert_eq!(ids_of(&sorted.json), std::slice::from_ref(&small), "{}", sorted.describe());
    source.patch(&format!("/Groups/{large}?attributes=members"), vec![operation("remove", "members", json!([]))]).await;
    let put = json!({ "schemas": [GROUP], "displayName": "Everyone", "members": members_value(&ids) });
    assert_eq!(source.put(&format!("/Groups/{large}"), &put).await.expect(200).at("/members"), &Value::Null);
}

/// Changes the policy so often. The event of each change holds the policy before and after, 130 KB each.
pub(crate) async fn large_events(tenant: &Tenant, count: usize) {
    for number in 0..count {
        let names: Vec<String> = (0..500).map(|entry| format!("{number}-{entry}-{}", "n".repeat(240))).collect();
        set_policy(tenant, json!({ "group_scope": { "names": names } })).await.expect(200);
    }
}

async fn rc22_s2_a_page_of_the_rest_api_ends_at_its_bytes_and_goes_on(hub: Hub) {
    const CHANGES: usize = 24;
    let tenant = hub.tenant().create();
    large_events(&tenant, CHANGES).await;
    for list in ["kind=policy.changed", "kind=policy.changed&order=desc", "order=asc"] {
        let (mut found, mut pages, mut cursor) = (BTreeSet::new(), 0, String::new());
        loop {
            let page = tenant.get(&format!("/api/v1/audit-events?limit=200&{list}{cursor}")).await.expect(200);
            assert!(page.text.len() < 5_000_000, "{} bytes", page.text.len());
            let events = page.at("/items").as_array().unwrap().iter().filter(|event| event["kind"] == "policy.changed");
            for event in events {
                assert!(found.insert(event["id"].as_str().unwrap().to_owned()), "an event is on two pages");
            }
            pages += 1;
            match page.at("/next_cursor").as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found.len(), CHANGES, "{list}");
        assert!(pages > 1, "{list} took one page");
    }
}
