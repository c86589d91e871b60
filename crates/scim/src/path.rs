//! Names of attributes, resolved: `Emails`, `name.familyName`, `urn:…:User:manager`, `manager` become a canonical path that
//! knows what it points to. Filters, sorting, projections and patches all name attributes through this.

use std::borrow::Cow;

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::schema::{Kind, ResourceKind};

/// A resolved attribute path. Names are in canonical spelling, so comparing them with `==` is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath {
    /// URN of the extension that holds the attribute; `None` for core and common attributes.
    pub extension: Option<Cow<'static, str>>,
    pub attribute: Cow<'static, str>,
    pub sub: Option<Cow<'static, str>>,
    /// Type of the value pointed to. `Complex` only where a whole complex attribute is meant (`name pr`).
    pub kind: Kind,
    /// Whether strings pointed to are compared byte by byte. Otherwise compare them folded ([`crate::fold()`]).
    pub case_exact: bool,
    /// Whether the attribute is a list.
    pub multi: bool,
}

impl AttrPath {
    /// Resolves `[urn:]name[.sub]` for a kind of resource. An attribute of an unknown extension resolves too, with kind `Any`.
    ///
    /// # Errors
    /// `invalidPath` when the text is not a path or the attribute is unknown.
    pub fn resolve(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Self, ScimError> {
        todo!("{kind:?} {text} {quirks:?}")
    }

    /// `attribute` or `attribute.sub`, for matching core attributes against known columns: `("emails", Some("value"))`.
    #[must_use]
    pub fn core(&self) -> Option<(&str, Option<&str>)> {
        self.extension.is_none().then(|| (self.attribute.as_ref(), self.sub.as_deref()))
    }
}
