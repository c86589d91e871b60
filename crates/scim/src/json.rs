//! From bytes to JSON, within limits, before anything else looks at a body.

use serde_json::Value;

use crate::error::ScimError;

/// Reads a body: at most [`limits::JSON_DEPTH`](crate::limits::JSON_DEPTH) deep, without NUL characters, without strings over
/// [`limits::STRING_BYTES`](crate::limits::STRING_BYTES).
///
/// # Errors
/// `invalidSyntax` when it is not JSON or too deep, `invalidValue` for the strings.
pub fn parse_json(body: &[u8]) -> Result<Value, ScimError> {
    todo!("{}", body.len())
}
