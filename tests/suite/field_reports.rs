//! Field reports about systems of this kind, from the view of a client. `crates/scim/tests/field_reports` has the neighbours of
//! each input as far as reading SCIM decides them; here are the other paths: the verbs and `/Bulk`, `.search`, the stored and shown
//! resource, the roster, the ledger and its advice, and the limits of a whole request.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{
    ENTERPRISE, GROUP, ScimSource, email, eventually, members_value, operation, person, unknown_id, with,
};

const ACME: &str = "urn:example:params:scim:schemas:extension:acme:2.0:User";

pub(crate) fn cases() -> Vec<Case> {
    cases![
        r1_an_attribute_of_the_tenants_own_is_changed_where_it_is,
        r2_a_list_of_the_tenants_own_grows_and_loses_single_values,
        r3_what_is_nearly_known_is_read_or_refused_and_never_stored,
        r4_a_primary_flag_survives_operations_in_any_order,
        r7_a_leaver_leaves_whatever_else_the_write_holds,
        r7_a_leaver_leaves_also_where_the_new_name_is_taken,
        r7_a_leaver_leaves_within_a_bulk,
        r8_a_photo_refuses_nobody,
        r9_names_of_any_script_are_as_long,
        r10_a_group_that_get_gave_is_taken_by_put,
        r10_a_user_that_get_gave_is_taken_by_put,
        r10_more_members_than_are_advertised_are_refused_with_a_way,
        r11_r12_r15_filters_and_pages_are_read_as_they_are_meant,
        r17_a_put_without_members_is_counted_where_it_leaves_somebody,
        r18_an_empty_group_shows_an_empty_list,
        r19_advice_is_about_what_was_doubtful,
        r20_a_malformed_token_is_told_what_it_is,
        r20_a_malformed_key_is_told_what_it_is,
    ]
}

async fn ledger(tenant: &Tenant, source: &ScimSource, requests: u64) -> Answer {
    eventually(&format!("the ledger counts {requests} requests"), async || {
        let shown = tenant.get(&format!("/api/v1/sources/{}/dialect", source.id)).await.expect(200);
        if shown.at("/requests") == requests { Ok(shown) } else { Err(shown.describe()) }
    })
    .await
}

fn counted(ledger: &Answer, quirk: &str) -> u64 {
    let quirks = ledger.at("/quirks").as_array().cloned().unwrap_or_default();
    quirks.iter().find(|one| one["quirk"] == quirk).and_then(|one| one["count"].as_u64()).unwrap_or(0)
}

fn ann_at_acme() -> Value {
    with(
        person("ann"),
        json!({ ACME: { "desk": { "room": "K1", "floor": 2 }, "badges": ["amber", "coral", "denim"] } }),
    )
}

async fn created(source: &ScimSource, body: &Value) -> String {
    format!("/Users/{}", source.post("/Users", body).await.expect(201).id())
}

async fn r1_an_attribute_of_the_tenants_own_is_changed_where_it_is(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = created(&source, &ann_at_acme()).await;
    let desk = format!("{ACME}:desk");
    let moved = vec![operation("replace", &desk, json!({ "room": "K9" }))];
    let patched = source.patch(&path, moved).await.expect(200);
    assert_eq!(patched.json[ACME]["desk"], json!({ "room": "K9", "floor": 2 }), "{}", patched.describe());
    assert!(!patched.text.contains(&format!("{desk}\"")), "{}", patched.describe());
    source.expect_found("/Users", &format!("{desk}.room eq \"K9\""), &[&path[7..]]).await;
    let put = with(person("ann"), json!({ (desk.as_str()): { "room": "K7" } }));
    let put = source.put(&path, &put).await.expect(200);
    assert_eq!(put.json[ACME], json!({ "desk": { "room": "K7" } }), "{}", put.describe());
    let again = source.put(&path, &put.json).await.expect(200);
    assert_eq!(again.json, put.json, "what GET gives PUT takes");
}

