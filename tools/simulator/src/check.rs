//! Checks of answers against the expectations of identity providers. A departure becomes a named finding, never an
//! abort.

use serde_json::Value;

use crate::call::{Answer, Call};
use crate::client::{Link, shortened};
use crate::people::{Profile, work_email};
use crate::report::Code;
use crate::wire::{ENTERPRISE, ERROR, LIST};

/// Checks of every answer: JSON of the SCIM media type, SCIM errors, no password (RFC 7644 sections 3.1 and 3.12).
pub(crate) fn envelope(link: &Link, call: &Call, answer: &Answer) {
    let found = |code, detail: String| link.found(code, call, answer.status, detail);
    if answer.text.is_empty() {
        if answer.status >= 400 {
            found(Code::ErrorNotScim, "empty body".to_owned());
        }
        return;
    }
    let media = answer.content_type.as_deref().unwrap_or("none");
    if !media.to_ascii_lowercase().starts_with("application/scim+json") {
        found(Code::WrongContentType, media.to_owned());
    }
    let Some(body) = &answer.json else {
        found(Code::NotJson, shortened(&answer.text));
        return;
    };
    if answer.status >= 400 {
        scim_error(link, call, answer, body);
    } else if body.get("password").is_some() {
        found(Code::PasswordReturned, "password".to_owned());
    }
}

/// Okta's SCIM 2.0 test, steps 4, 11 and 12: the schema, a detail, the status as a string.
fn scim_error(link: &Link, call: &Call, answer: &Answer, body: &Value) {
    if !has_schema(body, ERROR) {
        link.found(Code::ErrorNotScim, call, answer.status, shortened(&answer.text));
        return;
    }
    if body.get("status") != Some(&Value::from(answer.status.to_string())) {
        let status = body.get("status").unwrap_or(&Value::Null).to_string();
        link.found(Code::ErrorStatusNotString, call, answer.status, status);
    }
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
    if detail.is_empty() {
        link.found(Code::ErrorWithoutDetail, call, answer.status, shortened(&answer.text));
    }
}

/// True if this step expects the status; otherwise a finding.
pub(crate) fn status(link: &Link, call: &Call, answer: &Answer, expected: &[u16]) -> bool {
    let fits = expected.contains(&answer.status);
    if !fits {
        let detail = format!("expected {expected:?}: {}", shortened(&answer.text));
        link.found(Code::UnexpectedStatus, call, answer.status, detail);
    }
    fits
}

/// The resources of a list; none when it is not a list (RFC 7644 section 3.4.2).
pub(crate) fn list<'a>(link: &Link, call: &Call, answer: &'a Answer) -> Option<(u64, &'a [Value])> {
    let found = |code, detail: String| link.found(code, call, answer.status, detail);
    let Some(body) = &answer.json else {
        if answer.text.is_empty() {
            found(Code::MissingBody, "a list was expected".to_owned());
        }
        return None;
    };
    if !has_schema(body, LIST) {
        found(Code::ListWithoutSchema, shortened(&answer.text));
    }
    let integer = |name: &str| match body.get(name) {
        Some(Value::Number(number)) if number.as_u64().is_some() => number.as_u64(),
        other => {
            let got = other.unwrap_or(&Value::Null);
            found(Code::ListCountNotInteger, format!("{name} is {got}"));
            None
        }
    };
    let total = integer("totalResults");
    let page = integer("itemsPerPage");
    integer("startIndex");
    let resources = match body.get("Resources") {
        Some(Value::Array(resources)) => resources.as_slice(),
        // Optional without matches (RFC 7644 section 3.4.2); OneLogin and Entra accept that.
        None if total == Some(0) || page == Some(0) => &[],
        other => {
            let got = shortened(&other.unwrap_or(&Value::Null).to_string());
            found(Code::ListResourcesNotArray, got);
            return None;
        }
    };
    for resource in resources {
        if text(resource, "id").is_empty() {
            found(Code::MissingId, shortened(&resource.to_string()));
        }
    }
    Some((total?, resources))
}

/// The id of the one resource in an answer, with its schema checked.
pub(crate) fn resource<'a>(link: &Link, call: &Call, answer: &'a Answer, schema: &str) -> Option<(&'a str, &'a Value)> {
    let Some(body) = &answer.json else {
        if answer.text.is_empty() {
            link.found(Code::MissingBody, call, answer.status, "a resource was expected");
        }
        return None;
    };
    if !has_schema(body, schema) {
        link.found(Code::MissingSchema, call, answer.status, schema);
    }
    let id = text(body, "id");
    if id.is_empty() {
        link.found(Code::MissingId, call, answer.status, shortened(&answer.text));
        return None;
    }
    Some((id, body))
}

/// A created resource has its location (RFC 7644 section 3.3).
pub(crate) fn location(link: &Link, call: &Call, answer: &Answer) {
    let meta = answer.json.as_ref().and_then(|body| body.pointer("/meta/location")).and_then(Value::as_str);
    if answer.location.is_none() || meta.is_none() {
        let detail = format!("Location {:?}, meta.location {meta:?}", answer.location);
        link.found(Code::MissingLocation, call, answer.status, detail);
    }
}

/// Values come back as they were sent (Entra: "stored in the same format they were sent").
pub(crate) fn user_echo(
    link: &Link,
    call: &Call,
    status: u16,
    body: &Value,
    sent: &Profile,
    sent_anchor: Option<&str>,
) {
    let lost = |attribute: &str, wanted: &str, got: &str| {
        if wanted != got {
            let detail = format!("{attribute}: sent {wanted:?}, answered {got:?}");
            link.found(Code::AttributeLost, call, status, detail);
        }
    };
    let got = Profile::from_resource(body);
    lost("userName", &sent.user_name, &got.user_name);
    lost("name.givenName", &sent.given_name, &got.given_name);
    lost("name.familyName", &sent.family_name, &got.family_name);
    lost("displayName", &sent.display_name, &got.display_name);
    lost("emails", &sent.email, work_email(body).unwrap_or_default());
    lost("title", &sent.title, &got.title);
    lost("department", &sent.department, &got.department);
    lost("employeeNumber", &sent.employee_number, &got.employee_number);
    if let Some(anchor) = sent_anchor {
        lost("externalId", anchor, text(body, "externalId"));
    }
    if let Some(phone) = &sent.phone {
        let phones = body.get("phoneNumbers").and_then(Value::as_array);
        let kept = phones.is_some_and(|phones| phones.iter().any(|entry| text(entry, "value") == phone));
        lost("phoneNumbers", phone, if kept { phone } else { "" });
    }
    if body.get(ENTERPRISE).is_some() && !has_schema(body, ENTERPRISE) {
        link.found(Code::MissingSchema, call, status, ENTERPRISE);
    }
    active(link, call, status, body, sent.active);
}

/// `active` is a JSON boolean with the value that was set (docs/scim.md#traps, 4).
pub(crate) fn active(link: &Link, call: &Call, status: u16, body: &Value, wanted: bool) {
    match body.get("active") {
        Some(Value::Bool(got)) if *got == wanted => {}
        Some(Value::Bool(got)) => {
            link.found(Code::ActiveWrong, call, status, format!("set {wanted}, answered {got}"));
        }
        other => {
            let got = other.unwrap_or(&Value::Null).to_string();
            link.found(Code::ActiveNotBoolean, call, status, got);
        }
    }
}

pub(crate) fn has_schema(body: &Value, schema: &str) -> bool {
    body.get("schemas").and_then(Value::as_array).is_some_and(|schemas| {
        schemas.iter().any(|listed| listed.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(schema)))
    })
}

/// A string attribute, empty when it is missing.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}
