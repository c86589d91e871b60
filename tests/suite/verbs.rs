//! Building blocks of the tests: make a tenant, connect a source, send requests as an identity provider, wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::rest::Tenant;

/// Longest time for the roster to follow the directory, on a debug build with other tests running.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The only delay in the suite: the pause between two polls.
const PAUSE: Duration = Duration::from_millis(40);

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub(crate) const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Polls until `probe` answers Ok; past the deadline fails with its last error.
pub(crate) async fn within<T>(limit: Duration, what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(seen) if Instant::now() >= deadline => panic!("not within {limit:?}: {what}; last seen: {seen}"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A fresh id that the hub never gave out.
pub(crate) fn unknown_id() -> uuid::Uuid {
    static GIVEN: AtomicU64 = AtomicU64::new(1);
    uuid::Uuid::from_u64_pair(u64::from(std::process::id()) << 32, GIVEN.fetch_add(1, Ordering::Relaxed))
}

/// The request with the fields of a form, as a browser or an OAuth client sends them.
pub(crate) fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(form)
}

pub(crate) async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(TIME_LIMIT, what, probe).await
}

/// The poll's pause for code that is not async.
pub(crate) fn blocking_pause() {
    std::thread::sleep(PAUSE);
}

/// `ann` is `ann@acme.example` in every tenant: tenants share no names.
pub(crate) fn email(name: &str) -> String {
    format!("{name}@acme.example")
}

/// A person as a well-behaved identity provider posts one.
pub(crate) fn person(name: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": email(name),
        "externalId": format!("ext-{name}"),
        "name": { "givenName": name, "familyName": "Example" },
        "displayName": format!("{name} Example"),
        "emails": [{ "type": "work", "value": email(name), "primary": true }],
        "active": true
    })
}

/// `value` with the keys of `changes` set; a `null` removes the key.
pub(crate) fn with(mut value: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    let object = value.as_object_mut().unwrap();
    for (key, change) in changes {
        if change.is_null() {
            object.remove(&key);
        } else {
            object.insert(key, change);
        }
    }
    value
}

/// `{"op": …, "path": …, "value": …}`
pub(crate) fn operation(op: &str, path: &str, value: Value) -> Value {
    json!({ "op": op, "path": path, "value": value })
}

pub(crate) fn patch(operations: Vec<Value>) -> Value {
    json!({ "schemas": [PATCH], "Operations": operations })
}

pub(crate) fn members_value(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

/// `rollcall tenant create`, with an unmanaged owner unless a test names another one.
pub(crate) struct TenantBuilder {
    hub: Hub,
    seats: u32,
    owner: Option<String>,
    policy: Vec<String>,
}

impl TenantBuilder {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, seats: 1_000, owner: None, policy: Vec::new() }
    }

    pub(crate) fn seats(mut self, seats: u32) -> Self {
        self.seats = seats;
        self
    }

    /// An unmanaged, active member with the role owner, who is the billing contact too. Takes a seat.
    pub(crate) fn owner(mut self, email: &str) -> Self {
        self.owner = Some(email.to_owned());
        self
    }

    pub(crate) fn policy(mut self, key: &str, value: &str) -> Self {
        self.policy.push(format!("{key}={value}"));
        self
    }

    pub(crate) fn create(self) -> Tenant {
        let seats = self.seats.to_string();
        let name = format!("Acme {}", unknown_id().simple());
        let mut arguments = vec!["tenant", "create", "--name", &name, "--seats", &seats];
        if let Some(owner) = &self.owner {
            arguments.extend(["--owner", owner]);
        }
        for policy in &self.policy {
            arguments.extend(["--policy", policy]);
        }
        let made = self.hub.json_command(&arguments);
        let slug = text(&made, "slug");
        let key = self.hub.json_command(&["api-key", "create", "--tenant", &slug, "--role", "owner"]);
        Tenant { id: text(&made, "tenant_id"), key: text(&key, "key"), slug, hub: self.hub }
    }
}

/// `rollcall source create --kind scim`.
pub(crate) struct SourceBuilder {
    tenant: Tenant,
    more: Vec<String>,
}

impl SourceBuilder {
    pub(crate) fn new(tenant: Tenant) -> Self {
        Self { tenant, more: Vec::new() }
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.more.push(argument.to_owned());
        self
    }

