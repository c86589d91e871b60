//! Canonical text of filters: parsing it gives an equal filter.

use std::fmt;

use chrono::SecondsFormat;
use serde_json::Value;

use super::{CompareValue, Filter};
use crate::path::AttrPath;

/// Whether names are complete or relative to the element in brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NameStyle {
    Complete,
    OfElement,
}

/// The precedence of the context: a filter of lower precedence needs parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Term,
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_filter(self, NameStyle::Complete, Binding::Or, f)
    }
}

fn write_filter(filter: &Filter, names: NameStyle, around: Binding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match filter {
        Filter::Or(filters) => write_list(filters, " or ", Binding::Or, names, around, f),
        Filter::And(filters) => write_list(filters, " and ", Binding::And, names, around, f),
        Filter::Not(filter) => {
            f.write_str("not (")?;
            write_filter(filter, names, Binding::Or, f)?;
            f.write_str(")")
        }
        Filter::Compare { path, op, value } => {
            write_name(path, names, f)?;
            write!(f, " {} ", op.as_str())?;
            write_value(value, f)
        }
        Filter::Present(path) => {
            write_name(path, names, f)?;
            f.write_str(" pr")
        }
        Filter::ValuePath { path, filter } => {
            write!(f, "{path}[")?;
            write_filter(filter, NameStyle::OfElement, Binding::Or, f)?;
            f.write_str("]")
        }
    }
}

fn write_list(
    filters: &[Filter],
    word: &str,
    own: Binding,
    names: NameStyle,
    around: Binding,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let inside = if own == Binding::Or { Binding::And } else { Binding::Term };
    if own < around {
        f.write_str("(")?;
    }
    for (place, filter) in filters.iter().enumerate() {
        if place > 0 {
            f.write_str(word)?;
        }
        write_filter(filter, names, inside, f)?;
    }
    if own < around {
        f.write_str(")")?;
    }
    Ok(())
}

fn write_name(path: &AttrPath, names: NameStyle, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (names, &path.sub) {
        (NameStyle::OfElement, Some(sub)) => f.write_str(sub),
        _ => write!(f, "{path}"),
    }
}

fn write_value(value: &CompareValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        CompareValue::String(text) => write!(f, "{}", Value::from(text.as_str())),
        CompareValue::Boolean(truth) => write!(f, "{truth}"),
        CompareValue::DateTime(instant) => {
            write!(f, "\"{}\"", instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        CompareValue::Number(number) => write!(f, "{number}"),
    }
}
