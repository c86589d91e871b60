//! A path to one string of a user, e.g. the attribute with the address (DX5).

use serde_json::{Map, Value};

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::patch::target::{PathOrFilterError, Target, target};
use crate::path::{AttrPath, PathError, quoted};
use crate::schema::{Kind, ResourceKind, get_ignore_case};

/// `[urn:]attribute[.sub]`, `attribute[filter]` or `attribute[filter].sub`; for a complex attribute its `value`.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPath {
    path: AttrPath,
    filter: Option<Filter>,
}

impl TextPath {
    /// Reads a path over users.
    ///
    /// # Errors
    /// `invalidPath` or `invalidFilter` when the text is not a path, the attribute is unknown, or it holds no string.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let path_error = |error| match error {
            PathError::Malformed(reason) | PathError::Unknown(reason) => ScimError::invalid_path(reason),
        };
        let found = target(ResourceKind::User, text, &mut Quirks::new()).map_err(|error| match error {
            PathOrFilterError::Path(error) => path_error(error),
            PathOrFilterError::Filter(error) => error,
        })?;
        let (resolved, filter) = match found {
            Target::Attribute { resolved, filter } => (resolved, filter),
            Target::Custom(path) => {
                let resolved = path.as_attribute(ResourceKind::User, &mut Quirks::new()).map_err(path_error)?;
                (resolved, path.filter)
            }
            Target::Resource | Target::Extension(_) => {
                return Err(ScimError::invalid_path(format!("{} is a schema, not an attribute", quoted(text))));
            }
        };
        let path = resolved.comparable().path;
        match path.kind {
            Kind::Boolean | Kind::DateTime | Kind::Complex => {
                Err(ScimError::invalid_path(format!("{} holds no text", quoted(text))))
            }
            _ => Ok(Self { path, filter }),
        }
    }

    /// The string in a user's canonical attributes; the first of several.
    #[must_use]
    pub fn read<'a>(&self, attributes: &'a Map<String, Value>) -> Option<&'a str> {
        let holder = match &self.path.extension {
            Some(urn) => get_ignore_case(attributes, urn)?.as_object()?,
            None => attributes,
        };
        let value = get_ignore_case(holder, &self.path.attribute)?;
        let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let wanted = |element: &&Value| self.filter.as_ref().is_none_or(|filter| filter.matches_element(element));
        elements.iter().filter(wanted).find_map(|element| self.text(element)).filter(|text| !text.is_empty())
    }

    fn text<'a>(&self, element: &'a Value) -> Option<&'a str> {
        match (element, &self.path.sub) {
            (Value::Object(members), sub) => get_ignore_case(members, sub.as_deref().unwrap_or("value"))?.as_str(),
            (plain, None) => plain.as_str(),
            (plain, Some(sub)) => plain.as_str().filter(|_| sub == "value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ENTERPRISE_USER;
    use serde_json::json;

    #[test]
    fn dx5_any_text_of_a_user_may_be_named() {
        let user = json!({
            "userName": "ann", "externalId": "e1", "name": { "givenName": "Ann" },
            "emails": [{ "value": "a@home.example", "primary": false }, { "value": "a@work.example", "type": "work" },
                { "value": "a@main.example", "primary": true }],
            ENTERPRISE_USER: { "department": "D", "manager": { "value": "m" } },
            "urn:acme:1.0:User": { "mail": "a@acme.example", "contact": { "mail": "c@acme.example" } },
        });
        let user = user.as_object().expect("an object");
        for (path, text) in [
            ("userName", Some("ann")),
            ("USERNAME", Some("ann")),
            ("externalId", Some("e1")),
            ("name.givenName", Some("Ann")),
            ("emails", Some("a@home.example")),
            ("emails.value", Some("a@home.example")),
            ("emails[type eq \"work\"]", Some("a@work.example")),
            ("emails[type eq \"Work\"].value", Some("a@work.example")),
            ("emails[primary eq true]", Some("a@main.example")),
            ("emails[type eq \"other\"]", None),
            ("department", Some("D")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", Some("D")),
            ("urn:acme:1.0:User:mail", Some("a@acme.example")),
            ("urn:acme:1.0:User:contact.mail", Some("c@acme.example")),
            ("urn:acme:1.0:User:none", None),
            ("nickName", None),
        ] {
            assert_eq!(TextPath::parse(path).map(|path| path.read(user)), Ok(text), "{path}");
        }
    }

    #[test]
    fn dx5_what_holds_no_text_is_refused() {
        for path in [
            "",
            "email",
            "emails[",
            "emails[type]",
            "active",
            "name",
            "emails.primary",
            "meta.created",
            "userName[value eq \"x\"]",
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:x",
        ] {
            assert!(TextPath::parse(path).is_err(), "{path}");
        }
    }
}
