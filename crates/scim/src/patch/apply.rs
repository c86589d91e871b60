//! Changes applied to canonical attributes. What goes in is canonical, so what comes out is: emptied lists and objects
//! disappear, and a list has at most one primary element.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Change, Edit};
use crate::bounds::{Work, check_count, check_extensions, check_keys, json_bytes};
use crate::canonical::{is_hollow, keep_one_primary};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::filter::{CompareOp, CompareValue, Filter};
use crate::fold::fold;
use crate::path::AttrPath;
use crate::schema::{Attribute, is_urn, spelling};

/// The attributes after all `changes`; membership is not among them.
pub(super) fn apply(
    attributes: &Map<String, Value>,
    changes: &[Change],
    quirks: &mut Quirks,
) -> Result<Map<String, Value>, ScimError> {
    let mut attributes = attributes.clone();
    let mut work = Work::of_one_patch();
    for change in changes {
        apply_one(&mut attributes, change, &mut work, quirks)?;
    }
    Ok(attributes)
}

fn apply_one(
    attributes: &mut Map<String, Value>,
    change: &Change,
    work: &mut Work,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
    match change {
        Change::Members(_) => Ok(()),
        Change::Set(path, value) => in_holder(attributes, path, work, |holder, work| set(holder, path, value, work)),
        Change::Unset(path) => in_holder(attributes, path, work, |holder, work| unset(holder, path, work)),
        Change::UnsetExtension(urn) => {
            work.take(attributes.len())?;
            attributes.remove(&spelling(attributes, urn));
            Ok(())
        }
        Change::AddUntyped(path, value) => {
            in_holder(attributes, path, work, |holder, work| add_untyped(holder, path, value, work))
        }
        Change::Append(attribute, path, values) => edit_list(attributes, path, work, |list, work| {
            let before = list.len();
            append(attribute, list, values, work, quirks)?;
            if list.len() > before { check_count(attribute.name, list.len()) } else { Ok(()) }
        }),
        Change::RemoveElements(attribute, path, values) => edit_list(attributes, path, work, |list, work| {
            work.take(cost_of_comparing(list, values))?;
            let values: Vec<Value> = values.iter().map(|value| folded(attribute, value)).collect();
            list.retain(|element| {
                let element = folded(attribute, element);
                !values.iter().any(|value| is_same(&element, value))
            });
            Ok(())
        }),
        Change::Elements { path, filter, edit } => {
            edit_list(attributes, path, work, |list, work| edit_elements(path, list, filter, edit, work, quirks))
        }
    }
}

/// Runs `edit` on the object that holds the path's attribute: the resource, or an extension, which comes and goes with its
/// content.
fn in_holder(
    attributes: &mut Map<String, Value>,
    path: &AttrPath,
    work: &mut Work,
    edit: impl FnOnce(&mut Map<String, Value>, &mut Work) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    // A name that is not there as it is spelt is looked for among all.
    work.take(1 + attributes.len())?;
    let Some(urn) = &path.extension else { return edit(attributes, work) };
    let urn = spelling(attributes, urn);
    let (mut extension, is_new) = match attributes.remove(&urn) {
        Some(Value::Object(extension)) => (extension, false),
        _ => (Map::new(), true),
    };
    let before = extension.len();
    work.take(before)?;
    edit(&mut extension, work)?;
    if extension.len() > before {
        check_keys(&urn, extension.len())?;
    }
    if !extension.is_empty() {
        attributes.insert(urn, Value::Object(extension));
        if is_new {
            check_extensions(attributes.keys().filter(|key| is_urn(key)).count())?;
        }
    }
    Ok(())
}

