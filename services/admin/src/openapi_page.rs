//! `/api/docs`: the OpenAPI document as one page for people. It needs no script and nothing from elsewhere.

use crate::html::{self, prose};
use crate::openapi::described;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use html_escape::encode_safe;
use serde_json::Value as Json;
use std::fmt::Write;
use std::sync::LazyLock;

/// The order of the calls of one path.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const STYLE: &str = include_str!("openapi_page.css");

static PAGE: LazyLock<String> = LazyLock::new(written);

pub(crate) async fn page() -> HttpResponse {
    html::answer(StatusCode::OK, PAGE.clone())
}

pub(crate) async fn style() -> HttpResponse {
    html::style(STYLE)
}

fn written() -> String {
    let document = described();
    let mut sections: Vec<(String, String)> = Vec::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let [name, about] = ["name", "description"].map(|key| tag[key].as_str().unwrap_or_default());
        sections.push((name.to_owned(), format!("<h2>{name}</h2><p>{}</p>", encode_safe(about))));
    }
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let operation = &item[method.to_lowercase()];
            let section = sections.iter_mut().find(|(name, _)| operation["tags"][0] == name.as_str());
            if let Some((_, text)) = section {
                text.push_str(&call(method, path, operation));
            }
        }
    }
    let shapes = all_shapes(&document["components"]["schemas"]);
    sections.push(("shapes".to_owned(), format!("<h2>shapes</h2>{shapes}")));
    let (mut links, mut body) = (String::new(), String::new());
    for (name, text) in &sections {
        let _ = write!(links, "<a href=\"#{name}\">{name}</a>");
        let _ = write!(body, "<section id=\"{name}\">{text}</section>");
    }
    let head = format!(
        "<header><h1>Rollcall API {}</h1><p>{}</p><p><a href=\"/api/openapi.json\">OpenAPI document</a></p></header>",
        encode_safe(document["info"]["version"].as_str().unwrap_or_default()),
        prose(document["info"]["description"].as_str().unwrap_or_default()),
    );
    html::page("Rollcall API", "/api/docs.css", &format!("{head}<nav>{links}</nav><main>{body}</main>"))
}

/// One call: what it takes, and what it answers when it succeeds.
fn call(method: &str, path: &str, operation: &Json) -> String {
    let text = |key: &str| prose(operation[key].as_str().unwrap_or_default());
    let mut parts = String::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        // The headers that all calls have are told once, at the top.
        if parameter["in"] != "header" || parameter["name"] == "If-Match" {
            let [name, about] = ["name", "description"].map(|key| parameter[key].as_str().unwrap_or_default());
            let _ = write!(parts, "<dt><code>{name}</code></dt><dd>{}</dd>", prose(about));
        }
    }
    let body = &operation["requestBody"]["content"]["application/json"];
    if !body.is_null() {
        let _ = write!(parts, "<dt>body</dt><dd>{}{}</dd>", shape(&body["schema"]), example(body));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') {
            let content = &response["content"]["application/json"];
            let answer = if content.is_null() { "nothing".to_owned() } else { shape(&content["schema"]) };
            let _ = write!(parts, "<dt>{status}</dt><dd>{answer}{}</dd>", example(content));
        }
    }
    format!(
        "<article><h3><b class=\"{method}\">{method}</b> <code>{}</code></h3><p>{}</p><p class=\"note\">{}</p>\
         <dl>{parts}</dl></article>",
        encode_safe(path),
        text("summary"),
        text("description"),
    )
}

fn example(content: &Json) -> String {
    let Some(example) = content.get("example") else { return String::new() };
    let text = serde_json::to_string_pretty(example).unwrap_or_default();
    format!("<details><summary>example</summary><pre>{}</pre></details>", encode_safe(&text))
}

fn all_shapes(schemas: &Json) -> String {
    let mut text = String::new();
    for (name, schema) in schemas.as_object().into_iter().flatten() {
        let about = prose(schema["description"].as_str().unwrap_or_default());
        let _ = write!(text, "<h3 id=\"shape-{name}\">{name}</h3><p>{about}</p>{}", fields(schema));
    }
    text
}

fn fields(schema: &Json) -> String {
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let mut rows = String::new();
    let parts = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
    for (name, field) in parts.filter_map(|part| part["properties"].as_object()).flatten() {
        let about = prose(field["description"].as_str().unwrap_or_default());
        let optional = if required(name) { "" } else { " (optional)" };
        let _ =
            write!(rows, "<tr><td><code>{name}</code>{optional}</td><td>{}</td><td>{about}</td></tr>", shape(field));
    }
    if rows.is_empty() { shape(schema) } else { format!("<table>{rows}</table>") }
}

/// A type, with a link where it has a name.
fn shape(schema: &Json) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(options) = schema[several].as_array() {
            return options.iter().map(shape).collect::<Vec<_>>().join(" or ");
        }
    }
    if !schema["items"].is_null() {
        return format!("list of {}", shape(&schema["items"]));
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .filter_map(Json::as_str)
            .map(|value| format!("<code>{}</code>", encode_safe(value)))
            .collect();
        return values.join(" ");
    }
    let kind = match &schema["type"] {
        Json::String(kind) => kind.clone(),
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    let format = schema["format"].as_str().map(|format| format!(" ({format})")).unwrap_or_default();
    encode_safe(&format!("{kind}{format}")).into_owned()
}
