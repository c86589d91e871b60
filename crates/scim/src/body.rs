//! Bodies of POST and PUT as canonical attributes. An unreadable value is noted as a flaw and reading goes on: whether a flaw
//! refuses the write depends on the rest of the body.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::bounds::{check_extensions, check_keys};
use crate::canonical::{canonical_key, read_value};
use crate::custom::{Interpretation, Named, announce, interpret, is_called_after};
use crate::dialect::{Quirk, Quirks};
use crate::error::{SCIM_1_HINT, ScimError};
use crate::flaws::{Flaws, LeftOut};
use crate::json::check_key;
use crate::scalars::only_object;
use crate::schema::{Mutability, ResourceKind, Schema, is_registered, is_scim_1, is_urn};
use crate::untyped::read_any;

/// A resource body in its parts.
pub(crate) struct Body {
    /// Writable attributes in canonical form; extensions under their URN.
    pub(crate) attributes: Map<String, Value>,
    /// A group's `members` as sent.
    pub(crate) members: Option<Value>,
    pub(crate) flaws: Flaws,
    /// Keys that only their form identifies as an extension or an attribute.
    pub(crate) guesses: Vec<Guess>,
}

/// A key that begins with a URN, and how it was read for want of anything better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) named: Named,
}

/// A body during reading.
struct Reading<'q> {
    kind: ResourceKind,
    quirks: &'q mut Quirks,
    attributes: Map<String, Value>,
    members: Option<Value>,
    /// By URN in lower case.
    extensions: HashMap<String, Extension>,
    /// Extensions of the client's own that `schemas` names.
    announced: Vec<String>,
    /// Keys that begin with an unknown URN; they are resolved once the whole body was read.
    custom: Vec<(String, Value)>,
    flaws: Flaws,
    guesses: Vec<Guess>,
}

/// An extension during reading: a body may name it and its parts more than once and in any case. Names are looked up by
/// their folded form, because comparing all of them for each would make large bodies slow.
struct Extension {
    urn: String,
    attributes: Map<String, Value>,
    /// The spelling of a name in lower case: the first one of the body.
    spellings: HashMap<String, String>,
}

/// Reads a POST or PUT body. Read-only attributes and the password are dropped, unknown attributes ignored.
pub(crate) fn read_body(kind: ResourceKind, body: Value, quirks: &mut Quirks) -> Result<Body, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax(format!("the body must be a JSON object: a SCIM {}", kind.name())));
    };
    let mut reading = Reading {
        kind,
        quirks,
        attributes: Map::new(),
        members: None,
        extensions: HashMap::new(),
        announced: Vec::new(),
        custom: Vec::new(),
        flaws: Flaws::default(),
        guesses: Vec::new(),
    };
    reading.resource(body);
    Ok(reading.finished())
}

