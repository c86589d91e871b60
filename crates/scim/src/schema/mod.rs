//! The attribute definitions of RFC 7643 as data: the table that drives this crate. Discovery prints it; bodies,
//! patches, filters and projections are read by it.

mod define;
mod enterprise;
mod group;
mod urn;
mod user;

use serde_json::{Map, Value, json};

pub(crate) use urn::is_registered;

/// Core User schema (RFC 7643 §4.1).
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Core Group schema (RFC 7643 §4.2).
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Enterprise User extension (RFC 7643 §4.3).
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The type of a value (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    String,
    Boolean,
    DateTime,
    Reference,
    /// Base64 text.
    Binary,
    Complex,
    /// An attribute of an extension that this server does not define: any JSON value.
    Any,
}

/// Mutability of an attribute (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadWrite,
    ReadOnly,
    Immutable,
    WriteOnly,
}

/// Presence of an attribute in answers (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Always,
    Default,
    Request,
    Never,
}

/// Uniqueness of an attribute's values (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

/// One attribute or sub-attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// The canonical spelling.
    pub name: &'static str,
    pub description: &'static str,
    pub kind: Kind,
    pub multi: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    pub canonical_values: &'static [&'static str],
    /// Targets of a reference: resource types, `external` or `uri`.
    pub reference_types: &'static [&'static str],
    /// Sub-attributes of a complex attribute.
    pub sub: &'static [Attribute],
}

impl Attribute {
    /// The sub-attribute of this name, in any case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub, name)
    }

    /// The sub-attribute that represents the whole: `value`.
    #[must_use]
    pub fn default_sub(&self) -> Option<&'static Attribute> {
        self.sub.iter().find(|sub| sub.name == "value")
    }

    /// The definition in the form of `/Schemas` (RFC 7643 §7): no null members, camelCase keywords.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut shown = json!({
            "name": self.name,
            "type": self.kind.as_str(),
            "multiValued": self.multi,
            "description": self.description,
            "required": self.required,
            "mutability": self.mutability.as_str(),
            "returned": self.returned.as_str(),
        });
        if matches!(self.kind, Kind::String | Kind::Reference | Kind::Binary) {
            shown["caseExact"] = self.case_exact.into();
            shown["uniqueness"] = self.uniqueness.as_str().into();
        }
        if !self.canonical_values.is_empty() {
            shown["canonicalValues"] = self.canonical_values.into();
        }
        if !self.reference_types.is_empty() {
            shown["referenceTypes"] = self.reference_types.into();
        }
        if !self.sub.is_empty() {
            shown["subAttributes"] = self.sub.iter().map(Attribute::to_json).collect();
        }
        shown
    }
}

/// A schema: a URN and its attributes.
#[derive(Debug)]
pub struct Schema {
    pub urn: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// The attribute of this name, in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }

    /// The schema of this URN, in any case.
    #[must_use]
    pub fn by_urn(urn: &str) -> Option<&'static Schema> {
        [&user::SCHEMA, &group::SCHEMA, &enterprise::SCHEMA]
            .into_iter()
            .find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }
}

/// The kinds of resources of this server (RFC 7643 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    /// `User` or `Group`, as in `meta.resourceType`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// `/Users` or `/Groups`.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// The core schema.
    #[must_use]
    pub fn core(self) -> &'static Schema {
        match self {
            Self::User => &user::SCHEMA,
            Self::Group => &group::SCHEMA,
        }
    }

    /// The defined extensions of the kind. Others are kept unchanged.
    #[must_use]
    pub fn extensions(self) -> &'static [&'static Schema] {
        match self {
            Self::User => {
                static OF_USERS: [&Schema; 1] = [&enterprise::SCHEMA];
                &OF_USERS
            }
            Self::Group => &[],
        }
    }

    /// A core or common attribute (RFC 7643 §3.1) by name, in any case.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        self.core().attribute(name).or_else(|| find(define::COMMON, name))
    }

    /// An attribute of an extension, by its name without the URN.
    #[must_use]
    pub fn extension_attribute(self, name: &str) -> Option<(&'static Schema, &'static Attribute)> {
        self.extensions().iter().find_map(|schema| Some((*schema, schema.attribute(name)?)))
    }

    /// The extension of this URN, in any case; Entra's misspelling counts.
    #[must_use]
    pub fn extension(self, urn: &str) -> Option<&'static Schema> {
        let found = self.schema_urn(urn)?;
        (found.names.is_none() && !self.is_core(found.schema)).then_some(found.schema)
    }

    /// Whether a schema is the core schema of this kind.
    pub(crate) fn is_core(self, schema: &Schema) -> bool {
        schema.urn == self.core().urn
    }

    /// Every core and common attribute.
    pub fn attributes(self) -> impl Iterator<Item = &'static Attribute> {
        self.core().attributes.iter().chain(define::COMMON)
    }
}

/// True if a key names an extension or one of its attributes.
#[must_use]
pub fn is_urn(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

/// True for a URN of SCIM 1.1.
pub(crate) fn is_scim_1(urn: &str) -> bool {
    const START: &str = "urn:scim:schemas:core:1.";
    urn.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START))
}

/// The value of `name` in `object`, in any case; the exact spelling is tried first.
#[must_use]
pub fn get_ignore_case<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// The spelling of a name in `object`, else the given name. Names of the schemas are canonical already; those of
/// unknown extensions keep their first spelling.
pub(crate) fn spelling(object: &Map<String, Value>, name: &str) -> String {
    if object.contains_key(name) {
        return name.to_owned();
    }
    object.keys().find(|key| key.eq_ignore_ascii_case(name)).map_or_else(|| name.to_owned(), Clone::clone)
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl Kind {
    /// The keyword of RFC 7643 §7.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String | Self::Any => "string",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Reference => "reference",
            Self::Binary => "binary",
            Self::Complex => "complex",
        }
    }
}

impl Mutability {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "readWrite",
            Self::ReadOnly => "readOnly",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

impl Returned {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Default => "default",
            Self::Request => "request",
            Self::Never => "never",
        }
    }
}

impl Uniqueness {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let emails = ResourceKind::User.attribute("EMAILS").expect("emails");
        assert_eq!(emails.name, "emails");
        assert_eq!(emails.sub("Value").map(|sub| sub.name), Some("value"));
        assert!(ResourceKind::User.attribute("externalid").is_some(), "common attributes count");
        assert!(ResourceKind::User.attribute("manager").is_none(), "manager is of the extension");
        assert!(ResourceKind::User.extension_attribute("Manager").is_some());
        assert!(Schema::by_urn(&ENTERPRISE_USER.to_uppercase()).is_some());
    }

    #[test]
    fn names_are_unique_within_their_schema() {
        fn check(attributes: &[Attribute]) {
            for (place, attribute) in attributes.iter().enumerate() {
                let twin = attributes[place + 1..].iter().any(|other| other.name.eq_ignore_ascii_case(attribute.name));
                assert!(!twin, "{} is defined twice", attribute.name);
                assert_eq!(attribute.kind == Kind::Complex, !attribute.sub.is_empty(), "{}", attribute.name);
                check(attribute.sub);
            }
        }
        for schema in [&user::SCHEMA, &group::SCHEMA, &enterprise::SCHEMA] {
            check(schema.attributes);
        }
    }
}
