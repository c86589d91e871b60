//! The checks of a whole user, and what a write that ends somebody's access does about an attribute that fails them.

use serde_json::{Map, Value};

use super::{check_common, check_length, check_required};
use crate::bounds::{check_document, json_bytes, kept_bytes};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::limits::{TEXT_CHARACTERS, USER_NAME_CHARACTERS};

/// Whether canonical attributes end the user's access.
pub(super) fn says_inactive(attributes: &Map<String, Value>) -> bool {
    attributes.get("active") == Some(&Value::Bool(false))
}

/// Checks what the roster reads; an error comes with the attribute it is about.
pub(super) fn check_names(attributes: &Map<String, Value>) -> Result<(), (&'static str, ScimError)> {
    check_required(attributes, "userName", USER_NAME_CHARACTERS).map_err(|error| ("userName", error))?;
    check_common(attributes).map_err(|error| match error.detail.starts_with("externalId") {
        true => ("externalId", error),
        false => ("displayName", error),
    })?;
    let parts = attributes.get("name").and_then(Value::as_object).into_iter().flatten();
    for (part, value) in parts {
        if let Some(value) = value.as_str().filter(|value| value.len() > TEXT_CHARACTERS) {
            check_length(&format!("name.{part}"), value, TEXT_CHARACTERS).map_err(|error| ("name", error))?;
        }
    }
    let emails = attributes.get("emails").and_then(Value::as_array).into_iter().flatten();
    for (part, value) in emails.filter_map(Value::as_object).flatten() {
        if let Some(value) = value.as_str().filter(|value| value.len() > TEXT_CHARACTERS) {
            check_length(&format!("emails.{part}"), value, TEXT_CHARACTERS).map_err(|error| ("emails", error))?;
        }
    }
    Ok(())
}

/// Makes valid what ends somebody's access: an attribute that cannot be kept is as it was `before`, or goes.
///
/// # Errors
/// When there is no user left, for want of a `userName`.
pub(super) fn mend(
    attributes: &mut Map<String, Value>,
    before: Option<&Map<String, Value>>,
    quirks: &mut Quirks,
) -> Result<(), ScimError> {
    let bytes_before = before.map_or(0, kept_bytes);
    let mut restored: Vec<String> = Vec::new();
    loop {
        let (name, error) = match check_names(attributes) {
            Err((name, error)) => (name.to_owned(), error),
            Ok(()) => match check_document("user", attributes, bytes_before) {
                Ok(()) => return Ok(()),
                Err(error) => (largest(attributes), error),
            },
        };
        quirks.note(Quirk::ValueLeftOut);
        let former = before.and_then(|before| before.get(&name)).filter(|_| !restored.contains(&name));
        match former {
            Some(former) => {
                attributes.insert(name.clone(), former.clone());
                restored.push(name);
            }
            None if name == "userName" => return Err(error),
            None => {
                attributes.remove(&name).ok_or(error)?;
            }
        }
    }
}

/// The attribute to leave out of a user that is too large: of those the roster does not read the largest.
fn largest(attributes: &Map<String, Value>) -> String {
    const READ: [&str; 6] = ["userName", "active", "externalId", "displayName", "name", "emails"];
    let is_read = |name: &String| READ.contains(&name.as_str());
    let by_size = attributes.iter().map(|(name, value)| (!is_read(name), json_bytes(value), name));
    by_size.max().map(|(_, _, name)| name.clone()).unwrap_or_default()
}
