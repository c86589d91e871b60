//! One reading for the spellings of parameters, ids and bodies, over REST and SCIM (R15).

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, members_value, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        r15_an_address_with_a_plus_finds_the_person,
        r15_a_byte_order_mark_is_no_part_of_a_rest_body,
        r15_ids_have_one_rule_in_paths_filters_bodies_and_parameters,
    ]
}

async fn r15_an_address_with_a_plus_finds_the_person(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let address = "ann+team@acme.example";
    let made = with(person("ann"), json!({ "emails": [{ "value": address, "primary": true }] }));
    source.post("/Users", &made).await.expect(201);
    tenant.eventually_status(address, "invited").await;
    for spelt in [address, "ann%2Bteam@acme.example", "ann+team%40acme.example", "ANN+team@acme.example"] {
        let found = tenant.get(&format!("/api/v1/members?email={spelt}")).await.expect(200);
        assert_eq!(found.at("/items/0/email"), address, "{spelt}: {}", found.describe());
        let explained = tenant.get(&format!("/api/v1/explain?email={spelt}")).await.expect(200);
        assert!(explained.text.contains(address), "{spelt}: {}", explained.describe());
    }
    let none = tenant.get("/api/v1/members?email=ann@acme.example").await.expect(200);
    assert_eq!(none.at("/items"), &json!([]), "another mailbox");
}

async fn r15_a_byte_order_mark_is_no_part_of_a_rest_body(hub: Hub) {
    let tenant = hub.tenant().create();
    let marked = |body: &str| [b"\xef\xbb\xbf".as_slice(), body.as_bytes()].concat();
    let send = async |method: Method, path: &str, body: Vec<u8>| {
        let url = format!("{}{path}", hub.people_url());
        Answer::of(hub.http().request(method, url).bearer_auth(&tenant.key).body(body)).await
    };
    let policy = marked(r#"{"policy": {"approval": true}}"#);
    let changed = send(Method::PATCH, "/api/v1/policy", policy).await.expect(200);
    assert_eq!(changed.at("/policy/approval"), true, "{}", changed.describe());
    send(Method::PATCH, "/api/v1/policy", marked("[]")).await.expect_problem(400);
}

/// Spellings of one id.
fn spellings(id: &str) -> Vec<String> {
    let id: uuid::Uuid = id.parse().expect("an id");
    vec![
        id.to_string(),
        id.to_string().to_uppercase(),
        id.braced().to_string(),
        id.urn().to_string(),
        id.urn().to_string().to_uppercase(),
        id.simple().to_string(),
    ]
}

async fn r15_ids_have_one_rule_in_paths_filters_bodies_and_parameters(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let crew = source.group("Crew", &[]).await;
    let member = tenant.eventually_status(&email("ann"), "invited").await;
    for (spelt, group) in spellings(&ann).into_iter().zip(spellings(&crew)) {
        assert_eq!(source.get(&format!("/Users/{spelt}")).await.expect(200).id(), ann, "{spelt}");
        source.expect_found("/Users", &format!("id eq \"{spelt}\""), &[&ann]).await;
        source
            .patch(&format!("/Groups/{group}"), vec![operation("add", "members", members_value(&[&spelt]))])
            .await
            .expect(204);
        assert_eq!(source.member_ids(&crew).await, [ann.as_str()], "{spelt}");
        source.expect_found("/Groups", &format!("members[value eq \"{spelt}\"]"), &[&crew]).await;
        source.expect_found("/Users", &format!("groups.value eq \"{group}\""), &[&ann]).await;
        let by_filter = json!({ "op": "remove", "path": format!("members[value eq \"{spelt}\"]") });
        source.patch(&format!("/Groups/{group}"), vec![by_filter]).await.expect(204);
        assert!(source.member_ids(&crew).await.is_empty(), "{spelt}");
        let put = json!({ "displayName": "Crew", "members": [{ "value": spelt }] });
        let bulk = json!({ "Operations": [{ "method": "PUT", "path": format!("/Groups/{group}"), "data": put }] });
        let done = source.post("/Bulk", &bulk).await.expect(200);
        assert_eq!(done.at("/Operations/0/status"), "200", "{}", done.describe());
        assert_eq!(source.member_ids(&crew).await, [ann.as_str()], "{spelt}");
        let by_list = operation("remove", "members", members_value(&[&spelt]));
        source.patch(&format!("/Groups/{group}"), vec![by_list]).await.expect(204);
        assert!(source.member_ids(&crew).await.is_empty(), "{spelt}");
    }
    for (spelt, of_source) in spellings(&member.id).into_iter().zip(spellings(&source.id)) {
        let shown = tenant.get(&format!("/api/v1/members/{spelt}")).await.expect(200);
        assert_eq!(shown.at("/id"), &Value::from(member.id.clone()), "{spelt}");
        let events = tenant.get(&format!("/api/v1/audit-events?subject_id={spelt}")).await.expect(200);
        assert!(events.at("/items/0").is_object(), "{spelt}: {}", events.describe());
        tenant.get(&format!("/api/v1/request-log?source_id={of_source}&member_id={spelt}")).await.expect(200);
        tenant.get(&format!("/api/v1/sources/{of_source}/dialect")).await.expect(200);
        let decided = json!({ "member_ids": [spelt] });
        let decided = tenant.post("/api/v1/members/approve", &decided).await.expect(200);
        assert_eq!(decided.at("/items/0/member_id"), &Value::from(member.id.clone()), "{}", decided.describe());
        let preview = json!({ "mapping": {}, "source_id": of_source, "user_id": ann });
        tenant.post("/api/v1/policy/mapping/preview", &preview).await.expect(200);
        let own = json!({ "policy": { "sources": { of_source: { "approval": true } } } });
        let changed = tenant.send(Method::PATCH, "/api/v1/policy", Some(&own)).await.expect(200);
        assert_eq!(changed.at("/policy/sources").as_object().map(|all| all.len()), Some(1), "{}", changed.describe());
    }
}