impl Reading<'_> {
    fn resource(&mut self, body: Map<String, Value>) {
        for (key, value) in body {
            let Some(attribute) = self.kind.attribute(&key) else {
                self.foreign(key, value);
                continue;
            };
            let key = canonical_key(attribute, key, self.quirks);
            match attribute.name {
                "schemas" => self.schemas(&value),
                "members" => self.members = Some(value),
                _ if attribute.mutability == Mutability::ReadOnly => {}
                _ => match read_value(attribute, &key, value, self.quirks) {
                    Ok(Some(value)) if attribute.mutability != Mutability::WriteOnly => {
                        self.attributes.insert(key, value);
                    }
                    Ok(_) => {}
                    Err(error) => self.flaws.add(LeftOut::core(&key), error),
                },
            }
        }
    }

    /// `schemas` names the kind of the body. Unknown URNs are ignored, because Entra sends some of its own.
    fn schemas(&mut self, value: &Value) {
        let urns: Vec<&str> = match value {
            Value::Null => Vec::new(),
            Value::Array(urns) => urns.iter().filter_map(Value::as_str).collect(),
            Value::String(urn) => vec![urn],
            _ => {
                let error = ScimError::invalid_syntax("schemas must be a list of URNs");
                return self.flaws.add(LeftOut::core("schemas"), error);
            }
        };
        if urns.iter().any(|urn| is_scim_1(urn)) {
            return self.flaws.add(LeftOut::core("schemas"), ScimError::invalid_syntax(SCIM_1_HINT));
        }
        for urn in urns {
            let known = self.kind.core().urn == urn || self.kind.extensions().iter().any(|schema| schema.urn == urn);
            if !known {
                self.quirks.note(Quirk::UnknownSchemaUrn);
            }
        }
        announce(value, &mut self.announced);
    }

    /// A key that is no core attribute: an extension, an attribute of one, or something to ignore.
    fn foreign(&mut self, key: String, value: Value) {
        if !is_urn(&key) {
            return self.bare_extension_attribute(&key, value);
        }
        let Some(found) = self.kind.schema_urn(&key) else {
            if is_registered(&key) {
                self.quirks.note(Quirk::UnknownAttribute);
            } else {
                self.custom(key, value);
            }
            return;
        };
        if found.mistyped {
            self.quirks.note(Quirk::MistypedUrn);
        }
        let value = if found.names.is_none() { only_object(value, self.quirks) } else { value };
        match (found.names, value) {
            (Some(_), value) => {
                self.quirks.note(Quirk::UrnKey);
                self.attribute_by_urn(&key, value);
            }
            (None, Value::Object(members)) if self.kind.is_core(found.schema) => {
                self.quirks.note(Quirk::UrnKey);
                self.resource(members);
            }
            (None, Value::Object(members)) => self.extension(found.schema, members),
            (None, Value::Null) => self.quirks.note(Quirk::NullValue),
            (None, _) => {
                let error = ScimError::invalid_value(format!("{} must be an object", found.schema.urn));
                self.flaws.add(LeftOut::core(found.schema.urn), error);
            }
        }
    }

    /// A known extension's object.
    fn extension(&mut self, schema: &'static Schema, members: Map<String, Value>) {
        for (key, value) in members {
            let Some(attribute) = schema.attribute(&key) else {
                self.quirks.note(Quirk::UnknownAttribute);
                continue;
            };
            if attribute.mutability == Mutability::ReadOnly {
                continue;
            }
            let key = canonical_key(attribute, key, self.quirks);
            match read_value(attribute, &key, value, self.quirks) {
                Ok(Some(value)) => self.keep(schema.urn, key, value),
                Ok(None) => {}
                Err(error) => self.flaws.add(LeftOut::within(schema.urn, &key), error),
            }
        }
    }

    /// `urn:…:User:department`, also of the core schema.
    fn attribute_by_urn(&mut self, key: &str, value: Value) {
        let resolved = crate::path::resolve(self.kind, key, self.quirks).ok();
        let named = resolved.and_then(|resolved| {
            let sub = resolved.path.sub.clone();
            sub.is_none().then_some((resolved.attribute?, resolved.path))
        });
        let Some((attribute, path)) = named else { return self.quirks.note(Quirk::UnknownAttribute) };
        match &path.extension {
            None => self.resource(Map::from_iter([(attribute.name.to_owned(), value)])),
            Some(urn) => match read_value(attribute, attribute.name, value, self.quirks) {
                Ok(Some(value)) => self.keep(urn, attribute.name.to_owned(), value),
                Ok(None) => {}
                Err(error) => self.flaws.add(LeftOut::within(urn, attribute.name), error),
            },
        }
    }

    /// `manager` without its URN, or an unknown name.
    fn bare_extension_attribute(&mut self, key: &str, value: Value) {
        match self.kind.extension_attribute(key) {
            Some((schema, attribute)) => {
                self.quirks.note(Quirk::BareExtensionAttribute);
                self.extension(schema, Map::from_iter([(attribute.name.to_owned(), value)]));
            }
            None => self.quirks.note(Quirk::UnknownAttribute),
        }
    }

    fn custom(&mut self, key: String, value: Value) {
        match check_key(&key).and_then(|()| read_any(value, &key, self.quirks)) {
            Ok(Some(value)) => self.custom.push((key, value)),
            Ok(None) => {}
            Err(error) => self.flaws.add(LeftOut::core(&key), error),
        }
    }

    fn finished(mut self) -> Body {
        let mut custom = std::mem::take(&mut self.custom);
        // An extension comes before the keys that begin with its URN.
        custom.sort_by_key(|(key, _)| key.len());
        for (key, value) in custom {
            self.settle(key, value);
        }
        for extension in self.extensions.into_values() {
            self.attributes.insert(extension.urn, Value::Object(extension.attributes));
        }
        Body { attributes: self.attributes, members: self.members, flaws: self.flaws, guesses: self.guesses }
    }

    fn settle(&mut self, key: String, value: Value) {
        let Some(Interpretation { named, guessed }) = self.interpreted(&key, value.is_object()) else {
            return self.quirks.note(Quirk::UnknownAttribute);
        };
        if guessed {
            self.guesses.push(Guess { key: key.clone(), value: value.clone(), named: named.clone() });
        }
        match (named, value) {
            (Named::Extension(urn), Value::Object(members)) => {
                members.into_iter().for_each(|(name, value)| self.keep(&urn, name, value));
            }
            (Named::Extension(urn), _) => {
                let error = ScimError::invalid_value(format!("{urn} must be an object"));
                self.flaws.add(LeftOut::core(&urn), error);
            }
            (Named::Attribute { urn, name, sub: None }, value) => {
                self.quirks.note(Quirk::UrnKey);
                self.keep(&urn, name, value);
            }
            (Named::Attribute { .. }, _) => self.quirks.note(Quirk::UnknownAttribute),
        }
    }

    /// Interprets a key by the `schemas` of the body, else by its other keys, unless it looks like an extension.
    fn interpreted(&self, key: &str, is_object: bool) -> Option<Interpretation> {
        let announced = self.announced.iter().map(String::as_str);
        let read = interpret(self.kind, key, is_object, announced)?;
        if !read.guessed || is_object && is_called_after(self.kind, key) {
            return Some(read);
        }
        let kept = self.extensions.values().map(|extension| extension.urn.as_str());
        // The keys of one body are weaker evidence than the extensions of the resource that it replaces.
        interpret(self.kind, key, is_object, kept).map(|read| Interpretation { guessed: true, ..read })
    }

    /// Keeps an attribute of an extension, unless there are too many.
    fn keep(&mut self, urn: &str, name: String, value: Value) {
        let folded = urn.to_ascii_lowercase();
        let count = self.extensions.len();
        let extension = match self.extensions.entry(folded) {
            std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::hash_map::Entry::Vacant(vacant) => {
                if let Err(error) = check_extensions(count + 1) {
                    return self.flaws.add(LeftOut::core(urn), error);
                }
                vacant.insert(Extension { urn: urn.to_owned(), attributes: Map::new(), spellings: HashMap::new() })
            }
        };
        if let Err(error) = extension.keep(name, value) {
            self.flaws.add(LeftOut::core(urn), error);
        }
    }
}

impl Extension {
    fn keep(&mut self, name: String, value: Value) -> Result<(), ScimError> {
        let folded = name.to_ascii_lowercase();
        if !self.spellings.contains_key(&folded) {
            check_keys(&self.urn, self.spellings.len() + 1)?;
        }
        let spelling = self.spellings.entry(folded).or_insert(name);
        self.attributes.insert(spelling.clone(), value);
        Ok(())
    }
}
