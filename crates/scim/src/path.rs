//! Resolves names of attributes: `Emails`, `name.familyName`, `urn:…:User:manager`, `manager` become a canonical path with
//! the definition of its target. Filters, sorting, projections and patches all use it.

use std::borrow::Cow;
use std::fmt;

use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::limits::NAME_BYTES;
use crate::schema::{Attribute, Kind, ResourceKind, Schema, is_registered, is_urn};

/// A resolved attribute path. Names are in canonical spelling, so `==` compares them correctly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath {
    /// URN of the extension that holds the attribute; `None` for core and common attributes.
    pub extension: Option<Cow<'static, str>>,
    pub attribute: Cow<'static, str>,
    pub sub: Option<Cow<'static, str>>,
    /// Type of the target. `Complex` only for a whole complex attribute (`name pr`).
    pub kind: Kind,
    /// True if strings are compared bytewise. Otherwise compare them folded ([`crate::fold()`]).
    pub case_exact: bool,
    /// True if the attribute is a list.
    pub multi: bool,
}

impl AttrPath {
    /// Resolves `[urn:]name[.sub]` for a kind of resource. An attribute of an unknown extension resolves too, with kind `Any`.
    ///
    /// # Errors
    /// `invalidPath` when the text is not a path or the attribute is unknown.
    pub fn resolve(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Self, ScimError> {
        match resolve(kind, text, quirks) {
            Ok(resolved) => Ok(resolved.path),
            Err(PathError::Malformed(reason) | PathError::Unknown(reason)) => Err(ScimError::invalid_path(reason)),
        }
    }

    /// An attribute of an extension that is not defined here.
    pub(crate) fn custom(urn: &str, attribute: &str) -> Self {
        Self {
            extension: Some(urn.to_owned().into()),
            attribute: attribute.to_owned().into(),
            sub: None,
            kind: Kind::Any,
            case_exact: false,
            multi: false,
        }
    }

    /// `attribute` or `attribute.sub`, for matching core attributes against known columns: `("emails", Some("value"))`.
    #[must_use]
    pub fn core(&self) -> Option<(&str, Option<&str>)> {
        self.extension.is_none().then(|| (self.attribute.as_ref(), self.sub.as_deref()))
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(sub) = &self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}

/// Reason why a text is not a path of a kind of resource. Patches ignore unknown attributes and refuse malformed paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathError {
    Malformed(String),
    Unknown(String),
}

/// A path with its definitions; attributes of unknown extensions have none.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) path: AttrPath,
    pub(crate) attribute: Option<&'static Attribute>,
    pub(crate) sub: Option<&'static Attribute>,
}

impl Resolved {
    fn new(
        extension: Option<Cow<'static, str>>,
        attribute: &'static Attribute,
        sub: Option<&'static Attribute>,
    ) -> Self {
        let leaf = sub.unwrap_or(attribute);
        let path = AttrPath {
            extension,
            attribute: attribute.name.into(),
            sub: sub.map(|sub| sub.name.into()),
            kind: leaf.kind,
            case_exact: leaf.case_exact,
            multi: attribute.multi,
        };
        Self { path, attribute: Some(attribute), sub }
    }

    fn custom(urn: &str, attribute: &str, sub: Option<&str>) -> Self {
        let sub = sub.map(|sub| sub.to_owned().into());
        Self { path: AttrPath { sub, ..AttrPath::custom(urn, attribute) }, attribute: None, sub: None }
    }

    /// The same attribute with another sub-attribute, which may be qualified by the schema's URN or the attribute's name
    /// (RFC 7644 §3.4.2.2).
    pub(crate) fn with_sub(&self, name: &str, quirks: &mut Quirks) -> Result<Self, PathError> {
        let extension = self.path.extension.clone();
        let name = self.unqualified(name);
        let Some(attribute) = self.attribute else {
            check_name(name)?;
            return Ok(Self::custom(extension.as_deref().unwrap_or_default(), &self.path.attribute, Some(name)));
        };
        let sub = attribute.sub(name).ok_or_else(|| unknown(format_args!("{}.{name}", self.path.attribute)))?;
        note_case(sub.name, name, quirks);
        Ok(Self::new(extension, attribute, Some(sub)))
    }

    /// A sub-attribute's name without the URN and the attribute in front of it.
    fn unqualified<'a>(&self, name: &'a str) -> &'a str {
        let behind_urn = match name.rsplit_once(':') {
            Some((urn, names)) if is_urn(urn) && self.is_within(urn) => names,
            _ => name,
        };
        match behind_urn.split_once('.') {
            Some((attribute, sub)) if attribute.eq_ignore_ascii_case(&self.path.attribute) => sub,
            _ => behind_urn,
        }
    }

    /// Whether this attribute belongs to the schema of that URN.
    fn is_within(&self, urn: &str) -> bool {
        match &self.path.extension {
            Some(extension) => extension.eq_ignore_ascii_case(urn),
            None => {
                [ResourceKind::User, ResourceKind::Group].iter().any(|kind| kind.core().urn.eq_ignore_ascii_case(urn))
            }
        }
    }

    /// The comparable part of a whole complex attribute: `emails` as `emails.value`.
    pub(crate) fn comparable(self) -> Self {
        match (self.attribute, self.path.sub.is_none()) {
            (Some(attribute), true) if attribute.kind == Kind::Complex => match attribute.default_sub() {
                Some(sub) => Self::new(self.path.extension, attribute, Some(sub)),
                None => self,
            },
            _ => self,
        }
    }
}

