//! Bounds on the size of a resource and on the work of a PATCH. Bodies are bounded before they are read; these bounds keep
//! memory and time in proportion to them.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::ScimError;
use crate::limits::{DOCUMENT_BYTES, EXTENSIONS, KEYS_PER_OBJECT, PATCH_WORK_BYTES, VALUES_PER_ATTRIBUTE};
use crate::path::quoted;

/// Bytes of a value's JSON.
pub(crate) fn json_bytes(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither JSON values nor counting can fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The size that counts for a resource. `active` is left out, so that the largest user can still be disabled.
pub(crate) fn kept_bytes(attributes: &Map<String, Value>) -> usize {
    json_bytes(attributes) - attributes.get("active").map_or(0, json_bytes)
}

/// Refuses a resource over the limit, unless the stored one is as large, so that it can still be changed.
pub(crate) fn check_document(what: &str, attributes: &Map<String, Value>, before: usize) -> Result<(), ScimError> {
    let bytes = kept_bytes(attributes);
    if bytes <= DOCUMENT_BYTES.max(before) {
        return Ok(());
    }
    let largest = attributes.iter().map(|(name, value)| (json_bytes(value), name)).max();
    let largest = largest.map(|(bytes, name)| format!("; {} takes {bytes} of them", shown(name))).unwrap_or_default();
    let detail = format!("the {what} is {bytes} bytes of JSON{largest}; at most {DOCUMENT_BYTES} are kept");
    Err(ScimError::invalid_value(detail))
}

/// Refuses lists that are too long to keep in one attribute.
pub(crate) fn check_count(name: &str, count: usize) -> Result<(), ScimError> {
    if count <= VALUES_PER_ATTRIBUTE {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!(
        "{} has {count} values; at most {VALUES_PER_ATTRIBUTE} are kept",
        shown(name)
    )))
}

/// Refuses objects with too many keys.
pub(crate) fn check_keys(name: &str, count: usize) -> Result<(), ScimError> {
    if count <= KEYS_PER_OBJECT {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("{} has {count} attributes; at most {KEYS_PER_OBJECT} are kept", shown(name))))
}

/// A client's name may be long.
fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= 128 { Cow::Borrowed(name) } else { Cow::Owned(quoted(name)) }
}

/// Refuses resources with too many extensions.
pub(crate) fn check_extensions(count: usize) -> Result<(), ScimError> {
    if count <= EXTENSIONS {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("there are {count} extensions; at most {EXTENSIONS} are kept")))
}

/// Remaining work of one PATCH.
#[derive(Debug)]
pub(crate) struct Work {
    bytes_left: usize,
}

impl Work {
    pub(crate) fn of_one_patch() -> Self {
        Self { bytes_left: PATCH_WORK_BYTES }
    }

    /// Deducts a step before it is made.
    ///
    /// # Errors
    /// 413 when the work is used up.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), ScimError> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            ScimError::too_large(format!(
                "applying this PATCH would compare and copy more than {PATCH_WORK_BYTES} bytes; send it in parts"
            ))
        })?;
        Ok(())
    }
}