async fn r2_a_list_of_the_tenants_own_grows_and_loses_single_values(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = created(&source, &ann_at_acme()).await;
    let badges = format!("{ACME}:badges");
    for (operations, expected) in [
        (vec![operation("add", &badges, json!("ecru"))], json!(["amber", "coral", "denim", "ecru"])),
        (vec![operation("remove", &badges, json!(["coral"]))], json!(["amber", "denim", "ecru"])),
        (
            vec![operation("replace", &format!("{badges}[value eq \"amber\"]"), json!("jade"))],
            json!(["jade", "denim", "ecru"]),
        ),
        (vec![json!({ "op": "remove", "path": format!("{badges}[value eq \"jade\"]") })], json!(["denim", "ecru"])),
    ] {
        let patched = source.patch(&path, operations).await.expect(200);
        assert_eq!(patched.json[ACME]["badges"], expected, "{}", patched.describe());
    }
}

async fn r3_what_is_nearly_known_is_read_or_refused_and_never_stored(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let path = created(&source, &person("ann")).await;
    let with_a_dot = format!("{ENTERPRISE}.department");
    let patched = source.patch(&path, vec![operation("replace", &with_a_dot, json!("Ships"))]).await.expect(200);
    assert_eq!(patched.json[ENTERPRISE], json!({ "department": "Ships" }), "{}", patched.describe());
    source.expect_found("/Users", &format!("{with_a_dot} eq \"ships\""), &[&path[7..]]).await;
    let unknown = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:Person:department";
    let ignored = source.patch(&path, vec![operation("replace", unknown, json!("x"))]).await.expect(200);
    assert!(!ignored.text.contains("Person"), "{}", ignored.describe());
    let filter: String = url::form_urlencoded::byte_serialize(format!("{unknown} eq \"x\"").as_bytes()).collect();
    source.get(&format!("/Users?filter={filter}")).await.expect_scim_error(400, Some("invalidFilter"));
    let search = json!({ "filter": format!("{unknown} eq \"x\"") });
    source.post("/Users/.search", &search).await.expect_scim_error(400, Some("invalidFilter"));
    let shown = ledger(&tenant, &source, 6).await;
    assert!(counted(&shown, "mistyped_urn") >= 2, "{}", shown.describe());
    assert_eq!(counted(&shown, "unknown_attribute"), 1, "{}", shown.describe());
}

async fn r4_a_primary_flag_survives_operations_in_any_order(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let home = json!([{ "type": "home", "value": email("ann.home"), "primary": true }]);
    let path = created(&source, &with(person("ann"), json!({ "emails": home }))).await;
    tenant.eventually_status(&email("ann.home"), "active").await;
    let work = |part: &str, value: Value| operation("add", &format!("emails[type eq \"work\"].{part}"), value);
    let operations =
        vec![work("primary", json!(true)), work("type", json!("work")), work("value", json!(email("ann.work")))];
    source.patch(&path, operations).await.expect(200);
    tenant.eventually_status(&email("ann.work"), "active").await;
    let refilled = vec![
        json!({ "op": "remove", "path": "emails[type eq \"work\"].value" }),
        operation("add", "emails[type eq \"work\"].value", json!(email("ann.new"))),
    ];
    source.patch(&path, refilled).await.expect(200);
    tenant.eventually_status(&email("ann.new"), "active").await;
}

/// Writes that end a person's access and hold an invalid value.
fn leaving() -> Vec<(Method, Value)> {
    let gone = operation("replace", "active", json!(false));
    let patch = |operations: Vec<Value>| (Method::PATCH, crate::verbs::patch(operations));
    vec![
        patch(vec![operation("replace", "active", json!([false]))]),
        patch(vec![operation("replace", "displayName", json!({ "x": 1 })), gone.clone()]),
        patch(vec![gone.clone(), operation("replace", "title", json!("a\u{0}b"))]),
        patch(vec![gone.clone(), operation("move", "title", json!("x"))]),
        patch(vec![gone.clone(), operation("add", "photos", json!([{ "value": "A".repeat(300_000) }]))]),
        patch(vec![json!({ "op": "replace", "value": { "active": "False", "name.familyName": ["a", "b"] } })]),
        patch(vec![gone.clone(), json!({ "op": "remove", "path": "userName" })]),
        patch([vec![gone], vec![operation("replace", "title", json!("x")); 1_200]].concat()),
        (Method::PUT, with(person("ann"), json!({ "active": "false", "emails": true }))),
        (Method::PUT, with(person("ann"), json!({ "active": 0, "userName": null, "displayName": "x".repeat(9_000) }))),
        (Method::PUT, with(person("ann"), json!({ "active": false, "schemas": 7, "externalId": ["a", "b"] }))),
    ]
}

