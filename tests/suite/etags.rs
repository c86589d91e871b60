//! Versions: an unchanged resource is not sent again (304), and an outdated one cannot be overwritten (412), with any number
//! of writers.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{GROUP, ScimSource, email, members_value, operation, patch, person, unknown_id, with};

/// Number of writers that all saw the same version.
const WRITERS: usize = 8;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        what_the_client_has_is_not_sent_again,
        head_answers_as_get_without_a_body,
        a_stale_version_is_refused_on_every_write,
        a_current_version_is_taken_in_every_spelling,
        a_users_version_moves_with_its_groups,
        a_groups_version_moves_with_its_members,
        of_parallel_puts_of_a_user_with_one_tag_one_succeeds,
        of_parallel_patches_of_a_user_with_one_tag_one_succeeds,
        of_parallel_puts_of_a_group_with_one_tag_one_succeeds,
        of_parallel_patches_of_a_groups_members_with_one_tag_one_succeeds,
        of_parallel_deletes_and_writes_with_one_tag_one_succeeds,
    ]
}

async fn conditional(source: &ScimSource, header: &str, tag: &str, method: Method, path: &str, body: &Value) -> Answer {
    let request = source.request(method, path).header(header, tag);
    Answer::of(if body.is_null() { request } else { request.body(body.to_string()) }).await
}

async fn get_unless(source: &ScimSource, path: &str, tag: &str) -> Answer {
    conditional(source, "if-none-match", tag, Method::GET, path, &Value::Null).await
}

async fn tag_of(source: &ScimSource, path: &str) -> String {
    let answer = source.get(path).await.expect(200);
    let tag = answer.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{:?}", answer.headers);
    assert_eq!(answer.at("/meta/version"), tag.as_str(), "{}", answer.describe());
    tag
}

/// A user who is in a group, as paths.
async fn user_in_group(hub: &Hub) -> (ScimSource, String, String, String) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    let group = source.group("Pilots", &[&id]).await;
    (source, format!("/Users/{id}"), format!("/Groups/{group}"), id)
}

async fn what_the_client_has_is_not_sent_again(hub: Hub) {
    let (source, user, group, _) = user_in_group(&hub).await;
    for path in [user, group.clone(), format!("{group}?excludedAttributes=members")] {
        let tag = tag_of(&source, &path).await;
        let strong = tag.trim_start_matches("W/").to_owned();
        for known in [tag.clone(), strong, "*".to_owned(), format!("W/\"0\", {tag}")] {
            let answer = get_unless(&source, &path, &known).await.expect(304);
            assert_eq!((answer.header("etag"), answer.text.as_str()), (tag.as_str(), ""), "{known}");
        }
        for other in ["W/\"0\"", "\"\"", "x"] {
            get_unless(&source, &path, other).await.expect(200);
        }
    }
    get_unless(&source, &format!("/Users/{}", unknown_id()), "*").await.expect_scim_error(404, None);
}

async fn head_answers_as_get_without_a_body(hub: Hub) {
    let (source, user, group, _) = user_in_group(&hub).await;
    let lists = ["/Users?count=1", "/Groups", "/ServiceProviderConfig", "/ResourceTypes", "/Schemas", ""];
    for path in lists.iter().copied().chain([user.as_str(), group.as_str()]) {
        let shown = source.get(path).await.expect(200);
        let head = Answer::of(source.request(Method::HEAD, path)).await.expect(200);
        assert_eq!(head.text, "", "{path}");
        for name in ["content-type", "content-length", "etag", "location"] {
            assert_eq!(head.header(name), shown.header(name), "{name} of {path}");
        }
    }
    let tag = tag_of(&source, &user).await;
    conditional(&source, "if-none-match", &tag, Method::HEAD, &user, &Value::Null).await.expect(304);
    Answer::of(source.request(Method::HEAD, &format!("/Users/{}", unknown_id()))).await.expect(404);
    Answer::of(source.request(Method::HEAD, "/Me")).await.expect(501);
    let refused = Answer::of(source.request(Method::HEAD, "/Bulk")).await.expect(405);
    assert_eq!(refused.header("allow"), "POST");
    let refused = Answer::of(source.request(Method::TRACE, "/Users")).await.expect_scim_error(405, None);
    assert_eq!(refused.header("allow"), "GET, POST, HEAD");
}

