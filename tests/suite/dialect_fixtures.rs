//! Sends every request shape in `crates/scim/fixtures` to a running hub and compares the stored, found and counted data with
//! the golden result. The fixtures name people `u1`, `u2`, `a`, `b` and the group `g1`; here they are real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{ENTERPRISE, GROUP, ScimSource, USER, eventually, members_value, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![every_dialect_fixture_is_stored_as_its_golden_result_says]
}

/// People of the group fixtures, and one whom they never name.
const PEOPLE: [&str; 4] = ["u1", "u2", "a", "b"];
const BYSTANDER: &str = "bystander";

struct Stage {
    source: ScimSource,
    /// Ids by the names of the fixtures.
    ids: BTreeMap<String, String>,
}

async fn every_dialect_fixture_is_stored_as_its_golden_result_says(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let mut ids = BTreeMap::new();
    for name in PEOPLE.into_iter().chain([BYSTANDER]) {
        ids.insert(name.to_owned(), source.user(&format!("stage-{name}")).await);
    }
    let stage = Stage { source, ids };
    let (mut wrong, mut played, mut quirks) = (Vec::new(), 0, BTreeMap::new());
    for (name, fixture) in fixtures() {
        if let Err(problem) = stage.play(&fixture).await {
            wrong.push(format!("{name}: {problem}"));
        }
        for (quirk, count) in fixture["quirks"].as_object().into_iter().flatten() {
            *quirks.entry(quirk.clone()).or_insert(0) += count.as_u64().unwrap_or(0);
        }
        played += 1;
    }
    assert!(wrong.is_empty(), "{} of {played} fixtures:\n{}", wrong.len(), wrong.join("\n"));
    assert!(played >= 60, "only {played} fixtures were found");
    eventually("the ledger has counted what the fixtures note", async || {
        let shown = tenant.get(&format!("/api/v1/sources/{}/dialect", stage.source.id)).await.expect(200);
        let rows = shown.at("/quirks").as_array().cloned().unwrap_or_default();
        let counted: BTreeMap<String, u64> = rows
            .iter()
            .map(|row| (row["quirk"].as_str().unwrap_or_default().to_owned(), row["count"].as_u64().unwrap_or(0)))
            .collect();
        if counted == quirks { Ok(()) } else { Err(format!("is {counted:?}\n must {quirks:?}")) }
    })
    .await;
}

/// Each fixture under its name, in the order of the names.
fn fixtures() -> BTreeMap<String, Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/scim/fixtures");
    let mut found = BTreeMap::new();
    for folder in std::fs::read_dir(&root).unwrap().flatten() {
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let name = format!("{}/{}", folder.file_name().display(), file.file_name().display());
            found.insert(name, serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap());
        }
    }
    found
}

fn check(fits: bool, answer: &Answer, wanted: &Value) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("must be {wanted}: {}", answer.describe())) }
}

/// The attributes a client gave, without what the server adds.
fn given_by_client(resource: &Value) -> Value {
    let mut attributes = resource.as_object().cloned().unwrap_or_default();
    ["id", "meta", "schemas", "groups", "members"].iter().for_each(|name| drop(attributes.remove(*name)));
    Value::Object(attributes)
}

impl Stage {
    async fn play(&self, fixture: &Value) -> Result<(), String> {
        let request = &fixture["request"];
        let collection = if request["path"].as_str().unwrap().starts_with("/Users") { "/Users" } else { "/Groups" };
        match request["method"].as_str().unwrap() {
            "GET" => self.look_up(collection, fixture).await,
            method => self.write(method.parse().unwrap(), collection, fixture).await,
        }
    }

    /// Replaces the people's names by their ids.
    fn cast(&self, value: &Value) -> Value {
        let quotes = [("\"", "\""), ("\\\"", "\\\"")];
        let text = self.ids.iter().fold(value.to_string(), |text, (name, id)| {
            quotes.iter().fold(text, |text, (open, close)| {
                text.replace(&format!("{open}{name}{close}"), &format!("{open}{id}{close}"))
            })
        });
        serde_json::from_str(&text).unwrap()
    }

