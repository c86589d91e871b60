//! Clients that refuse what they do not know, and clients that cannot say everything (R16, R17). `tests/clients` runs such clients
//! themselves; here are the switches, the ledger's advice and every way of saying the same.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::group_scope::set_policy;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{GROUP, ScimSource, email, eventually, members_value, operation, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        r16_a_plain_source_shows_nothing_beyond_rfc_7643,
        r16_discovery_is_made_plain_and_back_by_rest_and_by_command,
        r16_a_client_that_is_known_to_refuse_the_unknown_gets_plain_discovery,
        r16_a_source_that_reads_discovery_and_never_writes_is_advised,
        r17_the_policy_reads_a_put_without_members_as_empty,
        r17_the_policy_is_of_one_source_and_off_by_default,
        r17_a_group_that_is_emptied_by_leaving_members_out_is_guarded,
    ]
}

/// The attributes of RFC 7643 §5 and §3.1.
const RFC_7643: [&str; 11] = [
    "authenticationSchemes",
    "bulk",
    "changePassword",
    "documentationUri",
    "etag",
    "filter",
    "id",
    "meta",
    "patch",
    "schemas",
    "sort",
];

async fn beyond(source: &ScimSource) -> Vec<String> {
    let config = source.get("/ServiceProviderConfig").await.expect(200);
    let keys = config.json.as_object().expect("an object").keys();
    keys.filter(|key| !RFC_7643.contains(&key.as_str())).cloned().collect()
}

async fn eventually_beyond(source: &ScimSource, expected: &[&str]) {
    eventually(&format!("discovery shows {expected:?}"), async || {
        let shown = beyond(source).await;
        if shown == expected { Ok(()) } else { Err(format!("{shown:?}")) }
    })
    .await;
}

async fn listed(tenant: &Tenant, source: &ScimSource) -> Value {
    tenant.get(&format!("/api/v1/sources/{}", source.id)).await.expect(200).json
}

async fn ledger(tenant: &Tenant, source: &ScimSource, requests: u64) -> Answer {
    eventually(&format!("the ledger counts {requests} requests"), async || {
        let shown = tenant.get(&format!("/api/v1/sources/{}/dialect", source.id)).await.expect(200);
        if shown.at("/requests") == requests { Ok(shown) } else { Err(shown.describe()) }
    })
    .await
}

async fn r16_a_plain_source_shows_nothing_beyond_rfc_7643(hub: Hub) {
    let tenant = hub.tenant().create();
    let usual = tenant.scim_source();
    assert_eq!(beyond(&usual).await, ["pagination"]);
    assert_eq!(listed(&tenant, &usual).await["plain_discovery"], false);
    let plain = tenant.new_source().argument("--mode").argument("simulate").argument("--plain-discovery").create();
    assert!(beyond(&plain).await.is_empty());
    assert_eq!(listed(&tenant, &plain).await["plain_discovery"], true);
    let by_command = hub.json_command(&["source", "list", "--tenant", &tenant.slug]);
    let shown: Vec<&Value> =
        by_command["items"].as_array().unwrap().iter().map(|one| &one["plain_discovery"]).collect();
    assert_eq!(shown, [&json!(false), &json!(true)], "{by_command}");
    // Nothing else differs: the two other lists, and cursors, which are served all the same.
    for path in ["/ResourceTypes", "/Schemas"] {
        let [usual, plain] = [&usual, &plain].map(|source| (source.get(path), source.base.clone()));
        let without_base = |text: &str, base: &str| text.replace(base, "");
        assert_eq!(
            without_base(&usual.0.await.expect(200).text, &usual.1),
            without_base(&plain.0.await.expect(200).text, &plain.1)
        );
    }
    plain.users(&["ann", "bea"]).await;
    let page = plain.get("/Users?cursor=&count=1").await.expect(200);
    assert!(page.at("/nextCursor").is_string(), "{}", page.describe());
}

