//! Elements of a list: added, removed by value, or changed where they fulfil a filter. The same rules hold for the lists of the
//! schema and for those of a client's own extensions, which may hold plain values.

use serde_json::{Map, Value};

use super::Edit;
use super::apply::Applying;
use crate::bounds::{Work, check_count, json_bytes};
use crate::canonical::{is_hollow, keep_one_primary};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::filter::{CompareOp, CompareValue, Filter};
use crate::fold::fold;
use crate::schema::Attribute;

/// Adds elements; an existing one is merged, so that adding it again changes nothing.
pub(super) fn append(
    attribute: Option<&Attribute>,
    list: &mut Vec<Value>,
    values: &[Value],
    applying: &mut Applying<'_>,
) -> Result<(), ScimError> {
    applying.work.take(cost_of_comparing(list, values))?;
    // Folded beside the list, step by step, so that each string is folded once.
    let mut compared: Vec<Value> = list.iter().map(|element| folded(attribute, element)).collect();
    for value in values {
        let wanted = folded(attribute, value);
        if attribute.is_some() && has_one_of_its_type(&compared, &wanted) {
            continue;
        }
        let index = match (compared.iter().position(|element| is_same(element, &wanted)), value) {
            (Some(index), Value::Object(members)) => {
                merge(&mut list[index], members);
                merge(&mut compared[index], wanted.as_object().unwrap_or(members));
                index
            }
            (Some(index), _) => index,
            (None, value) => {
                list.push(value.clone());
                compared.push(wanted);
                list.len() - 1
            }
        };
        keep_one_primary(list, Some(index), applying.quirks);
        keep_one_primary(&mut compared, Some(index), &mut Quirks::new());
    }
    Ok(())
}

/// True if an element with its type alone adds nothing to a list that has one of that type.
fn has_one_of_its_type(list: &[Value], wanted: &Value) -> bool {
    let Value::Object(members) = wanted else { return false };
    is_hollow(true, members) && list.iter().any(|element| element.get("type") == members.get("type"))
}

/// Removes the elements that are the same as one of `values`.
pub(super) fn remove(
    attribute: Option<&Attribute>,
    list: &mut Vec<Value>,
    values: &[Value],
    work: &mut Work,
) -> Result<(), ScimError> {
    work.take(cost_of_comparing(list, values))?;
    let comparable = |value: &Value| match (attribute, value) {
        (None, Value::String(text)) => Value::String(fold(text)),
        _ => folded(attribute, value),
    };
    let values: Vec<Value> = values.iter().map(comparable).collect();
    list.retain(|element| {
        let element = comparable(element);
        !values
            .iter()
            .any(|value| is_same(&element, value) || is_value_of(&element, value) || is_value_of(value, &element))
    });
    Ok(())
}

/// Whether a plain value is the `value` of an object.
fn is_value_of(object: &Value, plain: &Value) -> bool {
    object.is_object() && !plain.is_object() && object.get("value") == Some(plain)
}

/// Changes the elements that fulfil a filter; where none does, one is made.
pub(super) fn edit_selected(
    name: &str,
    list: &mut Vec<Value>,
    filter: &Filter,
    edit: &Edit,
    applying: &mut Applying<'_>,
) -> Result<(), ScimError> {
    let (terms, bytes) = weight_of(filter);
    applying.work.take(json_bytes(list) * terms + list.len() * bytes)?;
    match edit {
        Edit::Remove => list.retain(|element| !filter.matches_element(element)),
        Edit::Unset(sub) => list.retain_mut(|element| {
            if !filter.matches_element(element) {
                return true;
            }
            match element {
                Value::Object(members) => {
                    members.remove(sub);
                    true
                }
                // A plain value is its own `value`.
                _ => sub != "value",
            }
        }),
        Edit::Merge(members) => {
            let is_plain = !list.is_empty() && list.iter().all(|element| !element.is_object());
            put(name, list, filter, json_bytes(members), applying, &|element| merge(element, members), &|described| {
                if let (Some(value), 1, true) = (members.get("value"), members.len(), is_plain) {
                    return value.clone();
                }
                let mut element = described;
                element.extend(members.iter().map(|(key, value)| (key.clone(), value.clone())));
                Value::Object(element)
            })?;
        }
        Edit::Value(value) => {
            let is_plain = list.iter().all(|element| !element.is_object());
            put(name, list, filter, json_bytes(value), applying, &|element| set_value(element, value), &|described| {
                if is_plain {
                    return value.clone();
                }
                let mut element = Value::Object(described);
                set_value(&mut element, value);
                element
            })?;
        }
    }
    Ok(())
}

