//! Random requests: each is answered, never with a 5xx, and the next valid request succeeds. `ROLLCALL_FUZZ_CASES` is
//! their number; `make fuzz` sends 100,000.

mod admin_routes;

use std::env;

use futures_util::future::join_all;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Map, Value, json};

use admin_routes::no_random_admin_request_is_answered_by_a_fault;

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ENTERPRISE, GROUP, PATCH, ScimSource, USER, email, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![no_random_request_is_answered_by_a_fault, no_random_admin_request_is_answered_by_a_fault]
}

const USUAL_CASES: usize = 1_500;
const CLIENTS: usize = 4;
/// A few people and groups, so that random requests refer to each other's.
const NAMES: &[&str] = &["ann", "bob", "Ann", "eve", "ünï"];

async fn no_random_request_is_answered_by_a_fault(hub: Hub) {
    let fast = [("ROLLCALL_INGEST_RATE_PER_SECOND", "1000000"), ("ROLLCALL_INGEST_RATE_BURST", "1000000")];
    let own = fast.iter().fold(hub.another(), |hub, (key, value)| hub.setting(key, value)).start().await;
    let cases = number_of_cases();
    let tenants: Vec<Tenant> = (0..CLIENTS).map(|_| own.tenant().create()).collect();
    join_all(tenants.iter().map(|tenant| send_many(&own, tenant, cases / CLIENTS))).await;
}

pub(crate) fn number_of_cases() -> usize {
    env::var("ROLLCALL_FUZZ_CASES").map_or(USUAL_CASES, |cases| cases.parse().expect("a number of cases"))
}

async fn send_many(hub: &Hub, tenant: &Tenant, cases: usize) {
    let source = tenant.scim_source();
    let mut client = Client { random: hub.randomness(&tenant.slug), ids: vec!["nobody".into()] };
    for _ in 0..cases {
        client.send(&source).await;
    }
    let last = with(person("zoe"), json!({ "externalId": "ext-last" }));
    source.post("/Users", &last).await.expect(201);
    tenant.eventually_member(&email("zoe"), |member| member.status == "invited").await;
}

/// A client that sends random requests.
struct Client {
    random: StdRng,
    /// Ids of the resources it created.
    ids: Vec<String>,
}

impl Client {
    async fn send(&mut self, source: &ScimSource) {
        let (method, path, body) = self.request();
        let answer = source.send_text(method, &path, body).await;
        assert!(answer.status < 500, "{}", answer.describe());
        if answer.status >= 400 {
            answer.check_scim_error(answer.status, None).unwrap_or_else(|problem| panic!("{problem}"));
        }
        if let (201, Some(id)) = (answer.status, answer.json["id"].as_str()) {
            self.ids.push(id.to_owned());
        }
    }

    fn request(&mut self) -> (Method, String, String) {
        let kind = *["/Users", "/Groups"].choose(&mut self.random).expect("one");
        let one = format!("{kind}/{}", self.ids.choose(&mut self.random).expect("one"));
        match self.random.random_range(0..12) {
            0..3 => (Method::POST, kind.to_owned(), self.resource().to_string()),
            3 => (Method::PUT, one, self.resource().to_string()),
            4..8 => (Method::PATCH, one, self.patch().to_string()),
            8..10 => (Method::GET, format!("{kind}?{}", self.query()), String::new()),
            10 => (Method::POST, format!("{kind}/.search"), self.value(0).to_string()),
            _ => (Method::POST, "/Bulk".to_owned(), self.bulk().to_string()),
        }
    }

    /// Valid more often than not.
    fn resource(&mut self) -> Value {
        let mut resource = Map::new();
        for _ in 0..self.random.random_range(0..4) {
            let (name, value) = (self.name(), self.value(0));
            resource.insert(name, value);
        }
        let name = *NAMES.choose(&mut self.random).expect("one");
        resource.entry("schemas").or_insert_with(|| json!([USER]));
        resource.entry("userName").or_insert_with(|| json!(email(name)));
        resource.entry("displayName").or_insert_with(|| json!(name));
        Value::Object(resource)
    }

