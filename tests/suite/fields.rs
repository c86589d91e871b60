//! Sparse answers: `fields` on every list, and on the reads of one thing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::hub::Hub;
use crate::openapi::{Document, company, filled};
use crate::registry::{Case, cases};
use crate::verbs::email;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        every_list_and_every_thing_can_be_shown_in_part,
        an_unknown_field_is_refused_with_those_that_there_are,
        a_page_of_some_fields_pages_as_the_whole_one,
        a_part_has_the_tag_of_the_whole,
    ]
}

/// The names of the fields of an object.
fn names(row: &Value) -> BTreeSet<String> {
    row.as_object().unwrap_or_else(|| panic!("no object: {row}")).keys().cloned().collect()
}

async fn every_list_and_every_thing_can_be_shown_in_part(hub: Hub) {
    let company = company(&hub).await;
    let document = Document::of(&hub).await;
    let (mut lists, mut things) = (0, 0);
    for (path, operation) in document.reads() {
        let takes = operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "fields");
        if !takes || path.contains("/exports/") || path.contains("/tenants") {
            continue;
        }
        let url = filled(path, &company);
        let whole = company.tenant.get(&url).await;
        if whole.status != 200 {
            continue;
        }
        let is_list = whole.json["items"].is_array();
        let row = if is_list { whole.at("/items/0").clone() } else { whole.json.clone() };
        let Some(name) = row.as_object().and_then(|row| row.keys().rev().find(|name| *name != "id")) else { continue };
        let join = if url.contains('?') { '&' } else { '?' };
        let part = company.tenant.get(&format!("{url}{join}fields={name}")).await.expect(200);
        let shown = if is_list { part.at("/items/0").clone() } else { part.json.clone() };
        let mut expected = BTreeSet::from([name.clone()]);
        expected.extend(row.get("id").map(|_| "id".to_owned()));
        assert_eq!(names(&shown), expected, "{}", part.describe());
        assert_eq!((&shown[name], &shown["id"]), (&row[name], &row["id"]), "{}", part.describe());
        if is_list { lists += 1 } else { things += 1 }
    }
    assert!(lists >= 10 && things >= 3, "{lists} lists and {things} things were shown in part");
}

async fn an_unknown_field_is_refused_with_those_that_there_are(hub: Hub) {
    let tenant = hub.tenant().create();
    for path in ["/api/v1/members?fields=emial", "/api/v1/members?fields=email,,status", "/api/v1/runs?fields=email"] {
        let refused = tenant.get(path).await.expect_problem(400);
        let detail = refused.text_at("/detail");
        assert!(detail.contains("fields") && detail.contains("id"), "{detail}");
    }
    let refused = tenant.get("/api/v1/members?fields=emial").await.expect_problem(400).text_at("/detail");
    assert!(refused.contains("email") && refused.contains("waiting_for"), "{refused}");
    tenant.get("/api/v1/members?fields=").await.expect_problem(400);
}

async fn a_page_of_some_fields_pages_as_the_whole_one(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for name in ["ann", "bea", "cid"] {
        source.user(name).await;
    }
    tenant.eventually_member(&email("cid"), |_| true).await;
    let (mut cursor, mut emails, mut pages) = (None::<String>, Vec::new(), 0);
    loop {
        let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = tenant.get(&format!("/api/v1/members?limit=1&fields=email{from}")).await.expect(200);
        emails
            .extend(page.at("/items").as_array().unwrap().iter().map(|row| row["email"].as_str().unwrap().to_owned()));
        pages += 1;
        cursor = page.json["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, emails.len(), "one member a page");
    for name in ["ann", "bea", "cid"] {
        assert!(emails.contains(&email(name)), "{name} in {emails:?}");
    }
}

async fn a_part_has_the_tag_of_the_whole(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let member = tenant.eventually_member(&email("ann"), |_| true).await;
    let path = format!("/api/v1/members/{}", member.id);
    let whole = tenant.get(&path).await.expect(200);
    let part = tenant.get(&format!("{path}?fields=former_emails")).await.expect(200);
    assert_eq!(names(&part.json), BTreeSet::from(["id".to_owned(), "former_emails".to_owned()]));
    assert_eq!(part.header("etag"), whole.header("etag"));
    tenant.get(&format!("{path}?email=x")).await.expect_problem(400);
}
