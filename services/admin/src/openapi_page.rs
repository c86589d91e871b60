//! `/api/docs`: the OpenAPI document as one page for people. It needs no script and nothing from elsewhere.

use crate::html::{self, prose};
use crate::openapi::{document, operations};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use html_escape::encode_safe;
use serde_json::Value as Json;
use std::fmt::Write;
use std::sync::LazyLock;

const STYLE: &str = include_str!("openapi_page.css");

static PAGE: LazyLock<String> = LazyLock::new(written);

pub(crate) async fn page() -> HttpResponse {
    html::answer(StatusCode::OK, PAGE.clone())
}

pub(crate) async fn style() -> HttpResponse {
    html::style(STYLE)
}

fn written() -> String {
    let mut document = document();
    let shapes = serde_json::to_value(document.components.take()).unwrap_or_default();
    let mut sections: Vec<(String, String)> = Vec::new();
    for tag in document.tags.take().unwrap_or_default() {
        let about = tag.description.unwrap_or_default();
        sections.push((tag.name.clone(), format!("<h2>{}</h2><p>{}</p>", tag.name, encode_safe(&about))));
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let json = serde_json::to_value(&*operation).unwrap_or_default();
            let section = sections.iter_mut().find(|(name, _)| json["tags"][0] == name.as_str());
            if let Some((_, text)) = section {
                text.push_str(&call(method, path, &json));
            }
        }
    }
    sections.push(("shapes".to_owned(), format!("<h2>shapes</h2>{}", all_shapes(&shapes["schemas"]))));
    let (mut links, mut body) = (String::new(), String::new());
    for (name, text) in &sections {
        let _ = write!(links, "<a href=\"#{name}\">{name}</a>");
        let _ = write!(body, "<section id=\"{name}\">{text}</section>");
    }
    let head = format!(
        "<header><h1>Rollcall API {}</h1><p>{}</p><p><a href=\"/api/openapi.json\">OpenAPI document</a></p></header>",
        encode_safe(&document.info.version),
        prose(document.info.description.as_deref().unwrap_or_default()),
    );
    html::page("Rollcall API", "/api/docs.css", &format!("{head}<nav>{links}</nav><main>{body}</main>"))
}

/// One call: what it takes, and what it answers when it succeeds.
fn call(method: &str, path: &str, operation: &Json) -> String {
    let text = |key: &str| prose(operation[key].as_str().unwrap_or_default());
    let mut parts = String::new();
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let names: Vec<String> =
        parameters.filter_map(|one| one["name"].as_str()).map(|name| format!("<code>{name}</code>")).collect();
    if !names.is_empty() {
        let _ = write!(parts, "<dt>parameters</dt><dd>{}</dd>", names.join(" "));
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        let _ = write!(parts, "<dt>body</dt><dd>{}</dd>", shape(body));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') {
            let schema = &response["content"]["application/json"]["schema"];
            let answer = if schema.is_null() { "nothing".to_owned() } else { shape(schema) };
            let _ = write!(parts, "<dt>{status}</dt><dd>{answer}</dd>");
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
    let kind = match &schema["type"] {
        Json::String(kind) => kind.clone(),
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    let format = schema["format"].as_str().map(|format| format!(" ({format})")).unwrap_or_default();
    encode_safe(&format!("{kind}{format}")).into_owned()
}
