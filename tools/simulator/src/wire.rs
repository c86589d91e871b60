//! Bodies whose key order is part of the dialect, and the small pieces of every IdP: filters, escapes, URNs.
//!
//! `serde_json` sorts keys unless a feature changes that for the whole workspace, so ordered objects are defined here.

use std::borrow::Cow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub(crate) const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
pub(crate) const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A JSON value that keeps the order of its keys.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Plain(Value),
    Object(Vec<(Cow<'static, str>, Json)>),
    List(Vec<Json>),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self::Plain(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Plain(Value::from(text))
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::Plain(Value::from(text.as_str()))
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Plain(Value::from(text))
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Self {
        Self::Plain(Value::from(truth))
    }
}

impl<const N: usize> From<[&str; N]> for Json {
    fn from(items: [&str; N]) -> Self {
        Self::List(items.into_iter().map(Self::from).collect())
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::List(items)
    }
}

impl Json {
    pub(crate) const NULL: Self = Self::Plain(Value::Null);

    /// Appends a field; only for objects made by [`ordered!`].
    pub(crate) fn push(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Json>) {
        if let Self::Object(fields) = self {
            fields.push((key.into(), value.into()));
        }
    }

    /// The bytes to send.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An object that keeps the order of its keys.
macro_rules! ordered {
    ({ $($key:literal : $value:expr),* $(,)? }) => {
        $crate::wire::Json::Object(vec![$(($key.into(), $crate::wire::Json::from($value))),*])
    };
}
pub(crate) use ordered;

/// `{"schemas":[PatchOp],"Operations":[…]}`, the order Okta and Entra write.
pub(crate) fn patch(operations: Vec<Json>) -> Json {
    ordered!({ "schemas": [PATCH_OP], "Operations": operations })
}

/// A value in a SCIM filter: a JSON string (RFC 7644 section 3.4.2.2).
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Query escape with `%20` for a space, as in Okta and Ping.
pub(crate) fn percent(text: &str) -> String {
    plus(text).replace('+', "%20")
}

/// Query escape with `+` for a space, as in Entra. A real `+` becomes `%2B`.
pub(crate) fn plus(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order() {
        let body = ordered!({ "userName": "a@b", "name": ordered!({ "givenName": "A" }), "active": true });
        assert_eq!(body.text(), r#"{"userName":"a@b","name":{"givenName":"A"},"active":true}"#);
    }

    #[test]
    fn filters_survive_quotes_spaces_and_plus() {
        let filter = format!("userName eq {}", quoted("o'neil+\"x\"@b"));
        assert_eq!(filter, r#"userName eq "o'neil+\"x\"@b""#);
        assert_eq!(percent("userName eq \"a+b@c\""), "userName%20eq%20%22a%2Bb%40c%22");
        assert_eq!(plus("userName eq \"a+b@c\""), "userName+eq+%22a%2Bb%40c%22");
    }
}
