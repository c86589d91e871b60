//! Random requests to every route of the REST API, by the router's own table.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::number_of_cases;
use crate::answer::Answer;
use crate::hub::Hub;
use crate::rest::Tenant;
use crate::routes::{Ids, Route, table};
use crate::verbs::{ScimSource, email, person};

const PARAMETERS: &[&str] = &[
    "limit",
    "cursor",
    "email",
    "status",
    "state",
    "kind",
    "subject_id",
    "source_id",
    "member_id",
    "dispute",
    "ignored",
    "with",
    "external_id",
    "people",
    "days",
    "limt",
];

/// Parts of bodies: each key with values that some route takes, so that requests get past parsing.
const KEYS: &[(&str, &[&str])] = &[
    ("billing_contact", &["true", "false"]),
    ("digest", &["\"0\""]),
    ("display_name", &["\"Ann\"", "null"]),
    ("dry_run", &["true", "false"]),
    ("email", &["\"ann@acme.example\"", "\"new@acme.example\"", "\"none\""]),
    ("expires_at", &["\"2999-01-01T00:00:00Z\"", "\"+262142-12-31T23:59:59Z\"", "\"-262143-01-01T00:00:00Z\"", "null"]),
    ("mapping", &["{}", "{\"email\": \"user.userName\"}", "{\"display_name\": \"\\\"\\\\u0000\\\"\"}"]),
    ("member_ids", &["[]", "[\"$id\"]", "[\"$id\", \"$id\"]"]),
    (
        "members",
        &["[]", "[{\"email\": \"ann@acme.example\"}, {\"email\": \"else@acme.example\", \"role\": \"admin\"}]"],
    ),
    ("message", &["\"Welcome\"", "null"]),
    ("mode", &["\"live\"", "\"simulate\"", "\"off\""]),
    ("modified_at", &["\"2026-01-01T00:00:00Z\"", "\"+262142-12-31T23:59:59Z\""]),
    ("name", &["\"okta\""]),
    ("note", &["\"later\"", "null"]),
    ("overlap_seconds", &["0", "7776000", "4294967295"]),
    ("plain_discovery", &["true", "false"]),
    ("people", &["\"keep\"", "\"remove\""]),
    ("role", &["\"owner\"", "\"member\""]),
    ("sample", &["1", "100000"]),
    ("source_id", &["\"$id\""]),
    ("user_id", &["\"$id\""]),
    ("users_only", &["true", "false"]),
    ("version", &["1", "2", "9223372036854775807"]),
];

const POLICY: &[(&str, &[&str])] = &[
    ("approval", &["true", "false"]),
    ("adopt_existing", &["true", "false"]),
    ("seat_order", &["\"email\"", "\"announced\""]),
    ("pre_create_sharing_keys", &["true", "false"]),
    ("removal_limit", &["{\"count\": 4294967295}", "{\"percent\": 100, \"window_hours\": 720}"]),
    ("creation_limit", &["null", "{\"count\": 0}"]),
    ("modification_limit", &["null", "{\"count\": 1, \"percent\": 0}"]),
    ("protected_members", &["[]", "[\"$id\"]"]),
    ("quarantine_after", &["1", "4294967295", "null"]),
    ("seat_cap", &["0", "4294967295", "null"]),
    ("group_scope", &["null", "{\"names\": [\"Pilots\"]}", "{\"prefixes\": [\"\\u202e\"]}"]),
    ("email_attribute", &["\"userName\"", "\"emails[type eq \\\"work\\\"]\"", "null"]),
    ("mapping", &["{\"given_name\": \"user[\\\"\\\\u0000\\\"]\"}", "{\"given_name\": \"\\\"\\\\u0000\\\"\"}", "{}"]),
    ("local_attributes", &["[\"display_name\"]", "[]"]),
    ("put_without_members", &["\"keep\"", "\"empty\""]),
    ("sources", &["{\"$id\": {\"approval\": true}}", "{\"$id\": null}", "{}"]),
];

const TEXTS: &[&str] = &[
    "",
    "ann@acme.example",
    "held",
    "active",
    "0",
    "-1",
    "201",
    "99999999999999999999",
    "true",
    "%",
    "'",
    "\u{202e}",
    "a\0b",
];