async fn r7_a_leaver_leaves_whatever_else_the_write_holds(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let path = created(&source, &person("ann")).await;
    tenant.eventually_status(&email("ann"), "active").await;
    for (method, body) in leaving() {
        let shown = body.to_string().chars().take(200).collect::<String>();
        let answer = source.send(method, &path, &body).await.expect(200);
        assert_eq!(answer.at("/active"), &json!(false), "{shown}: {}", answer.describe());
        assert_eq!(answer.at("/userName"), &json!(email("ann")), "{shown}: {}", answer.describe());
        assert_eq!(answer.at("/externalId"), "ext-ann", "{shown}: {}", answer.describe());
        tenant.eventually_status(&email("ann"), "suspended").await;
        source.put(&path, &person("ann")).await.expect(200);
        tenant.eventually_status(&email("ann"), "active").await;
    }
    let requests = 1 + 2 * leaving().len() as u64;
    let shown = ledger(&tenant, &source, requests).await;
    assert!(counted(&shown, "value_left_out") >= 9, "{}", shown.describe());
    assert!(shown.at("/advice").to_string().contains("left"), "{}", shown.describe());
    // An active person is not changed by a write with an invalid value.
    let half = vec![operation("replace", "title", json!("x")), operation("replace", "displayName", json!({ "x": 1 }))];
    source.patch(&path, half).await.expect_scim_error(400, Some("invalidValue"));
    assert!(source.get(&path).await.expect(200).json.get("title").is_none());
}

async fn r7_a_leaver_leaves_also_where_the_new_name_is_taken(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = created(&source, &person("ann")).await;
    source.user("bea").await;
    let taken = operation("replace", "userName", json!(email("bea")));
    source.patch(&path, vec![taken.clone()]).await.expect_scim_error(409, Some("uniqueness"));
    let ended = source.patch(&path, vec![taken, operation("replace", "active", json!(false))]).await.expect(200);
    assert_eq!(
        (ended.at("/active"), ended.at("/userName")),
        (&json!(false), &json!(email("ann"))),
        "{}",
        ended.describe()
    );
    source.activate(&path[7..]).await.expect(200);
    let put = with(person("bea"), json!({ "active": false, "title": "Pilot" }));
    let ended = source.put(&path, &put).await.expect(200);
    assert_eq!(
        (ended.at("/active"), ended.at("/userName")),
        (&json!(false), &json!(email("ann"))),
        "{}",
        ended.describe()
    );
    assert_eq!(ended.at("/title"), "Pilot", "{}", ended.describe());
}

async fn r7_a_leaver_leaves_within_a_bulk(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let (ann, bea) = (created(&source, &person("ann")).await, created(&source, &person("bea")).await);
    let leaver = crate::verbs::patch(vec![
        operation("replace", "active", json!(false)),
        operation("replace", "title", json!("a\u{0}b")),
    ]);
    let stays = crate::verbs::patch(vec![operation("replace", "title", json!("a\u{0}b"))]);
    let bulk = json!({ "Operations": [
        { "method": "PATCH", "path": bea, "data": stays },
        { "method": "PATCH", "path": ann, "data": leaver },
    ] });
    let answer = source.post("/Bulk", &bulk).await.expect(200);
    assert_eq!(answer.at("/Operations/0/status"), "400", "{}", answer.describe());
    assert_eq!(answer.at("/Operations/1/status"), "200", "{}", answer.describe());
    assert_eq!(source.get(&ann).await.expect(200).at("/active"), &json!(false));
}

async fn r8_a_photo_refuses_nobody(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let photo = json!([{ "type": "photo", "value": format!("data:image/png;base64,{}", "A".repeat(30_000)) }]);
    let certificate = json!([{ "value": "B".repeat(9_000) }]);
    let large = json!({ "photos": photo, "x509Certificates": certificate });
    let path = created(&source, &with(person("ann"), large.clone())).await;
    let added = source.patch(&path, vec![operation("add", "photos", photo)]).await.expect(200);
    assert_eq!(added.at("/photos/0/type"), "photo", "{}", added.request);
    let put = with(with(person("ann"), large), json!({ "active": false }));
    assert_eq!(source.put(&path, &put).await.expect(200).at("/active"), &json!(false));
    let huge = with(person("bea"), json!({ "photos": [{ "value": "A".repeat(300_000) }] }));
    let refused = source.post("/Users", &huge).await.expect_scim_error(400, Some("invalidValue"));
    assert!(refused.text_at("/detail").contains("photos"), "{}", refused.describe());
}

