//! Users and groups as clients send them, in canonical form.

use serde_json::{Map, Value};

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::limits::Limits;

/// A user's attributes in canonical form: schema spelling, no nulls, no empty lists, booleans as booleans, at most one
/// primary a list, the password dropped, extensions under their URN. `schemas`, `id`, `meta` and `groups` are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserResource {
    attributes: Map<String, Value>,
}

impl UserResource {
    /// Reads a POST or PUT body.
    ///
    /// # Errors
    /// `invalidSyntax` when it is no SCIM user at all, `invalidValue` naming the attribute otherwise.
    pub fn from_json(body: Value, quirks: &mut Quirks) -> Result<Self, ScimError> {
        todo!("{body} {quirks:?}")
    }

    /// Takes attributes back that [`into_attributes`](Self::into_attributes) gave out; they are trusted.
    #[must_use]
    pub fn from_stored(attributes: Map<String, Value>) -> Self {
        Self { attributes }
    }

    /// The canonical attributes.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The canonical attributes, to be stored.
    #[must_use]
    pub fn into_attributes(self) -> Map<String, Value> {
        self.attributes
    }

    /// `userName`; never empty.
    #[must_use]
    pub fn user_name(&self) -> &str {
        todo!()
    }

    /// `externalId`.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        todo!()
    }

    /// `displayName`.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        todo!()
    }

    /// `active`; a user of whom nothing is said is active.
    #[must_use]
    pub fn active(&self) -> bool {
        todo!()
    }

    /// The address to reach the user at: the primary email, else the first, else `userName` when it is one.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        todo!()
    }

    /// `name.givenName`.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        todo!()
    }

    /// `name.familyName`.
    #[must_use]
    pub fn family_name(&self) -> Option<&str> {
        todo!()
    }
}

/// What a group member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    User,
    Group,
    /// The client did not say.
    Unknown,
}

/// One member of a group, as named by a client or shown to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRef {
    /// The id of the user or group.
    pub value: String,
    pub kind: MemberKind,
    pub display: Option<String>,
}

/// A group: attributes in canonical form, and the members beside them, so that membership can be kept as rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupResource {
    attributes: Map<String, Value>,
    /// `None` when the body does not speak of members (absent or null): a PUT must then leave them alone.
    /// `Some(vec![])` means that there are none. Each id is named once.
    pub members: Option<Vec<MemberRef>>,
}

impl GroupResource {
    /// Reads a POST or PUT body.
    ///
    /// # Errors
    /// `invalidSyntax` when it is no SCIM group at all, `invalidValue` naming the attribute, 413 for too many members.
    pub fn from_json(body: Value, limits: &Limits, quirks: &mut Quirks) -> Result<Self, ScimError> {
        todo!("{body} {limits:?} {quirks:?}")
    }

    /// Takes attributes back that [`into_attributes`](Self::into_attributes) gave out; they are trusted. `members` is `None`.
    #[must_use]
    pub fn from_stored(attributes: Map<String, Value>) -> Self {
        Self { attributes, members: None }
    }

    /// The canonical attributes, without members.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The canonical attributes, without members, to be stored.
    #[must_use]
    pub fn into_attributes(self) -> Map<String, Value> {
        self.attributes
    }

    /// `displayName`; never empty.
    #[must_use]
    pub fn display_name(&self) -> &str {
        todo!()
    }

    /// `externalId`.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        todo!()
    }
}
