//! Concurrent requests on the same resources, as several workers of one identity provider send them: none fails, none is
//! lost.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{GROUP, ScimSource, email, members_value, operation, patch, person};

pub(crate) fn cases() -> Vec<Case> {
    // Thousands of people would slow concurrent tests.
    let large = cases![five_dialects_change_a_group_of_five_thousand_and_lose_nobody];
    let small = cases![
        opposite_swaps_of_one_group_all_succeed,
        opposite_orders_of_adding_and_removing_all_succeed,
        writes_of_every_kind_on_one_group_all_succeed,
        a_deleted_person_leaves_every_group,
    ];
    small.into_iter().chain(large.into_iter().map(Case::alone)).collect()
}

fn leave(id: &str) -> Value {
    json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") })
}

fn enter(ids: &[&str]) -> Value {
    operation("add", "members", members_value(ids))
}

async fn crew(source: &ScimSource, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("p{number:02}")).collect();
    source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Sends each once, without a retry.
async fn send_all(source: &ScimSource, requests: Vec<(Method, String, Value)>) {
    let sent = requests.iter().map(|(method, path, body)| source.send(method.clone(), path, body));
    for answer in join_all(sent).await {
        answer.expect_success();
    }
}

async fn opposite_swaps_of_one_group_all_succeed(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let users = crew(&source, 2).await;
    let group = source.group("Pilots", &[&users[0]]).await;
    let path = format!("/Groups/{group}");
    for round in 0..3 {
        let swap = |number: usize| {
            let (out, into) = (&users[number % 2], &users[(number + 1) % 2]);
            (Method::PATCH, path.clone(), patch(vec![leave(out), enter(&[into])]))
        };
        send_all(&source, (0..24).map(swap).collect()).await;
        let left = source.member_ids(&group).await;
        assert_eq!(left.len(), 1, "round {round}: the last request put one out and one in: {left:?}");
    }
}

async fn opposite_orders_of_adding_and_removing_all_succeed(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let users = crew(&source, 12).await;
    let group = source.group("Pilots", &[]).await;
    let path = format!("/Groups/{group}");
    let forward: Vec<&str> = users.iter().map(String::as_str).collect();
    let backward: Vec<&str> = users.iter().rev().map(String::as_str).collect();
    let several = |ids: &[&str], op: &dyn Fn(&str) -> Value| patch(ids.iter().map(|id| op(id)).collect());
    let one = |op: &str, ids: &[&str]| patch(vec![operation(op, "members", members_value(ids))]);
    for op in ["add", "remove"] {
        let change = |id: &str| if op == "add" { enter(&[id]) } else { leave(id) };
        let bodies = [one(op, &forward), one(op, &backward), several(&forward, &change), several(&backward, &change)];
        send_all(&source, (0..24).map(|number| (Method::PATCH, path.clone(), bodies[number % 4].clone())).collect())
            .await;
        let wanted = if op == "add" { 12 } else { 0 };
        assert_eq!(source.member_ids(&group).await.len(), wanted, "after {op}");
    }
}

async fn writes_of_every_kind_on_one_group_all_succeed(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let users = crew(&source, 6).await;
    let all: Vec<&str> = users.iter().map(String::as_str).collect();
    let group = source.group("Pilots", &all[..3]).await;
    let path = format!("/Groups/{group}");
    let rename = |number: usize| operation("replace", "displayName", json!(format!("Pilots {number}")));
    let write = |number: usize| {
        let (method, body) = match number % 6 {
            0 => (Method::PATCH, patch(vec![enter(&all)])),
            1 => (Method::PATCH, patch(vec![operation("remove", "members", members_value(&all))])),
            2 => (Method::PATCH, patch(vec![rename(number), enter(&[all[0], all[5]])])),
            3 => (Method::PATCH, patch(vec![leave(all[5]), enter(&[all[4], all[0]])])),
            4 => (Method::PATCH, patch(vec![operation("replace", "members", members_value(&all[2..]))])),
            _ => {
                let members = members_value(&all[..4]);
                (Method::PUT, json!({ "schemas": [GROUP], "displayName": "Pilots", "members": members }))
            }
        };
        (method, path.clone(), body)
    };
    send_all(&source, (0..36).map(write).collect()).await;
    let put = write(5);
    send_all(&source, vec![put]).await;
    let mut wanted = users[..4].to_vec();
    wanted.sort();
    assert_eq!(source.member_ids(&group).await, wanted);
}

