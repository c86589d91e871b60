//! Attributes of extensions that this server does not define. `urn:…:User:desk` may be an extension or the attribute `desk` of
//! a shorter one; neither the text nor the type of its value decides it. The resource and the body's `schemas` decide, and
//! only without either the form of the text does.

use serde_json::{Map, Value};

use crate::limits::EXTENSIONS;
use crate::path::check_name;
use crate::schema::{ResourceKind, is_registered, is_urn};

/// The meaning of a text that begins with a URN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpretation {
    pub(crate) named: Named,
    /// True if only the form of the text is evidence.
    pub(crate) guessed: bool,
}

/// An extension or an attribute within one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Extension(String),
    Attribute { urn: String, name: String, sub: Option<String> },
}

/// Settles what `text` names, given the URNs of the extensions that are there or announced. `None`: it is no path at all.
pub(crate) fn interpret<'k>(
    kind: ResourceKind,
    text: &str,
    is_object: bool,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<Interpretation> {
    if let Some(urn) = known.clone().find(|urn| urn.eq_ignore_ascii_case(text)) {
        return Some(Interpretation { named: Named::Extension(urn.to_owned()), guessed: false });
    }
    let within = known.filter_map(|urn| Some((urn, attribute_behind(text, urn)?)));
    if let Some((urn, names)) = within.max_by_key(|(urn, _)| urn.len()) {
        return Some(Interpretation { named: attribute(urn, names), guessed: false });
    }
    let (urn, names) = text.rsplit_once(':').filter(|(urn, _)| urn.len() > "urn:".len())?;
    let is_path = is_attribute(names);
    let looks_like_attribute = is_called_after(kind, urn);
    let named = match (is_object, is_path) {
        (true, true) if looks_like_attribute => attribute(urn, names),
        (true, _) => Named::Extension(text.to_owned()),
        (false, true) => attribute(urn, names),
        (false, false) => return None,
    };
    Some(Interpretation { named, guessed: true })
}

/// Whether a URN ends in the kind of resource, as those of schemas do by custom (RFC 7643 §10.2.1).
pub(crate) fn is_called_after(kind: ResourceKind, urn: &str) -> bool {
    urn.rsplit(':').next().is_some_and(|last| last.eq_ignore_ascii_case(kind.name()))
}

fn attribute(urn: &str, names: &str) -> Named {
    let (name, sub) = match names.split_once('.') {
        Some((name, sub)) => (name, Some(sub.to_owned())),
        None => (names, None),
    };
    Named::Attribute { urn: urn.to_owned(), name: name.to_owned(), sub }
}

/// `name` or `name.sub` behind the URN.
fn attribute_behind<'a>(text: &'a str, urn: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(urn.len())?;
    let names = rest.strip_prefix(':')?;
    (start.eq_ignore_ascii_case(urn) && is_attribute(names)).then_some(names)
}

pub(crate) fn is_attribute(names: &str) -> bool {
    names
        .split_once('.')
        .map_or_else(|| check_name(names).is_ok(), |(name, sub)| check_name(name).is_ok() && check_name(sub).is_ok())
}

/// The URNs under which a resource keeps attributes of extensions.
pub(crate) fn extensions_of(attributes: &Map<String, Value>) -> impl Iterator<Item = &str> + Clone {
    attributes.keys().map(String::as_str).filter(|key| is_urn(key))
}

/// Adds the extensions that a body's `schemas` announces, at most as many as one resource may have.
pub(crate) fn announce(schemas: &Value, announced: &mut Vec<String>) {
    let urns = schemas.as_array().map_or(std::slice::from_ref(schemas), Vec::as_slice);
    let own = urns.iter().filter_map(Value::as_str).filter(|urn| is_urn(urn) && !is_registered(urn));
    let room = EXTENSIONS.saturating_sub(announced.len());
    announced.extend(own.take(room).map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: &str = "urn:acme:2.0:User";

    fn read(text: &str, is_object: bool, known: &[&str]) -> Option<(Named, bool)> {
        let read = interpret(ResourceKind::User, text, is_object, known.iter().copied())?;
        Some((read.named, read.guessed))
    }

    fn attribute_of(urn: &str, name: &str, sub: Option<&str>) -> Named {
        Named::Attribute { urn: urn.into(), name: name.into(), sub: sub.map(str::to_owned) }
    }

    #[test]
    fn r1_what_is_known_settles_what_a_urn_names() {
        let desk = format!("{ACME}:desk");
        for is_object in [true, false] {
            assert_eq!(read(&desk, is_object, &[ACME]), Some((attribute_of(ACME, "desk", None), false)));
            assert_eq!(read(&desk, is_object, &[ACME, &desk]), Some((Named::Extension(desk.clone()), false)));
            let sub = read(&format!("{desk}.room"), is_object, &["urn:acme", ACME]);
            assert_eq!(sub, Some((attribute_of(ACME, "desk", Some("room")), false)));
        }
        assert_eq!(read("URN:Acme:2.0:user", true, &[ACME]), Some((Named::Extension(ACME.into()), false)));
    }

    #[test]
    fn r1_without_evidence_the_look_of_the_text_decides() {
        let guessed = |text: &str, is_object| read(text, is_object, &["urn:acme:other"]).map(|(named, _)| named);
        assert_eq!(guessed(ACME, true), Some(Named::Extension(ACME.into())));
        assert_eq!(guessed("urn:acme:hr:2.0", true), Some(Named::Extension("urn:acme:hr:2.0".into())));
        assert_eq!(guessed(&format!("{ACME}:desk"), true), Some(attribute_of(ACME, "desk", None)));
        assert_eq!(guessed(&format!("{ACME}:desk"), false), Some(attribute_of(ACME, "desk", None)));
        assert_eq!(guessed("urn:acme:hr:2.0", false), None);
        assert_eq!(guessed("urn:x", true), None);
    }
}