async fn r9_names_of_any_script_are_as_long(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for (index, letter) in ["名", "ж", "𝒜"].into_iter().enumerate() {
        let changes = json!({
            "userName": format!("{index}{}", letter.repeat(300)),
            "displayName": letter.repeat(256),
            "externalId": format!("{index}{}", letter.repeat(511)),
            "name": { "givenName": letter.repeat(256), "familyName": letter.repeat(256) },
        });
        let made = source.post("/Users", &with(person("ann"), changes)).await.expect(201);
        assert_eq!(made.at("/displayName"), &json!(letter.repeat(256)));
        let filter = format!("displayName eq \"{}\"", letter.repeat(256));
        source.expect_found("/Users", &filter, &[&made.id()]).await;
        source.post("/Groups", &json!({ "schemas": [GROUP], "displayName": letter.repeat(256) })).await.expect(201);
        let long = with(person("bea"), json!({ "displayName": letter.repeat(257) }));
        source.post("/Users", &long).await.expect_scim_error(400, Some("invalidValue"));
    }
}

async fn r10_a_group_that_get_gave_is_taken_by_put(hub: Hub) {
    let address = format!("https://{}.example/{}", "a".repeat(60), "b".repeat(400));
    let small = hub.another().setting("ROLLCALL_INGEST_BODY_BYTES_MAX", "16384");
    let hub = small.setting("ROLLCALL_HTTP_PUBLIC_URL", &address).start().await;
    let source = hub.tenant().create().scim_source();
    let names: Vec<String> = (0..120).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids = source.users(&names).await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let path = format!("/Groups/{}", source.group("Everybody", &ids).await);
    let shown = source.get(&path).await.expect(200);
    assert!(shown.text.len() > 60_000 && shown.text.contains(&address), "{} bytes", shown.text.len());
    let put = source.put(&path, &shown.json).await.expect(200);
    assert_eq!(put.json, shown.json, "nothing changed");
    let pretty = serde_json::to_string_pretty(&shown.json).unwrap();
    source.send_text(Method::PUT, &path, pretty).await.expect(200);
    let search = json!({ "filter": format!("title eq \"{}\"", "x".repeat(20_000)) });
    source.post("/Users/.search", &search).await.expect_scim_error(413, None);
}

/// The groups of a user are read-only, but clients send back what they were given.
async fn r10_a_user_that_get_gave_is_taken_by_put(hub: Hub) {
    let address = format!("https://{}.example/{}", "a".repeat(60), "b".repeat(400));
    let small = hub.another().setting("ROLLCALL_INGEST_BODY_BYTES_MAX", "65536");
    let hub = small.setting("ROLLCALL_HTTP_PUBLIC_URL", &address).start().await;
    let source = hub.tenant().create().scim_source();
    let path = created(&source, &ann_at_acme()).await;
    let member = members_value(&[&path[7..]]);
    let group = |n: usize| json!({ "schemas": [GROUP], "displayName": format!("Crew {n}"), "members": member });
    let make = |n: usize| json!({ "method": "POST", "path": "/Groups", "bulkId": format!("g{n}"), "data": group(n) });
    for part in 0..4 {
        let operations: Vec<Value> = (part * 40..(part + 1) * 40).map(make).collect();
        let made = source.post("/Bulk", &json!({ "Operations": operations })).await.expect(200);
        assert!(!made.text.contains("detail"), "{}", made.describe());
    }
    let shown = source.get(&path).await.expect(200);
    assert_eq!(shown.at("/groups").as_array().map(Vec::len), Some(160), "{} bytes", shown.text.len());
    assert!(shown.text.len() > 100_000, "{} bytes", shown.text.len());
    let put = source.put(&path, &shown.json).await.expect(200);
    assert_eq!(put.json, shown.json, "nothing changed");
    let pretty = serde_json::to_string_pretty(&shown.json).unwrap();
    source.send_text(Method::PUT, &path, pretty).await.expect(200);
    // A whole resource as the value of a PATCH, and a leaver among them.
    let whole = json!({ "op": "replace", "value": shown.json });
    assert_eq!(source.patch(&path, vec![whole]).await.expect(200).json, shown.json);
    let left = source.put(&path, &with(shown.json.clone(), json!({ "active": false }))).await.expect(200);
    assert_eq!((left.at("/active"), left.at("/groups")), (&json!(false), shown.at("/groups")));
    let groups: Vec<&Value> = shown.at("/groups").as_array().unwrap().iter().cycle().take(40_000).collect();
    let refused = source.put(&path, &with(person("ann"), json!({ "groups": groups }))).await;
    let refused = refused.expect_scim_error(413, None);
    assert!(refused.text_at("/detail").contains("`groups`"), "{}", refused.describe());
}

