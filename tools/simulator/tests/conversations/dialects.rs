//! Each dialect's characteristic requests, byte for byte as in the vendors' pages and captures.
//!
//! The server accepts everything and understands almost nothing, so only the requests are checked here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::scripted::{Heard, Reply, error, list, scripted};
use rollcall_simulator::{Idp, Options, Phase};
use serde_json::{Value, json};

const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":["#;

/// A server that accepts everything.
async fn accepting() -> (String, Arc<Mutex<Vec<Heard>>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
    scripted(Box::new(move |heard, before| accept(heard, before, &mut store.lock().expect("not poisoned")))).await
}

/// Requests of a whole lifecycle with deletion, with the server's ids replaced by `ID`.
async fn lifecycle(idp: Idp) -> Vec<Heard> {
    let (url, heard) = accepting().await;
    let mut options = Options::new(idp, url, "t");
    options.users = 24;
    options.groups = Some(16);
    options.concurrency = 1;
    options.phases.push(Phase::Delete);
    rollcall_simulator::run(options, &mut Vec::new()).await.expect("a report");
    let heard = heard.lock().expect("not poisoned").clone();
    heard
        .into_iter()
        .map(|request| Heard { body: without_ids(&request.body), target: without_ids(&request.target), ..request })
        .collect()
}

fn accept(heard: &Heard, before: usize, store: &mut BTreeMap<String, Value>) -> Reply {
    let path = heard.target.trim_start_matches("/scim/v2/source/");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let id = path.split_once('/').map(|(_, id)| id.to_owned()).filter(|id| !id.is_empty());
    match (heard.method.as_str(), id) {
        ("POST", _) => {
            let id = format!("id-{before:06}");
            let place = format!("http://h/{path}/{id}");
            let mut body: Value = serde_json::from_str(&heard.body).expect("a JSON body");
            body["id"] = json!(id);
            body["meta"] = json!({ "location": place });
            store.insert(id, body.clone());
            Reply::scim(201, &body).header("location", &place)
        }
        ("PUT", Some(id)) => {
            let mut body: Value = serde_json::from_str(&heard.body).expect("a JSON body");
            body["id"] = json!(id);
            store.insert(id, body.clone());
            Reply::scim(200, &body)
        }
        ("PATCH", _) => Reply { status: 204, headers: Vec::new(), body: String::new() },
        ("DELETE", Some(id)) => {
            store.remove(&id);
            Reply { status: 204, headers: Vec::new(), body: String::new() }
        }
        (_, Some(id)) => store.get(&id).map_or_else(|| Reply::scim(404, &error(404)), |body| Reply::scim(200, body)),
        (_, None) => Reply::scim(200, &list(&matching(path, query, store))),
    }
}

/// Resources whose user name or display name occurs in the filter.
fn matching(path: &str, query: &str, store: &BTreeMap<String, Value>) -> Vec<Value> {
    let pairs: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let kind = if path.starts_with("Users") { "userName" } else { "displayName" };
    let all = store.values().filter(|resource| resource.get("userName").is_some() == (kind == "userName"));
    match pairs.get("filter") {
        None => all.cloned().collect(),
        Some(filter) => all
            .filter(|resource| {
                let name = serde_json::to_string(&resource[kind]).expect("JSON");
                filter.contains(&name)
            })
            .cloned()
            .collect(),
    }
}

fn without_ids(text: &str) -> String {
    let mut parts = text.split("id-");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_id = part.len() >= 6 && part.as_bytes()[..6].iter().all(u8::is_ascii_digit);
        clean.push_str(if is_id { "ID" } else { "id-" });
        clean.push_str(if is_id { &part[6..] } else { part });
    }
    clean
}

fn says(heard: &[Heard], method: &str, path: &str, body: &str) {
    let full = if body.starts_with("{\"op\"") || body.starts_with("{\"value\"") {
        format!("{PATCH}{body}]}}")
    } else {
        body.to_owned()
    };
    let found =
        heard.iter().any(|request| request.method == method && request.target.contains(path) && request.body == full);
    let same: Vec<&str> = heard
        .iter()
        .filter(|request| request.method == method && request.target.contains(path))
        .map(|request| request.body.as_str())
        .collect();
    assert!(found, "no {method} {path} with {full}\namong\n{}", same.join("\n"));
}

fn asks(heard: &[Heard], target: &str) {
    let asked = heard.iter().any(|request| request.method == "GET" && request.target.contains(target));
    assert!(asked, "nobody asked {target}");
}

/// The first request about any person is the look-up, and the create follows it.
fn looks_up_before_it_creates(heard: &[Heard]) {
    let first = heard.iter().position(|request| request.method == "POST" && request.target.ends_with("/Users"));
    let first = first.expect("somebody is created");
    assert_eq!(heard[first - 1].method, "GET");
    assert!(heard[first - 1].target.contains("filter="), "{}", heard[first - 1].target);
}

