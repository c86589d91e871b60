//! Reads values by their attribute's definition into canonical form, which removes most dialects of the identity
//! providers: schema spelling, JSON booleans, lists where the schema has lists, and no nulls.

use serde_json::{Map, Value};

use crate::bounds::check_count;
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::json::check_string;
use crate::scalars::{text_of, truth_of, unwrapped};
use crate::schema::{Attribute, Kind, Mutability};
use crate::untyped::read_any;

/// Whether a list is all there will be, or a step on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elements {
    /// Elements that say nothing are dropped.
    Whole,
    /// An element without content yet, which a later operation may complete.
    Partial,
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
        let elements = read_elements(attribute, value, Elements::Whole, quirks)?;
        return Ok((!elements.is_empty()).then_some(Value::Array(elements)));
    }
    read_single(attribute, name, value, quirks)
}

/// Reads the value of a multi-valued attribute as a list of elements, with at most one primary.
pub(crate) fn read_elements(
    attribute: &'static Attribute,
    value: Value,
    completeness: Elements,
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
            continue;
        }
        let read = read_single(attribute, attribute.name, element, quirks)?;
        elements.extend(read.filter(|element| completeness == Elements::Partial || !is_hollow_element(element)));
    }
    keep_one_primary(&mut elements, None, quirks);
    Ok(elements)
}

/// Clears `primary` on all elements but one: `newcomer` when it is primary, else the first that is. An element without content
/// does not count.
pub(crate) fn keep_one_primary(elements: &mut [Value], newcomer: Option<usize>, quirks: &mut Quirks) {
    let is_primary =
        |element: &Value| element.get("primary") == Some(&Value::Bool(true)) && !is_hollow_element(element);
    let newcomer = newcomer.filter(|index| elements.get(*index).is_some_and(is_primary));
    let Some(kept) = newcomer.or_else(|| elements.iter().position(is_primary)) else { return };
    for (index, element) in elements.iter_mut().enumerate() {
        if index != kept && is_primary(element) {
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
        Kind::Complex => {
            let read = read_object(attribute, name, value, quirks)?;
            Ok(read.filter(|members| !members.is_empty()).map(Value::Object))
        }
        Kind::Boolean => read_boolean(name, value, quirks),
        Kind::String | Kind::Reference | Kind::Binary => read_text(attribute, name, value, quirks),
        Kind::DateTime => match value {
            Value::String(text) if chrono::DateTime::parse_from_rfc3339(&text).is_ok() => Ok(Some(Value::String(text))),
            _ => Err(wrong_type(name, "a date and time such as 2026-11-21T10:00:00Z")),
        },
        Kind::Any => read_any(value, name, quirks),
    }
}

fn read_text(
    attribute: &'static Attribute,
    name: &str,
    value: Value,
    quirks: &mut Quirks,
) -> Result<Option<Value>, ScimError> {
    match unwrapped(value, quirks) {
        // A required value that is missing is named by the check of the whole resource.
        Some(Value::String(text)) if text.is_empty() && !attribute.required => {
            quirks.note(Quirk::EmptyValue);
            Ok(None)
        }
        Some(Value::String(text)) => {
            check_string(name, &text)?;
            Ok(Some(Value::String(text)))
        }
        Some(Value::Number(number)) => {
            quirks.note(Quirk::NumberForText);
            let text = text_of(&number).ok_or_else(|| wrong_type(name, "a string"))?;
            Ok(Some(Value::String(text)))
        }
        Some(Value::Null) => {
            quirks.note(Quirk::NullValue);
            Ok(None)
        }
        None => Ok(None),
        Some(_) => Err(wrong_type(name, "a string")),
    }
}

fn read_boolean(name: &str, value: Value, quirks: &mut Quirks) -> Result<Option<Value>, ScimError> {
    let Some(value) = unwrapped(value, quirks) else { return Ok(None) };
    match value {
        Value::Bool(_) => return Ok(Some(value)),
        Value::Null => {
            quirks.note(Quirk::NullValue);
            return Ok(None);
        }
        _ => quirks.note(Quirk::StringBoolean),
    }
    let truth = truth_of(&value).ok_or_else(|| wrong_type(name, "true or false"))?;
    Ok(Some(Value::Bool(truth)))
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
        bare @ (Value::String(_) | Value::Number(_)) if attribute.default_sub().is_some() => {
            quirks.note(if attribute.multi { Quirk::BareElement } else { Quirk::ManagerString });
            Map::from_iter([("value".to_owned(), bare)])
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
    // A role may be a whole JSON document, which is kept unchanged.
    let is_document = |value: &Value| value.as_str().is_some_and(|text| text.starts_with('{'));
    if attribute.name == "roles" && read.get("value").is_some_and(is_document) {
        quirks.note(Quirk::RoleJsonString);
    }
    Ok(Some(read))
}

/// True for an object without content; as an element of a list also one with only a type, such as `{"type": "work"}`.
pub(crate) fn is_hollow(is_element: bool, members: &Map<String, Value>) -> bool {
    members.is_empty() || is_element && members.keys().all(|key| key == "type" || key == "primary")
}

/// True for an element of a list without content.
pub(crate) fn is_hollow_element(element: &Value) -> bool {
    element.as_object().is_some_and(|members| is_hollow(true, members))
}

/// The canonical spelling of a key, without a copy when it is canonical already.
pub(crate) fn canonical_key(attribute: &Attribute, key: String, quirks: &mut Quirks) -> String {
    if key == attribute.name {
        return key;
    }
    quirks.note(Quirk::AttributeCase);
    attribute.name.to_owned()
}

fn wrong_type(name: &str, wanted: &str) -> ScimError {
    ScimError::invalid_value(format!("{name} must be {wanted}"))
}
