//! Users and groups in canonical form.

mod group;
mod member;
mod replacement;
mod user;
mod validity;

use serde_json::{Map, Value};

pub use group::GroupResource;
pub use member::{MemberKind, MemberRef};
pub(crate) use member::{keep_each_once, read_members, too_many_members};
pub use replacement::UserReplacement;
pub use user::UserResource;

use crate::error::ScimError;
use crate::limits::{DISPLAY_NAME_CHARACTERS, EXTERNAL_ID_CHARACTERS};

fn text<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_str()
}

/// A required name must not be empty, nor exceed its limit.
fn check_required(attributes: &Map<String, Value>, name: &str, characters: usize) -> Result<(), ScimError> {
    match text(attributes, name) {
        Some(value) if !value.trim().is_empty() => check_length(name, value, characters),
        _ => Err(ScimError::invalid_value(format!("{name} is required"))),
    }
}

/// Directories count characters, so a name in any script may be as long.
fn check_length(name: &str, value: &str, characters: usize) -> Result<(), ScimError> {
    if value.len() <= characters || value.chars().nth(characters).is_none() {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("{name} is longer than {characters} characters")))
}

/// Limits on names that users and groups share.
fn check_common(attributes: &Map<String, Value>) -> Result<(), ScimError> {
    for (name, characters) in [("externalId", EXTERNAL_ID_CHARACTERS), ("displayName", DISPLAY_NAME_CHARACTERS)] {
        if let Some(value) = text(attributes, name) {
            check_length(name, value, characters)?;
        }
    }
    Ok(())
}