    async fn write(&self, method: Method, collection: &str, fixture: &Value) -> Result<(), String> {
        let is_group = collection == "/Groups";
        let fixture = if is_group { self.cast(fixture) } else { fixture.clone() };
        let (request, golden) = (&fixture["request"], &fixture["read"]);
        let inside = self.members_before(golden);
        let mut path = collection.to_owned();
        if method != Method::POST {
            let before = self.before(collection, &fixture, &inside);
            path = format!("{collection}/{}", self.source.post(collection, &before).await.expect(201).id());
        }
        let query = request["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
        let answer = self.source.send(method.clone(), &format!("{path}{query}"), &request["body"]).await;
        if let Some(error) = golden["error"].as_object() {
            return check(answer.json == Value::Object(error.clone()), &answer, &golden["error"]);
        }
        let status = match (method == Method::POST, method == Method::PATCH && is_group) {
            (true, _) => 201,
            (_, true) => 204,
            _ => 200,
        };
        check(answer.status == status, &answer, &json!(status))?;
        if method == Method::POST {
            path = format!("{collection}/{}", answer.id());
        }
        let stored = self.source.get(&path).await.expect(200);
        check(given_by_client(&stored.json) == golden["attributes"], &stored, &golden["attributes"])?;
        if is_group {
            let wanted = members_after(golden, if method == Method::POST { BTreeSet::new() } else { inside });
            let members = stored.at("/members").as_array().into_iter().flatten();
            let members: BTreeSet<String> =
                members.filter_map(|one| one["value"].as_str().map(str::to_owned)).collect();
            check(members == wanted, &stored, &json!(wanted))?;
        } else {
            // A later fixture may have the same userName.
            let active = golden.get("active").unwrap_or(&golden["attributes"]["active"]);
            check(stored.at("/active") == active, &stored, active)?;
        }
        self.source.delete(&path).await.expect(204);
        Ok(())
    }

    /// The members before: the person who is never named, and all who are to leave.
    fn members_before(&self, golden: &Value) -> BTreeSet<String> {
        let changes = golden["changes"].as_array().into_iter().flatten();
        let leaving = changes.flat_map(|change| names(&change["remove"]));
        leaving.chain([self.ids[BYSTANDER].clone()]).collect()
    }

    /// The resource before: as the fixture gives it, or one for a PUT to replace.
    fn before(&self, collection: &str, fixture: &Value, inside: &BTreeSet<String>) -> Value {
        let given = fixture["given"]["attributes"].clone();
        if collection == "/Users" {
            let other = json!({ "userName": "before@acme.example", "title": "Before" });
            return with(if given.is_null() { other } else { given }, json!({ "schemas": [USER, ENTERPRISE] }));
        }
        let members: Vec<&str> = inside.iter().map(String::as_str).collect();
        let group = if given.is_null() { json!({ "displayName": "Before" }) } else { given };
        with(group, json!({ "schemas": [GROUP], "members": members_value(&members) }))
    }

    /// A look-up finds the expected resource, as the filter in the golden result does, in a page of that size.
    async fn look_up(&self, collection: &str, fixture: &Value) -> Result<(), String> {
        let golden = &fixture["read"];
        let filter = golden["filter"].as_str().unwrap_or_default();
        let asked_for: Map<String, Value> = ["userName", "displayName"]
            .iter()
            .filter_map(|name| {
                let value = filter.strip_prefix(&format!("{name} eq "))?;
                Some(((*name).to_owned(), serde_json::from_str(value).ok()?))
            })
            .collect();
        let person = json!({
            "schemas": [USER, ENTERPRISE], "userName": "ada@example.com", "externalId": "jyoung",
            "emails": [{ "type": "work", "value": "ada@example.com" }], ENTERPRISE: { "manager": { "value": "m1" } },
        });
        let group = json!({ "schemas": [GROUP], "displayName": "G", "members": members_value(&[&self.ids["u1"]]) });
        let sought = with(if collection == "/Users" { person } else { group }, Value::Object(asked_for));
        let id = self.source.post(collection, &sought).await.expect(201).id();
        let (user, group) = if collection == "/Users" { (&id, "") } else { (&self.ids["u1"], id.as_str()) };
        let query = fixture["request"]["query"].as_str().unwrap();
        let query = query.replace("%22u1%22", &format!("%22{user}%22")).replace("%22g1%22", &format!("%22{group}%22"));
        let answer = self.source.get(&format!("{collection}?{query}")).await;
        check(answer.status == 200, &answer, &json!(200))?;
        check(answer.at("/startIndex") == &golden["startIndex"], &answer, &golden["startIndex"])?;
        let found = answer.at("/Resources").as_array().cloned().unwrap_or_default();
        check(found.len() as u64 <= golden["count"].as_u64().unwrap(), &answer, &golden["count"])?;
        if filter.is_empty() {
            check(answer.at("/totalResults").as_u64() > Some(0), &answer, &json!("all"))?;
        } else {
            check(found.len() == 1 && found[0]["id"] == id.as_str(), &answer, &json!(id))?;
        }
        if let Some(wanted) = golden["wantsMembers"].as_bool() {
            let shown = found.iter().any(|group| group["members"].is_array());
            check(shown == wanted, &answer, &golden["wantsMembers"])?;
        }
        self.source.delete(&format!("{collection}/{id}")).await.expect(204);
        Ok(())
    }
}

/// Members as goldens write them: an id, or an object with one.
fn names(members: &Value) -> Vec<String> {
    let id = |member: &Value| member.as_str().or(member["value"].as_str()).map(str::to_owned);
    members.as_array().into_iter().flatten().filter_map(id).collect()
}

/// The members after the golden result's changes, or its member list, were applied.
fn members_after(golden: &Value, mut inside: BTreeSet<String>) -> BTreeSet<String> {
    if golden["members"].is_array() {
        return names(&golden["members"]).into_iter().collect();
    }
    for change in golden["changes"].as_array().into_iter().flatten() {
        if change == "clear" {
            inside.clear();
        }
        if change["replace"].is_array() {
            inside = names(&change["replace"]).into_iter().collect();
        }
        inside.extend(names(&change["add"]));
        for id in names(&change["remove"]) {
            inside.remove(&id);
        }
    }
    inside
}
