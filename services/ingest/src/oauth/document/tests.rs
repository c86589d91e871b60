use super::*;
use crate::routes::oauth_endpoints;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

#[path = "../../../../../tests/suite/json_schema.rs"]
mod json_schema;
use json_schema::Schemas;

fn described() -> Json {
    serde_json::from_str(&TEXT).expect("JSON")
}

/// Every operation with its method and path.
fn all(document: &Json) -> impl Iterator<Item = (String, &Json)> {
    document["paths"].as_object().into_iter().flatten().flat_map(|(path, item)| {
        let of_path = item.as_object().into_iter().flatten();
        of_path.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

#[test]
fn the_document_describes_the_endpoint_table() {
    let document = described();
    let told: BTreeSet<String> = all(&document).map(|(name, _)| name).collect();
    let served: BTreeSet<String> = oauth_endpoints()
        .into_iter()
        .filter(|endpoint| endpoint.path != "/oauth/openapi.json")
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();
    assert_eq!(told, served);
}

#[test]
fn every_operation_is_told_whole_with_valid_examples() {
    let document = described();
    let schemas = Schemas { document: &document, strict: true };
    let example = |schema: &Json| {
        let path = schema["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
        document.pointer(path).and_then(|named| named.get("example")).cloned()
    };
    for (name, operation) in all(&document) {
        assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{name}");
        let body = operation.pointer("/requestBody/content");
        let answers = operation["responses"].as_object().into_iter().flatten().map(|(_, answer)| &answer["content"]);
        for (kind, content) in answers.chain(body).filter_map(Json::as_object).flatten() {
            let example = example(&content["schema"]).unwrap_or_else(|| panic!("{name} {kind}: no example"));
            assert_eq!(schemas.faults(&example, &content["schema"]), Vec::<String>::new(), "{name} {kind}");
        }
        for status in ["400", "401", "429", "500", "503"] {
            let is_told = operation["responses"][status]["description"].is_string();
            assert!(is_told || name.starts_with("GET"), "{name} {status}");
        }
    }
}

#[test]
fn the_answers_have_the_form_that_is_told() {
    let document = described();
    let schemas = Schemas { document: &document, strict: true };
    let token = wire::AccessToken {
        access_token: "rca_x".into(),
        token_type: "Bearer",
        expires_in: 3600,
        scope: wire::SCOPE,
        source_id: None,
    };
    let failure = wire::Failure { error: wire::Code::InvalidClient, error_description: "no".into() };
    for (written, name) in [(serde_json::to_value(token), "AccessToken"), (serde_json::to_value(failure), "Failure")] {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        assert_eq!(schemas.faults(&written.expect("JSON"), &schema), Vec::<String>::new(), "{name}");
    }
}
