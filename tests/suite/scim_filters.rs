//! Filters of identity providers (docs/scim.md#what-is-served): `eq` and `and` over the attributes of their look-ups.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{GROUP, ScimSource, email, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        user_names_are_found_in_any_case,
        external_ids_are_found_exactly,
        emails_are_found_in_every_spelling,
        an_address_that_no_index_takes_is_found_too,
        display_names_ids_and_active_are_found,
        and_narrows,
        operators_and_names_ignore_case,
        special_characters_are_data,
        a_bare_word_after_eq_is_a_value,
        no_match_is_an_empty_list,
        groups_are_found_by_name_and_external_id,
        a_filtered_list_pages,
        a_changed_user_name_is_found_under_the_new_name_only,
        search_of_one_kind_asks_as_get_does,
        lists_are_sorted_either_way,
    ]
}

fn shown(list: &Answer, pointer: &str) -> Vec<String> {
    let resources = list.at("/Resources").as_array().cloned().unwrap_or_default();
    let text = |one: &Value| one.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    resources.iter().map(text).collect()
}

async fn search_of_one_kind_asks_as_get_does(hub: Hub) {
    let (source, ann, bea) = ann_and_bea(&hub).await;
    let crew = source.group("Crew", &[&ann, &bea]).await;
    let staff = source.group("Staff", &[&ann]).await;
    let schema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    for (path, filter, ids) in [
        ("/Users", format!("userName eq \"{}\"", email("ann")), vec![&ann]),
        ("/Users", "userName co \"@\"".to_owned(), vec![&ann, &bea]),
        ("/Groups", format!("members.value eq \"{bea}\""), vec![&crew]),
        ("/Groups", "displayName sw \"s\"".to_owned(), vec![&staff]),
    ] {
        let body = json!({ "schemas": [schema], "filter": filter, "startIndex": 1, "count": 10 });
        let found = source.post(&format!("{path}/.search"), &body).await.expect(200);
        assert_eq!(found.at("/totalResults"), ids.len(), "{}", found.describe());
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let listed = source.get(&format!("{path}?filter={query}&startIndex=1&count=10")).await.expect(200);
        assert_eq!(found.json, listed.json, "{path} {filter}");
    }
    let body = json!({ "attributes": ["userName"], "count": 1, "startIndex": 2 });
    let second = source.post("/Users/.search", &body).await.expect(200);
    let only = second.at("/Resources/0").as_object().cloned().unwrap_or_default();
    assert_eq!(only.keys().collect::<Vec<_>>(), ["id", "schemas", "userName"], "{}", second.describe());
    assert_eq!((second.at("/totalResults"), second.at("/itemsPerPage")), (&json!(2), &json!(1)));
    source.post("/Users/.search", &json!({ "filter": "shoe pr" })).await.expect_scim_error(400, Some("invalidFilter"));
}

async fn lists_are_sorted_either_way(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for (name, family) in [("cem", "B"), ("ann", "c"), ("bea", "A")] {
        let body = with(person(name), json!({ "name": { "familyName": family } }));
        source.post("/Users", &body).await.expect(201);
        source.group(&name.to_uppercase(), &[]).await;
    }
    for (by, order, wanted) in [
        ("userName", "", ["ann", "bea", "cem"]),
        ("userName", "&sortOrder=descending", ["cem", "bea", "ann"]),
        ("name.familyName", "&sortOrder=ascending", ["bea", "cem", "ann"]),
    ] {
        let list = source.get(&format!("/Users?sortBy={by}{order}")).await.expect(200);
        assert_eq!(shown(&list, "/userName"), wanted.map(email), "{by}{order}");
        let page = source.get(&format!("/Users?sortBy={by}{order}&startIndex=2&count=1")).await.expect(200);
        assert_eq!(shown(&page, "/userName"), [email(wanted[1])], "{by}{order}");
    }
    for (order, wanted) in [("ascending", ["ANN", "BEA", "CEM"]), ("descending", ["CEM", "BEA", "ANN"])] {
        let list = source.get(&format!("/Groups?sortBy=displayName&sortOrder={order}")).await.expect(200);
        assert_eq!(shown(&list, "/displayName"), wanted, "{order}");
        let body = json!({ "sortBy": "displayName", "sortOrder": order });
        let found = source.post("/Groups/.search", &body).await.expect(200);
        assert_eq!(shown(&found, "/displayName"), wanted, "{order}");
    }
}

async fn ann_and_bea(hub: &Hub) -> (ScimSource, String, String) {
    let source = hub.tenant().create().scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    (source, ids[0].clone(), ids[1].clone())
}

async fn user_names_are_found_in_any_case(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    for name in [email("ann"), email("ann").to_uppercase(), email("Ann")] {
        source.expect_found("/Users", &format!("userName eq \"{name}\""), &[&ann]).await;
    }
}

async fn external_ids_are_found_exactly(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    source.expect_found("/Users", "externalId eq \"ext-ann\"", &[&ann]).await;
    source.expect_found("/Users", "externalId eq \"EXT-ANN\"", &[]).await;
}

async fn emails_are_found_in_every_spelling(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    let filters = [
        "emails eq \"A\"",
        "emails.value eq \"A\"",
        "emails[type eq \"work\"].value eq \"A\"",
        "emails[type eq \"work\" and value eq \"A\"]",
    ];
    for filter in filters {
        let filter = filter.replace("\"A\"", &format!("\"{}\"", email("ann")));
        source.expect_found("/Users", &filter, &[&ann]).await;
    }
    let at_home = format!("emails[type eq \"home\"].value eq \"{}\"", email("ann"));
    source.expect_found("/Users", &at_home, &[]).await;
}

