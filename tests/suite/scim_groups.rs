//! `/Groups`: membership in every dialect, and under concurrency. No member is lost, and no group is wiped by accident.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{GROUP, LIST, ScimSource, members_value, operation};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        post_with_none_an_empty_list_and_some_members,
        post_takes_the_body_of_entra,
        get_and_list_leave_members_out_on_request,
        trap1_remove_with_a_value_list_removes_only_those,
        trap2_replacing_something_else_keeps_the_members,
        adds_in_every_dialect,
        removes_in_every_dialect,
        replace_sets_the_whole_list,
        okta_swaps_members_in_one_request,
        adding_a_present_member_is_a_cheap_success,
        patch_answers_204_without_a_body,
        patch_answers_200_with_the_attributes_that_are_asked_for,
        rename_keeps_the_id_and_the_members,
        put_replaces_name_and_members,
        delete_is_final,
        a_deleted_user_leaves_its_groups,
        a_user_shows_its_groups,
        twenty_parallel_patches_lose_nobody,
        parallel_adds_and_removes_end_as_if_in_some_order,
    ]
}

struct Scene {
    source: ScimSource,
    users: Vec<String>,
    group: String,
}

impl Scene {
    /// Four users; the first two are in the group.
    async fn set(hub: &Hub) -> Self {
        let source = hub.tenant().create().scim_source();
        let users = source.users(&["ann", "bea", "cem", "dan"]).await;
        let group = source.group("Pilots", &[&users[0], &users[1]]).await;
        Self { source, users, group }
    }

    async fn patch(&self, operations: Vec<Value>) {
        self.source.patch(&format!("/Groups/{}", self.group), operations).await.expect_success();
    }

    /// The numbers of the users who are in the group.
    async fn inside(&self) -> Vec<usize> {
        let ids = self.source.member_ids(&self.group).await;
        let number =
            |id: &String| self.users.iter().position(|user| user == id).unwrap_or_else(|| panic!("a stranger {id}"));
        let mut numbers: Vec<usize> = ids.iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    }
}

async fn post_with_none_an_empty_list_and_some_members(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let user = source.user("ann").await;
    let bodies = [
        (json!({ "schemas": [GROUP], "displayName": "None" }), 0),
        (json!({ "schemas": [GROUP], "displayName": "Empty", "members": [] }), 0),
        (
            json!({ "schemas": [GROUP], "displayName": "One", "externalId": "g1", "members": [{ "value": user, "display": "ann" }] }),
            1,
        ),
    ];
    for (body, length) in bodies {
        let made = source.post("/Groups", &body).await.expect(201);
        assert_eq!(made.at("/displayName"), &body["displayName"]);
        assert_eq!(made.at("/meta/resourceType"), "Group");
        assert_eq!(made.at("/meta/location"), made.header("location"), "{}", made.describe());
        assert_eq!(source.member_ids(&made.id()).await.len(), length, "{}", made.describe());
    }
}

async fn post_takes_the_body_of_entra(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let body = json!({
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "displayName",
        "meta": { "resourceType": "Group" }
    });
    let made = source.post("/Groups", &body).await.expect(201);
    assert_eq!(made.at("/externalId"), "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159");
}

async fn get_and_list_leave_members_out_on_request(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let one = scene.source.get(&format!("/Groups/{}?excludedAttributes=members", scene.group)).await.expect(200);
    assert!(one.at("/members").is_null(), "{}", one.describe());
    assert_eq!(one.id(), scene.group);
    let path = "/Groups?excludedAttributes=members&filter=displayName+eq+%22Pilots%22";
    let list = scene.source.get(path).await.expect(200);
    assert_eq!(list.at("/schemas"), &json!([LIST]));
    assert_eq!(list.at("/totalResults"), 1, "{}", list.describe());
    assert!(list.at("/Resources/0/members").is_null(), "{}", list.describe());
    assert_eq!(scene.inside().await, [0, 1]);
}

async fn trap1_remove_with_a_value_list_removes_only_those(hub: Hub) {
    let scene = Scene::set(&hub).await;
    scene.patch(vec![operation("Remove", "members", members_value(&[&scene.users[0]]))]).await;
    assert_eq!(scene.inside().await, [1]);
    scene.patch(vec![json!({ "op": "remove", "path": "members" })]).await;
    assert_eq!(scene.inside().await, [0_usize; 0], "without a value the whole list goes (RFC 7644 §3.5.2.2)");
}

async fn trap2_replacing_something_else_keeps_the_members(hub: Hub) {
    let scene = Scene::set(&hub).await;
    scene.patch(vec![operation("Replace", "displayName", json!("Crew"))]).await;
    scene.patch(vec![json!({ "op": "replace", "value": { "id": scene.group, "displayName": "Crew 2" } })]).await;
    scene.patch(vec![operation("replace", "externalId", json!("g-9"))]).await;
    assert_eq!(scene.inside().await, [0, 1]);
}

