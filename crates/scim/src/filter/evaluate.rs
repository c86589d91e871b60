//! The reference evaluator of filters, on one resource in memory. Patch paths use it on elements, and the tests of the
//! SQL translation compare against it.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::DateTime;
use serde_json::Value;

use super::{CompareOp, CompareValue, Filter};
use crate::fold::fold;
use crate::path::AttrPath;
use crate::schema::get_ignore_case;

/// `active` when it is unassigned.
static ACTIVE: Value = Value::Bool(true);

pub(super) fn matches(filter: &Filter, resource: &Value) -> bool {
    decide(filter, &|path| resource_values(path, resource))
}

pub(super) fn matches_element(filter: &Filter, element: &Value) -> bool {
    decide(filter, &|path| element_values(path, element))
}

fn decide<'v>(filter: &Filter, values: &dyn Fn(&AttrPath) -> Vec<&'v Value>) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| decide(filter, values)),
        Filter::Or(filters) => filters.iter().any(|filter| decide(filter, values)),
        Filter::Not(filter) => !decide(filter, values),
        Filter::Present(path) => values(path).into_iter().any(is_present),
        Filter::Compare { path, op: CompareOp::Ne, value } => !any_compares(path, CompareOp::Eq, value, &values(path)),
        Filter::Compare { path, op, value } => any_compares(path, *op, value, &values(path)),
        Filter::ValuePath { path, filter } => values(path).into_iter().any(|element| matches_element(filter, element)),
    }
}

/// The values of a path: none, one, or those of a list.
fn resource_values<'v>(path: &AttrPath, resource: &'v Value) -> Vec<&'v Value> {
    let holder = match &path.extension {
        Some(urn) => member(resource, urn),
        None => Some(resource),
    };
    let value = holder.and_then(|holder| member(holder, &path.attribute));
    match (value, &path.sub) {
        (Some(Value::Array(elements)), Some(sub)) => {
            elements.iter().filter_map(|element| sub_value(element, sub)).collect()
        }
        (Some(Value::Array(elements)), None) => elements.iter().collect(),
        (Some(value), Some(sub)) => sub_value(value, sub).into_iter().collect(),
        (Some(value), None) => vec![value],
        (None, _) if path.core() == Some(("active", None)) => vec![&ACTIVE],
        (None, _) => Vec::new(),
    }
}

/// The value of a path's sub-attribute in one element.
fn element_values<'v>(path: &AttrPath, element: &'v Value) -> Vec<&'v Value> {
    let value = match &path.sub {
        Some(sub) => sub_value(element, sub),
        None => Some(element),
    };
    match value {
        Some(Value::Array(values)) => values.iter().collect(),
        other => other.into_iter().collect(),
    }
}

/// A sub-attribute; a plain value is its own `value`.
fn sub_value<'v>(element: &'v Value, sub: &str) -> Option<&'v Value> {
    match element {
        Value::Object(_) => member(element, sub),
        plain => (sub == "value").then_some(plain),
    }
}

fn member<'v>(holder: &'v Value, name: &str) -> Option<&'v Value> {
    get_ignore_case(holder.as_object()?, name)
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn any_compares(path: &AttrPath, op: CompareOp, wanted: &CompareValue, values: &[&Value]) -> bool {
    match wanted {
        CompareValue::String(wanted) => {
            let comparable = |text| if path.case_exact { Cow::Borrowed(text) } else { Cow::Owned(fold(text)) };
            let wanted = comparable(wanted.as_str());
            values.iter().filter_map(|value| value.as_str()).any(|text| compare_text(op, &comparable(text), &wanted))
        }
        CompareValue::Boolean(wanted) => values.iter().any(|value| value.as_bool() == Some(*wanted)),
        CompareValue::DateTime(wanted) => values
            .iter()
            .filter_map(|value| DateTime::parse_from_rfc3339(value.as_str()?).ok())
            .any(|instant| holds(op, instant.to_utc().cmp(wanted))),
        CompareValue::Number(wanted) => values
            .iter()
            .filter_map(|value| value.as_f64()?.partial_cmp(&wanted.as_f64()?))
            .any(|order| holds(op, order)),
    }
}

fn compare_text(op: CompareOp, text: &str, wanted: &str) -> bool {
    match op {
        CompareOp::Co => text.contains(wanted),
        CompareOp::Sw => text.starts_with(wanted),
        CompareOp::Ew => text.ends_with(wanted),
        _ => holds(op, text.cmp(wanted)),
    }
}

fn holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}
