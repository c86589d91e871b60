//! The parameters and headers of the calls: each name means the same wherever it stands, so it is told in one place.

use crate::query::closed_values;
use actix_web::http::Method;
use rollcall_store::MAX_LIMIT;
use rollcall_web::Endpoint;
use serde_json::{Map, Value as Json, json};

/// The meaning of each parameter in a query.
const ABOUT: &[(&str, &str)] = &[
    ("actor", "Events by this one, as the field `actor` names it"),
    (
        "after",
        "The `sequence` of an event, or the `next_after` of an answer; the oldest event that is kept when it is left out",
    ),
    ("billing_contact", "Members who are billing contacts, or who are none"),
    ("blocked", "Members whom an admin blocked, or the others"),
    ("contains", "Members in whose words every part occurs, 1 to 8 parts of 3 characters or more"),
    ("cursor", "The `next_cursor` or `resume_cursor` of an answer, with the same filters and order"),
    ("days", "How many days back, this one included"),
    ("dispute", "Records that are skipped for this reason"),
    ("email", "The person with this address, exactly but for the case"),
    ("external_id", "The person with this id of the provider"),
    ("fields", "Names of fields with commas between them: the answer has these alone, and `id`"),
    ("format", "The form of the file; `csv` when it is left out"),
    ("former_email", "Members who had this address before"),
    ("ignored", "`true`: only the records that an admin ignores, which are left out otherwise"),
    ("kind", "Events of this kind"),
    ("limit", "Rows of a page"),
    ("lists", "Names of lists with commas between them; all that the caller may read when it is left out"),
    ("managed_by", "Members of this source, by its id; `none` for members made by hand"),
    ("member_id", "Requests about this member"),
    ("modified_since", "Members by their last change, from this time on"),
    ("order", "`asc`: in the order of commits. `desc`: the newest first"),
    ("outcome", "Attempts with this result"),
    ("people", "What would become of the source's people"),
    ("q", "Members of whom every word of the search begins a word, 1 to 8 words; or the member with this id"),
    ("role", "Members of this role"),
    ("since", "Rows of this time and later ones"),
    ("source_id", "Requests of this source"),
    ("state", "Runs in this state"),
    ("status", "Members with this status"),
    ("request_id", "Events that this request caused, by its `X-Request-Id`"),
    ("subject_id", "Rows about the thing with this id"),
    ("until", "Rows before this time"),
    ("wait", "Seconds to wait for an event where there is none yet"),
    ("waiting_for", "Members who wait for this"),
    ("with", "The id of the other run"),
];

/// The meaning of each id in a path, by its name, or by the first noun of the path when it is just `id`.
const IDS: &[(&str, &str)] = &[
    ("api-keys", "The id of a key"),
    ("client_id", "The `client_id` of an OAuth client of the source"),
    ("domains", "The id of a domain"),
    ("groups", "The id of a sharing group"),
    ("key_id", "The id of a key of the source's agents"),
    ("link_id", "The id of a set-up link of the source"),
    ("members", "The id of a member"),
    ("operators", "The id of an operator"),
    ("rejected_id", "The id of a rejected request of the source"),
    ("runs", "The id of a run"),
    ("sessions", "The id of a session"),
    ("sign-in-connections", "The id of a connection"),
    ("skipped-records", "The id of the record, which is the `subject` of the list"),
    ("sources", "The id of a source"),
    ("tenants", "The id of a tenant, or its slug"),
    ("token_id", "The id of a token of the source"),
    ("user_id", "The SCIM id of a user of the source"),
    ("webhooks", "The id of an endpoint"),
];

/// True for a POST that runs once for each `Idempotency-Key`.
pub(super) fn takes_idempotency_key(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::POST && endpoint.demand.is_some_and(|demand| !demand.previews)
}

/// Tells of every parameter what it means and takes, and adds the headers that all calls have.
pub(super) fn describe(document: &mut Json, endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        let method = endpoint.method.as_str().to_lowercase();
        let item = document["paths"].get_mut(endpoint.path);
        let operation = item.and_then(|item| item.get_mut(&method)).and_then(Json::as_object_mut);
        let Some(operation) = operation else { continue };
        let mut parameters = match operation.remove("parameters") {
            Some(Json::Array(parameters)) => parameters,
            _ => Vec::new(),
        };
        if takes_fields(endpoint, &operation["responses"]["200"]) {
            parameters
                .push(json!({ "name": "fields", "in": "query", "required": false, "schema": { "type": "string" } }));
        }
        for parameter in &mut parameters {
            tell(parameter, endpoint.path);
        }
        parameters.extend(headers(endpoint));
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), parameters.into());
        }
        for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
            add_headers(answer, status, endpoint);
        }
    }
}

