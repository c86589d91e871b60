//! Changes applied to canonical attributes. What goes in is canonical, so what comes out is: emptied lists and objects
//! disappear, and a list has at most one primary element.

use serde_json::{Map, Value};

use super::{Change, Edit};
use crate::canonical::{check_count, is_hollow, keep_one_primary};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::filter::{CompareOp, CompareValue, Filter};
use crate::fold::eq_folded;
use crate::path::AttrPath;
use crate::schema::{Attribute, spelling};

/// The attributes after all `changes`; membership is not among them.
pub(super) fn apply(
    attributes: &Map<String, Value>,
    changes: &[Change],
    quirks: &mut Quirks,
) -> Result<Map<String, Value>, ScimError> {
    let mut attributes = attributes.clone();
    for change in changes {
        apply_one(&mut attributes, change, quirks)?;
    }
    Ok(attributes)
}

fn apply_one(attributes: &mut Map<String, Value>, change: &Change, quirks: &mut Quirks) -> Result<(), ScimError> {
    match change {
        Change::Members(_) => {}
        Change::Set(path, value) => in_holder(attributes, path, |holder| set(holder, path, value)),
        Change::Unset(path) => in_holder(attributes, path, |holder| unset(holder, path)),
        Change::UnsetExtension(urn) => {
            attributes.remove(&spelling(attributes, urn));
        }
        Change::AddUntyped(path, value) => in_holder(attributes, path, |holder| add_untyped(holder, path, value)),
        Change::Append(attribute, path, values) => {
            return edit_list(attributes, path, |list| {
                append(attribute, list, values, quirks);
                check_count(attribute.name, list.len())
            });
        }
        Change::RemoveElements(attribute, path, values) => {
            return edit_list(attributes, path, |list| {
                list.retain(|element| !values.iter().any(|value| is_same(attribute, element, value)));
                Ok(())
            });
        }
        Change::Elements { path, filter, edit } => {
            return edit_list(attributes, path, |list| edit_elements(path, list, filter, edit, quirks));
        }
    }
    Ok(())
}

/// Runs `edit` on the object that holds the path's attribute: the resource, or an extension, which comes and goes with its
/// content.
fn in_holder<T>(
    attributes: &mut Map<String, Value>,
    path: &AttrPath,
    edit: impl FnOnce(&mut Map<String, Value>) -> T,
) -> T {
    let Some(urn) = &path.extension else { return edit(attributes) };
    let urn = spelling(attributes, urn);
    let mut extension = match attributes.remove(&urn) {
        Some(Value::Object(extension)) => extension,
        _ => Map::new(),
    };
    let outcome = edit(&mut extension);
    if !extension.is_empty() {
        attributes.insert(urn, Value::Object(extension));
    }
    outcome
}

fn set(holder: &mut Map<String, Value>, path: &AttrPath, value: &Value) {
    let name = spelling(holder, &path.attribute);
    let Some(sub) = &path.sub else {
        holder.insert(name, value.clone());
        return;
    };
    let fresh = || Map::from_iter([(sub.to_string(), value.clone())]);
    match holder.get_mut(&name) {
        Some(Value::Object(members)) => {
            members.insert(spelling(members, sub), value.clone());
        }
        Some(Value::Array(elements)) => {
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
}

fn unset(holder: &mut Map<String, Value>, path: &AttrPath) {
    let name = spelling(holder, &path.attribute);
    let emptied = match (&path.sub, holder.get_mut(&name)) {
        (Some(sub), Some(Value::Object(members))) => {
            members.remove(&spelling(members, sub));
            members.is_empty()
        }
        (Some(sub), Some(Value::Array(elements))) => {
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
}

fn add_untyped(holder: &mut Map<String, Value>, path: &AttrPath, value: &Value) {
    let name = spelling(holder, &path.attribute);
    match (holder.get_mut(&name), value) {
        (Some(Value::Array(list)), Value::Array(more)) if path.sub.is_none() => {
            for value in more {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
        }
        (Some(Value::Object(members)), Value::Object(more)) if path.sub.is_none() => {
            members.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        _ => set(holder, path, value),
    }
}

/// Runs `edit` on the list at `path`, which comes and goes with its elements.
fn edit_list(
    attributes: &mut Map<String, Value>,
    path: &AttrPath,
    edit: impl FnOnce(&mut Vec<Value>) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    in_holder(attributes, path, |holder| {
        let name = spelling(holder, &path.attribute);
        let mut list = match holder.remove(&name) {
            Some(Value::Array(list)) => list,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        edit(&mut list)?;
        if !list.is_empty() {
            holder.insert(name, Value::Array(list));
        }
        Ok(())
    })
}

/// Adds elements; one that is there already is merged into, so that adding it again changes nothing.
fn append(attribute: &Attribute, list: &mut Vec<Value>, values: &[Value], quirks: &mut Quirks) {
    for value in values {
        let place = list.iter().position(|element| is_same(attribute, element, value));
        let place = match (place, value) {
            (Some(place), Value::Object(members)) => {
                merge(&mut list[place], members);
                place
            }
            (Some(place), _) => place,
            (None, value) => {
                list.push(value.clone());
                list.len() - 1
            }
        };
        keep_one_primary(list, Some(place), quirks);
    }
}

fn edit_elements(
    path: &AttrPath,
    list: &mut Vec<Value>,
    filter: &Filter,
    edit: &Edit,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
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

/// Whether two elements are one and the same: by `value`, and by `type` where both have one; without a `value` by all that `given`
/// says.
fn is_same(attribute: &Attribute, element: &Value, given: &Value) -> bool {
    let (Value::Object(element), Value::Object(given)) = (element, given) else { return element == given };
    let agrees = |name: &str| match (element.get(name), given.get(name)) {
        (Some(Value::String(left)), Some(Value::String(right))) => {
            let exact = attribute.sub(name).is_some_and(|sub| sub.case_exact);
            if exact { left == right } else { eq_folded(left, right) }
        }
        (left, right) => left == right,
    };
    if given.contains_key("value") {
        let both_typed = element.contains_key("type") && given.contains_key("type");
        return agrees("value") && (!both_typed || agrees("type"));
    }
    given.keys().all(|name| agrees(name))
}