/// No real address is this long, but a filter with one must not fail with the limits of an index.
async fn an_address_that_no_index_takes_is_found_too(hub: Hub) {
    let (source, ..) = ann_and_bea(&hub).await;
    // Without repetitions, so that it cannot be compressed.
    let mut state = 7_u32;
    let letters = (0..3_900).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b"abcdefghijklmnopqrstuvwxyz012345"[(state >> 27) as usize])
    });
    let long: String = letters.collect();
    let emails = json!([{ "value": email("cas"), "primary": true }, { "value": long, "type": "other" }]);
    let cas = source.post("/Users", &with(person("cas"), json!({ "emails": emails }))).await.expect(201).text_at("/id");
    source.expect_found("/Users", &format!("emails.value eq \"{}\"", long.to_uppercase()), &[&cas]).await;
    source.expect_found("/Users", &format!("emails.value eq \"{}\"", &long[1..]), &[]).await;
    source.expect_found("/Users", &format!("emails.value eq \"{}\"", email("cas")), &[&cas]).await;
}

async fn display_names_ids_and_active_are_found(hub: Hub) {
    let (source, ann, bea) = ann_and_bea(&hub).await;
    source.deactivate(&bea).await.expect_success();
    source.expect_found("/Users", "displayName eq \"ann Example\"", &[&ann]).await;
    source.expect_found("/Users", &format!("id eq \"{ann}\""), &[&ann]).await;
    source.expect_found("/Users", "active eq true", &[&ann]).await;
    source.expect_found("/Users", "active eq false", &[&bea]).await;
}

async fn and_narrows(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    let both = format!("userName eq \"{}\" and active eq true", email("ann"));
    source.expect_found("/Users", &both, &[&ann]).await;
    let neither = format!("userName eq \"{}\" and externalId eq \"ext-bea\"", email("ann"));
    source.expect_found("/Users", &neither, &[]).await;
}

async fn operators_and_names_ignore_case(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    for filter in [
        "USERNAME EQ \"A\" AND active Eq true",
        "username eq \"A\"",
        "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"A\"",
    ] {
        let filter = filter.replace("\"A\"", &format!("\"{}\"", email("ann")));
        source.expect_found("/Users", &filter, &[&ann]).await;
    }
}

async fn special_characters_are_data(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let names = [
        "O'Brien+tag",
        "quote\"inside",
        "back\\slash",
        "per%cent_under",
        "ärger-İı-日本",
        "a & b; DROP TABLE",
        "' OR '1'='1",
    ];
    for (number, name) in names.iter().enumerate() {
        let changes = json!({ "displayName": name, "externalId": format!("x{name}") });
        let id = source.post("/Users", &with(person(&format!("p{number}")), changes)).await.expect(201).id();
        let literal = Value::from(*name);
        source.expect_found("/Users", &format!("displayName eq {literal}"), &[&id]).await;
        let literal = Value::from(format!("x{name}"));
        source.expect_found("/Users", &format!("externalId eq {literal}"), &[&id]).await;
    }
    let user_name = with(person("plus"), json!({ "userName": "ann+plus'x@acme.example" }));
    let id = source.post("/Users", &user_name).await.expect(201).id();
    source.expect_found("/Users", "userName eq \"ann+plus'x@acme.example\"", &[&id]).await;
}

async fn a_bare_word_after_eq_is_a_value(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    source.expect_found("/Users", "externalId eq ext-ann", &[&ann]).await;
}

async fn no_match_is_an_empty_list(hub: Hub) {
    let (source, ..) = ann_and_bea(&hub).await;
    for (path, filter) in [
        ("/Users", "userName eq \"nobody\""),
        ("/Users", "id eq \"not-an-id\""),
        ("/Groups", "displayName eq \"none\""),
    ] {
        source.expect_found(path, filter, &[]).await;
    }
}

async fn groups_are_found_by_name_and_external_id(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let body = json!({ "schemas": [GROUP], "displayName": "Pilots", "externalId": "g-1" });
    let id = source.post("/Groups", &body).await.expect(201).id();
    source.group("Crew", &[]).await;
    for filter in
        ["displayName eq \"Pilots\"", "displayName eq \"pilots\"", "externalId eq \"g-1\"", &format!("id eq \"{id}\"")]
    {
        source.expect_found("/Groups", filter, &[&id]).await;
    }
}

async fn a_filtered_list_pages(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for number in 0..7 {
        let same = json!({ "displayName": "Same Name" });
        source.post("/Users", &with(person(&format!("s{number}")), same)).await.expect(201);
    }
    source.user("other").await;
    let mut seen = Vec::new();
    for start in [1, 4, 7] {
        let path = format!("/Users?filter=displayName+eq+%22Same+Name%22&startIndex={start}&count=3");
        let page = source.get(&path).await.expect(200);
        assert_eq!(page.at("/totalResults"), 7, "{}", page.describe());
        seen.extend(page.at("/Resources").as_array().unwrap().iter().map(|user| user["id"].to_string()));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

async fn a_changed_user_name_is_found_under_the_new_name_only(hub: Hub) {
    let (source, ann, _) = ann_and_bea(&hub).await;
    let rename = operation("Replace", "userName", json!(email("anna")));
    source.send(Method::PATCH, &format!("/Users/{ann}"), &crate::verbs::patch(vec![rename])).await.expect_success();
    source.expect_found("/Users", &format!("userName eq \"{}\"", email("anna")), &[&ann]).await;
    source.expect_found("/Users", &format!("userName eq \"{}\"", email("ann")), &[]).await;
}