fn set(holder: &mut Map<String, Value>, path: &AttrPath, value: &Value, work: &mut Work) -> Result<(), ScimError> {
    let name = spelling(holder, &path.attribute);
    let bytes = json_bytes(value);
    work.take(bytes)?;
    let Some(sub) = &path.sub else {
        holder.insert(name, value.clone());
        return Ok(());
    };
    let fresh = || Map::from_iter([(sub.to_string(), value.clone())]);
    match holder.get_mut(&name) {
        Some(Value::Object(members)) => {
            let before = members.len();
            work.take(before)?;
            members.insert(spelling(members, sub), value.clone());
            if members.len() > before {
                check_keys(&name, members.len())?;
            }
        }
        Some(Value::Array(elements)) => {
            work.take(elements.len() * (1 + bytes))?;
            for element in elements.iter_mut().filter_map(Value::as_object_mut) {
                element.insert(sub.to_string(), value.clone());
            }
            keep_one_primary(elements, None, &mut Quirks::new());
        }
        _ if path.multi => {
            if !is_hollow(true, &fresh()) {
                holder.insert(name, Value::Array(vec![Value::Object(fresh())]));
            }
        }
        _ => {
            holder.insert(name, Value::Object(fresh()));
        }
    }
    Ok(())
}

fn unset(holder: &mut Map<String, Value>, path: &AttrPath, work: &mut Work) -> Result<(), ScimError> {
    let name = spelling(holder, &path.attribute);
    let emptied = match (&path.sub, holder.get_mut(&name)) {
        (Some(sub), Some(Value::Object(members))) => {
            work.take(members.len())?;
            members.remove(&spelling(members, sub));
            members.is_empty()
        }
        (Some(sub), Some(Value::Array(elements))) => {
            work.take(elements.len())?;
            for element in elements.iter_mut().filter_map(Value::as_object_mut) {
                element.remove(sub.as_ref());
            }
            drop_hollow(path, elements);
            elements.is_empty()
        }
        (Some(_), _) => false,
        (None, _) => true,
    };
    if emptied {
        holder.remove(&name);
    }
    Ok(())
}

fn add_untyped(
    holder: &mut Map<String, Value>,
    path: &AttrPath,
    value: &Value,
    work: &mut Work,
) -> Result<(), ScimError> {
    let name = spelling(holder, &path.attribute);
    match (holder.get_mut(&name), value) {
        (Some(Value::Array(list)), Value::Array(more)) if path.sub.is_none() => {
            work.take(json_bytes(list) + json_bytes(more))?;
            let mut seen: HashSet<&Value> = list.iter().collect();
            let new: Vec<Value> = more.iter().filter(|value| seen.insert(value)).cloned().collect();
            if !new.is_empty() {
                list.extend(new);
                check_count(&name, list.len())?;
            }
            Ok(())
        }
        (Some(Value::Object(members)), Value::Object(more)) if path.sub.is_none() => {
            work.take(json_bytes(more))?;
            let before = members.len();
            members.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            if members.len() > before { check_keys(&name, members.len()) } else { Ok(()) }
        }
        _ => set(holder, path, value, work),
    }
}