async fn r16_discovery_is_made_plain_and_back_by_rest_and_by_command(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let path = format!("/api/v1/sources/{}", source.id);
    let set = async |body: Value| tenant.send(Method::PATCH, &path, Some(&body)).await;
    let answer = set(json!({ "plain_discovery": true })).await.expect(200);
    assert_eq!(
        (answer.at("/plain_discovery"), answer.at("/users_only")),
        (&json!(true), &json!(false)),
        "{}",
        answer.describe()
    );
    eventually_beyond(&source, &[]).await;
    // The other switch leaves it alone.
    set(json!({ "users_only": true })).await.expect(200);
    eventually_beyond(&source, &[]).await;
    let configure = |switches: &[&str]| {
        let of = ["source", "configure", "--tenant", &tenant.slug, "--source", &source.id];
        hub.run_command(&[&of, switches].concat())
    };
    let said = configure(&["--plain-discovery", "false", "--users-only", "false", "--json"]).expect_json();
    let expected = json!({ "source_id": source.id, "users_only": false, "plain_discovery": false });
    assert_eq!(said, expected);
    eventually_beyond(&source, &["pagination"]).await;
    configure(&["--plain-discovery", "true"]).expect_success();
    eventually_beyond(&source, &[]).await;
    configure(&[]).expect_failure();
    configure(&["--plain-discovery", "maybe"]).expect_failure();
    for body in [json!({ "plain_discovery": null }), json!({ "plain_discovery": "yes" })] {
        set(body).await.expect_problem(400);
    }
    let kinds = tenant.kinds_about(&source.id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "source.updated").count(), 4, "{kinds:?}");
    hub.tenant()
        .create()
        .send(Method::PATCH, &path, Some(&json!({ "plain_discovery": true })))
        .await
        .expect_problem(404);
}

async fn r16_a_client_that_is_known_to_refuse_the_unknown_gets_plain_discovery(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for (agent, plain) in [
        ("python-httpx/0.28.1", true),
        ("python-requests/2.32", false),
        ("Okta SCIM Client 1.0.0", false),
        ("my python-httpx/1", false),
    ] {
        let request = source.request(Method::GET, "/ServiceProviderConfig").header("User-Agent", agent);
        let config = Answer::of(request).await.expect(200);
        assert_eq!(config.json.get("pagination").is_none(), plain, "{agent}: {}", config.describe());
    }
}

async fn r16_a_source_that_reads_discovery_and_never_writes_is_advised(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for _ in 0..2 {
        for path in ["/ResourceTypes", "/Schemas", "/ServiceProviderConfig"] {
            source.get(path).await.expect(200);
        }
    }
    let shown = ledger(&tenant, &source, 6).await;
    assert_eq!((shown.at("/discovery_reads"), shown.at("/quirks")), (&json!(6), &json!([])), "{}", shown.describe());
    let advice = shown.at("/advice").to_string();
    assert!(advice.contains("`plain_discovery`") && advice.contains("source configure"), "{advice}");
    source.user("ann").await;
    let shown = ledger(&tenant, &source, 7).await;
    assert_eq!(shown.at("/advice"), &json!([]), "it writes: {}", shown.describe());
}

fn counted(ledger: &Answer, quirk: &str) -> u64 {
    let quirks = ledger.at("/quirks").as_array().cloned().unwrap_or_default();
    quirks.iter().find(|one| one["quirk"] == quirk).and_then(|one| one["count"].as_u64()).unwrap_or(0)
}

