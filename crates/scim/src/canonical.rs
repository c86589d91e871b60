//! Values read by their attribute's definition into canonical form. Here most dialects of the identity providers end:
//! whatever the sender wrote, the result has schema spelling, JSON booleans, lists where lists belong, and no nulls.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::bounds::{check_count, check_extensions, check_keys};
use crate::dialect::{Quirk, Quirks};
use crate::error::{SCIM_1_HINT, ScimError};
use crate::json::{check_string, check_value};
use crate::schema::{Attribute, Kind, Mutability, ResourceKind, Schema, is_scim_1, is_urn};

/// A resource body taken apart.
pub(crate) struct Body {
    /// Writable attributes in canonical form; extensions under their URN.
    pub(crate) attributes: Map<String, Value>,
    /// A group's `members` as sent.
    pub(crate) members: Option<Value>,
}

/// A body while it is read.
#[derive(Default)]
struct Reading {
    attributes: Map<String, Value>,
    members: Option<Value>,
    /// By URN in lower case.
    extensions: HashMap<String, Extension>,
}

/// An extension while its parts are collected: a body may name it, and what is in it, more than once and in any case. Names
/// are found by their folded form, since a look at all of them for each would make large bodies slow.
struct Extension {
    urn: String,
    attributes: Map<String, Value>,
    /// How a name in lower case is spelt: as it first came.
    spellings: HashMap<String, String>,
}

impl Reading {
    fn merge_extension(&mut self, urn: &str, read: Map<String, Value>) -> Result<(), ScimError> {
        if read.is_empty() {
            return Ok(());
        }
        let extension = self.extensions.entry(urn.to_ascii_lowercase()).or_insert_with(|| Extension {
            urn: urn.to_owned(),
            attributes: Map::new(),
            spellings: HashMap::new(),
        });
        for (name, value) in read {
            let spelling = extension.spellings.entry(name.to_ascii_lowercase()).or_insert(name);
            extension.attributes.insert(spelling.clone(), value);
        }
        check_keys(urn, extension.attributes.len())?;
        check_extensions(self.extensions.len())
    }

    fn finished(mut self) -> Body {
        for extension in self.extensions.into_values() {
            self.attributes.insert(extension.urn, Value::Object(extension.attributes));
        }
        Body { attributes: self.attributes, members: self.members }
    }
}

/// Reads a POST or PUT body. Read-only attributes and the password are dropped, unknown attributes ignored.
pub(crate) fn read_body(kind: ResourceKind, body: Value, quirks: &mut Quirks) -> Result<Body, ScimError> {
    let mut read = Reading::default();
    read_into(kind, body, &mut read, quirks)?;
    Ok(read.finished())
}

fn read_into(kind: ResourceKind, body: Value, read: &mut Reading, quirks: &mut Quirks) -> Result<(), ScimError> {
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
    body: &mut Reading,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
    if key.eq_ignore_ascii_case(kind.core().urn) {
        quirks.note(Quirk::UrnKey);
        return read_into(kind, value, body, quirks);
    }
    if let Some(schema) = kind.extension(&key) {
        let read = read_extension(schema, value, quirks)?;
        return body.merge_extension(schema.urn, read);
    }
    if is_urn(&key) && matches!(value, Value::Object(_) | Value::Null) {
        if let Some(Value::Object(read)) = read_any(value, &key, quirks)? {
            body.merge_extension(&key, read)?;
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
    body.merge_extension(urn, read.into_iter().collect())
}

/// `schemas` names what the body is. URNs that we do not know are ignored: Entra sends some of its own.
fn check_schemas(kind: ResourceKind, value: &Value, quirks: &mut Quirks) -> Result<(), ScimError> {
    let urns: Vec<&str> = match value {
        Value::Null => Vec::new(),
        Value::Array(urns) => urns.iter().filter_map(Value::as_str).collect(),
        Value::String(urn) => vec![urn],
        _ => return Err(ScimError::invalid_syntax("schemas must be a list of URNs")),
    };
    if urns.iter().any(|urn| is_scim_1(urn)) {
        return Err(ScimError::invalid_syntax(SCIM_1_HINT));
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
            // Whoever requires a value says what is missing.
            Value::String(text) if text.is_empty() && !attribute.required => {
                quirks.note(Quirk::EmptyValue);
                Ok(None)
            }
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
    let read = read_members_of(|name| attribute.sub(name), members, quirks)
        .map_err(|error| ScimError { detail: format!("{name}: {}", error.detail), ..error })?;
    // A role may be a whole JSON document, which is kept as it is.
    let is_document = |value: &Value| value.as_str().is_some_and(|text| text.starts_with('{'));
    if attribute.name == "roles" && read.get("value").is_some_and(is_document) {
        quirks.note(Quirk::RoleJsonString);
    }
    Ok(Some(read))
}

/// Whether an object says nothing; an element of a list does so too when it only tells what kind of thing it would be:
/// `{"type": "work"}`.
pub(crate) fn is_hollow(is_element: bool, members: &Map<String, Value>) -> bool {
    members.is_empty() || is_element && members.keys().all(|key| key == "type" || key == "primary")
}

/// Reads a value of an attribute that is not defined here: as it is, without nulls and empties.
pub(crate) fn read_any(value: Value, name: &str, quirks: &mut Quirks) -> Result<Option<Value>, ScimError> {
    check_value(&value, name, 0)?;
    without_empties(value, name, quirks)
}

fn without_empties(value: Value, name: &str, quirks: &mut Quirks) -> Result<Option<Value>, ScimError> {
    Ok(match value {
        Value::Null => {
            quirks.note(Quirk::NullValue);
            None
        }
        Value::String(text) if text.is_empty() => {
            quirks.note(Quirk::EmptyValue);
            None
        }
        Value::Array(items) => {
            check_count(name, items.len())?;
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                kept.extend(without_empties(item, name, quirks)?);
            }
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Object(members) => {
            check_keys(name, members.len())?;
            let mut kept = Map::new();
            for (key, value) in members {
                if let Some(value) = without_empties(value, &key, quirks)? {
                    kept.insert(key, value);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        scalar => Some(scalar),
    })
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
