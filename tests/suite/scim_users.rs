//! `/Users`: create, read, list, replace, delete, as the identity providers of docs/idp do it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{ENTERPRISE, LIST, ScimSource, USER, email, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        post_answers_the_whole_resource_and_its_location,
        post_ignores_what_the_client_may_not_set,
        post_never_returns_a_password,
        post_accepts_plain_json_with_a_charset,
        post_takes_the_body_of_okta,
        post_takes_the_body_of_entra,
        post_takes_the_body_of_onelogin_with_nulls,
        post_takes_the_body_of_jumpcloud,
        post_of_a_disabled_user_is_visible_and_inactive,
        post_of_a_taken_user_name_is_409_in_any_case,
        ten_parallel_posts_of_one_user_name_give_one_201,
        get_shows_inactive_users_until_they_are_deleted,
        list_pages_by_index_without_gaps_or_repeats,
        list_bounds_are_those_of_the_rfc,
        put_replaces_and_clears_what_is_omitted,
        put_takes_back_the_servers_own_answer,
        put_of_an_unknown_id_creates_nothing,
        put_may_not_take_anothers_user_name,
        put_deactivates_and_revives_the_same_id,
        active_is_always_shown_and_only_a_word_brings_somebody_back,
        a_user_over_the_largest_size_is_refused,
        of_a_repeated_parameter_the_last_counts,
        put_takes_the_minimal_body_of_jumpcloud,
        an_identical_put_changes_nothing,
        delete_frees_the_user_name_and_never_reuses_the_id,
    ]
}

async fn post_answers_the_whole_resource_and_its_location(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let made = source.post("/Users", &person("ann")).await.expect(201);
    let id = made.id();
    assert!(made.content_type().starts_with("application/scim+json"), "{}", made.describe());
    assert!(made.header("location").ends_with(&format!("/scim/v2/{}/Users/{id}", source.id)), "{:?}", made.headers);
    assert_eq!(made.at("/meta/location"), made.header("location"), "{}", made.describe());
    assert_eq!(made.at("/meta/resourceType"), "User");
    assert_eq!(made.at("/meta/created"), made.at("/meta/lastModified"), "{}", made.describe());
    let read = source.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!(read.json, made.json, "GET shows what POST answered");
    for key in ["userName", "externalId", "name", "displayName", "active"] {
        assert_eq!(read.json[key], person("ann")[key], "{key}: {}", read.describe());
    }
    assert_eq!(read.at("/emails/0/value"), &json!(email("ann")), "{}", read.describe());
    assert!(read.at("/schemas").as_array().is_some_and(|list| list.contains(&json!(USER))), "{}", read.describe());
}

async fn post_ignores_what_the_client_may_not_set(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let own = json!({
        "id": "chosen-by-the-client",
        "meta": { "resourceType": "User", "created": "1999-01-01T00:00:00Z" },
        "groups": [{ "value": "nowhere" }],
        "shoeSize": 42
    });
    let made = source.post("/Users", &with(person("ann"), own)).await.expect(201);
    assert_ne!(made.id(), "chosen-by-the-client");
    assert!(!made.text_at("/meta/created").starts_with("1999"), "{}", made.describe());
    assert!(made.at("/groups").as_array().is_none_or(Vec::is_empty), "{}", made.describe());
}

async fn post_never_returns_a_password(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let made = source.post("/Users", &with(person("ann"), json!({ "password": "1mz050nq" }))).await.expect(201);
    let read = source.get(&format!("/Users/{}", made.id())).await.expect(200);
    for answer in [made, read] {
        assert!(!answer.text.contains("1mz050nq") && answer.at("/password").is_null(), "{}", answer.describe());
    }
}

async fn post_accepts_plain_json_with_a_charset(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for (name, content_type) in [("ann", "application/json"), ("bea", "application/json; charset=utf-8")] {
        let request = source
            .hub
            .http()
            .post(format!("{}/Users", source.base))
            .bearer_auth(&source.token)
            .header("content-type", content_type)
            .body(person(name).to_string());
        let answer = crate::answer::Answer::of(request).await.expect(201);
        assert!(answer.content_type().starts_with("application/scim+json"), "{}", answer.describe());
    }
}