async fn r10_more_members_than_are_advertised_are_refused_with_a_way(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = format!("/Groups/{}", source.group("Everybody", &[]).await);
    let members = |count: usize| -> Value {
        let member = |_| {
            let id = unknown_id().to_string();
            json!({ "value": id, "type": "User", "$ref": format!("{}/Users/{id}", source.base) })
        };
        (0..count).map(member).collect()
    };
    let body = |members: Value| json!({ "schemas": [GROUP], "displayName": "Everybody", "members": members });
    // The advertised number is read; unknown members are a later error.
    source.put(&path, &body(members(10_000))).await.expect_scim_error(400, Some("invalidValue"));
    let refused = source.put(&path, &body(members(10_001))).await.expect_scim_error(413, None);
    assert!(refused.text_at("/detail").contains("10000"), "{}", refused.describe());
    let refused = source.put(&path, &body(members(40_000))).await.expect_scim_error(413, None);
    assert!(refused.text_at("/detail").contains("PATCH"), "{}", refused.describe());
}

async fn r11_r12_r15_filters_and_pages_are_read_as_they_are_meant(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let ann = source.user("ann").await;
    source.user("bea").await;
    let group = source.group("Crew", &[&ann]).await;
    let address = email("ann");
    for filter in [
        format!("userName eq '{address}'"),
        format!("userName eq “{address}”"),
        format!("emails[urn:ietf:params:scim:schemas:core:2.0:User:value eq \"{address}\"]"),
        format!("id eq \"{}\"", ann.to_uppercase()),
        format!("id eq \"{{{ann}}}\""),
        format!("id eq \"urn:uuid:{ann}\""),
    ] {
        source.expect_found("/Users", &filter, &[&ann]).await;
        let found = source.post("/Users/.search", &json!({ "filter": filter, "count": "" })).await.expect(200);
        assert_eq!(found.at("/totalResults"), 1, "{filter}: {}", found.describe());
    }
    source.expect_found("/Groups", &format!("members.value eq \"{}\"", ann.to_uppercase()), &[&group]).await;
    let unclosed: String = url::form_urlencoded::byte_serialize(format!("userName eq '{address}").as_bytes()).collect();
    source.get(&format!("/Users?filter={unclosed}")).await.expect_scim_error(400, Some("invalidFilter"));
    let all = source.get("/Users?count=&startIndex=").await.expect(200);
    assert_eq!(all.at("/totalResults"), 2, "{}", all.describe());
    let marked = [b"\xef\xbb\xbf".as_slice(), person("cem").to_string().as_bytes()].concat();
    source.send_text(Method::POST, "/Users", marked).await.expect(201);
}

async fn r17_a_put_without_members_is_counted_where_it_leaves_somebody(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let body = json!({ "schemas": [GROUP], "displayName": "Crew" });
    let crew = format!("/Groups/{}", source.group("Crew", &[]).await);
    source.put(&crew, &body).await.expect(200);
    let shown = ledger(&tenant, &source, 3).await;
    assert_eq!(shown.at("/advice"), &json!([]), "nobody stayed: {}", shown.describe());
    source.patch(&crew, vec![operation("add", "members", members_value(&[&ann]))]).await.expect(204);
    let put = source.put(&crew, &body).await.expect(200);
    assert_eq!(put.at("/members/0/value"), &json!(ann), "{}", put.describe());
    let shown = ledger(&tenant, &source, 5).await;
    assert_eq!(counted(&shown, "put_without_members"), 1, "{}", shown.describe());
    assert!(shown.at("/advice").to_string().contains("members"), "{}", shown.describe());
}