    fn patch(&mut self) -> Value {
        let operations: Vec<Value> = (0..self.random.random_range(1..4))
            .map(|_| {
                let mut operation = json!({ "op": self.choose(&["add", "Replace", "remove", "replace", "move"]) });
                if self.random.random_bool(0.7) {
                    operation["path"] = if self.random.random() { json!(self.name()) } else { json!(self.filter()) };
                }
                if self.random.random_bool(0.8) {
                    operation["value"] = self.value(0);
                }
                operation
            })
            .collect();
        json!({ "schemas": [PATCH], "Operations": operations })
    }

    fn bulk(&mut self) -> Value {
        let operations: Vec<Value> = (0..self.random.random_range(0..4))
            .map(|number| {
                let (path, data) = match self.random.random_range(0..3) {
                    0 => ("/Users".to_owned(), self.resource()),
                    1 => ("/Groups/bulkId:0".to_owned(), self.patch()),
                    _ => (format!("/Users/{}", self.ids.choose(&mut self.random).expect("one")), self.value(0)),
                };
                let method = self.choose(&["POST", "PATCH", "PUT", "DELETE", "GET"]);
                json!({ "method": method, "path": path, "bulkId": number.to_string(), "data": data })
            })
            .collect();
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
    }

    fn query(&mut self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for _ in 0..self.random.random_range(1..4) {
            let name =
                self.choose(&["filter", "count", "startIndex", "cursor", "sortBy", "attributes", "excludedAttributes"]);
            let value = if name == "filter" { self.filter() } else { self.text() };
            query.append_pair(name, &value);
        }
        query.finish()
    }

    fn filter(&mut self) -> String {
        let comparison = |client: &mut Self| {
            let operator = client.choose(&["eq", "ne", "co", "sw", "ew", "gt", "le", "pr", "Eq", "is"]);
            let value = client.choose(&[
                "\"ann\"",
                "true",
                "null",
                "5",
                "\"2020-01-01T00:00:00Z\"",
                "\"%_\\\\\"",
                "ann",
                "\"\\u0000\"",
            ]);
            format!("{} {operator} {value}", client.name())
        };
        let first = comparison(self);
        match self.random.random_range(0..6) {
            0 => format!("{first} and not ({})", comparison(self)),
            1 => format!("{first} or {}", comparison(self)),
            2 => format!("{}[{first}].{}", self.name(), self.name()),
            3 => self.text(),
            _ => first,
        }
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.random.random_range(0..if depth < 3 { 9 } else { 6 }) {
            0 => Value::Null,
            1 => json!(self.random.random::<bool>()),
            2 => json!(self.random.random::<i64>()),
            3..6 => json!(self.text()),
            6 => (0..self.random.random_range(0..3)).map(|_| self.value(depth + 1)).collect(),
            _ => {
                let size = self.random.random_range(0..4);
                Value::Object((0..size).map(|_| (self.name(), self.value(depth + 1))).collect())
            }
        }
    }

    fn name(&mut self) -> String {
        let known = [
            "userName",
            "displayName",
            "externalId",
            "active",
            "name",
            "name.givenName",
            "emails",
            "value",
            "type",
            "primary",
            "members",
            "groups",
            "id",
            "meta",
            "meta.created",
            "schemas",
            "manager",
            "roles",
            "addresses",
            "photos",
            "filter",
            "count",
            "startIndex",
            "emails[type eq \"work\"].value",
            "members[value eq \"x\"]",
            "urn:acme:1.0:User",
            "urn:acme:1.0:User:floor",
            USER,
            GROUP,
            ENTERPRISE,
            "",
        ];
        self.choose(&known).to_owned()
    }

    fn text(&mut self) -> String {
        if self.random.random_bool(0.1) {
            return (0..self.random.random_range(0..40)).map(|_| self.random.random::<char>()).collect();
        }
        if self.random.random_bool(0.2) {
            return self.ids.choose(&mut self.random).expect("one").clone();
        }
        let known = [
            "",
            "ann@acme.example",
            "True",
            "false",
            "\0",
            "work",
            "-1",
            "99999999999999999999",
            "a b",
            "%",
            "'",
            "\u{202e}x",
            "bulkId:0",
        ];
        self.choose(&known).to_owned()
    }

    fn choose<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.choose(&mut self.random).expect("one")
    }
}
