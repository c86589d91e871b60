//! URNs of schemas as clients write them: alone, or in front of an attribute's name.

use super::{ENTERPRISE_USER, ResourceKind, Schema};

/// The misspelling of [`ENTERPRISE_USER`] in Entra's documentation; tenants copy it.
const ENTERPRISE_USER_MISTYPED: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User";

/// The namespace of the SCIM registry (RFC 7643 §10). A URN under it that is not listed in `/Schemas` is a typing error, never an
/// extension of the tenant's own.
const REGISTERED: &str = "urn:ietf:params:scim:";

/// A text that begins with the URN of a schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchemaUrn<'a> {
    pub(crate) schema: &'static Schema,
    /// The attribute named behind the URN; `None` when the text is the URN alone.
    pub(crate) names: Option<&'a str>,
    /// Whether a dot stands for one of the URN's colons.
    pub(crate) mistyped: bool,
}

impl ResourceKind {
    /// The core schema or extension whose URN begins `text`, in any case, with a dot for any of its colons.
    pub(crate) fn schema_urn(self, text: &str) -> Option<SchemaUrn<'_>> {
        let mistyped_by_entra = self.extensions().iter().filter(|schema| schema.urn == ENTERPRISE_USER);
        let spellings = std::iter::once(self.core())
            .chain(self.extensions().iter().copied())
            .map(|schema| (schema.urn, schema))
            .chain(mistyped_by_entra.map(|schema| (ENTERPRISE_USER_MISTYPED, *schema)));
        spellings.into_iter().find_map(|(urn, schema)| {
            let (names, mistyped) = behind(text, urn)?;
            Some(SchemaUrn { schema, names, mistyped })
        })
    }
}

/// Whether a URN belongs to the SCIM registry, where clients define nothing of their own.
pub(crate) fn is_registered(urn: &str) -> bool {
    urn.get(..REGISTERED.len()).is_some_and(|start| is_same_urn(start, REGISTERED))
}

/// The text behind `urn` and its separator, and whether a dot was read as a colon.
fn behind<'a>(text: &'a str, urn: &str) -> Option<(Option<&'a str>, bool)> {
    let (start, rest) = text.split_at_checked(urn.len())?;
    if !is_same_urn(start, urn) {
        return None;
    }
    let names = match rest.as_bytes().first() {
        None => None,
        Some(b':' | b'.') => rest.get(1..),
        Some(_) => return None,
    };
    Some((names, rest.starts_with('.') || !start.eq_ignore_ascii_case(urn)))
}

fn is_same_urn(written: &str, urn: &str) -> bool {
    let is_same = |(written, meant): (u8, u8)| written.eq_ignore_ascii_case(&meant) || (written, meant) == (b'.', b':');
    written.len() == urn.len() && written.bytes().zip(urn.bytes()).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{GROUP, USER};

    fn read(kind: ResourceKind, text: &str) -> Option<(&'static str, Option<&str>, bool)> {
        kind.schema_urn(text).map(|found| (found.schema.urn, found.names, found.mistyped))
    }

    #[test]
    fn r3_a_dot_is_read_as_a_colon_and_entras_spelling_counts() {
        const E: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0";
        for (text, expected) in [
            (USER.to_owned(), Some((USER, None, false))),
            (format!("{USER}:name.givenName"), Some((USER, Some("name.givenName"), false))),
            (format!("{USER}.userName"), Some((USER, Some("userName"), true))),
            (format!("{E}:User.department"), Some((ENTERPRISE_USER, Some("department"), true))),
            (format!("{E}.User:department"), Some((ENTERPRISE_USER, Some("department"), true))),
            (format!("{E}User:department"), Some((ENTERPRISE_USER, Some("department"), false))),
            (format!("{E}User"), Some((ENTERPRISE_USER, None, false))),
            (format!("{E}:Users:department"), None),
            (GROUP.to_owned(), None),
            (E.to_owned(), None),
        ] {
            assert_eq!(read(ResourceKind::User, &text), expected, "{text}");
        }
        assert_eq!(read(ResourceKind::Group, ENTERPRISE_USER), None);
        assert!(is_registered(E) && is_registered("URN:IETF.params:scim:schema:x"));
        assert!(!is_registered("urn:acme:1.0:User") && !is_registered("urn:ietf:params:scim"));
    }
}