async fn post_takes_the_body_of_okta(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let body = json!({
        "schemas": [USER],
        "userName": "test.user@okta.example",
        "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "primary": true, "value": "test.user@okta.example", "type": "work" }],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true
    });
    let made = source.post("/Users", &body).await.expect(201);
    assert_eq!(made.at("/externalId"), "00ujl29u0le5T6Aj10h7");
    assert_eq!(made.at("/locale"), "en-US", "{}", made.describe());
}

async fn post_takes_the_body_of_entra(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let body = json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_ab6490ee@entra.example",
        "active": "True",
        "displayName": "lennay",
        "emails": [{ "primary": true, "type": "work", "value": "Test_User_fd0ea19b@entra.example" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName" },
        "roles": [],
        ENTERPRISE: { "employeeNumber": "701984", "department": "Tours", "manager": "26118915-6090-4610-87e4-49d8ca9f808d" }
    });
    let made = source.post("/Users", &body).await.expect(201);
    assert_eq!(made.at("/active"), &Value::Bool(true), "a JSON boolean, always: {}", made.describe());
    assert_eq!(made.json[ENTERPRISE]["employeeNumber"], "701984", "{}", made.describe());
    assert_eq!(
        made.json[ENTERPRISE]["manager"]["value"],
        "26118915-6090-4610-87e4-49d8ca9f808d",
        "{}",
        made.describe()
    );
}

async fn post_takes_the_body_of_onelogin_with_nulls(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let body = json!({
        "userName": "one@onelogin.example",
        "name": { "givenName": "One", "familyName": null, "formatted": null },
        "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
        "emails": [{ "value": "one@onelogin.example", "primary": true }],
        "externalId": null,
        "phoneNumbers": null,
        "active": true
    });
    let made = source.post("/Users", &body).await.expect(201);
    assert!(made.at("/externalId").is_null() && made.at("/phoneNumbers").is_null(), "{}", made.describe());
    tenant.eventually_status("one@onelogin.example", "invited").await;
}

async fn post_takes_the_body_of_jumpcloud(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let body = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": "test@jumpcloud.example",
        "name": { "givenName": "Jump", "familyName": "Cloud", "middleName": "" },
        "emails": [{ "primary": true, "value": "test@jumpcloud.example", "type": "work" }],
        "addresses": [], "phoneNumbers": [], "photos": [], "roles": [],
        "title": "", "nickName": "", "active": true, "displayName": "",
        "externalId": "5f7e1a2b3c4d5e6f7a8b9c0d"
    });
    let made = source.post("/Users", &body).await.expect(201);
    assert_eq!(made.at("/externalId"), "5f7e1a2b3c4d5e6f7a8b9c0d");
}

async fn post_of_a_disabled_user_is_visible_and_inactive(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let made = source.post("/Users", &with(person("ann"), json!({ "active": false }))).await.expect(201);
    assert_eq!(made.at("/active"), &Value::Bool(false));
    source.expect_found("/Users", &format!("userName eq \"{}\"", email("ann")), &[&made.id()]).await;
}

async fn post_of_a_taken_user_name_is_409_in_any_case(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let before = tenant.everything(&source).await;
    for user_name in [email("ann"), email("ann").to_uppercase()] {
        let again = with(person("ann"), json!({ "userName": user_name, "externalId": "someone-else" }));
        source.post("/Users", &again).await.expect_scim_error(409, Some("uniqueness"));
    }
    assert_eq!(tenant.everything(&source).await, before, "a refused POST changes nothing");
}

async fn ten_parallel_posts_of_one_user_name_give_one_201(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let body = person("ann");
    let answers = join_all((0..10).map(|_| source.post("/Users", &body))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1, "one 201; the others: {refused:?}");
    for answer in refused {
        answer.expect_scim_error(409, Some("uniqueness"));
    }
    tenant.eventually_status(&email("ann"), "invited").await;
    assert_eq!(source.all("/Users").await.len(), 1);
    assert_eq!(tenant.members().await.len(), 1);
}

async fn get_shows_inactive_users_until_they_are_deleted(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    let path = format!("/Users/{id}");
    source.deactivate(&id).await.expect_success();
    assert_eq!(source.get(&path).await.expect(200).at("/active"), &Value::Bool(false));
    source.expect_found("/Users", "externalId eq \"ext-ann\"", &[&id]).await;
    source.delete(&path).await.expect(204);
    source.get(&path).await.expect_scim_error(404, None);
    source.expect_found("/Users", "externalId eq \"ext-ann\"", &[]).await;
}