/// Every write of both resources, with a body that changes something.
fn writes(user: &str, group: &str) -> Vec<(Method, String, Value)> {
    let rename = |name: &str| patch(vec![operation("replace", "displayName", json!(name))]);
    vec![
        (Method::PATCH, user.to_owned(), rename("Patched")),
        (Method::PUT, user.to_owned(), with(person("ann"), json!({ "displayName": "Put" }))),
        (Method::PATCH, group.to_owned(), rename("Patched")),
        (Method::PATCH, group.to_owned(), patch(vec![json!({ "op": "remove", "path": "members" })])),
        (Method::PUT, group.to_owned(), json!({ "schemas": [GROUP], "displayName": "Put", "members": [] })),
        (Method::DELETE, group.to_owned(), Value::Null),
        (Method::DELETE, user.to_owned(), Value::Null),
    ]
}

async fn a_stale_version_is_refused_on_every_write(hub: Hub) {
    let (source, user, group, id) = user_in_group(&hub).await;
    let before = (source.get(&user).await.json, source.get(&group).await.json);
    for (method, path, body) in writes(&user, &group) {
        for tag in ["W/\"0\"", "\"x\"", "W/\"0\", W/\"00\""] {
            let answer = conditional(&source, "if-match", tag, method.clone(), &path, &body).await;
            answer.expect_scim_error(412, None);
        }
    }
    assert_eq!(
        (source.get(&user).await.json, source.get(&group).await.json),
        before,
        "a refused write changes nothing"
    );
    for kind in ["Users", "Groups"] {
        let nobody = format!("/{kind}/{}", unknown_id());
        conditional(&source, "if-match", "*", Method::DELETE, &nobody, &Value::Null).await.expect_scim_error(404, None);
    }
    assert_eq!(source.member_ids(group.trim_start_matches("/Groups/")).await, [id]);
}

async fn a_current_version_is_taken_in_every_spelling(hub: Hub) {
    let (source, user, group, _) = user_in_group(&hub).await;
    for (method, path, body) in writes(&user, &group) {
        let tag = tag_of(&source, &path).await;
        let spelling = match (path == user, &method) {
            (true, &Method::PATCH) => tag.trim_start_matches("W/").to_owned(),
            (true, _) => format!("W/\"0\", {tag}"),
            (false, &Method::PUT) => "*".to_owned(),
            (false, _) => tag,
        };
        let answer = conditional(&source, "if-match", &spelling, method.clone(), &path, &body).await.expect_success();
        if answer.status == 200 {
            assert_eq!(answer.header("etag"), tag_of(&source, &path).await, "{}", answer.describe());
        }
    }
    source.get(&user).await.expect(404);
}

async fn a_users_version_moves_with_its_groups(hub: Hub) {
    let (source, user, group, id) = user_in_group(&hub).await;
    let alone = tag_of(&source, &format!("{user}?excludedAttributes=groups")).await;
    let mut seen = vec![tag_of(&source, &user).await];
    for change in [
        operation("replace", "displayName", json!("Crew")),
        operation("remove", "members", members_value(&[&id])),
        operation("add", "members", members_value(&[&id])),
    ] {
        source.patch(&group, vec![change.clone()]).await.expect(204);
        let shown = get_unless(&source, &user, seen.last().unwrap()).await.expect(200);
        seen.push(shown.header("etag").to_owned());
    }
    assert_eq!(seen[1], seen[3], "the same groups, the same version");
    assert_eq!(
        tag_of(&source, &format!("{user}?excludedAttributes=groups")).await,
        alone,
        "without groups none counts"
    );
    let listed = source.get("/Users").await.expect(200);
    assert_eq!(listed.at("/Resources/0/meta/version"), seen[3].as_str(), "{}", listed.describe());
    for path in [format!("{user}?excludedAttributes=groups"), user.clone()] {
        let body = patch(vec![operation("replace", "displayName", json!(path))]);
        let tag = tag_of(&source, &path).await;
        let answer = conditional(&source, "if-match", &tag, Method::PATCH, &user, &body).await.expect(200);
        assert_eq!(answer.header("etag"), tag_of(&source, &user).await, "{}", answer.describe());
    }
}

