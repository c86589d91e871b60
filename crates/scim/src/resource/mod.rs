//! Users and groups as clients send them, in canonical form.

mod group;
mod member;
mod user;

use serde_json::{Map, Value};

pub use group::GroupResource;
pub use member::{MemberKind, MemberRef};
pub(crate) use member::{keep_each_once, read_members, too_many_members};
pub use user::{UserReplacement, UserResource};

use crate::error::ScimError;
use crate::limits::{DISPLAY_NAME_BYTES, EXTERNAL_ID_BYTES};

fn text<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_str()
}

/// A required name must say something, within its limit.
fn check_required(attributes: &Map<String, Value>, name: &str, limit: usize) -> Result<(), ScimError> {
    match text(attributes, name) {
        Some(value) if !value.trim().is_empty() => check_length(name, value, limit),
        _ => Err(ScimError::invalid_value(format!("{name} is required"))),
    }
}

fn check_length(name: &str, value: &str, limit: usize) -> Result<(), ScimError> {
    if value.len() <= limit {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("{name} is longer than {limit} bytes")))
}

/// What users and groups have in common: names have their limits.
fn check_common(attributes: &Map<String, Value>) -> Result<(), ScimError> {
    for (name, limit) in [("externalId", EXTERNAL_ID_BYTES), ("displayName", DISPLAY_NAME_BYTES)] {
        if let Some(value) = text(attributes, name) {
            check_length(name, value, limit)?;
        }
    }
    Ok(())
}