async fn many(source: &ScimSource, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("user{number:02}")).collect();
    source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn list_pages_by_index_without_gaps_or_repeats(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let mut made = many(&source, 23).await;
    let mut seen = Vec::new();
    for start in (1..=23).step_by(5) {
        let page = source.get(&format!("/Users?startIndex={start}&count=5")).await.expect(200);
        let resources = page.at("/Resources").as_array().unwrap();
        assert_eq!(page.at("/totalResults"), 23, "{}", page.describe());
        assert_eq!(page.at("/startIndex"), start, "{}", page.describe());
        assert_eq!(page.at("/itemsPerPage"), resources.len(), "{}", page.describe());
        seen.extend(resources.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 23);
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
}

async fn list_bounds_are_those_of_the_rfc(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    many(&source, 3).await;
    // (query, startIndex answered, resources answered)
    let bounds = [
        ("startIndex=0&count=2", 1, 2),
        ("startIndex=-7", 1, 3),
        ("count=0", 1, 0),
        ("count=-3", 1, 0),
        ("startIndex=9", 9, 0),
    ];
    for (query, start, length) in bounds {
        let page = source.get(&format!("/Users?{query}")).await.expect(200);
        assert_eq!(page.at("/schemas"), &json!([LIST]), "{}", page.describe());
        assert_eq!(page.at("/totalResults"), 3, "{}", page.describe());
        assert_eq!(page.at("/startIndex"), start, "{}", page.describe());
        assert_eq!(page.at("/itemsPerPage"), length, "{}", page.describe());
        assert_eq!(page.at("/Resources").as_array().map_or(0, Vec::len), length, "{}", page.describe());
    }
    let capped = source.get("/Users?count=1000000").await.expect(200);
    assert_eq!(capped.at("/itemsPerPage"), 3, "{}", capped.describe());
}

async fn put_replaces_and_clears_what_is_omitted(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let full = with(person("ann"), json!({ "title": "Pilot", ENTERPRISE: { "department": "Tours" } }));
    let made = source.post("/Users", &full).await.expect(201);
    let path = format!("/Users/{}", made.id());
    let renamed = json!({ "displayName": "Ann Changed", "externalId": null, "name": null });
    let answer = source.put(&path, &with(person("ann"), renamed)).await.expect(200);
    assert_eq!(answer.id(), made.id());
    assert_eq!(answer.at("/displayName"), "Ann Changed");
    for cleared in ["title", "externalId", "name", ENTERPRISE] {
        assert!(answer.json[cleared].is_null(), "{cleared} was omitted: {}", answer.describe());
    }
    assert_eq!(source.get(&path).await.expect(200).json, answer.json);
}

async fn put_takes_back_the_servers_own_answer(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    let path = format!("/Users/{id}");
    let mut body = source.get(&path).await.expect(200).json;
    body["name"]["familyName"] = json!("Married");
    let answer = source.put(&path, &body).await.expect(200);
    assert_eq!(answer.at("/name/familyName"), "Married");
    assert_eq!(answer.id(), id);
    assert_eq!(answer.at("/meta/created"), &body["meta"]["created"]);
}

async fn put_of_an_unknown_id_creates_nothing(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = format!("/Users/{}", crate::verbs::unknown_id());
    source.put(&path, &person("ann")).await.expect_scim_error(404, None);
    assert!(source.all("/Users").await.is_empty());
}

async fn put_may_not_take_anothers_user_name(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let path = format!("/Users/{}", ids[1]);
    let before = source.get(&path).await.expect(200).json;
    let stolen = with(person("bea"), json!({ "userName": email("ANN") }));
    source.put(&path, &stolen).await.expect_scim_error(409, Some("uniqueness"));
    assert_eq!(source.get(&path).await.expect(200).json, before);
}

async fn put_deactivates_and_revives_the_same_id(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    let path = format!("/Users/{id}");
    for active in [false, true] {
        let mut body = source.get(&path).await.expect(200).json;
        body["active"] = json!(active);
        let answer = source.put(&path, &body).await.expect(200);
        assert_eq!(answer.at("/active"), &Value::Bool(active));
        assert_eq!(answer.id(), id);
    }
}

async fn active_is_always_shown_and_only_a_word_brings_somebody_back(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let unsaid = json!({ "schemas": [USER], "userName": email("ann") });
    let made = source.post("/Users", &unsaid).await.expect(201);
    assert_eq!(made.at("/active"), &Value::Bool(true), "a new user is active: {}", made.describe());
    let path = format!("/Users/{}", made.id());
    source.patch(&path, vec![operation("replace", "active", json!(false))]).await.expect(200);
    for body in [unsaid.clone(), with(unsaid, json!({ "active": null, "title": "Pilot" }))] {
        let put = source.put(&path, &body).await.expect(200);
        assert_eq!(put.at("/active"), &Value::Bool(false), "{body}: {}", put.describe());
    }
    for nothing in
        [operation("replace", "active", Value::Null), json!({ "op": "replace", "value": { "active": null } })]
    {
        let patched = source.patch(&path, vec![nothing.clone()]).await.expect(200);
        assert_eq!(patched.at("/active"), &Value::Bool(false), "{nothing}: {}", patched.describe());
    }
    let shown = source.get(&format!("{path}?attributes=active")).await.expect(200);
    assert_eq!(shown.at("/active"), &Value::Bool(false), "{}", shown.describe());
    source.expect_found("/Users", "active eq false", &[&made.id()]).await;
    let removed = source.patch(&path, vec![json!({ "op": "remove", "path": "active" })]).await.expect(200);
    assert!(removed.json.get("active").is_none(), "unassigned: {}", removed.describe());
    source.expect_found("/Users", "active eq false", &[&made.id()]).await;
    let back = source.put(&path, &json!({ "userName": email("ann"), "active": "True" })).await.expect(200);
    assert_eq!(back.at("/active"), &Value::Bool(true), "{}", back.describe());
}

async fn a_user_over_the_largest_size_is_refused(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = format!("/Users/{}", source.user("ann").await);
    let photos: Vec<Value> =
        (0..70).map(|n| json!({ "value": format!("https://{n}.example/{}", "p".repeat(4_000)) })).collect();
    let large = with(person("bea"), json!({ "photos": photos }));
    let refusals = [
        source.post("/Users", &large).await,
        source.put(&path, &large).await,
        source.patch(&path, vec![operation("add", "photos", json!(photos))]).await,
    ];
    for refused in refusals {
        assert!(refused.text.contains("262144"), "the limit is named: {}", refused.describe());
        refused.expect_scim_error(400, Some("invalidValue"));
    }
    let keys: serde_json::Map<String, Value> = (0..80_000).map(|n| (format!("k{n}"), json!(1))).collect();
    let many = with(person("bea"), json!({ "urn:acme:1.0:User": keys }));
    source.post("/Users", &many).await.expect_scim_error(400, Some("invalidValue"));
}

async fn of_a_repeated_parameter_the_last_counts(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    let one = source.get(&format!("/Users/{id}?attributes=name&attributes=userName")).await.expect(200);
    let list = source.get("/Users?attributes=name&attributes=userName").await.expect(200);
    for user in [&one.json, list.at("/Resources/0")] {
        assert_eq!((&user["userName"], &user["name"]), (&json!(email("ann")), &Value::Null), "{user}");
    }
}

async fn put_takes_the_minimal_body_of_jumpcloud(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    let body = json!({
        "active": true, "emails": null, "id": id,
        "name": { "givenName": "Ann", "familyName": "Jump" },
        "schemas": [USER], "userName": email("ann")
    });
    let answer = source.put(&format!("/Users/{id}"), &body).await.expect(200);
    assert_eq!(answer.at("/name/familyName"), "Jump");
}

async fn an_identical_put_changes_nothing(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let before = tenant.everything(&source).await;
    let path = format!("/Users/{id}");
    source.put(&path, &person("ann")).await.expect(200);
    source.patch(&path, vec![operation("replace", "displayName", json!("ann Example"))]).await.expect_success();
    assert_eq!(tenant.everything(&source).await, before, "same lastModified, no audit event");
}

async fn delete_frees_the_user_name_and_never_reuses_the_id(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    let path = format!("/Users/{id}");
    let answer = source.delete(&path).await.expect(204);
    assert!(answer.text.is_empty(), "{}", answer.describe());
    source.delete(&path).await.expect_scim_error(404, None);
    source.put(&path, &person("ann")).await.expect_scim_error(404, None);
    let again = source.user("ann").await;
    assert_ne!(again, id);
}
