//! Microsoft's public SCIM collection (AzureAD/SCIMReferenceCode, `PostmanCollection.json`), request by request in its
//! order, transcribed: its shapes with other names. Its token endpoint is left out, and so are two expectations without an
//! RFC: a member id of nobody, and 204 for a user's PATCH.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ENTERPRISE, GROUP, PATCH, ScimSource, USER, eventually, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        endpoints_are_there_before_anybody_is,
        users_are_made_found_patched_and_replaced,
        groups_are_filled_and_emptied,
        attributes_are_asked_for_by_a_filter,
        users_with_everything_and_with_nonsense,
        groups_without_members_are_replaced,
    ]
}

async fn empty(hub: &Hub) -> (Tenant, ScimSource) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    (tenant, source)
}

/// A person in the collection's form: `Primary` with a capital, two addresses, unlike user names.
fn capital(user_name: &str, email: &str) -> Value {
    json!({
        "userName": user_name,
        "active": true,
        "displayName": "IdaSmall",
        "schemas": [ENTERPRISE, USER],
        "externalId": format!("guid-{user_name}"),
        "name": { "formatted": "Ida Small", "familyName": "Small", "givenName": "Ida" },
        "emails": [
            { "Primary": true, "type": "work", "value": email },
            { "Primary": false, "type": "home", "value": "ida@home.example" }
        ]
    })
}

/// The collection's other form of a person: every attribute, half of them null.
fn lavish(user_name: &str) -> Value {
    let address = |country: Value, kind: &str| json!({ "country": country, "formatted": "9 Any Way\nSouth End, MI 5", "locality": null, "postalCode": null, "region": null, "streetAddress": null, "type": kind, "primary": false });
    json!({
        "userName": user_name,
        "active": true,
        "addresses": [address(json!("Bermuda"), "work"), address(json!(null), "other")],
        "displayName": "Kim Baker",
        "emails": [
            { "type": "work", "primary": true, "value": "kim@mail.example" },
            { "type": "work", "primary": false, "value": "kim@example.com" }
        ],
        "meta": { "created": "2019-09-18T18:15:26.5788954+00:00", "lastModified": "2019-09-18T18:15:26.5788976+00:00", "resourceType": "User" },
        "name": { "formatted": "Dan Gee", "familyName": "Employee", "givenName": "Dan", "honorificPrefix": null, "honorificSuffix": null },
        "phoneNumbers": [
            { "type": "fax", "primary": false, "value": "312-320-0500" },
            { "type": "work", "primary": true, "value": "312-320-0932" }
        ],
        "preferredLanguage": "xh",
        "roles": [],
        "title": "Site engineer",
        "externalId": "22fbc523-6032-4c5f-939d-5d4850cf3e52",
        "schemas": [USER]
    })
}

async fn post_json(source: &ScimSource, path: &str, body: &str) -> Answer {
    Answer::of(source.request(Method::POST, path).header("content-type", "application/json").body(body.to_owned()))
        .await
}

async fn total(source: &ScimSource, query: &str) -> u64 {
    source.get(&format!("/Users?{query}")).await.expect(200).at("/totalResults").as_u64().expect("a number")
}

async fn endpoints_are_there_before_anybody_is(hub: Hub) {
    let (tenant, source) = empty(&hub).await;
    assert_eq!(source.get("/users").await.expect(200).at("/totalResults"), 0);
    assert_eq!(source.get("/Groups").await.expect(200).at("/totalResults"), 0);
    assert_eq!(source.get("/ResourceTypes").await.expect(200).at("/Resources/0/endpoint"), "/Users");
    assert_eq!(source.get("/ServiceProviderConfig").await.expect(200).at("/patch/supported"), true);
    assert!(source.get("/Schemas").await.expect(200).text.contains("User Account"));

    let made = post_json(&source, "/users", &capital("ida1", "ida@acme.example").to_string()).await.expect(201);
    source.get(&format!("/users/{}", made.id())).await.expect(200);
    source.get("/groups/x").await.expect_scim_error(404, None);
    let ledger = format!("/api/v1/sources/{}/dialect", source.id);
    eventually("the ledger tells of small paths", async || match tenant.get(&ledger).await.expect(200) {
        shown if shown.text.contains("\"path_case\"") => Ok(()),
        shown => Err(shown.describe()),
    })
    .await;
    let users_only = tenant.new_source().argument("--mode").argument("simulate").argument("--users-only").create();
    users_only.get("/groups").await.expect_scim_error(403, None);
}

