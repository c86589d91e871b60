//! A member's attributes and their origin: the address, the mapping, local attributes, and settings of one source.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::group_scope::set_policy;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, email, eventually, members_value, operation, person, unknown_id, with};

const HR: &str = "urn:acme:hr:1.0:User";

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dx5_the_address_is_read_from_the_chosen_attribute,
        dx5_another_attribute_moves_everybody_to_the_new_address,
        lp12_members_are_made_from_the_email_attribute_alone,
        pe13_a_mapping_makes_the_profile,
        pe13_a_changed_mapping_is_applied_to_everybody,
        pe13_a_record_that_the_mapping_fails_for_is_skipped_and_the_rest_goes_on,
        pe13_a_preview_shows_what_a_mapping_would_give,
        f15_an_attribute_without_addresses_is_warned_of_and_can_be_previewed,
        pe13_previews_that_cannot_be_are_refused,
        f15_one_failing_expression_hides_its_own_attribute_only,
        pe6_a_local_attribute_is_filled_once_and_then_left_alone,
        one_source_may_have_its_own_policy,
        policies_that_cannot_be_are_refused,
        lp2_people_who_are_not_in_the_directory_are_left_alone_and_those_who_are_get_updated,
        lp10_nothing_but_the_listed_attributes_is_transferred,
        lp11_members_made_by_other_means_are_in_synced_groups_only,
        dx7_groups_are_flat,
    ]
}

async fn eventually_skipped(tenant: &Tenant, dispute: &str, ids: &[&str]) -> Vec<Value> {
    eventually(&format!("{ids:?} are skipped: {dispute}"), async || {
        let records: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
        let of_kind = records.iter().filter(|record| record["dispute"] == dispute);
        let mut found: Vec<&str> = of_kind.filter_map(|record| record["subject"]["id"].as_str()).collect();
        found.sort_unstable();
        if found == ids { Ok(records.clone()) } else { Err(format!("{records:?}")) }
    })
    .await
}

/// Ann with a different address in each attribute that may hold one.
fn ann() -> Value {
    let emails = json!([
        { "type": "home", "value": email("ann.home"), "primary": true },
        { "type": "work", "value": email("ann.work") },
    ]);
    with(person("ann"), json!({ "emails": emails, HR: { "mail": email("ann.hr"), "team": "Blue" } }))
}

async fn created(source: &ScimSource, body: &Value) -> String {
    source.post("/Users", body).await.expect(201).id()
}

async fn dx5_the_address_is_read_from_the_chosen_attribute(hub: Hub) {
    for (attribute, address) in [
        (Value::Null, "ann.home"),
        (json!("userName"), "ann"),
        (json!("emails[type eq \"work\"]"), "ann.work"),
        (json!("emails[primary eq true].value"), "ann.home"),
        (json!(format!("{HR}:mail")), "ann.hr"),
    ] {
        let tenant = hub.tenant().create();
        set_policy(&tenant, json!({ "email_attribute": "userName" })).await.expect(200);
        // A null among the changes would remove the key, which has the same effect as the default.
        set_policy(&tenant, json!({ "email_attribute": attribute })).await.expect(200);
        created(&tenant.scim_source(), &ann()).await;
        tenant.eventually_status(&email(address), "invited").await;
        assert_eq!(tenant.members().await.len(), 1, "{attribute}");
    }
}

async fn dx5_another_attribute_moves_everybody_to_the_new_address(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    created(&source, &ann()).await;
    source.user("bea").await;
    let before = tenant.eventually_status(&email("ann.home"), "active").await;
    tenant.eventually_status(&email("bea"), "active").await;
    set_policy(&tenant, json!({ "email_attribute": "userName" })).await.expect(200);
    let after = tenant.eventually_status(&email("ann"), "active").await;
    assert_eq!(after.id, before.id, "the same person");
    assert_eq!(tenant.members().await.len(), 2, "and no other member exists");
    let former = tenant.get(&format!("/api/v1/members/{}", after.id)).await.expect(200).json["former_emails"].clone();
    let emails: Vec<&Value> = former.as_array().expect("a list").iter().map(|former| &former["email"]).collect();
    assert_eq!(emails, [&json!(email("ann.home"))], "{former}");
    let bea = tenant.eventually_status(&email("bea"), "active").await;
    assert_eq!(tenant.get(&format!("/api/v1/members/{}", bea.id)).await.expect(200).json["former_emails"], json!([]));
}

