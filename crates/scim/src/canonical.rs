//! Values read by their attribute's definition into canonical form. Here most dialects of the identity providers end:
//! whatever the sender wrote, the result has schema spelling, JSON booleans, lists where lists belong, and no nulls.

use serde_json::{Map, Value};

use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::json::{check_string, check_value};
use crate::limits::VALUES_PER_ATTRIBUTE;
use crate::path::quoted;
use crate::schema::{Attribute, Kind, Mutability, ResourceKind, Schema, is_urn, spelling};

/// A resource body taken apart.
pub(crate) struct Body {
    /// Writable attributes in canonical form; extensions under their URN.
    pub(crate) attributes: Map<String, Value>,
    /// A group's `members` as sent.
    pub(crate) members: Option<Value>,
}

/// Reads a POST or PUT body. Read-only attributes and the password are dropped, unknown attributes ignored.
pub(crate) fn read_body(kind: ResourceKind, body: Value, quirks: &mut Quirks) -> Result<Body, ScimError> {
    let mut read = Body { attributes: Map::new(), members: None };
    read_into(kind, body, &mut read, quirks)?;
    Ok(read)
}

fn read_into(kind: ResourceKind, body: Value, read: &mut Body, quirks: &mut Quirks) -> Result<(), ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax(format!("the body must be a JSON object: a SCIM {}", kind.name())));
    };
    for (key, value) in body {
        let Some(attribute) = kind.attribute(&key) else {
            read_foreign(kind, key, value, read, quirks)?;
            continue;
        };
        let key = canonical_key(attribute, key, quirks);
        match attribute.name {
            "schemas" => check_schemas(kind, &value, quirks)?,
            "members" => read.members = Some(value),
            _ if attribute.mutability == Mutability::ReadOnly => {}
            _ => {
                let value = read_value(attribute, &key, value, quirks)?;
                if let Some(value) = value.filter(|_| attribute.mutability != Mutability::WriteOnly) {
                    read.attributes.insert(key, value);
                }
            }
        }
    }
    Ok(())
}

/// Reads a key that is no core attribute: an extension, an attribute of one, or something to ignore.
fn read_foreign(
    kind: ResourceKind,
    key: String,
    value: Value,
    body: &mut Body,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
    if key.eq_ignore_ascii_case(kind.core().urn) {
        quirks.note(Quirk::UrnKey);
        return read_into(kind, value, body, quirks);
    }
    let attributes = &mut body.attributes;
    if let Some(schema) = kind.extension(&key) {
        let read = read_extension(schema, value, quirks)?;
        return merge_extension(attributes, schema.urn, read);
    }
    if is_urn(&key) && matches!(value, Value::Object(_) | Value::Null) {
        if let Some(Value::Object(read)) = read_any(value, &key, quirks)? {
            merge_extension(attributes, &key, read)?;
        }
        return Ok(());
    }
    let Ok(resolved) = crate::path::resolve(kind, &key, quirks) else {
        quirks.note(Quirk::UnknownAttribute);
        return Ok(());
    };
    let (Some(urn), None) = (&resolved.path.extension, &resolved.path.sub) else {
        quirks.note(Quirk::UnknownAttribute);
        return Ok(());
    };
    if is_urn(&key) {
        quirks.note(Quirk::UrnKey);
    }
    let read = match resolved.attribute {
        Some(attribute) => read_value(attribute, attribute.name, value, quirks)?,
        None => read_any(value, &key, quirks)?,
    };
    let read = read.map(|value| (resolved.path.attribute.to_string(), value));
    merge_extension(attributes, urn, read.into_iter().collect())
}

fn merge_extension(attributes: &mut Map<String, Value>, urn: &str, read: Map<String, Value>) -> Result<(), ScimError> {
    if read.is_empty() {
        return Ok(());
    }
    let urn = spelling(attributes, urn);
    match attributes.entry(&urn).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(extension) => {
            for (name, value) in read {
                extension.insert(spelling(extension, &name), value);
            }
        }
        _ => return Err(ScimError::invalid_value(format!("{} must be an object", quoted(&urn)))),
    }
    Ok(())
}