fn never(heard: &[Heard], method: &str, path: &str) {
    let sent = heard.iter().find(|request| request.method == method && request.target.contains(path));
    assert!(sent.is_none(), "{method} {path} was sent: {}", sent.map_or("", |request| &request.body));
}

#[tokio::test]
async fn dw4_okta_speaks_as_its_reference_prints() {
    let heard = lifecycle(Idp::Okta).await;
    looks_up_before_it_creates(&heard);
    asks(&heard, "/Users?count=1&startIndex=1");
    asks(&heard, "/Groups?startIndex=1&count=100");
    says(&heard, "PATCH", "/Users/", r#"{"op":"replace","value":{"active":false}}"#);
    says(&heard, "PATCH", "/Groups/", r#"{"op":"replace","path":"members","value":[]}"#);
    says(&heard, "PATCH", "/Groups/", r#"{"op":"replace","value":{"id":"ID","displayName":"All staff"}}"#);
    let change =
        heard.iter().find(|request| request.body.contains(r#"{"op":"remove","path":"members[value eq \"ID\"]"}"#));
    let change = change.expect("a member is removed by filter");
    assert!(
        change.body.contains(r#"{"op":"add","path":"members","value":[{"value":"ID","display":""#),
        "{}",
        change.body
    );
    let group = heard.iter().find(|request| request.method == "POST" && request.target.ends_with("/Groups"));
    assert_eq!(
        group.expect("a group").body,
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"All staff","members":[]}"#
    );
    never(&heard, "DELETE", "/Users/");
    assert!(heard.iter().any(|request| request.method == "PUT" && request.body.contains("\"id\":\"ID\"")));
}

#[tokio::test]
async fn dw4_oktas_custom_app_puts_everything() {
    let heard = lifecycle(Idp::OktaCustom).await;
    never(&heard, "PATCH", "/");
    assert!(heard.iter().any(|request| request.method == "PUT" && request.body.contains(r#""active":false"#)));
    assert!(heard.iter().any(|request| request.method == "PUT" && request.target.contains("/Groups/")));
}

#[tokio::test]
async fn dw5_entra_speaks_as_microsoft_prints() {
    let heard = lifecycle(Idp::Entra).await;
    looks_up_before_it_creates(&heard);
    asks(&heard, "/Groups?excludedAttributes=members&filter=displayName+eq+%22");
    asks(&heard, "/Users?filter=externalId+eq+%22");
    asks(&heard, "/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22");
    asks(&heard, "/Groups/ID?excludedAttributes=members");
    says(&heard, "PATCH", "/Users/", r#"{"op":"Replace","path":"active","value":"False"}"#);
    says(&heard, "PATCH", "/Users/", r#"{"op":"Replace","path":"active","value":"True"}"#);
    says(&heard, "PATCH", "/Groups/", r#"{"op":"Remove","path":"members","value":[{"$ref":null,"value":"ID"}]}"#);
    says(
        &heard,
        "PATCH",
        "/Groups/",
        r#"{"op":"Add","path":"members","value":[{"$ref":null,"value":"ID"},{"$ref":null,"value":"ID"}]}"#,
    );
    says(
        &heard,
        "PATCH",
        "/Users/",
        r#"{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"ID"}"#,
    );
    let bodies = || heard.iter().map(|request| request.body.as_str());
    assert!(
        bodies()
            .any(|body| body.contains(r#"{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"+1555"#))
    );
    assert!(
        bodies().any(|body| { body.contains(r#"{"op":"Replace","path":"emails[type eq \"work\"].value","value":""#) })
    );
    assert!(bodies().any(|body| body.contains(r#"{"op":"Add","path":"manager","value":[{"$ref":"http://"#)));
    assert!(bodies().any(|body| body.contains(r#""active":"True""#)));
    assert!(
        bodies()
            .any(|body| { body.contains("http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group") })
    );
    assert!(heard.iter().any(|request| request.method == "DELETE" && request.target.contains("/Users/")));
}

#[tokio::test]
async fn dw5_entra_with_the_flag_is_lower_case_with_urn_keys() {
    let heard = lifecycle(Idp::EntraFlag).await;
    says(&heard, "PATCH", "/Users/", r#"{"op":"replace","path":"active","value":false}"#);
    says(&heard, "PATCH", "/Groups/", r#"{"op":"remove","path":"members[value eq \"ID\"]"}"#);
    let bodies = || heard.iter().map(|request| request.body.as_str());
    assert!(bodies().any(|body| body.contains(r#""name.familyName":""#)));
    assert!(bodies().any(|body| body.contains(
        r#"{"op":"add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":"ID"}}"#
    )));
    assert!(!bodies().any(|body| body.contains(r#""op":"A"#) || body.contains(r#""op":"R"#)));
    assert!(heard.iter().all(|request| request.target.contains("?aadOptscim062020")));
}

#[tokio::test]
async fn onelogin_speaks_in_its_key_order() {
    let heard = lifecycle(Idp::OneLogin).await;
    looks_up_before_it_creates(&heard);
    asks(&heard, "/Users?filter=userName%20eq%20%22never-existing-user%22");
    asks(&heard, "/Groups?count=100&startIndex=1");
    says(&heard, "PATCH", "/Groups/", r#"{"value":[{"value":"ID"}],"op":"add","path":"members"}"#);
    says(&heard, "PATCH", "/Groups/", r#"{"value":[{"value":"ID"}],"op":"remove","path":"members"}"#);
    let post = heard.iter().find(|request| request.method == "POST" && request.target.ends_with("/Users"));
    assert!(post.expect("a create").body.starts_with(r#"{"userName":""#));
    assert!(heard.iter().any(|request| request.body.contains(r#""externalId":null"#)));
    let group = heard.iter().find(|request| request.method == "POST" && request.target.ends_with("/Groups"));
    assert_eq!(
        group.expect("a group").body,
        r#"{"displayName":"All staff","schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}"#
    );
    // A leaver is removed from the groups before the account is disabled.
    let off = heard.iter().position(|request| request.method == "PUT" && request.body.contains(r#""active":false"#));
    let out = heard.iter().rposition(|request| request.body.contains(r#""op":"remove""#));
    assert!(out < off, "removed at {out:?}, switched off at {off:?}");
}

#[tokio::test]
async fn jumpcloud_creates_and_deletes_in_its_connection_test() {
    let heard = lifecycle(Idp::JumpCloud).await;
    let minimal = heard.iter().find(|request| request.method == "PUT").expect("the minimal PUT");
    assert_eq!(
        minimal.body,
        concat!(
            r#"{"active":true,"emails":null,"id":"ID","name":{"familyName":"lastname","givenName":"firstname"},"#,
            r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jumpcloud.test.1@example.test"}"#
        )
    );
    assert!(heard.iter().any(|request| request.method == "DELETE" && request.target.contains("/Users/")));
    assert!(heard.iter().any(|request| request.method == "DELETE" && request.target.contains("/Groups/")));
    says(&heard, "PATCH", "/Groups/", r#"{"op":"remove","path":"members","value":[{"value":"ID"}]}"#);
    let full = heard.iter().find(|request| request.body.contains("\"photos\"")).expect("the full PUT");
    assert!(full.body.contains(r#""addresses":[]"#), "{}", full.body);
    assert!(full.body.contains(r#""photos":[{"value":"#), "{}", full.body);
}

#[tokio::test]
async fn ping_never_patches_and_asks_in_three_forms() {
    let heard = lifecycle(Idp::Ping).await;
    never(&heard, "PATCH", "/");
    asks(&heard, "/Users?filter=userName%20eq%20%22");
    asks(&heard, "/Users?filter=emails%20eq%20%22");
    asks(&heard, "/Users?filter=username%20Eq%20%22");
    let puts = heard.iter().filter(|request| request.method == "PUT" && request.target.contains("/Groups/"));
    for put in puts {
        assert!(!put.body.contains("externalId") && !put.body.contains("\"id\""), "{}", put.body);
    }
    let primaries = |body: &str| body.matches(r#""primary":true"#).count();
    assert!(heard.iter().any(|request| request.method == "POST" && primaries(&request.body) == 2));
    assert!(heard.iter().any(|request| request.method == "POST" && request.body.contains(r#""active":false"#)));
}

#[tokio::test]
async fn dw8_a_second_session_goes_on_where_the_first_one_stopped() {
    let (url, heard) = accepting().await;
    let mut options = Options::new(Idp::Ping, url, "t");
    options.users = 24;
    let first = rollcall_simulator::run(options.clone(), &mut Vec::new()).await.expect("a report");
    let before = heard.lock().expect("not poisoned").len();
    let second = rollcall_simulator::run(options, &mut Vec::new()).await.expect("a report");
    assert_eq!(second.defects().count(), 0, "{second}");
    let again = heard.lock().expect("not poisoned").split_off(before);
    let created = again.iter().filter(|request| request.method == "POST" && request.target.ends_with("/Users"));
    assert_eq!(created.count(), 0, "nobody is made twice");
    let ids = |report: &rollcall_simulator::Report| -> Vec<_> {
        report.expected.users.iter().map(|user| user.id.clone()).collect()
    };
    assert_eq!(ids(&first), ids(&second));
}
