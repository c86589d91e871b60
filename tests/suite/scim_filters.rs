//! Filters that identity providers send (`scim.md` §3): `eq` and `and` over the attributes they look people up by.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{GROUP, ScimSource, email, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        user_names_are_found_in_any_case,
        external_ids_are_found_exactly,
        emails_are_found_in_every_spelling,
        display_names_ids_and_active_are_found,
        and_narrows,
        operators_and_names_ignore_case,
        special_characters_are_data,
        a_bare_word_after_eq_is_a_value,
        no_match_is_an_empty_list,
        groups_are_found_by_name_and_external_id,
        a_filtered_list_pages,
        a_changed_user_name_is_found_under_the_new_name_only,
    ]
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
