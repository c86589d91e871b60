//! A PUT body: a user without the parts that only the replaced one has.

use serde_json::{Map, Value};

use super::UserResource;
use super::validity::says_inactive;
use crate::body::{Guess, read_body};
use crate::bounds::check_document;
use crate::custom::{Interpretation, Named, extensions_of, interpret};
use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::flaws::LeftOut;
use crate::schema::{ResourceKind, spelling};

/// A PUT body that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserReplacement {
    attributes: Map<String, Value>,
    says_active: bool,
    /// Attributes that could not be read in a body that ends somebody's access: they stay as they were.
    left_out: Vec<LeftOut>,
    guesses: Vec<Guess>,
}

impl UserReplacement {
    /// Reads a PUT body.
    ///
    /// # Errors
    /// As [`UserResource::from_json`]; none for a body with `active: false`, as long as it is a body.
    pub fn from_json(body: Value, quirks: &mut Quirks) -> Result<Self, ScimError> {
        let body = read_body(ResourceKind::User, body, quirks)?;
        let attributes = body.attributes;
        let says_active = attributes.contains_key("active");
        let ends_access = says_inactive(&attributes);
        let left_out = body.flaws.tolerated(ends_access, quirks)?;
        let attributes = if ends_access {
            attributes
        } else {
            check_document("user", &attributes, 0)?;
            UserResource::checked(attributes)?.into_attributes()
        };
        Ok(Self { attributes, says_active, left_out, guesses: body.guesses })
    }

    /// The user that replaces `before`. Without `active` in the body a disabled user stays disabled.
    #[must_use]
    pub fn over(&self, before: &UserResource, quirks: &mut Quirks) -> UserResource {
        let mut attributes = self.attributes.clone();
        self.guesses.iter().for_each(|guess| settle(guess, before.attributes(), &mut attributes));
        self.left_out.iter().for_each(|left_out| restore(left_out, before.attributes(), &mut attributes));
        if says_inactive(&attributes) {
            return before.ended_with(attributes, quirks);
        }
        if !self.says_active {
            attributes.insert("active".to_owned(), Value::Bool(before.active()));
        }
        UserResource::from_stored(attributes)
    }
}

/// Moves guessed keys to the extensions of the replaced user.
fn settle(guess: &Guess, before: &Map<String, Value>, attributes: &mut Map<String, Value>) {
    let known = extensions_of(before);
    let Some(Interpretation { named, guessed: false }) =
        interpret(ResourceKind::User, &guess.key, guess.value.is_object(), known)
    else {
        return;
    };
    if named == guess.named {
        return;
    }
    match &guess.named {
        Named::Extension(urn) => {
            attributes.remove(&spelling(attributes, urn));
        }
        Named::Attribute { urn, name, .. } => {
            let urn = spelling(attributes, urn);
            if let Some(Value::Object(members)) = attributes.get_mut(&urn) {
                members.remove(&spelling(members, name));
                if members.is_empty() {
                    attributes.remove(&urn);
                }
            }
        }
    }
    match (named, &guess.value) {
        (Named::Extension(urn), Value::Object(_)) => {
            attributes.insert(urn, guess.value.clone());
        }
        (Named::Attribute { urn, name, sub: None }, value) => keep(attributes, &urn, &name, value),
        _ => {}
    }
}

/// Keeps an attribute unchanged if the body has no readable value for it.
fn restore(left_out: &LeftOut, before: &Map<String, Value>, attributes: &mut Map<String, Value>) {
    let LeftOut { extension, attribute } = left_out;
    match extension {
        None => {
            if let Some(former) = before.get(attribute)
                && !attributes.contains_key(attribute)
            {
                attributes.insert(attribute.clone(), former.clone());
            }
        }
        Some(urn) => {
            if let Some(former) = before.get(urn).and_then(|members| members.get(attribute)) {
                keep(attributes, urn, attribute, former);
            }
        }
    }
}

fn keep(attributes: &mut Map<String, Value>, urn: &str, name: &str, value: &Value) {
    let urn = spelling(attributes, urn);
    let members = attributes.entry(urn).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(members) = members {
        members.insert(spelling(members, name), value.clone());
    }
}