async fn users_are_made_found_patched_and_replaced(hub: Hub) {
    let (_, source) = empty(&hub).await;
    let first = post_json(&source, "/Users", &capital("ida1", "ida@acme.example").to_string()).await.expect(201).id();
    let enterprise = with(
        capital("ida2", "ida2@acme.example"),
        json!({ "displayName": "Second", ENTERPRISE: { "Department": "sales", "Manager": { "Value": "SuzzyQ" } } }),
    );
    let second = post_json(&source, "/Users", &enterprise.to_string()).await.expect(201);
    assert_eq!(second.json[ENTERPRISE]["department"], "sales");
    assert_eq!(second.json[ENTERPRISE]["manager"]["value"], "SuzzyQ");
    assert_eq!(second.at("/emails/0/primary"), true);
    let second = second.id();
    for id in [&first, &second] {
        assert_eq!(source.get(&format!("/Users/{id}")).await.expect(200).id(), *id);
    }
    assert!(source.get("/Users?attributes=userName,emails").await.expect(200).text.contains(&first));
    assert!(source.get("/Users/?filter=DisplayName+eq+%22IdaSmall%22").await.expect(200).text.contains(&first));

    let rename =
        json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "path": "userName", "value": "ryan3" }] });
    source.send(Method::PATCH, &format!("/Users/{first}"), &rename).await.expect_success();
    assert_eq!(source.get(&format!("/Users/{first}")).await.expect(200).at("/userName"), "ryan3");
    let replaced = with(
        capital("ida2new", "IDA@REPLACED.example"),
        json!({ "id": second, "name": { "formatted": "NewName", "familyName": "Small", "givenName": "Ida" } }),
    );
    source.put(&format!("/Users/{second}"), &replaced).await.expect(200);
    assert_eq!(source.get(&format!("/Users/{second}")).await.expect(200).at("/name/formatted"), "NewName");
    for id in [&first, &second] {
        source.delete(&format!("/Users/{id}")).await.expect(204);
    }
}

async fn groups_are_filled_and_emptied(hub: Hub) {
    let (_, source) = empty(&hub).await;
    let group = |name: &str, members: Value| json!({ "schemas": [GROUP], "externalId": format!("guid-{name}"), "displayName": name, "members": members });
    let first = source.post("/Groups", &group("First", json!([]))).await.expect(201).id();
    let third = source.post("/Users", &capital("ida3", "ida3@acme.example")).await.expect(201).id();
    let fourth = source.post("/Users", &capital("ida4", "ida4@acme.example")).await.expect(201).id();
    source.post("/Groups", &group("Second", json!([{ "value": third, "display": "VP" }]))).await.expect(201);
    let last = source.post("/Groups", &group("Third", json!([]))).await.expect(201).id();
    let members = json!([{ "value": third, "display": "VP" }, { "value": fourth, "display": "SeniorVP" }]);
    let put = json!({ "schemas": [GROUP], "id": last, "displayName": "putName", "members": members });
    source.put(&format!("/Groups/{last}"), &put).await.expect(200);
    assert!(source.get(&format!("/Groups/{last}")).await.expect(200).text.contains(&third));

    let path = format!("/Groups/{first}");
    let add = json!({ "name": "addMember", "op": "add", "path": "members", "value": [{ "displayName": "new User", "value": fourth }] });
    let remove = json!({ "op": "remove", "path": format!("members[value eq \"{fourth}\"]") });
    for (operation, left) in [(&add, 1), (&remove, 0), (&add, 1)] {
        source.patch(&path, vec![operation.clone()]).await.expect(204);
        assert_eq!(source.member_ids(&first).await.len(), left, "{operation}");
    }
    source.patch(&path, vec![json!({ "op": "remove", "path": "members" })]).await.expect(204);
    assert!(source.member_ids(&first).await.is_empty());
    source.delete(&format!("/Users/{third}")).await.expect(204);
    source.delete(&path).await.expect(204);
}

async fn attributes_are_asked_for_by_a_filter(hub: Hub) {
    let (_, source) = empty(&hub).await;
    source.post("/Users", &capital("ida1", "emailName357")).await.expect(201);
    source.post("/Users", &capital("ida2", "jump@acme.example")).await.expect(201);
    for asked in ["emails%5Btype+eq+%22work%22%5D", "emails%5Bvalue+eq+%22emailName357%22%5D"] {
        let shown = source.get(&format!("/Users?attributes={asked}")).await.expect(200);
        assert!(shown.text.contains("emailName357"), "{}", shown.describe());
    }
}