async fn lp12_members_are_made_from_the_email_attribute_alone(hub: Hub) {
    let tenant = hub.tenant().policy("email_attribute", "emails[type eq \"work\"]").create();
    let source = tenant.scim_source();
    // A home address makes no member.
    let home = json!({ "emails": [{ "type": "home", "value": email("bea.home"), "primary": true }] });
    let bea = created(&source, &with(person("bea"), home)).await;
    let odd =
        json!({ "emails": [{ "type": "work", "value": "no address" }, { "value": email("cem"), "primary": true }] });
    let cem = created(&source, &with(person("cem"), odd)).await;
    created(&source, &ann()).await;
    tenant.eventually_status(&email("ann.work"), "invited").await;
    let mut skipped = [bea.as_str(), cem.as_str()];
    skipped.sort_unstable();
    eventually_skipped(&tenant, "no_email", &skipped).await;
    assert_eq!(tenant.members().await.len(), 1);
}

async fn pe13_a_mapping_makes_the_profile(hub: Hub) {
    let tenant = hub.tenant().create();
    let mapping = json!({
        "email": "lower(user.userName)",
        "display_name": format!("user.name.familyName + \", \" + user.name.givenName + \" (\" + default(user[\"{HR}\"].team, \"-\") + \")\""),
    });
    set_policy(&tenant, json!({ "mapping": mapping })).await.expect(200);
    let source = tenant.scim_source();
    created(&source, &with(ann(), json!({ "userName": "ANN@acme.example" }))).await;
    let member = tenant.eventually_status(&email("ann"), "invited").await;
    assert_eq!(member.display_name.as_deref(), Some("Example, ann (Blue)"));
    source.user("bea").await;
    let member = tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(member.display_name.as_deref(), Some("Example, bea (-)"));
}

async fn pe13_a_changed_mapping_is_applied_to_everybody(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea"]).await;
    tenant.eventually("both are in", |members| members.len() == 2).await;
    set_policy(&tenant, json!({ "mapping": { "display_name": "upper(user.displayName)" } })).await.expect(200);
    for name in ["ann", "bea"] {
        let wanted = format!("{} EXAMPLE", name.to_uppercase());
        tenant.eventually_member(&email(name), |m| m.display_name.as_deref() == Some(wanted.as_str())).await;
    }
    set_policy(&tenant, json!({ "mapping": {} })).await.expect(200);
    tenant.eventually_member(&email("ann"), |m| m.display_name.as_deref() == Some("ann Example")).await;
}

async fn pe13_a_record_that_the_mapping_fails_for_is_skipped_and_the_rest_goes_on(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    set_policy(&tenant, json!({ "mapping": { "display_name": "user.title" } })).await.expect(200);
    let source = tenant.scim_source();
    let bea = created(&source, &person("bea")).await;
    let cem = created(&source, &with(person("cem"), json!({ "title": "Pilot" }))).await;
    let member = tenant.eventually_status(&email("cem"), "active").await;
    assert_eq!(member.display_name.as_deref(), Some("Pilot"));
    let skipped = eventually_skipped(&tenant, "mapping_failed", &[&bea]).await;
    assert_eq!(skipped[0]["about"], "display_name: user.title: the record has no title");
    assert!(skipped[0]["remedy"].as_str().is_some_and(|remedy| remedy.contains("mapping")), "{skipped:?}");
    // A member whose record fails keeps the profile, and loses access with the record.
    let untitle = vec![json!({ "op": "remove", "path": "title" })];
    source.patch(&format!("/Users/{cem}"), untitle).await.expect_success();
    let mut both = [bea.as_str(), cem.as_str()];
    both.sort_unstable();
    eventually_skipped(&tenant, "mapping_failed", &both).await;
    source.deactivate(&cem).await.expect_success();
    let left = tenant.eventually_status(&email("cem"), "suspended").await;
    assert_eq!(left.display_name.as_deref(), Some("Pilot"));
    // The remedy names the attribute.
    let title = vec![operation("add", "title", json!("Cook"))];
    source.patch(&format!("/Users/{bea}"), title).await.expect_success();
    tenant.eventually_status(&email("bea"), "active").await;
    set_policy(&tenant, json!({ "mapping": { "display_name": "default(user.title, user.displayName)" } }))
        .await
        .expect(200);
    eventually_skipped(&tenant, "mapping_failed", &[]).await;
}