async fn a_deleted_person_leaves_every_group(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let users = crew(&source, 40).await;
    let group = source.group("Pilots", &[]).await;
    let path = format!("/Groups/{group}");
    let race = users.iter().map(|id| {
        let user = format!("/Users/{id}");
        let source = &source;
        let path = &path;
        async move {
            let (added, deleted) = join(source.patch(path, vec![enter(&[id])]), source.delete(&user)).await;
            deleted.expect(204);
            // A request after the deletion names no group.
            if added.status != 204 {
                added.expect_scim_error(400, Some("invalidValue"));
            }
        }
    });
    join_all(race).await;
    assert_eq!(source.member_ids(&group).await, [""; 0], "all are deleted");
    source.expect_found("/Groups", "members pr", &[]).await;
}

/// Number of people in one bulk or one PATCH.
const THOUSAND: usize = 1_000;
const MEMBERS: usize = 5_000;
/// Concurrent requests of each dialect, and the people that one of them adds and removes.
const REQUESTS: usize = 4;
const PEOPLE: usize = 10;
const DIALECTS: [&str; 5] = ["okta", "entra", "entra-flag", "onelogin", "jumpcloud"];

async fn thousand_users(source: &ScimSource, from: usize, to: usize) -> Vec<String> {
    let create = |number: usize| {
        let name = format!("u{number:05}");
        json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(&name) })
    };
    let operations: Vec<Value> = (from..to).map(create).collect();
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let made = source.post("/Bulk", &body).await.expect(200);
    let operations = made.at("/Operations").as_array().unwrap();
    let id = |operation: &Value| {
        assert_eq!(operation["status"], "201", "{operation}");
        operation["location"].as_str().and_then(|location| location.rsplit('/').next()).unwrap().to_owned()
    };
    operations.iter().map(id).collect()
}

/// The PATCHes by which an identity provider adds some people and removes others.
fn said_in(dialect: &str, joining: &[&str], leaving: &[&str]) -> Vec<Value> {
    let each = |op: &str, ids: &[&str]| -> Vec<Value> {
        ids.iter().map(|id| json!({ "op": op, "path": "members", "value": [{ "value": id }] })).collect()
    };
    let entra = |op: &str, ids: &[&str]| {
        let refs: Vec<Value> = ids.iter().map(|id| json!({ "$ref": null, "value": id })).collect();
        patch(vec![operation(op, "members", json!(refs))])
    };
    match dialect {
        "okta" => {
            let shown: Vec<Value> = joining.iter().map(|id| json!({ "value": id, "display": email(id) })).collect();
            let mut operations: Vec<Value> = leaving.iter().map(|id| leave(id)).collect();
            operations.push(operation("add", "members", json!(shown)));
            vec![patch(operations)]
        }
        "entra" => vec![entra("Add", joining), entra("Remove", leaving)],
        "entra-flag" => vec![entra("add", joining), patch(leaving.iter().map(|id| leave(id)).collect())],
        // One request for each member.
        "onelogin" => {
            each("add", joining).into_iter().chain(each("remove", leaving)).map(|one| patch(vec![one])).collect()
        }
        _ => vec![patch(each("add", joining)), patch(each("remove", leaving))],
    }
}

async fn five_dialects_change_a_group_of_five_thousand_and_lose_nobody(hub: Hub) {
    let tenant = hub.tenant().seats(100).create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let share = DIALECTS.len() * REQUESTS * PEOPLE;
    let people = MEMBERS + share;
    let starts = (0..people).step_by(THOUSAND);
    let made = join_all(starts.map(|start| thousand_users(&source, start, (start + THOUSAND).min(people)))).await;
    let users: Vec<String> = made.into_iter().flatten().collect();
    let group = source.group("Everybody", &[]).await;
    let path = format!("/Groups/{group}");
    for thousand in users[..MEMBERS].chunks(THOUSAND) {
        let ids: Vec<&str> = thousand.iter().map(String::as_str).collect();
        source.patch(&path, vec![enter(&ids)]).await.expect(204);
    }
    let (leaving, joining) = (&users[..share], &users[MEMBERS..]);
    let mut requests = Vec::new();
    for (turn, (out, into)) in leaving.chunks(PEOPLE).zip(joining.chunks(PEOPLE)).enumerate() {
        let out: Vec<&str> = out.iter().map(String::as_str).collect();
        let into: Vec<&str> = into.iter().map(String::as_str).collect();
        requests.extend(said_in(DIALECTS[turn % DIALECTS.len()], &into, &out));
    }
    stream::iter(&requests)
        .for_each_concurrent(32, async |body| drop(source.send(Method::PATCH, &path, body).await.expect(204)))
        .await;
    let wanted: BTreeSet<String> = users[share..].iter().cloned().collect();
    let inside: BTreeSet<String> = source.member_ids(&group).await.into_iter().collect();
    let lost: Vec<&String> = wanted.difference(&inside).collect();
    let left: Vec<&String> = inside.difference(&wanted).collect();
    assert!(lost.is_empty() && left.is_empty(), "{} lost: {lost:?}; {} who had left: {left:?}", lost.len(), left.len());
    assert_eq!(inside.len(), MEMBERS);
}