async fn r17_the_policy_reads_a_put_without_members_as_empty(hub: Hub) {
    let tenant = hub.tenant().policy("put_without_members", "empty").create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let crew = source.group("Crew", &[&ann]).await;
    let path = format!("/Groups/{crew}");
    let body = json!({ "schemas": [GROUP], "displayName": "Crew" });
    let with_null = json!({ "schemas": [GROUP], "displayName": "Crew", "members": null });
    let bulk = json!({ "Operations": [{ "method": "PUT", "path": path, "data": body }] });
    for (method, at, sent) in
        [(Method::PUT, &path, &body), (Method::PUT, &path, &with_null), (Method::POST, &"/Bulk".to_owned(), &bulk)]
    {
        source.patch(&path, vec![operation("add", "members", members_value(&[&ann]))]).await.expect(204);
        tenant.eventually_group("Crew", &[&email("ann")]).await;
        source.send(method, at, sent).await.expect(200);
        assert!(source.member_ids(&crew).await.is_empty(), "{sent}");
        tenant.eventually_group("Crew", &[]).await;
    }
    // Nobody was in it any more, so nobody left; a PATCH of the name is no PUT.
    source.put(&path, &body).await.expect(200);
    source.patch(&path, vec![operation("add", "members", members_value(&[&ann]))]).await.expect(204);
    source.patch(&path, vec![operation("replace", "displayName", json!("Crew two"))]).await.expect(204);
    tenant.eventually_group("Crew two", &[&email("ann")]).await;
    source.put(&format!("/Groups/{}", unknown_id()), &body).await.expect_scim_error(404, None);
    let shown = eventually("the ledger counts three", async || {
        let shown = tenant.get(&format!("/api/v1/sources/{}/dialect", source.id)).await.expect(200);
        if counted(&shown, "put_without_members_as_empty") == 3 { Ok(shown) } else { Err(shown.describe()) }
    })
    .await;
    assert_eq!(counted(&shown, "put_without_members"), 0, "{}", shown.describe());
}

async fn r17_the_policy_is_of_one_source_and_off_by_default(hub: Hub) {
    let tenant = hub.tenant().create();
    let [one, other] = [tenant.scim_source(), tenant.new_source().argument("--mode").argument("simulate").create()];
    let body = json!({ "schemas": [GROUP], "displayName": "Crew" });
    let mut groups = Vec::new();
    for source in [&one, &other] {
        let ann = source.user("ann").await;
        let crew = source.group("Crew", &[&ann]).await;
        source.put(&format!("/Groups/{crew}"), &body).await.expect(200);
        assert_eq!(source.member_ids(&crew).await, [ann], "the default leaves them");
        groups.push(crew);
    }
    let shown = ledger(&tenant, &one, 4).await;
    assert_eq!(counted(&shown, "put_without_members"), 1, "{}", shown.describe());
    let advice = shown.at("/advice").to_string();
    assert!(advice.contains("`put_without_members`") && advice.contains("PATCH /api/v1/policy"), "{advice}");
    let own = json!({ other.id.clone(): { "put_without_members": "empty" } });
    set_policy(&tenant, json!({ "sources": own })).await.expect(200);
    for (source, crew, stay) in [(&one, &groups[0], 1), (&other, &groups[1], 0)] {
        source.put(&format!("/Groups/{crew}"), &body).await.expect(200);
        assert_eq!(source.member_ids(crew).await.len(), stay);
    }
    set_policy(&tenant, json!({ "put_without_members": "never" })).await.expect_problem(400);
}

async fn r17_a_group_that_is_emptied_by_leaving_members_out_is_guarded(hub: Hub) {
    let tenant = hub.tenant().policy("put_without_members", "empty").create();
    let source = tenant.scim_source();
    let names: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids = source.users(&names).await;
    let crew = source.group("Crew", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut addresses: Vec<String> = names.iter().map(|name| email(name)).collect();
    addresses.sort();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    tenant.eventually_group("Crew", &addresses).await;
    let renamed = json!({ "schemas": [GROUP], "displayName": "Crew two" });
    source.put(&format!("/Groups/{crew}"), &renamed).await.expect(200);
    tenant.eventually_held("group_wipe").await;
    tenant.eventually_group("Crew two", &addresses).await;
}