async fn preview(tenant: &Tenant, body: Value) -> Answer {
    tenant.post("/api/v1/policy/mapping/preview", &body).await
}

async fn pe13_a_preview_shows_what_a_mapping_would_give(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    tenant.eventually("all are in", |members| members.len() == 3).await;
    let before = tenant.everything(&source).await;
    let mapping = json!({ "display_name": "user.name.givenName == \"bea\" ? user.title : upper(user.name.givenName)" });
    let all = preview(&tenant, json!({ "mapping": mapping, "source_id": source.id })).await.expect(200);
    let items = all.at("/items").as_array().unwrap().clone();
    assert_eq!(items.len(), 3, "{}", all.describe());
    assert_eq!(items[0]["user_id"], json!(ids[0]));
    assert_eq!((&items[0]["display_name"], &items[0]["error"]), (&json!("ANN"), &Value::Null));
    assert_eq!((&items[0]["email"], &items[0]["user_name"]), (&json!(email("ann")), &json!(email("ann"))));
    assert!(items[1]["error"].as_str().is_some_and(|e| e.ends_with("the record has no title")), "{}", items[1]);
    let one =
        preview(&tenant, json!({ "mapping": mapping, "source_id": source.id, "user_id": ids[2] })).await.expect(200);
    assert_eq!(one.at("/items").as_array().map(Vec::len), Some(1));
    assert_eq!(one.at("/items/0/display_name"), "CEM", "{}", one.describe());
    let two = preview(&tenant, json!({ "mapping": mapping, "source_id": source.id, "sample": 2 })).await.expect(200);
    assert_eq!(two.at("/items").as_array().map(Vec::len), Some(2));
    assert_eq!(tenant.everything(&source).await, before, "a preview changes nothing");
}

/// A wrong attribute shuts out everybody who is new, and says so before it does.
async fn f15_an_attribute_without_addresses_is_warned_of_and_can_be_previewed(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea"]).await;
    let of = |attribute: Value| json!({ "email_attribute": attribute, "source_id": source.id });
    let none = preview(&tenant, of(json!("title"))).await.expect(200);
    assert_eq!((none.at("/items/0/email"), none.at("/items/1/email")), (&Value::Null, &Value::Null));
    assert!(none.text_at("/items/0/error").contains("no_email"), "{}", none.describe());
    let some = preview(&tenant, of(json!("userName"))).await.expect(200);
    assert_eq!(some.at("/items/0/email"), &json!(email("ann")), "{}", some.describe());
    preview(&tenant, of(json!("emails["))).await.expect_problem(400);
    let good = set_policy(&tenant, json!({ "email_attribute": "userName" })).await.expect(200);
    assert_eq!(good.at("/warnings"), &Value::Null, "{}", good.describe());
    let warned = set_policy(&tenant, json!({ "email_attribute": "title" })).await.expect(200);
    let told = warned.text_at("/warnings/0");
    assert!(told.starts_with("2 of 2 records") && told.contains(&source.id), "{told}");
    let mapped =
        set_policy(&tenant, json!({ "email_attribute": null, "mapping": { "email": "user.?title.orValue('')" } }));
    let mapped = mapped.await.expect(200);
    assert!(mapped.text_at("/warnings/0").starts_with("2 of 2 records"), "{}", mapped.describe());
}

async fn f15_one_failing_expression_hides_its_own_attribute_only(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    for (mapping, email_shown, name_shown) in [
        (json!({ "display_name": "user.nickName.deep" }), json!(email("ann")), Value::Null),
        (json!({ "email": "user.nickName.deep", "display_name": "user.name.givenName" }), Value::Null, json!("ann")),
        (
            json!({ "email": "\"x@acme.example\"", "given_name": "user.nickName.deep" }),
            json!("x@acme.example"),
            json!("ann Example"),
        ),
    ] {
        let shown = preview(&tenant, json!({ "mapping": mapping, "source_id": source.id })).await.expect(200);
        let one = shown.at("/items/0").clone();
        assert_eq!((&one["email"], &one["display_name"]), (&email_shown, &name_shown), "{mapping}: {one}");
        assert!(one["error"].as_str().is_some_and(|error| error.contains("nickName")), "{one}");
    }
}

