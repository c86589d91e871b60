//! Values of attributes that are not defined here: kept as they are, without nulls and empties.

use serde_json::{Map, Value};

use crate::bounds::{check_count, check_keys};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::json::check_value;

/// Reads a value of an attribute that is not defined here. `None` is "unassigned".
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