/// `schemas` names what the body is. URNs that we do not know are ignored: Entra sends some of its own.
fn check_schemas(kind: ResourceKind, value: &Value, quirks: &mut Quirks) -> Result<(), ScimError> {
    let urns: Vec<&str> = match value {
        Value::Null => Vec::new(),
        Value::Array(urns) => urns.iter().filter_map(Value::as_str).collect(),
        Value::String(urn) => vec![urn],
        _ => return Err(ScimError::invalid_syntax("schemas must be a list of URNs")),
    };
    if urns.iter().any(|urn| urn.to_ascii_lowercase().starts_with("urn:scim:schemas:core:1.")) {
        return Err(ScimError::invalid_syntax(
            "this is a SCIM 1.1 request; choose SCIM 2.0 in the identity provider (OneLogin calls it \"SCIM V2\")",
        ));
    }
    for urn in urns {
        let known = kind.core().urn == urn || kind.extensions().iter().any(|schema| schema.urn == urn);
        if !known {
            quirks.note(Quirk::UnknownSchemaUrn);
        }
    }
    Ok(())
}

/// Reads an extension's object.
pub(crate) fn read_extension(
    schema: &Schema,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Map<String, Value>, ScimError> {
    match value {
        Value::Object(members) => read_members_of(|name| schema.attribute(name), members, quirks),
        Value::Null => {
            quirks.note(Quirk::NullValue);
            Ok(Map::new())
        }
        _ => Err(ScimError::invalid_value(format!("{} must be an object", schema.urn))),
    }
}

/// Reads the members of an object by the definitions `lookup` finds.
fn read_members_of(
    lookup: impl Fn(&str) -> Option<&'static Attribute>,
    members: Map<String, Value>,
    quirks: &mut Quirks,
) -> Result<Map<String, Value>, ScimError> {
    let mut read = Map::new();
    for (key, value) in members {
        let Some(attribute) = lookup(&key) else {
            quirks.note(Quirk::UnknownAttribute);
            continue;
        };
        if attribute.mutability == Mutability::ReadOnly {
            continue;
        }
        let key = canonical_key(attribute, key, quirks);
        if let Some(value) = read_value(attribute, &key, value, quirks)? {
            read.insert(key, value);
        }
    }
    Ok(read)
}

/// Reads the value of `attribute`, called `name` in messages. `None` is "unassigned".
pub(crate) fn read_value(
    attribute: &'static Attribute,
    name: &str,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Option<Value>, ScimError> {
    if value.is_null() {
        quirks.note(Quirk::NullValue);
        return Ok(None);
    }
    if attribute.multi {
        let elements = read_elements(attribute, value, quirks)?;
        return Ok((!elements.is_empty()).then_some(Value::Array(elements)));
    }
    read_single(attribute, name, value, quirks)
}

/// Reads the value of a multi-valued attribute as a list of elements, with at most one primary.
pub(crate) fn read_elements(
    attribute: &'static Attribute,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Vec<Value>, ScimError> {
    let sent = match value {
        Value::Array(sent) => sent,
        Value::Null => Vec::new(),
        other => {
            quirks.note(Quirk::ReplaceObjectForList);
            vec![other]
        }
    };
    check_count(attribute.name, sent.len())?;
    let mut elements = Vec::with_capacity(sent.len());
    for element in sent {
        if element.is_null() {
            quirks.note(Quirk::NullValue);
        } else if let Some(element) = read_single(attribute, attribute.name, element, quirks)? {
            elements.push(element);
        }
    }
    keep_one_primary(&mut elements, None, quirks);
    Ok(elements)
}

/// Refuses lists that are too long to keep in one attribute.
pub(crate) fn check_count(name: &str, count: usize) -> Result<(), ScimError> {
    if count <= VALUES_PER_ATTRIBUTE {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("{name} has {count} values; at most {VALUES_PER_ATTRIBUTE} are kept")))
}

/// Clears `primary` on all elements but one: `newcomer` when it is primary, else the first that is.
pub(crate) fn keep_one_primary(elements: &mut [Value], newcomer: Option<usize>, quirks: &mut Quirks) {
    let is_primary = |element: &Value| element.get("primary") == Some(&Value::Bool(true));
    let newcomer = newcomer.filter(|place| elements.get(*place).is_some_and(is_primary));
    let Some(kept) = newcomer.or_else(|| elements.iter().position(is_primary)) else { return };
    for (place, element) in elements.iter_mut().enumerate() {
        if place != kept && is_primary(element) {
            element["primary"] = Value::Bool(false);
            if newcomer.is_none() {
                quirks.note(Quirk::TwoPrimaries);
            }
        }
    }
}

/// Reads one value: of a single-valued attribute, or one element of a list.
fn read_single(
    attribute: &'static Attribute,
    name: &str,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Option<Value>, ScimError> {
    match attribute.kind {
        Kind::Complex => read_complex(attribute, name, value, quirks),
        Kind::Boolean => read_boolean(name, &value, quirks).map(Some),
        Kind::String | Kind::Reference | Kind::Binary => match value {
            Value::String(text) => {
                check_string(name, &text)?;
                Ok(Some(Value::String(text)))
            }
            _ => Err(wrong_type(name, "a string")),
        },
        Kind::DateTime => match value {
            Value::String(text) if chrono::DateTime::parse_from_rfc3339(&text).is_ok() => Ok(Some(Value::String(text))),
            _ => Err(wrong_type(name, "a date and time such as 2026-11-21T10:00:00Z")),
        },
        Kind::Any => read_any(value, name, quirks),
    }
}

fn read_boolean(name: &str, value: &Value, quirks: &mut Quirks) -> Result<Value, ScimError> {
    let read = match value {
        Value::Bool(truth) => return Ok(Value::Bool(*truth)),
        Value::String(text) => boolean_of(text),
        _ => None,
    };
    quirks.note(Quirk::StringBoolean);
    read.map(Value::Bool).ok_or_else(|| wrong_type(name, "true or false"))
}

/// `true` and `false` in any case.
pub(crate) fn boolean_of(text: &str) -> Option<bool> {
    match text.len() {
        4 if text.eq_ignore_ascii_case("true") => Some(true),
        5 if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn read_complex(
    attribute: &'static Attribute,
    name: &str,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Option<Value>, ScimError> {
    let read = read_object(attribute, name, value, quirks)?;
    Ok(read.filter(|members| !is_hollow(attribute.multi, members)).map(Value::Object))
}

/// Reads an object. A bare string stands for its `value`; the manager also comes in a list of one.
pub(crate) fn read_object(
    attribute: &'static Attribute,
    name: &str,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Option<Map<String, Value>>, ScimError> {
    let members = match value {
        Value::Object(members) => members,
        Value::String(text) if attribute.default_sub().is_some() => {
            quirks.note(if attribute.multi { Quirk::BareElement } else { Quirk::ManagerString });
            Map::from_iter([("value".to_owned(), Value::String(text))])
        }
        Value::Array(list) if !attribute.multi && list.len() <= 1 => {
            quirks.note(Quirk::ManagerArray);
            return match list.into_iter().next() {
                Some(Value::Array(_)) => Err(wrong_type(name, "an object")),
                Some(only) => read_object(attribute, name, only, quirks),
                None => Ok(None),
            };
        }
        Value::Null => return Ok(None),
        _ => return Err(wrong_type(name, "an object")),
    };
    let mut read = read_members_of(|name| attribute.sub(name), members, quirks)
        .map_err(|error| ScimError { detail: format!("{name}: {}", error.detail), ..error })?;
    if attribute.default_sub().is_some() {
        read_default_value(attribute, &mut read, quirks);
    }
    Ok(Some(read))
}

/// An empty `value` is none; a role may be a whole JSON document, which is kept as it is.
fn read_default_value(attribute: &Attribute, read: &mut Map<String, Value>, quirks: &mut Quirks) {
    let Some(value) = read.get("value").and_then(Value::as_str) else { return };
    if value.is_empty() {
        quirks.note(Quirk::EmptyValue);
        read.remove("value");
    } else if attribute.name == "roles" && value.starts_with('{') {
        quirks.note(Quirk::RoleJsonString);
    }
}

/// Whether an object says nothing; an element of a list does so too when it only tells what kind of thing it would be:
/// `{"type": "work"}`.
pub(crate) fn is_hollow(is_element: bool, members: &Map<String, Value>) -> bool {
    members.is_empty() || is_element && members.keys().all(|key| key == "type" || key == "primary")
}

/// Reads a value of an attribute that is not defined here: as it is, without nulls and empties.
pub(crate) fn read_any(value: Value, name: &str, quirks: &mut Quirks) -> Result<Option<Value>, ScimError> {
    check_value(&value, name, 0)?;
    Ok(without_nulls(value, quirks))
}

fn without_nulls(value: Value, quirks: &mut Quirks) -> Option<Value> {
    match value {
        Value::Null => {
            quirks.note(Quirk::NullValue);
            None
        }
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().filter_map(|item| without_nulls(item, quirks)).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members: Map<_, _> =
                members.into_iter().filter_map(|(key, value)| Some((key, without_nulls(value, quirks)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        scalar => Some(scalar),
    }
}

/// The canonical spelling of a key, without a copy when it is spelt so already.
fn canonical_key(attribute: &Attribute, key: String, quirks: &mut Quirks) -> String {
    if key == attribute.name {
        return key;
    }
    quirks.note(Quirk::AttributeCase);
    attribute.name.to_owned()
}

fn wrong_type(name: &str, wanted: &str) -> ScimError {
    ScimError::invalid_value(format!("{name} must be {wanted}"))
}
