//! `PATCH /Users/{id}` in the forms that identity providers send (docs/scim.md#traps): one test for each trap.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{ENTERPRISE, ScimSource, email, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        trap3_a_filtered_path_without_a_match_creates_the_element,
        trap3_a_filtered_remove_without_a_match_does_nothing,
        trap4_booleans_come_as_strings,
        trap5_dotted_and_urn_keys_without_a_path_are_paths,
        trap6_manager_comes_in_five_forms,
        trap7_operations_and_names_ignore_case,
        trap8_nulls_unassign_and_unknown_keys_are_ignored,
        okta_deactivates_without_a_path,
        okta_may_send_the_read_only_id,
        entra_replaces_attributes_one_by_one,
        entra_with_the_flag_sends_one_map,
        add_appends_and_never_doubles,
        replace_of_a_list_takes_one_object,
        remove_unassigns,
        a_new_primary_replaces_the_old_one,
        a_failing_operation_undoes_the_whole_request,
        only_a_real_change_moves_last_modified,
        a_patched_user_name_must_be_free,
        twenty_parallel_patches_of_one_user_lose_nothing,
    ]
}

/// A user `ann` and her path.
async fn ann(hub: &Hub) -> (ScimSource, String) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    (source, format!("/Users/{id}"))
}

/// Applies the operations and reads the user again.
async fn after(source: &ScimSource, path: &str, operations: Vec<Value>) -> Answer {
    source.patch(path, operations).await.expect_success();
    source.get(path).await.expect(200)
}

fn list<'a>(answer: &'a Answer, pointer: &str) -> &'a [Value] {
    answer.at(pointer).as_array().map_or(&[], Vec::as_slice)
}

async fn trap3_a_filtered_path_without_a_match_creates_the_element(hub: Hub) {
    for op in ["Add", "Replace"] {
        let (source, path) = ann(&hub).await;
        let mobile = operation(op, "phoneNumbers[type eq \"mobile\"].value", json!("55555555555"));
        let home = operation(op, "emails[type eq \"home\"].value", json!("ann@home.example"));
        let read = after(&source, &path, vec![mobile, home]).await;
        assert_eq!(
            list(&read, "/phoneNumbers"),
            [json!({ "type": "mobile", "value": "55555555555" })],
            "{}",
            read.describe()
        );
        let emails = list(&read, "/emails");
        let made = emails.iter().find(|email| email["type"] == "home").unwrap_or_else(|| panic!("{}", read.describe()));
        assert_eq!(made["value"], "ann@home.example");
        assert_ne!(made["primary"], true, "a created email is not primary: {}", read.describe());
        let work = emails.iter().find(|email| email["type"] == "work").unwrap_or_else(|| panic!("{}", read.describe()));
        assert_eq!(work["value"], email("ann"), "the other email stays");
    }
}

async fn trap3_a_filtered_remove_without_a_match_does_nothing(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let before = source.get(&path).await.expect(200).json;
    let read = after(&source, &path, vec![json!({ "op": "remove", "path": "emails[type eq \"home\"]" })]).await;
    assert_eq!(read.json, before);
}

async fn trap4_booleans_come_as_strings(hub: Hub) {
    let (source, path) = ann(&hub).await;
    for (text, active) in [("False", false), ("True", true), ("false", false), ("true", true)] {
        let read = after(&source, &path, vec![operation("Replace", "active", json!(text))]).await;
        assert_eq!(read.at("/active"), &Value::Bool(active), "by path {text}: {}", read.describe());
        let read = after(&source, &path, vec![json!({ "op": "replace", "value": { "active": text } })]).await;
        assert_eq!(read.at("/active"), &Value::Bool(active), "without a path {text}: {}", read.describe());
    }
}

async fn trap5_dotted_and_urn_keys_without_a_path_are_paths(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let value = json!({
        "displayName": "Bjorn", "name.givenName": "Kim",
        format!("{ENTERPRISE}:employeeNumber"): "A-7", format!("{ENTERPRISE}:department"): "Tours"
    });
    let read = after(&source, &path, vec![json!({ "op": "replace", "value": value })]).await;
    assert_eq!(read.at("/displayName"), "Bjorn");
    assert_eq!(read.at("/name/givenName"), "Kim", "{}", read.describe());
    assert_eq!(read.at("/name/familyName"), "Example", "the sibling stays: {}", read.describe());
    assert_eq!(read.json[ENTERPRISE]["employeeNumber"], "A-7", "{}", read.describe());
    assert_eq!(read.json[ENTERPRISE]["department"], "Tours", "{}", read.describe());
    assert!(read.at("/name.givenName").is_null(), "{}", read.describe());
}

