//! The folded strings that are stored beside a resource, so that SQL compares strings as the evaluator does.
//!
//! Strings are compared folded ([`rollcall_scim::fold()`]: full case folding, canonical normalisation), and no SQL function
//! that both engines have does that. But the fold of nearly every string is what lower-casing its ASCII letters gives,
//! which both can: also of `Müller` and `日本`, not of `Åsa` or `straße`. Only the others are kept, each with its fold, in one
//! small object beside the attributes. It is NULL for most records, so it costs the write path next to nothing, where a
//! second, folded copy of all attributes would double each row.

use std::collections::HashSet;

use rollcall_scim::{UserResource, fold};
use serde_json::{Map, Value};

/// The strings of a resource whose fold is not their ASCII lower case, each with its fold; `None` when there are none.
pub(crate) fn folds(attributes: &Map<String, Value>) -> Option<Value> {
    let mut found = Map::new();
    attributes.values().for_each(|value| collect(value, &mut found));
    (!found.is_empty()).then_some(Value::Object(found))
}

fn collect(value: &Value, found: &mut Map<String, Value>) {
    match value {
        Value::String(text) if !text.is_ascii() && !found.contains_key(text) => {
            let folded = fold(text);
            if folded != text.to_ascii_lowercase() {
                found.insert(text.clone(), folded.into());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Longest address that has a column, in bytes: an index of Postgres takes no row of some 2,700.
const ADDRESS_BYTES_MAX: usize = 320;

/// The addresses of a user, for look-ups. Identity providers ask for every user whether somebody has an address, be it primary
/// or not. Two addresses have columns with an index. A user with more,
/// or with one that is too long, is marked, and compared without an index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Emails {
    /// The address that mail goes to, folded.
    pub(crate) first: Option<String>,
    /// Another of the user's addresses, folded.
    pub(crate) second: Option<String>,
    /// True if there are more.
    pub(crate) more: bool,
}

impl Emails {
    pub(crate) fn of(resource: &UserResource) -> Self {
        let first = resource.email().map(fold);
        let emails = resource.attributes().get("emails").and_then(Value::as_array);
        let values = emails.into_iter().flatten().filter_map(|email| email.get("value")?.as_str());
        let mut seen = HashSet::new();
        let others = values.map(fold).filter(|email| first.as_ref() != Some(email) && seen.insert(email.clone()));
        let (mut second, mut more) = (None, false);
        for email in others {
            if second.is_none() && email.len() <= ADDRESS_BYTES_MAX {
                second = Some(email);
            } else {
                more = true;
            }
        }
        Self { first, second, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::Quirks;
    use serde_json::json;

    fn user(body: Value) -> UserResource {
        UserResource::from_json(body, &mut Quirks::new()).expect("a user")
    }

    #[test]
    fn only_what_lower_casing_does_not_fold_is_kept() {
        let plain = user(json!({ "userName": "ADA", "displayName": "Müller 日本", "name": { "givenName": "å" } }));
        assert_eq!(folds(plain.attributes()), None);
        let other = user(json!({
            "userName": "ADA", "name": { "familyName": "ÅSA" }, "emails": [{ "value": "straße@x.de" }], "urn:a:b": { "c": ["Ö", 1] },
        }));
        assert_eq!(folds(other.attributes()), Some(json!({ "ÅSA": "åsa", "straße@x.de": "strasse@x.de", "Ö": "ö" })));
    }

    #[test]
    fn two_addresses_have_a_column_and_more_are_marked() {
        let of = |emails: Value| Emails::of(&user(json!({ "userName": "u@x.de", "emails": emails })));
        let emails = |first: &str, second: Option<&str>, more| Emails {
            first: Some(first.to_owned()),
            second: second.map(str::to_owned),
            more,
        };
        assert_eq!(of(json!([])), emails("u@x.de", None, false));
        assert_eq!(of(json!([{ "value": "A@x.de" }, { "value": "a@X.de" }])), emails("a@x.de", None, false));
        let two = json!([{ "value": "B@x.de" }, { "value": "a@x.de", "primary": true }]);
        assert_eq!(of(two), emails("a@x.de", Some("b@x.de"), false));
        let three = json!([{ "value": "a@x.de" }, { "value": "b@x.de" }, { "value": "c@x.de" }]);
        assert_eq!(of(three), emails("a@x.de", Some("b@x.de"), true));
        let long = format!("{}@x.de", "b".repeat(316));
        let with_long = json!([{ "value": "a@x.de" }, { "value": long }]);
        assert_eq!(of(with_long), emails("a@x.de", None, true), "no index takes it, so it is looked for");
        let with_long = json!([{ "value": "a@x.de" }, { "value": long }, { "value": "c@x.de" }]);
        assert_eq!(of(with_long), emails("a@x.de", Some("c@x.de"), true));
    }
}