async fn pe13_previews_that_cannot_be_are_refused(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    let (good, id) = (json!({ "given_name": "user.userName" }), &source.id);
    for (body, status) in [
        (json!({}), 400),
        (json!([]), 400),
        (json!({ "mapping": good }), 400),
        (json!({ "mapping": good, "source_id": "x" }), 400),
        (json!({ "mapping": good, "source_id": id, "sample": 0 }), 400),
        (json!({ "mapping": good, "source_id": id, "sample": 21 }), 400),
        (json!({ "mapping": good, "source_id": id, "sample": 2, "user_id": user }), 400),
        (json!({ "mapping": good, "source_id": id, "more": 1 }), 400),
        (json!({ "mapping": { "role": "\"owner\"" }, "source_id": id }), 400),
        (json!({ "mapping": { "email": "user." }, "source_id": id }), 400),
        (json!({ "mapping": good, "source_id": unknown_id() }), 404),
        (json!({ "mapping": good, "source_id": id, "user_id": unknown_id() }), 404),
    ] {
        let answer = preview(&tenant, body.clone()).await;
        answer.check_problem(status).unwrap_or_else(|problem| panic!("{body}: {problem}"));
    }
    let stranger = hub.tenant().create();
    preview(&stranger, json!({ "mapping": good, "source_id": id })).await.expect_problem(404);
}

async fn pe6_a_local_attribute_is_filled_once_and_then_left_alone(hub: Hub) {
    let tenant =
        hub.tenant().policy("onboarding", "federated").policy("local_attributes", "[\"display_name\"]").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let member = tenant.eventually_status(&email("ann"), "active").await;
    assert_eq!(member.display_name.as_deref(), Some("ann Example"), "filled when she came in");
    let changes = vec![
        operation("replace", "displayName", json!("Ann New")),
        operation("replace", "externalId", json!("ext-new")),
    ];
    source.patch(&format!("/Users/{id}"), changes).await.expect_success();
    let member = tenant.eventually_member(&email("ann"), |m| m.external_id.as_deref() == Some("ext-new")).await;
    assert_eq!(member.display_name.as_deref(), Some("ann Example"), "the product's own");
    // Once the attribute is the source's again, it follows at once.
    set_policy(&tenant, json!({ "local_attributes": [] })).await.expect(200);
    tenant.eventually_member(&email("ann"), |m| m.display_name.as_deref() == Some("Ann New")).await;
}

async fn one_source_may_have_its_own_policy(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let own = json!({ &source.id: { "onboarding": "federated", "email_attribute": "emails[type eq \"work\"]" } });
    set_policy(&tenant, json!({ "sources": own })).await.expect(200);
    created(&source, &ann()).await;
    tenant.eventually_status(&email("ann.work"), "active").await;
    set_policy(&tenant, json!({ "sources": {} })).await.expect(200);
    tenant.eventually_status(&email("ann.home"), "active").await;
    source.user("bea").await;
    tenant.eventually_status(&email("bea"), "invited").await;
}