async fn adds_in_every_dialect(hub: Hub) {
    for dialect in ["entra", "okta", "onelogin", "bare string", "one object", "no path"] {
        let scene = Scene::set(&hub).await;
        let id = scene.users[2].as_str();
        let add = match dialect {
            "entra" => operation("Add", "members", json!([{ "$ref": null, "value": id }])),
            "okta" => operation("add", "members", json!([{ "value": id, "display": "cem@acme.example" }])),
            "onelogin" => json!({ "value": [{ "value": id }], "op": "add", "path": "members" }),
            "bare string" => operation("add", "members", json!(id)),
            "one object" => operation("add", "members", json!({ "value": id })),
            _ => json!({ "op": "add", "value": { "members": [{ "value": id }] } }),
        };
        scene.patch(vec![add]).await;
        assert_eq!(scene.inside().await, [0, 1, 2], "{dialect}");
    }
}

async fn removes_in_every_dialect(hub: Hub) {
    for dialect in ["entra", "entra with the flag", "onelogin", "bare string"] {
        let scene = Scene::set(&hub).await;
        let id = scene.users[0].as_str();
        let remove = match dialect {
            "entra" => operation("Remove", "members", json!([{ "$ref": null, "value": id }])),
            "entra with the flag" => json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
            "onelogin" => json!({ "value": [{ "value": id }], "op": "remove", "path": "members" }),
            _ => operation("remove", "members", json!(id)),
        };
        scene.patch(vec![remove]).await;
        assert_eq!(scene.inside().await, [1], "{dialect}");
        let stranger = json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", scene.users[3]) });
        scene.patch(vec![stranger]).await;
        assert_eq!(scene.inside().await, [1], "removing who is not in changes nothing");
    }
}

async fn replace_sets_the_whole_list(hub: Hub) {
    let scene = Scene::set(&hub).await;
    scene.patch(vec![operation("replace", "members", members_value(&[&scene.users[2], &scene.users[3]]))]).await;
    assert_eq!(scene.inside().await, [2, 3]);
    let without_path = json!({ "op": "Replace", "value": { "members": members_value(&[&scene.users[0]]) } });
    scene.patch(vec![without_path]).await;
    assert_eq!(scene.inside().await, [0]);
    scene.patch(vec![operation("replace", "members", json!([]))]).await;
    assert_eq!(scene.inside().await, [0_usize; 0], "Okta pushes an empty group this way");
}

async fn okta_swaps_members_in_one_request(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let remove = json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", scene.users[0]) });
    let add = operation("add", "members", json!([{ "value": scene.users[3], "display": "dan" }]));
    scene.patch(vec![remove, add]).await;
    assert_eq!(scene.inside().await, [1, 3]);
}

async fn adding_a_present_member_is_a_cheap_success(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let path = format!("/Groups/{}", scene.group);
    let before = scene.source.get(&path).await.expect(200).json;
    scene.patch(vec![operation("Add", "members", members_value(&[&scene.users[0], &scene.users[0]]))]).await;
    assert_eq!(scene.source.get(&path).await.expect(200).json, before, "no change, no new lastModified");
}

async fn patch_answers_204_without_a_body(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let add = vec![operation("Add", "members", members_value(&[&scene.users[2]]))];
    let answer = scene.source.patch(&format!("/Groups/{}", scene.group), add).await.expect(204);
    assert!(answer.text.is_empty(), "{}", answer.describe());
}

async fn patch_answers_200_with_the_attributes_that_are_asked_for(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let path = format!("/Groups/{}", scene.group);
    let add = |number: usize| vec![operation("Add", "members", members_value(&[&scene.users[number]]))];
    let named = scene.source.patch(&format!("{path}?attributes=displayName"), add(2)).await.expect(200);
    assert_eq!((named.at("/displayName"), named.at("/members")), (&json!("Pilots"), &Value::Null));
    assert_eq!(named.id(), scene.group);
    let members = scene.source.patch(&format!("{path}?attributes=members"), add(3)).await.expect(200);
    assert_eq!(members.at("/members").as_array().map(Vec::len), Some(4), "{}", members.describe());
    assert!(members.at("/displayName").is_null(), "{}", members.describe());
    let whole = scene.source.get(&path).await.expect(200);
    assert_eq!(members.header("etag"), whole.header("etag"), "{:?}", members.headers);
    for query in ["excludedAttributes=members", "attributes="] {
        let answer = scene.source.patch(&format!("{path}?{query}"), add(0)).await.expect(204);
        assert_eq!(answer.text, "", "{query}");
    }
}

async fn rename_keeps_the_id_and_the_members(hub: Hub) {
    let scene = Scene::set(&hub).await;
    scene.patch(vec![operation("Replace", "displayName", json!("Crew"))]).await;
    scene.source.expect_found("/Groups", "displayName eq \"Crew\"", &[&scene.group]).await;
    scene.source.expect_found("/Groups", "displayName eq \"Pilots\"", &[]).await;
    assert_eq!(scene.inside().await, [0, 1]);
}