pub(super) async fn no_random_admin_request_is_answered_by_a_fault(hub: Hub) {
    let roomy = [("ROLLCALL_ADMIN_RATE_PER_SECOND", "1000000"), ("ROLLCALL_ADMIN_RATE_BURST", "1000000")];
    let own = roomy.iter().fold(hub.another(), |hub, (key, value)| hub.setting(key, value)).start().await;
    let tenant = own.tenant().create();
    let source = tenant.scim_source();
    let mut client = Client::of(&tenant, &source).await;
    for _ in 0..number_of_cases() {
        client.send(&tenant).await;
    }
    // Any policy can be set back afterwards, and the hub goes on.
    let policy = json!({ "policy": client.policy, "version": version(&tenant).await });
    tenant.send(Method::PUT, "/api/v1/policy", Some(&policy)).await.expect(200);
    let taken = json!({ "mode": "live", "users_only": false });
    tenant.send(Method::PATCH, &format!("/api/v1/sources/{}", source.id), Some(&taken)).await.expect(200);
    source.post("/Users", &person("zoe")).await.expect(201);
    tenant.eventually_member(&email("zoe"), |member| member.status == "invited").await;
}

async fn version(tenant: &Tenant) -> Value {
    tenant.get("/api/v1/policy").await.expect(200).at("/version").clone()
}

/// An admin that sends random requests.
struct Client {
    random: StdRng,
    routes: Vec<Route>,
    ids: Ids,
    policy: Value,
}

impl Client {
    async fn of(tenant: &Tenant, source: &ScimSource) -> Self {
        let user = source.user("ann").await;
        let group = source.group("Pilots", &[&user]).await;
        let sharing_group = tenant.eventually_group("Pilots", &[&email("ann")]).await.id;
        let ids = Ids {
            source: source.id.clone(),
            user,
            group,
            member: tenant.members().await.remove(0).id,
            sharing_group,
            run: tenant.runs().await.remove(0).id,
            // The only token stays.
            token: crate::verbs::unknown_id().to_string(),
        };
        Self {
            random: tenant.hub.randomness(&tenant.slug),
            routes: table(&tenant.hub).into_iter().filter(|route| route.auth == "api").collect(),
            ids,
            policy: tenant.get("/api/v1/policy").await.expect(200).at("/policy").clone(),
        }
    }

    async fn send(&mut self, tenant: &Tenant) {
        let index = self.random.random_range(0..self.routes.len());
        let (path, body) = (self.path(index), self.body());
        let method = self.routes[index].method();
        let request = tenant.hub.http().request(method, format!("{}{path}", tenant.hub.people_url()));
        let answer = Answer::of(request.bearer_auth(&tenant.key).body(body.clone())).await;
        assert!(answer.status < 500, "{body}: {}", answer.describe());
        if answer.status >= 400 {
            answer.check_problem(answer.status).unwrap_or_else(|problem| panic!("{body}: {problem}"));
        }
    }

    fn path(&mut self, index: usize) -> String {
        let ids = if self.random.random_bool(0.9) { self.ids.clone() } else { Ids::all("%00") };
        let path = self.routes[index].filled(&ids);
        if self.random.random_bool(0.3) {
            return path;
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for _ in 0..self.random.random_range(1..3) {
            let name = *PARAMETERS.choose(&mut self.random).expect("one");
            query.append_pair(name, &self.text());
        }
        format!("{path}?{}", query.finish())
    }

    fn body(&mut self) -> String {
        if self.random.random_bool(0.1) {
            return self.text();
        }
        let mut body = self.object(KEYS);
        if self.random.random_bool(0.3) {
            body.retain(|key, _| key == "version");
            body.insert("policy".to_owned(), Value::Object(self.object(POLICY)));
        }
        Value::Object(body).to_string()
    }

    /// Mostly one key, because no body takes many of them at once.
    fn object(&mut self, keys: &[(&str, &[&str])]) -> Map<String, Value> {
        let count = *[0, 1, 1, 1, 2].choose(&mut self.random).expect("one");
        let mut object = Map::new();
        for _ in 0..count {
            let (key, values) = *keys.choose(&mut self.random).expect("one");
            let good = values.choose(&mut self.random).expect("one").replace("$id", &self.id());
            let good = serde_json::from_str(&good).unwrap_or_else(|e| panic!("{good}: {e}"));
            let value = if self.random.random_bool(0.8) { good } else { json!(self.text()) };
            object.insert(key.to_owned(), value);
        }
        object
    }

    fn id(&mut self) -> String {
        let Ids { source, user, group, member, .. } = self.ids.clone();
        [source, user, group, member, "nobody".to_owned()].choose(&mut self.random).expect("one").clone()
    }

    fn text(&mut self) -> String {
        match self.random.random_range(0..10) {
            0 => (0..self.random.random_range(0..40)).map(|_| self.random.random::<char>()).collect(),
            1..4 => self.id(),
            _ => (*TEXTS.choose(&mut self.random).expect("one")).to_owned(),
        }
    }
}