async fn policies_that_cannot_be_are_refused(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let before = tenant.get("/api/v1/policy").await.expect(200).json;
    for (changes, named) in [
        (json!({ "email_attribute": "shoe_size" }), "email_attribute"),
        (json!({ "email_attribute": "active" }), "email_attribute"),
        (json!({ "email_attribute": "emails[type eq" }), "email_attribute"),
        (json!({ "email_attribute": 5 }), "email_attribute"),
        (json!({ "mapping": { "email": "user.a b" } }), "mapping.email: at line 1, column 8"),
        (json!({ "mapping": { "given_name": "x".repeat(501) } }), "mapping.given_name is longer than 500 bytes"),
        (json!({ "mapping": { "status": "\"active\"" } }), "status"),
        (
            json!({ "mapping": { "display_name": format!("{}1{}", "(".repeat(249), ")".repeat(249)) } }),
            "mapping.display_name",
        ),
        (json!({ "local_attributes": ["email"] }), "email"),
        (json!({ "sources": { unknown_id().to_string(): {} } }), "no such source"),
        (json!({ "sources": { "x": {} } }), "sources"),
        (json!({ "sources": { &source.id: { "removal_limit": { "count": 1 } } } }), "removal_limit"),
        (json!({ "sources": { &source.id: { "sources": {} } } }), "sources"),
        (json!({ "sources": { &source.id: { "onboarding": "by pigeon" } } }), "onboarding"),
        (json!({ "sources": { &source.id: { "mapping": { "email": "1 /" } } } }), "mapping.email"),
        (json!({ "sources": { &source.id: { "email_attribute": "shoe_size" } } }), "email_attribute"),
    ] {
        let answer = set_policy(&tenant, changes.clone()).await;
        answer.check_problem(400).unwrap_or_else(|problem| panic!("{changes}: {problem}"));
        assert!(answer.at("/detail").as_str().is_some_and(|d| d.contains(named)), "{changes}: {}", answer.describe());
    }
    assert_eq!(tenant.get("/api/v1/policy").await.expect(200).json, before);
}

async fn lp2_people_who_are_not_in_the_directory_are_left_alone_and_those_who_are_get_updated(hub: Hub) {
    for listed in [true, false] {
        let tenant = hub.tenant().owner(&email("boss")).create();
        let source = tenant.scim_source();
        let before = tenant.eventually_status(&email("boss"), "active").await;
        source.user(if listed { "boss" } else { "ann" }).await;
        if listed {
            tenant.owner_approves().await;
            let after = tenant.eventually_member(&email("boss"), |m| m.managed_by.is_some()).await;
            assert_eq!((after.id, after.role.as_str()), (before.id, "owner"));
            assert_eq!(after.display_name.as_deref(), Some("boss Example"));
        } else {
            tenant.eventually_status(&email("ann"), "invited").await;
            assert_eq!(tenant.member(&email("boss")).await, Some(before));
        }
    }
}

async fn lp10_nothing_but_the_listed_attributes_is_transferred(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let more = json!({
        "title": "secret-title", "nickName": "secret-nick", "phoneNumbers": [{ "value": "secret-phone" }],
        "password": "secret-password", "addresses": [{ "formatted": "secret-street" }], HR: { "salary": "secret-salary" },
    });
    created(&source, &with(person("ann"), more)).await;
    let id = tenant.eventually_status(&email("ann"), "invited").await.id;
    let member = tenant.get(&format!("/api/v1/members/{id}")).await.expect(200);
    let about = tenant.list::<Value>(&format!("/api/v1/audit-events?subject_id={id}")).await;
    let all = format!("{}{about:?}", member.json);
    assert!(!all.contains("secret"), "{all}");
    for (key, value) in [("email", email("ann")), ("given_name", "ann".into()), ("family_name", "Example".into())] {
        assert_eq!(member.json[key], json!(value), "{}", member.describe());
    }
}

async fn lp11_members_made_by_other_means_are_in_synced_groups_only(hub: Hub) {
    let tenant = hub.tenant().owner(&email("boss")).create();
    let source = tenant.scim_source();
    let before = tenant.eventually_status(&email("boss"), "active").await;
    let ids = source.users(&["ann", "boss"]).await;
    source.group("Pilots", &[&ids[0], &ids[1]]).await;
    tenant.owner_approves().await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("boss")]).await;
    let after = tenant.member(&email("boss")).await.unwrap();
    assert_eq!((after.id, after.role, after.status), (before.id, before.role, before.status));
}

async fn dx7_groups_are_flat(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let inner = source.group("Inner", &[&ann]).await;
    let outer = source.group("Outer", &[&ann]).await;
    let nest = vec![operation("add", "members", members_value(&[&inner]))];
    source.patch(&format!("/Groups/{outer}"), nest).await.expect_scim_error(400, Some("invalidValue"));
    tenant.eventually_group("Outer", &[&email("ann")]).await;
    tenant.eventually_group("Inner", &[&email("ann")]).await;
}