async fn trap6_manager_comes_in_five_forms(hub: Hub) {
    let forms = [
        operation("Add", "manager", json!("m-1")),
        operation("Add", "manager", json!([{ "$ref": "http://hub.example/Users/m-1", "value": "m-1" }])),
        operation("Replace", "manager", json!({ "value": "m-1" })),
        operation("Replace", &format!("{ENTERPRISE}:manager"), json!("m-1")),
        operation("Add", &format!("{ENTERPRISE}:manager.value"), json!("m-1")),
    ];
    for form in forms {
        let (source, path) = ann(&hub).await;
        let described = form.to_string();
        let read = after(&source, &path, vec![form]).await;
        assert_eq!(read.json[ENTERPRISE]["manager"]["value"], "m-1", "{described}: {}", read.describe());
    }
}

async fn trap7_operations_and_names_ignore_case(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let read = after(
        &source,
        &path,
        vec![
            operation("REPLACE", "DisplayName", json!("Loud")),
            operation("Add", "name.FamilyName", json!("Case")),
            operation("replace", "Emails[Type EQ \"work\"].Value", json!("ann2@acme.example")),
        ],
    )
    .await;
    assert_eq!(read.at("/displayName"), "Loud", "{}", read.describe());
    assert_eq!(read.at("/name/familyName"), "Case", "{}", read.describe());
    assert_eq!(read.at("/emails/0/value"), "ann2@acme.example", "{}", read.describe());
}

async fn trap8_nulls_unassign_and_unknown_keys_are_ignored(hub: Hub) {
    let (source, path) = ann(&hub).await;
    source.patch(&path, vec![operation("add", "title", json!("Pilot"))]).await.expect_success();
    let operations = vec![json!({ "name": "addMember", "op": "Replace", "path": "title", "value": null })];
    let read = after(&source, &path, operations).await;
    assert!(read.at("/title").is_null(), "{}", read.describe());
    let body =
        json!({ "op": "replace", "value": { "addresses": null, "nickName": null, "shoeSize": 42, "locale": "de" } });
    let read = after(&source, &path, vec![body]).await;
    assert_eq!(read.at("/locale"), "de", "{}", read.describe());
    assert!(read.at("/addresses").is_null(), "{}", read.describe());
}

async fn okta_deactivates_without_a_path(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let read = after(&source, &path, vec![json!({ "op": "replace", "value": { "active": false } })]).await;
    assert_eq!(read.at("/active"), &Value::Bool(false));
    assert_eq!(read.at("/displayName"), "ann Example", "nothing else moves: {}", read.describe());
}

async fn okta_may_send_the_read_only_id(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let before = source.get(&path).await.expect(200).id();
    let read =
        after(&source, &path, vec![json!({ "op": "replace", "value": { "id": "other", "displayName": "New" } })]).await;
    assert_eq!(read.id(), before);
    assert_eq!(read.at("/displayName"), "New");
}

async fn entra_replaces_attributes_one_by_one(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let read = after(
        &source,
        &path,
        vec![
            operation("Replace", "emails[type eq \"work\"].value", json!("updated@acme.example")),
            operation("Replace", "name.familyName", json!("updatedFamilyName")),
            operation("Add", &format!("{ENTERPRISE}:department"), json!("Tours")),
        ],
    )
    .await;
    assert_eq!(list(&read, "/emails").len(), 1, "{}", read.describe());
    assert_eq!(read.at("/emails/0/value"), "updated@acme.example");
    assert_eq!(read.at("/emails/0/primary"), &Value::Bool(true), "{}", read.describe());
    assert_eq!(read.at("/name/familyName"), "updatedFamilyName");
    assert_eq!(read.json[ENTERPRISE]["department"], "Tours", "{}", read.describe());
}

async fn entra_with_the_flag_sends_one_map(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let flagged = format!("{path}?aadOptscim062020");
    let operations = vec![
        operation("replace", "emails[type eq \"work\"].value", json!("u@acme.example")),
        json!({ "op": "replace", "value": { "displayName": "B", "name.givenName": "K", format!("{ENTERPRISE}:employeeNumber"): "A" } }),
    ];
    source.patch(&flagged, operations).await.expect_success();
    let read = source.get(&path).await.expect(200);
    assert_eq!(read.at("/emails/0/value"), "u@acme.example");
    assert_eq!(read.at("/name/givenName"), "K");
    assert_eq!(read.json[ENTERPRISE]["employeeNumber"], "A", "{}", read.describe());
}