/// Runs `change` on each selected element, or makes one from the filter.
fn put(
    name: &str,
    list: &mut Vec<Value>,
    filter: &Filter,
    bytes: usize,
    applying: &mut Applying<'_>,
    change: &dyn Fn(&mut Value),
    create: &dyn Fn(Map<String, Value>) -> Value,
) -> Result<(), ScimError> {
    let selected: Vec<usize> = (0..list.len()).filter(|index| filter.matches_element(&list[*index])).collect();
    applying.work.take(selected.len() * (list.len() + bytes))?;
    for index in &selected {
        change(&mut list[*index]);
        keep_one_primary(list, Some(*index), applying.quirks);
    }
    if selected.is_empty() {
        let mut described = Map::new();
        if !describe(filter, &mut described) {
            let detail = "the filter of the path selects nothing, and says too little to create it";
            return Err(ScimError::no_target(detail));
        }
        applying.quirks.note(Quirk::CreateOnMiss);
        let newcomer = list.len();
        list.push(create(described));
        keep_one_primary(list, Some(newcomer), applying.quirks);
        check_count(name, list.len())?;
    }
    Ok(())
}

/// Sets an element's content: the `value` of an object, or the plain value itself.
fn set_value(element: &mut Value, value: &Value) {
    match element {
        Value::Object(members) => {
            members.insert("value".to_owned(), value.clone());
        }
        plain => *plain = value.clone(),
    }
}

/// Number of comparisons of a filter, and bytes of their operands.
fn weight_of(filter: &Filter) -> (usize, usize) {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters
            .iter()
            .map(weight_of)
            .fold((0, 0), |(terms, bytes), (more_terms, more_bytes)| (terms + more_terms, bytes + more_bytes)),
        Filter::Not(filter) | Filter::ValuePath { filter, .. } => weight_of(filter),
        Filter::Compare { value: CompareValue::String(text), .. } => (1, text.len()),
        Filter::Compare { .. } | Filter::Present(_) => (1, 0),
    }
}

/// Collects an element's attributes from the terms of a filter (docs/scim.md#traps, 3); false when they leave a choice.
fn describe(filter: &Filter, element: &mut Map<String, Value>) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| describe(filter, element)),
        Filter::Compare { path, op: CompareOp::Eq, value } => {
            let Some(sub) = &path.sub else { return false };
            let value = match value {
                // Unassigned, as everywhere.
                CompareValue::String(text) if text.is_empty() => return true,
                CompareValue::String(text) => Value::from(text.as_str()),
                CompareValue::Boolean(truth) => Value::from(*truth),
                CompareValue::Number(number) => Value::Number(number.clone()),
                CompareValue::DateTime(_) => return false,
            };
            element.insert(sub.to_string(), value);
            true
        }
        _ => false,
    }
}

fn merge(element: &mut Value, members: &Map<String, Value>) {
    match element {
        Value::Object(element) => {
            element.extend(members.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        // A plain value is its own `value`, and stays plain while it has no other sub-attribute.
        plain => match (members.get("value"), members.len()) {
            (Some(value), 1) => *plain = value.clone(),
            (Some(_), _) => *plain = Value::Object(members.clone()),
            (None, _) => {
                let mut object = members.clone();
                object.insert("value".to_owned(), plain.take());
                *plain = Value::Object(object);
            }
        },
    }
}

/// The cost of comparing the elements of a list with each of these values.
fn cost_of_comparing(list: &[Value], values: &[Value]) -> usize {
    json_bytes(&list) + json_bytes(&values) + list.len().max(values.len()) * values.len()
}

/// An element as it is compared: its strings folded, unless their case counts. A plain value is compared as it is.
fn folded(attribute: Option<&Attribute>, element: &Value) -> Value {
    let Value::Object(members) = element else { return element.clone() };
    let is_exact = |name: &str| attribute.is_some_and(|it| it.sub(name).is_some_and(|sub| sub.case_exact));
    let fold_one = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) if !is_exact(name) => Value::String(fold(text)),
            other => other.clone(),
        };
        (name.clone(), value)
    };
    Value::Object(members.iter().map(fold_one).collect())
}

/// True if two folded elements are the same: by `value`, and by `type` if both have one; without a `value` by all attributes
/// of `given`.
fn is_same(element: &Value, given: &Value) -> bool {
    let (Value::Object(element), Value::Object(given)) = (element, given) else { return element == given };
    let agrees = |name: &str| element.get(name) == given.get(name);
    if given.contains_key("value") {
        let both_typed = element.contains_key("type") && given.contains_key("type");
        return agrees("value") && (!both_typed || agrees("type"));
    }
    given.keys().all(|name| agrees(name))
}