async fn a_groups_version_moves_with_its_members(hub: Hub) {
    let (source, _, group, _) = user_in_group(&hub).await;
    let before = tag_of(&source, &group).await;
    let bea = source.user("bea").await;
    source.patch(&group, vec![operation("add", "members", members_value(&[&bea]))]).await.expect(204);
    get_unless(&source, &group, &before).await.expect(200);
    let body = patch(vec![operation("remove", "members", members_value(&[&bea]))]);
    conditional(&source, "if-match", &before, Method::PATCH, &group, &body).await.expect_scim_error(412, None);
    source.patch(&group, vec![operation("remove", "members", members_value(&[&bea]))]).await.expect(204);
    get_unless(&source, &group, &before).await.expect(304);
}

/// Sends all at once under one tag: exactly one succeeds, the others have an outdated version.
async fn expect_one_success(source: &ScimSource, tag: &str, writes: Vec<(Method, String, Value)>) {
    let sent = writes.iter().map(|(method, path, body)| {
        let method = method.clone();
        conditional(source, "if-match", tag, method, path, body)
    });
    let (done, refused): (Vec<Answer>, Vec<Answer>) =
        join_all(sent).await.into_iter().partition(|answer| answer.status < 300);
    assert_eq!(done.len(), 1, "one of {}: {done:#?} {refused:#?}", writes.len());
    for answer in refused {
        // A write after the deletion finds no resource.
        let status = if answer.status == 404 { 404 } else { 412 };
        answer.expect_scim_error(status, None);
    }
}

/// Several rounds, because a race may be lost only now and then.
async fn race(source: &ScimSource, path: &str, write: impl Fn(usize) -> (Method, Value)) {
    for round in 0..5 {
        let tag = tag_of(source, path).await;
        let write = |writer: usize| {
            let (method, body) = write(round * WRITERS + writer);
            (method, path.to_owned(), body)
        };
        expect_one_success(source, &tag, (0..WRITERS).map(write).collect()).await;
    }
}

async fn of_parallel_puts_of_a_user_with_one_tag_one_succeeds(hub: Hub) {
    let (source, user, ..) = user_in_group(&hub).await;
    let put = |number| (Method::PUT, with(person("ann"), json!({ "displayName": format!("Ann {number}") })));
    race(&source, &user, put).await;
}

async fn of_parallel_patches_of_a_user_with_one_tag_one_succeeds(hub: Hub) {
    let (source, user, ..) = user_in_group(&hub).await;
    let change = |number| operation("replace", "displayName", json!(format!("Ann {number}")));
    race(&source, &user, |number| (Method::PATCH, patch(vec![change(number)]))).await;
}

async fn of_parallel_puts_of_a_group_with_one_tag_one_succeeds(hub: Hub) {
    let (source, _, group, id) = user_in_group(&hub).await;
    let put = |number| {
        let name = format!("Pilots {number}");
        (Method::PUT, json!({ "schemas": [GROUP], "displayName": name, "members": members_value(&[&id]) }))
    };
    race(&source, &group, put).await;
}

async fn of_parallel_patches_of_a_groups_members_with_one_tag_one_succeeds(hub: Hub) {
    let (source, _, group, _) = user_in_group(&hub).await;
    let names: Vec<String> = (0..5 * WRITERS).map(|number| format!("p{number}")).collect();
    let users = source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let join = |number: usize| operation("add", "members", members_value(&[&users[number]]));
    race(&source, &group, |number| (Method::PATCH, patch(vec![join(number)]))).await;
    let members = source.member_ids(group.trim_start_matches("/Groups/")).await;
    assert_eq!(members.len(), 6, "Ann, and one of each round");
}

async fn of_parallel_deletes_and_writes_with_one_tag_one_succeeds(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let inside = source.user("inside").await;
    for round in 0..4 {
        let name = format!("ann{round}");
        let user = format!("/Users/{}", source.user(&name).await);
        let group = format!("/Groups/{}", source.group(&name, &[&inside]).await);
        for (path, body) in [
            (&user, patch(vec![operation("replace", "userName", json!(email(&format!("{name}-new"))))])),
            (&group, patch(vec![operation("remove", "members", members_value(&[&inside]))])),
        ] {
            let tag = tag_of(&source, path).await;
            let write = |number: usize| match number % 2 {
                0 => (Method::DELETE, path.clone(), Value::Null),
                _ => (Method::PATCH, path.clone(), body.clone()),
            };
            expect_one_success(&source, &tag, (0..WRITERS).map(write).collect()).await;
        }
    }
}