async fn add_appends_and_never_doubles(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let home = json!({ "type": "home", "value": "ann@home.example" });
    let read = after(&source, &path, vec![operation("add", "emails", home.clone())]).await;
    assert_eq!(list(&read, "/emails").len(), 2, "{}", read.describe());
    let again = after(&source, &path, vec![operation("Add", "emails", json!([home]))]).await;
    assert_eq!(again.json, read.json, "a redundant add is a success without a change");
}

async fn replace_of_a_list_takes_one_object(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let only = json!({ "type": "work", "value": "only@acme.example", "primary": true });
    let read = after(&source, &path, vec![operation("replace", "emails", only.clone())]).await;
    assert_eq!(list(&read, "/emails"), [only], "{}", read.describe());
}

async fn remove_unassigns(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let both = json!([
        { "type": "work", "value": email("ann"), "primary": true },
        { "type": "home", "value": "ann@home.example" }
    ]);
    let body = with(person("ann"), json!({ "emails": both, "title": "Pilot" }));
    let path = format!("/Users/{}", source.post("/Users", &body).await.expect(201).id());
    let read = after(
        &source,
        &path,
        vec![
            json!({ "op": "Remove", "path": "title" }),
            json!({ "op": "remove", "path": "emails[type eq \"home\"]" }),
            json!({ "op": "remove", "path": "name.givenName" }),
        ],
    )
    .await;
    assert!(read.at("/title").is_null() && read.at("/name/givenName").is_null(), "{}", read.describe());
    assert_eq!(list(&read, "/emails").len(), 1, "{}", read.describe());
    assert_eq!(read.at("/emails/0/type"), "work");
}

async fn a_new_primary_replaces_the_old_one(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let second = json!({ "type": "home", "value": "ann@home.example", "primary": true });
    let read = after(&source, &path, vec![operation("add", "emails", second)]).await;
    let primaries: Vec<&Value> = list(&read, "/emails").iter().filter(|email| email["primary"] == true).collect();
    assert_eq!(primaries.len(), 1, "{}", read.describe());
    assert_eq!(primaries[0]["value"], "ann@home.example");
}

async fn a_failing_operation_undoes_the_whole_request(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let before = source.get(&path).await.expect(200).json;
    let operations = vec![
        operation("replace", "displayName", json!("Half Done")),
        operation("replace", "emails[type eq", json!("broken")),
    ];
    source.patch(&path, operations).await.expect_scim_error(400, Some("invalidPath"));
    assert_eq!(source.get(&path).await.expect(200).json, before);
}

async fn only_a_real_change_moves_last_modified(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let before = source.get(&path).await.expect(200);
    let same = after(&source, &path, vec![operation("replace", "displayName", json!("ann Example"))]).await;
    assert_eq!(same.at("/meta/lastModified"), before.at("/meta/lastModified"));
    let other = after(&source, &path, vec![operation("replace", "displayName", json!("Other"))]).await;
    assert_ne!(other.at("/meta/lastModified"), before.at("/meta/lastModified"));
    assert_eq!(other.at("/meta/created"), before.at("/meta/created"));
}

async fn a_patched_user_name_must_be_free(hub: Hub) {
    let (source, path) = ann(&hub).await;
    source.user("bea").await;
    let stolen = vec![operation("Replace", "userName", json!(email("BEA")))];
    source.patch(&path, stolen).await.expect_scim_error(409, Some("uniqueness"));
    assert_eq!(source.get(&path).await.expect(200).at("/userName"), &json!(email("ann")));
}

async fn twenty_parallel_patches_of_one_user_lose_nothing(hub: Hub) {
    let (source, path) = ann(&hub).await;
    let addresses: Vec<String> = (0..20).map(|number| format!("ann{number}@acme.example")).collect();
    let adds = addresses.iter().map(|address| {
        let source = source.clone();
        let path = path.clone();
        async move {
            source.patch(&path, vec![operation("add", "emails", json!([{ "value": address, "type": "other" }]))]).await
        }
    });
    for answer in futures_util::future::join_all(adds).await {
        answer.expect_success();
    }
    let read = source.get(&path).await.expect(200);
    for address in &addresses {
        assert!(list(&read, "/emails").iter().any(|email| email["value"] == address.as_str()), "{address} was lost");
    }
}