async fn r18_an_empty_group_shows_an_empty_list(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let made = source.post("/Groups", &json!({ "schemas": [GROUP], "displayName": "Crew" })).await.expect(201);
    let path = format!("/Groups/{}", made.id());
    let got = source.get(&path).await.expect(200);
    let asked = source.get(&format!("{path}?attributes=members.value")).await.expect(200);
    let put = source.put(&path, &got.json).await.expect(200);
    for shown in [&made, &got, &asked, &put] {
        assert_eq!(shown.at("/members"), &json!([]), "{}", shown.describe());
    }
    let list = source.get("/Groups").await.expect(200);
    assert_eq!(list.at("/Resources/0/members"), &json!([]), "{}", list.describe());
    for without in [format!("{path}?attributes=displayName"), format!("{path}?excludedAttributes=members")] {
        let shown = source.get(&without).await.expect(200);
        assert!(shown.json.get("members").is_none(), "{}", shown.describe());
    }
    let ann = source.user("ann").await;
    source.patch(&path, vec![operation("add", "members", members_value(&[&ann]))]).await.expect(204);
    assert_eq!(source.member_ids(&made.id()).await, [ann]);
}

async fn r19_advice_is_about_what_was_doubtful(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let group = source.group("Crew", &[&ann]).await;
    source.get("/Users?filter=displayName+eq+%22ann+Example%22").await.expect(200);
    source.get("/Users?filter=externalId%20eq%20jyoung").await.expect(200);
    let by_list = operation("remove", "members", members_value(&[&ann]));
    source.patch(&format!("/Groups/{group}"), vec![by_list]).await.expect(204);
    source.patch(&format!("/Users/{ann}"), vec![operation("replace", "active", json!("true"))]).await.expect(200);
    let shown = ledger(&tenant, &source, 6).await;
    assert_eq!(shown.at("/advice"), &json!([]), "all of it works: {}", shown.describe());
    source.get("/Users?filter=userName+eq+%22a+b@acme.example%22").await.expect(200);
    let shown = ledger(&tenant, &source, 7).await;
    let advice = shown.at("/advice").to_string();
    assert!(advice.contains("%2B") && !advice.contains("Entra"), "{advice}");
}

async fn r20_a_malformed_token_is_told_what_it_is(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let url = format!("{}/Users", source.base);
    for (header, told) in [
        (None, "no SCIM token"),
        (Some("Bearer".to_owned()), "no SCIM token"),
        (Some(format!("Bearer {}", &source.token[..20])), "form of a SCIM token"),
        (Some(format!("Bearer \"{}\"", source.token)), "form of a SCIM token"),
        (Some(source.token.clone()), "form of a SCIM token"),
        (Some(format!("Basic {}", source.token)), "scheme"),
    ] {
        let mut request = hub.http().get(&url);
        if let Some(header) = &header {
            request = request.header("Authorization", header);
        }
        let refused = Answer::of(request).await.expect_scim_error(401, None);
        let detail = refused.text_at("/detail");
        assert!(detail.contains(told), "{header:?}: {detail}");
        assert!(!detail.contains(&source.token[4..]), "a secret is shown");
    }
    source.get("/Me").await.expect_scim_error(501, None);
}

async fn r20_a_malformed_key_is_told_what_it_is(hub: Hub) {
    let tenant = hub.tenant().create();
    let token = tenant.scim_source().token;
    let url = format!("{}/api/v1/members", hub.people_url());
    for (header, told) in [
        (None, "no API key"),
        (Some("Bearer ".to_owned()), "no API key"),
        (Some(format!("Bearer {}", &tenant.key[..20])), "form of an API key"),
        (Some(format!("Bearer bearer {}", tenant.key)), "form of an API key"),
        (Some(tenant.key.clone()), "form of an API key"),
        (Some(format!("Basic {}", tenant.key)), "scheme"),
        (Some(format!("Bearer {token}")), "token of a source"),
        (Some(format!("Bearer rck_{}", "x".repeat(43))), "unknown, was revoked or has expired"),
    ] {
        let mut request = hub.http().get(&url);
        if let Some(header) = &header {
            request = request.header("Authorization", header);
        }
        let refused = Answer::of(request).await.expect_problem(401);
        let detail = refused.text_at("/detail");
        assert!(detail.contains(told), "{header:?}: {detail}");
        assert!(!detail.contains(&tenant.key[4..]) && !detail.contains(&token[4..]), "a secret is shown");
    }
}