async fn put_replaces_name_and_members(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let path = format!("/Groups/{}", scene.group);
    let body = json!({
        "schemas": [GROUP], "id": scene.group, "displayName": "Crew",
        "members": members_value(&[&scene.users[2], &scene.users[3]])
    });
    let answer = scene.source.put(&path, &body).await.expect(200);
    assert_eq!(answer.at("/displayName"), "Crew");
    assert_eq!(scene.inside().await, [2, 3]);
    scene.source.put(&format!("/Groups/{}", crate::verbs::unknown_id()), &body).await.expect_scim_error(404, None);
}

async fn delete_is_final(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let path = format!("/Groups/{}", scene.group);
    scene.source.delete(&path).await.expect(204);
    scene.source.get(&path).await.expect_scim_error(404, None);
    scene.source.delete(&path).await.expect_scim_error(404, None);
    let add = vec![operation("add", "members", members_value(&[&scene.users[2]]))];
    scene.source.patch(&path, add).await.expect_scim_error(404, None);
    assert_eq!(scene.source.all("/Users").await.len(), 4, "the people stay");
}

async fn a_deleted_user_leaves_its_groups(hub: Hub) {
    let scene = Scene::set(&hub).await;
    scene.source.delete(&format!("/Users/{}", scene.users[0])).await.expect(204);
    assert_eq!(scene.inside().await, [1]);
}

async fn a_user_shows_its_groups(hub: Hub) {
    let scene = Scene::set(&hub).await;
    let crew = scene.source.group("Crew", &[&scene.users[0]]).await;
    let user = format!("/Users/{}", scene.users[0]);
    let base = scene.source.get(&user).await.text_at("/meta/location").replace(&user, "");
    let entry = |id: &str, name: &str| json!({ "value": id, "$ref": format!("{base}/Groups/{id}"), "display": name, "type": "direct" });
    let shown = async |path: &str, pointer: &str| {
        let answer = scene.source.get(path).await.expect(200);
        let mut groups = answer.at(pointer).as_array().cloned().unwrap_or_default();
        groups.sort_by_key(|group| group["display"].to_string());
        groups
    };
    let both = [entry(&crew, "Crew"), entry(&scene.group, "Pilots")];
    assert_eq!(shown(&user, "/groups").await, both);
    let query = format!("/Users?filter=id+eq+%22{}%22", scene.users[0]);
    assert_eq!(shown(&query, "/Resources/0/groups").await, both);
    assert_eq!(shown(&format!("{user}?attributes=groups.value"), "/groups").await.len(), 2);
    assert_eq!(shown(&format!("{user}?excludedAttributes=groups"), "/groups").await, [Value::Null; 0]);
    scene.patch(vec![operation("replace", "displayName", json!("Zebra"))]).await;
    scene.source.delete(&format!("/Groups/{crew}")).await.expect(204);
    assert_eq!(shown(&user, "/groups").await, [entry(&scene.group, "Zebra")]);
    scene.patch(vec![json!({ "op": "remove", "path": "members" })]).await;
    assert_eq!(shown(&user, "/groups").await, [Value::Null; 0]);
}

async fn twenty_parallel_patches_lose_nobody(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let mut users = source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let group = source.group("Pilots", &[]).await;
    let path = format!("/Groups/{group}");
    let adds = users.iter().map(|id| source.patch(&path, vec![operation("Add", "members", members_value(&[id]))]));
    for answer in join_all(adds).await {
        answer.expect_success();
    }
    users.sort();
    assert_eq!(source.member_ids(&group).await, users);
    let emails: Vec<String> = names.iter().map(|name| crate::verbs::email(name)).collect();
    tenant.eventually_group("Pilots", &emails.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn parallel_adds_and_removes_end_as_if_in_some_order(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let users = source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first: Vec<&str> = users[..10].iter().map(String::as_str).collect();
    let group = source.group("Pilots", &first).await;
    let path = format!("/Groups/{group}");
    // The first ten leave while the last ten join: disjoint, so every order has the same result.
    let changes = users.iter().enumerate().map(|(number, id)| {
        let change = if number < 10 {
            json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") })
        } else {
            operation("add", "members", members_value(&[id]))
        };
        source.patch(&path, vec![change])
    });
    for answer in join_all(changes).await {
        answer.expect_success();
    }
    let mut wanted = users[10..].to_vec();
    wanted.sort();
    assert_eq!(source.member_ids(&group).await, wanted);
    let emails: Vec<String> = names[10..].iter().map(|name| crate::verbs::email(name)).collect();
    tenant.eventually_group("Pilots", &emails.iter().map(String::as_str).collect::<Vec<_>>()).await;
}
