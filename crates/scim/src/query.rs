//! Query strings as identity providers write them.

use crate::dialect::Quirks;
use crate::error::ScimError;

/// Splits and decodes the raw query string (without `?`). A `+` is a space, unless the same value spells spaces `%20`: Okta
/// encodes so and leaves the plus of `a+b@x.de` bare.
///
/// # Errors
/// `invalidSyntax` for bad percent-encoding, bytes that are not UTF-8, or NUL.
pub fn parse_query(raw: &str, quirks: &mut Quirks) -> Result<Vec<(String, String)>, ScimError> {
    todo!("{raw} {quirks:?}")
}