/// Runs `edit` on the list at `path`, which comes and goes with its elements.
fn edit_list(
    attributes: &mut Map<String, Value>,
    path: &AttrPath,
    work: &mut Work,
    edit: impl FnOnce(&mut Vec<Value>, &mut Work) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    in_holder(attributes, path, work, |holder, work| {
        let name = spelling(holder, &path.attribute);
        let mut list = match holder.remove(&name) {
            Some(Value::Array(list)) => list,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        edit(&mut list, work)?;
        if !list.is_empty() {
            holder.insert(name, Value::Array(list));
        }
        Ok(())
    })
}

/// Adds elements; one that is there already is merged into, so that adding it again changes nothing.
fn append(
    attribute: &Attribute,
    list: &mut Vec<Value>,
    values: &[Value],
    work: &mut Work,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
    work.take(cost_of_comparing(list, values))?;
    // Folded beside the list, step by step, so that each string is folded once.
    let mut compared: Vec<Value> = list.iter().map(|element| folded(attribute, element)).collect();
    for value in values {
        let wanted = folded(attribute, value);
        let place = match (compared.iter().position(|element| is_same(element, &wanted)), value) {
            (Some(place), Value::Object(members)) => {
                merge(&mut list[place], members);
                merge(&mut compared[place], wanted.as_object().unwrap_or(members));
                place
            }
            (Some(place), _) => place,
            (None, value) => {
                list.push(value.clone());
                compared.push(wanted);
                list.len() - 1
            }
        };
        keep_one_primary(list, Some(place), quirks);
        keep_one_primary(&mut compared, Some(place), &mut Quirks::new());
    }
    Ok(())
}

fn edit_elements(
    path: &AttrPath,
    list: &mut Vec<Value>,
    filter: &Filter,
    edit: &Edit,
    work: &mut Work,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
    let (terms, bytes) = weight_of(filter);
    work.take(json_bytes(list) * terms + list.len() * bytes)?;
    match edit {
        Edit::Remove => list.retain(|element| !filter.matches_element(element)),
        Edit::Unset(sub) => {
            for element in list.iter_mut().filter(|element| filter.matches_element(element)) {
                if let Value::Object(members) = element {
                    members.remove(sub);
                }
            }
            drop_hollow(path, list);
        }
        Edit::Merge(members) => {
            let selected: Vec<usize> = (0..list.len()).filter(|place| filter.matches_element(&list[*place])).collect();
            work.take(selected.len() * (list.len() + json_bytes(members)))?;
            for place in &selected {
                merge(&mut list[*place], members);
                keep_one_primary(list, Some(*place), quirks);
            }
            if selected.is_empty() {
                quirks.note(Quirk::CreateOnMiss);
                let newcomer = list.len();
                list.push(created(filter, members)?);
                drop_hollow(path, list);
                keep_one_primary(list, Some(newcomer), quirks);
                check_count(&path.attribute, list.len())?;
            }
        }
    }
    Ok(())
}

/// Comparisons of a filter, and bytes of what they compare with.
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

/// An element that lost what it was about is no element any more.
fn drop_hollow(path: &AttrPath, list: &mut Vec<Value>) {
    list.retain(|element| !element.as_object().is_some_and(|members| is_hollow(path.multi, members)));
}

/// The element that a filter describes, with what was to be set on it (trap 3).
fn created(filter: &Filter, members: &Map<String, Value>) -> Result<Value, ScimError> {
    let mut element = Map::new();
    if !describe(filter, &mut element) {
        return Err(ScimError::no_target("the filter of the path selects nothing, and says too little to create it"));
    }
    element.extend(members.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(Value::Object(element))
}

/// Collects what the terms of a filter say an element is; false when they leave a choice.
fn describe(filter: &Filter, element: &mut Map<String, Value>) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| describe(filter, element)),
        Filter::Compare { path, op: CompareOp::Eq, value } => {
            let Some(sub) = &path.sub else { return false };
            let value = match value {
                // Unassigned, as anywhere else.
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
    if let Value::Object(element) = element {
        element.extend(members.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// What comparing the elements of a list with each of these values takes.
fn cost_of_comparing(list: &[Value], values: &[Value]) -> usize {
    json_bytes(&list) + json_bytes(&values) + list.len().max(values.len()) * values.len()
}

/// An element as it is compared: its strings folded, unless their case counts.
fn folded(attribute: &Attribute, element: &Value) -> Value {
    let Value::Object(members) = element else { return element.clone() };
    let fold_one = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) if !attribute.sub(name).is_some_and(|sub| sub.case_exact) => Value::String(fold(text)),
            other => other.clone(),
        };
        (name.clone(), value)
    };
    Value::Object(members.iter().map(fold_one).collect())
}

/// Whether two folded elements are one and the same: by `value`, and by `type` where both have one; without a `value` by all
/// that `given` says.
fn is_same(element: &Value, given: &Value) -> bool {
    let (Value::Object(element), Value::Object(given)) = (element, given) else { return element == given };
    let agrees = |name: &str| element.get(name) == given.get(name);
    if given.contains_key("value") {
        let both_typed = element.contains_key("type") && given.contains_key("type");
        return agrees("value") && (!both_typed || agrees("type"));
    }
    given.keys().all(|name| agrees(name))
}