/// Resolves `[urn:]name[.sub]`. A name outside the core schema is looked up in the extensions (`manager`).
pub(crate) fn resolve(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Resolved, PathError> {
    let (owner, names) = split_urn(kind, text, quirks)?;
    // A sub-attribute follows a dot; behind a known URN a colon is read as one.
    let split = match owner {
        Owner::Known(_) => names.split_once(['.', ':']),
        Owner::Core | Owner::Custom(_) => names.split_once('.'),
    };
    let (name, sub) = split.map_or((names, None), |(name, sub)| (name, Some(sub)));
    check_name(name)?;
    let resolved = match owner {
        Owner::Core => in_core(kind, name, quirks)?,
        Owner::Known(schema) if kind.is_core(schema) => in_core(kind, name, quirks)?,
        Owner::Known(schema) => {
            let attribute = schema.attribute(name).ok_or_else(|| unknown(format_args!("{text}")))?;
            note_case(attribute.name, name, quirks);
            Resolved::new(Some(schema.urn.into()), attribute, None)
        }
        Owner::Custom(urn) => Resolved::custom(urn, name, None),
    };
    match sub {
        Some(sub) => {
            check_name(sub)?;
            resolved.with_sub(sub, quirks)
        }
        None => Ok(resolved),
    }
}

fn in_core(kind: ResourceKind, name: &str, quirks: &mut Quirks) -> Result<Resolved, PathError> {
    if let Some(attribute) = kind.attribute(name) {
        note_case(attribute.name, name, quirks);
        return Ok(Resolved::new(None, attribute, None));
    }
    let (schema, attribute) = kind.extension_attribute(name).ok_or_else(|| unknown(format_args!("{name}")))?;
    quirks.note(Quirk::BareExtensionAttribute);
    Ok(Resolved::new(Some(schema.urn.into()), attribute, None))
}

/// The schema that a name belongs to.
enum Owner<'a> {
    /// No URN was named: the core schema, else whichever extension has the name.
    Core,
    Known(&'static Schema),
    Custom(&'a str),
}

/// Splits `urn:…:name` after the URN. URNs contain dots and colons themselves, so the known ones are tried first; an unknown
/// one ends at the last colon.
fn split_urn<'a>(kind: ResourceKind, text: &'a str, quirks: &mut Quirks) -> Result<(Owner<'a>, &'a str), PathError> {
    if text.len() > NAME_BYTES {
        return Err(PathError::Malformed("the path is too long".into()));
    }
    if !is_urn(text) {
        return Ok((Owner::Core, text));
    }
    if let Some(found) = kind.schema_urn(text)
        && let Some(names) = found.names
    {
        if found.mistyped {
            quirks.note(Quirk::MistypedUrn);
        }
        return Ok((Owner::Known(found.schema), names));
    }
    if is_registered(text) {
        return Err(unknown(format_args!("{}", quoted(text))));
    }
    match text.rsplit_once(':') {
        Some((urn, names)) if urn.len() > "urn:".len() => Ok((Owner::Custom(urn), names)),
        _ => Err(PathError::Malformed(format!("{} is not an attribute path", quoted(text)))),
    }
}

/// An attribute name (RFC 7643 §2.1): a letter, then letters, digits, `-` and `_`; `$ref` counts.
pub(crate) fn check_name(name: &str) -> Result<(), PathError> {
    let rest = name.strip_prefix('$').unwrap_or(name);
    let good = rest.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if good { Ok(()) } else { Err(PathError::Malformed(format!("{} is not an attribute name", quoted(name)))) }
}

fn unknown(name: fmt::Arguments<'_>) -> PathError {
    PathError::Unknown(format!("there is no attribute {name}"))
}

fn note_case(canonical: &str, written: &str, quirks: &mut Quirks) {
    if canonical != written {
        quirks.note(Quirk::AttributeCase);
    }
}

/// Client text for a message: quoted, escaped, and truncated.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_path(text: &str) -> Result<String, ScimError> {
        AttrPath::resolve(ResourceKind::User, text, &mut Quirks::new()).map(|path| path.to_string())
    }

    #[test]
    fn paths_resolve_to_their_canonical_spelling() {
        const E: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (text, canonical) in [
            ("USERNAME", "userName".to_owned()),
            ("name.FamilyName", "name.familyName".into()),
            ("urn:ietf:params:scim:schemas:core:2.0:user:emails.VALUE", "emails.value".into()),
            ("manager", format!("{E}:manager")),
            ("Manager.Value", format!("{E}:manager.value")),
            (&format!("{E}:employeeNumber"), format!("{E}:employeeNumber")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0User:Manager.value", format!("{E}:manager.value")),
            ("urn:acme:hr:1.0:User:badge.colour", "urn:acme:hr:1.0:User:badge.colour".into()),
            ("meta.lastModified", "meta.lastModified".into()),
            ("groups.$ref", "groups.$ref".into()),
        ] {
            assert_eq!(user_path(text), Ok(canonical), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ".",
            "foo",
            "name.",
            "name.foo",
            "a b",
            "name..x",
            "urn:",
            "urn:x",
            "userName.x",
            "9a",
            "ä",
            "name.a.b",
        ] {
            assert!(user_path(text).is_err(), "{text}");
        }
    }
}