async fn users_with_everything_and_with_nonsense(hub: Hub) {
    let (_, source) = empty(&hub).await;
    let someone = with(lavish("OMalley"), json!({ "name": { "familyName": "OMalley" } }));
    let made = source.post("/Users", &someone).await.expect(201);
    assert_eq!((made.at("/userName"), made.at("/active")), (&json!("OMalley"), &json!(true)));
    let path = format!("/Users/{}", made.id());
    let made = source.post("/Users", &with(lavish("emp1"), json!({ "active": "True" }))).await.expect(201);
    assert_eq!(made.at("/active"), true);
    assert_eq!(total(&source, "").await, 2);
    for name in ["emp2", "emp3"] {
        source.post("/Users", &lavish(name)).await.expect(201);
    }
    source.post("/Users", &with(lavish("x"), json!({ "userName": null }))).await.expect_scim_error(400, None);
    post_json(&source, "/Users", "{\r\n \"acve\": tre,\r\n \"addresses\": [ les\": []")
        .await
        .expect_scim_error(400, None);
    for _ in 0..2 {
        source.post("/Users", &lavish("emp3")).await.expect_scim_error(409, Some("uniqueness"));
    }
    let misspelt = with(someone.clone(), json!({ "userName": null, "userame": "OMalley" }));
    source.put(&path, &misspelt).await.expect_scim_error(400, None);
    let misspelt =
        with(someone.clone(), json!({ "addresses": null, "adreses": [{ "country": "Germany" }], "active": false }));
    assert!(!source.put(&path, &misspelt).await.expect(200).text.contains("ddresses"));
    let enterprise =
        with(lavish("enterprise"), json!({ ENTERPRISE: { "Department": "any" }, "schemas": [USER, ENTERPRISE] }));
    source.post("/Users", &enterprise).await.expect(201);
    for (path_of, value) in [("userName", json!("newusername")), ("active", json!(false))] {
        let change =
            json!({ "schemas": [PATCH], "Operations": [{ "op": "Replace", "path": path_of, "value": value }] });
        source.send(Method::PATCH, &path, &change).await.expect_success();
        assert_eq!(source.get(&path).await.expect(200).json[path_of], value);
    }
    let back = with(someone, json!({ "active": false, "addresses": [{ "country": "Germany", "type": "work" }] }));
    let back = source.put(&path, &back).await.expect(200);
    assert!(back.at("/userName") == "OMalley" && back.at("/active") == false && back.text.contains("Germany"));

    let page = source.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!((page.at("/totalResults"), page.at("/itemsPerPage")), (&json!(5), &json!(2)));
    // No value in these is quoted.
    let either = "filter=name.FamilyName eq Employee and (emails.Value co example.com or emails.Value co example.org)";
    assert_eq!(total(&source, either).await, 4);
    assert_eq!(total(&source, "filter=userName sw O").await, 1);
    assert_eq!(total(&source, "filter=meta.Created gt 2015-10-10T14:38:21.8617979-07:00").await, 5);
}

async fn groups_without_members_are_replaced(hub: Hub) {
    let (_, source) = empty(&hub).await;
    let group = json!({ "displayName": "Group 1", "externalId": "015489ea", "schemas": [GROUP] });
    let id = source.post("/Groups", &group).await.expect(201).id();
    let ann = source.user("ann").await;
    let path = format!("/Groups/{id}");
    let bare =
        json!({ "id": id, "Operations": [{ "op": "add", "path": "members", "value": ann }], "schemas": [PATCH] });
    source.send(Method::PATCH, &path, &bare).await.expect(204);
    assert_eq!(source.member_ids(&id).await, std::slice::from_ref(&ann));
    assert!(!source.get(&format!("{path}?excludedAttributes=members")).await.expect(200).text.contains(&ann));
    let put = json!({ "id": id, "displayName": "Tiffany Ortiz", "externalId": "6c6b54c2", "schemas": [GROUP] });
    assert_eq!(source.put(&path, &put).await.expect(200).at("/displayName"), "Tiffany Ortiz");
    source.delete(&path).await.expect(204);
    assert_eq!(source.get("/Groups").await.expect(200).at("/Resources"), &json!([]));
}