    pub(crate) fn create(self) -> ScimSource {
        let tenant = self.tenant;
        let mut arguments = vec!["source", "create", "--tenant", &tenant.slug, "--kind", "scim"];
        if !self.more.iter().any(|argument| argument == "--mode") {
            arguments.extend(["--mode", "live"]);
        }
        arguments.extend(self.more.iter().map(String::as_str));
        let made = tenant.hub.json_command(&arguments);
        let id = text(&made, "source_id");
        ScimSource {
            base: format!("{}/scim/v2/{id}", tenant.hub.machines_url()),
            token: text(&made, "token"),
            token_id: made["token_id"].as_str().map(str::to_owned),
            endpoint: text(&made, "scim_endpoint"),
            id,
            hub: tenant.hub.clone(),
        }
    }
}

#[track_caller]
fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}")).to_owned()
}

/// The identity provider's side of one SCIM connection.
#[derive(Clone)]
pub(crate) struct ScimSource {
    pub(crate) hub: Hub,
    pub(crate) id: String,
    pub(crate) base: String,
    /// As printed by the command, for an admin to paste.
    pub(crate) endpoint: String,
    pub(crate) token: String,
    pub(crate) token_id: Option<String>,
}

impl ScimSource {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.hub
            .http()
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .header("content-type", "application/scim+json")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send_text(method, path, body.to_string()).await
    }

    /// Sends a body that need not be JSON.
    pub(crate) async fn send_text(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(method, path).body(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, operations: Vec<Value>) -> Answer {
        self.send(Method::PATCH, path, &patch(operations)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Posts a person and returns the id.
    pub(crate) async fn user(&self, name: &str) -> String {
        self.post("/Users", &person(name)).await.expect(201).id()
    }

    /// Posts people one after the other; ids in the same order.
    pub(crate) async fn users(&self, names: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for name in names {
            ids.push(self.user(name).await);
        }
        ids
    }

    /// Posts a group with these users and returns the id.
    pub(crate) async fn group(&self, name: &str, user_ids: &[&str]) -> String {
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members_value(user_ids) });
        self.post("/Groups", &body).await.expect(201).id()
    }

    /// Deactivates in Entra's default form.
    pub(crate) async fn deactivate(&self, id: &str) -> Answer {
        self.patch(&format!("/Users/{id}"), vec![operation("Replace", "active", json!("False"))]).await
    }

    pub(crate) async fn activate(&self, id: &str) -> Answer {
        self.patch(&format!("/Users/{id}"), vec![operation("Replace", "active", json!("True"))]).await
    }

    /// Ids of a directory group's members, sorted.
    pub(crate) async fn member_ids(&self, group: &str) -> Vec<String> {
        let answer = self.get(&format!("/Groups/{group}")).await.expect(200);
        let members = answer.at("/members").as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> =
            members.iter().map(|member| member["value"].as_str().unwrap_or_default().to_owned()).collect();
        ids.sort();
        ids
    }

    /// Every resource of a list, through all its pages.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        loop {
            let page = self.get(&format!("{path}?startIndex={}&count=100", found.len() + 1)).await.expect(200);
            let resources = page.at("/Resources").as_array().cloned().unwrap_or_default();
            let total = page.at("/totalResults").as_u64().unwrap_or_else(|| panic!("no total: {}", page.describe()));
            let is_last = resources.is_empty();
            found.extend(resources);
            if is_last || found.len() as u64 >= total {
                return found;
            }
        }
    }

    /// The filter's matches, by id, sorted. `filter` is not yet percent-encoded.
    pub(crate) async fn find(&self, path: &str, filter: &str) -> Vec<String> {
        let encoded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let answer = self.get(&format!("{path}?filter={encoded}")).await.expect(200);
        assert_eq!(answer.at("/schemas"), &json!([LIST]), "{}", answer.describe());
        let resources = answer.at("/Resources").as_array().cloned().unwrap_or_default();
        assert_eq!(answer.at("/totalResults"), resources.len(), "{}", answer.describe());
        let mut ids: Vec<String> =
            resources.iter().map(|resource| resource["id"].as_str().unwrap_or_default().to_owned()).collect();
        ids.sort();
        ids
    }

    /// The filter matches exactly these ids.
    pub(crate) async fn expect_found(&self, path: &str, filter: &str, ids: &[&str]) {
        let mut wanted: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        wanted.sort();
        assert_eq!(self.find(path, filter).await, wanted, "{path}?filter={filter}");
    }
}