/// True for the read of a list, and of one thing by its id, unless their rows are always shown whole.
fn takes_fields(endpoint: &Endpoint, answer: &Json) -> bool {
    let schema = answer.pointer("/content/application~1json/schema/$ref").and_then(Json::as_str);
    let name = schema.and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let is_list = name.starts_with("List_") && name != "List_Explanation";
    endpoint.method == Method::GET && (is_list || endpoint.path.ends_with("{id}"))
}

fn tell(parameter: &mut Json, path: &str) {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    if parameter["in"] == "path" {
        let first = path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
        let of = if name == "id" { first } else { name.as_str() };
        if let Some((_, about)) = IDS.iter().find(|(known, _)| *known == of) {
            parameter["description"] = (*about).into();
        }
    } else if let Some((_, about)) = ABOUT.iter().find(|(known, _)| *known == name) {
        // Rows of a file are told by its columns.
        let of_file = "Names of columns with commas between them, in the order of the file";
        let about = if name == "fields" && path.contains("/exports/") { of_file } else { about };
        parameter["description"] = about.into();
        if let Some(schema) = schema_of(&name) {
            parameter["schema"] = schema;
        }
    }
}

/// The values that a parameter takes.
fn schema_of(name: &str) -> Option<Json> {
    if let Some(values) = closed_values(name) {
        let mut schema = json!({ "type": "string", "enum": values });
        if matches!(name, "order" | "format") {
            schema["default"] = values.first().copied().into();
        }
        return Some(schema);
    }
    Some(match name {
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50 }),
        "wait" => json!({ "type": "integer", "minimum": 0, "maximum": 30, "default": 0 }),
        "days" => json!({ "type": "integer", "minimum": 1, "maximum": 366 }),
        "blocked" | "billing_contact" | "ignored" => json!({ "type": "boolean" }),
        "since" | "until" | "modified_since" => json!({ "type": "string", "format": "date-time" }),
        "with" | "source_id" | "subject_id" | "member_id" | "request_id" => {
            json!({ "type": "string", "format": "uuid" })
        }
        _ => return None,
    })
}

/// The headers that a call may have whatever it is about.
fn headers(endpoint: &Endpoint) -> Vec<Json> {
    let header = |name: &str, about: &str, schema: Json| json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema });
    let mut headers = Vec::new();
    if endpoint.demand.is_some() {
        let about = "The organisation, by slug or id, for a call with an operator's key";
        headers.push(header("Rollcall-Tenant", about, json!({ "type": "string" })));
        if endpoint.method != Method::GET {
            let about = "With the cookie of a session: `1`, from a page of this hub";
            headers.push(header("X-Rollcall-CSRF", about, json!({ "type": "string", "enum": ["1"] })));
        }
    }
    if takes_idempotency_key(endpoint) {
        let about = "Makes the call run once: a repetition within 24 hours gets the same answer, without its secrets";
        headers.push(header("Idempotency-Key", about, json!({ "type": "string", "minLength": 1, "maxLength": 255 })));
    }
    headers
}

fn add_headers(answer: &mut Json, status: &str, endpoint: &Endpoint) {
    let header = |about: &str, schema: Json| json!({ "description": about, "schema": schema });
    let mut headers = match answer.get_mut("headers").map(Json::take) {
        Some(Json::Object(headers)) => headers,
        _ => Map::new(),
    };
    let id =
        header("The id of the request, in the log and in audit events", json!({ "type": "string", "format": "uuid" }));
    headers.insert("X-Request-Id".to_owned(), id);
    if matches!(status, "429" | "503") {
        let wait = header("Seconds until the next try", json!({ "type": "integer", "minimum": 1 }));
        headers.insert("Retry-After".to_owned(), wait);
    }
    if status.starts_with('2') && takes_idempotency_key(endpoint) {
        let replayed =
            header("`true`: this is the answer of an earlier request", json!({ "type": "string", "enum": ["true"] }));
        headers.insert("Idempotency-Replayed".to_owned(), replayed);
    }
    answer["headers"] = headers.into();
}
