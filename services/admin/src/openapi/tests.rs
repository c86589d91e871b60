use super::*;
use rollcall_core::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

#[path = "../../../../tests/suite/json_schema.rs"]
mod json_schema;
use json_schema::Schemas;

/// Every operation with its method and path.
fn all() -> impl Iterator<Item = (String, &'static Json)> {
    let paths = described()["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let of_path = item.as_object().into_iter().flatten();
        of_path.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

/// A route without a description, or a description without a route, fails here.
#[test]
fn the_document_describes_the_endpoint_table() {
    let described: BTreeSet<String> = all().map(|(name, _)| name).collect();
    let served: BTreeSet<String> = endpoints()
        .into_iter()
        .filter(|endpoint| endpoint.path.starts_with("/api/v1"))
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();
    assert_eq!(described, served);
}

#[test]
fn every_reference_leads_to_a_schema() {
    let text = TEXT.as_str();
    assert_eq!(described()["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    let names = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    for name in names {
        assert!(described()["components"]["schemas"][name].is_object(), "{name}");
    }
}

/// The parts of an operation that it lacks.
fn lacks(operation: &'static Json) -> Vec<String> {
    let mut lacks = Vec::new();
    let is_told = |json: &Json| json.as_str().is_some_and(|text| !text.is_empty());
    for part in ["summary", "description", "operationId"] {
        if !is_told(&operation[part]) {
            lacks.push(part.to_owned());
        }
    }
    let tags: Vec<&Json> = described()["tags"].as_array().into_iter().flatten().map(|tag| &tag["name"]).collect();
    if !tags.contains(&&operation["tags"][0]) {
        lacks.push(format!("a tag that is told ({})", operation["tags"][0]));
    }
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if !is_told(&parameter["description"]) || !parameter["schema"].is_object() {
            lacks.push(format!("the meaning of the parameter {}", parameter["name"]));
        }
    }
    let body = operation.pointer("/requestBody/content").into_iter();
    let answers = operation["responses"].as_object().into_iter().flatten();
    if !answers.clone().any(|(status, _)| status.starts_with('2')) {
        lacks.push("an answer of success".to_owned());
    }
    let answers = answers.map(|(status, answer)| {
        if !is_told(&answer["description"]) {
            lacks.push(format!("a description of {status}"));
        }
        &answer["content"]
    });
    let contents: Vec<&Json> = answers.collect::<Vec<_>>().into_iter().chain(body).collect();
    for (kind, content) in contents.into_iter().filter_map(Json::as_object).flatten() {
        if content["schema"].is_null() || content["example"].is_null() {
            lacks.push(format!("a schema and an example of {kind}"));
        }
    }
    lacks
}

#[test]
fn every_operation_is_told_whole() {
    let lacking: Vec<String> = all()
        .map(|(name, operation)| (name, lacks(operation)))
        .filter(|(_, lacks)| !lacks.is_empty())
        .map(|(name, lacks)| format!("{name} lacks {}", lacks.join(", ")))
        .collect();
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn every_example_is_valid_and_tells_every_text() {
    let schemas = Schemas { document: described(), strict: true };
    let mut wrong = Vec::new();
    for (name, operation) in all() {
        let answers = operation["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(status, answer)| (status.as_str(), &answer["content"]));
        let body = operation.pointer("/requestBody/content").map(|content| ("body", content));
        for (what, content) in answers.chain(body) {
            for (kind, content) in content.as_object().into_iter().flatten() {
                let faults = schemas.faults(&content["example"], &content["schema"]);
                wrong.extend(faults.into_iter().map(|fault| format!("{name} {what} {kind}: {fault}")));
                if kind.ends_with("json")
                    && content["example"].to_string().contains(&format!("\"{}\"", examples::UNTOLD))
                {
                    wrong.push(format!("{name} {what}: a text is not told: {}", content["example"]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let schemas = Schemas { document: described(), strict: true };
    let member = serde_json::json!({ "$ref": "#/components/schemas/Member" });
    let example = described()
        .pointer("/paths/~1api~1v1~1members/get/responses/200/content/application~1json/example/items/0")
        .expect("an example of a member");
    assert_eq!(schemas.faults(example, &member), Vec::<String>::new());
    for (field, value) in [
        ("status", serde_json::json!("awake")),
        ("id", serde_json::json!("7")),
        ("created_at", serde_json::json!("yesterday")),
        ("blocked", serde_json::json!("no")),
        ("surprise", serde_json::json!(1)),
    ] {
        let mut wrong = example.clone();
        wrong[field] = value;
        assert_eq!(schemas.faults(&wrong, &member).len(), 1, "{field}");
    }
}

/// Fields whose values are a closed set on the wire, by their name.
#[test]
fn closed_sets_are_told_as_such() {
    // A set has a name, or its values stand in the field.
    let is_open =
        |field: &Json| (field["type"] == "string" || field["type"][0] == "string") && field.get("enum").is_none();
    const CLOSED: [&str; 30] = [
        "status",
        "role",
        "waiting_for",
        "approval",
        "suspended_from",
        "state",
        "verdict",
        "action",
        "subject_kind",
        "decision",
        "held_reason",
        "held_reasons",
        "why",
        "found",
        "kind",
        "mode",
        "use",
        "dispute",
        "people",
        "permissions",
        "quirk",
        "scim_type",
        "situation",
        "gate",
        "onboarding",
        "on_disabled",
        "over_limit",
        "seat_order",
        "result",
        "local_attributes",
    ];
    let mut open = Vec::new();
    let mut met = BTreeSet::new();
    for (owner, schema) in described()["components"]["schemas"].as_object().into_iter().flatten() {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            // A sentence, and what the withheld action of a gate is called.
            let is_prose = [("Retried", "status"), ("Evidence", "action")].contains(&(owner.as_str(), name.as_str()));
            if !CLOSED.contains(&name.as_str()) || is_prose {
                continue;
            }
            met.insert(name.as_str());
            if is_open(field) || is_open(&field["items"]) {
                open.push(format!("{owner}.{name}"));
            }
        }
    }
    assert!(open.is_empty(), "without the list of their values: {}", open.join(", "));
    assert_eq!(
        CLOSED.iter().filter(|name| !met.contains(**name)).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "met nowhere"
    );
}

#[test]
fn the_policy_is_described_key_by_key() {
    let schemas = Schemas { document: described(), strict: true };
    let policy = serde_json::json!({ "$ref": "#/components/schemas/Policy" });
    let settings =
        ["creation_limit={\"count\": 3}", "group_scope={\"names\": [\"Staff\"]}", "seat_cap=7", "quarantine_after=2"];
    for written in [Policy::default(), Policy::with_settings(settings).expect("a policy")] {
        let json = serde_json::to_value(&written).expect("a policy is JSON");
        assert_eq!(schemas.faults(&json, &policy), Vec::<String>::new());
        let told: BTreeSet<&String> = described()["components"]["schemas"]["Policy"]["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(json.as_object().into_iter().flatten().map(|(name, _)| name).collect::<BTreeSet<_>>(), told);
    }
}

/// The source of the console's types: the document without texts, examples and failures, which are one shape.
fn for_the_console(value: &Json) -> Json {
    match value {
        // Sorted, so that the file is the same whatever the order of keys in memory is.
        Json::Object(fields) => fields
            .iter()
            .filter(|(name, value)| match name.as_str() {
                "example" | "examples" => false,
                "description" | "summary" => !value.is_string(),
                _ => true,
            })
            .map(|(name, value)| match (name.as_str(), value) {
                ("responses", Json::Object(all)) => {
                    let successes = all.iter().filter(|(status, _)| status.starts_with('2'));
                    (name.clone(), successes.map(|(status, one)| (status.clone(), for_the_console(one))).collect())
                }
                _ => (name.clone(), for_the_console(value)),
            })
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect(),
        Json::Array(items) => items.iter().map(for_the_console).collect(),
        other => other.clone(),
    }
}

/// A change of the API that breaks the console breaks its types.
#[test]
fn the_console_is_checked_against_this_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../console/openapi.json");
    let wanted = for_the_console(described());
    if std::env::var_os("ROLLCALL_WRITE_DOCS").is_some() {
        let text = serde_json::to_string_pretty(&wanted).expect("JSON");
        std::fs::write(path, format!("{text}\n")).expect("a file that can be written");
    }
    let has: Json = serde_json::from_str(&std::fs::read_to_string(path).expect("console/openapi.json")).expect("JSON");
    assert!(
        has == wanted,
        "console/openapi.json is stale: ROLLCALL_WRITE_DOCS=1 cargo test -p rollcall-admin --lib openapi"
    );
}
