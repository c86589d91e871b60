//! Target of a path: `[urn:]attr[.sub]`, `attr[filter]`, `attr[filter].sub`, or a whole schema.

use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::filter::{Filter, parse_element};
use crate::limits::NAME_BYTES;
use crate::path::{PathError, Resolved, check_name, quoted, resolve};
use crate::schema::{ResourceKind, Schema, is_registered, is_urn};

/// A resolved path.
#[derive(Debug)]
pub(crate) enum Target {
    /// The core schema's URN: the resource itself.
    Resource,
    /// A known extension's URN.
    Extension(&'static Schema),
    /// An attribute or sub-attribute, perhaps of the elements that fulfil a filter.
    Attribute { resolved: Resolved, filter: Option<Filter> },
    /// An extension that this server does not define, or something within one.
    Custom(CustomPath),
}

/// A path under a URN that this server does not know. How the text divides into URN and attribute depends on the resource.
#[derive(Debug, Clone)]
pub(crate) struct CustomPath {
    /// Without the filter and what follows it.
    pub(crate) text: String,
    pub(crate) filter: Option<Filter>,
    /// The sub-attribute behind the filter.
    pub(crate) sub: Option<String>,
}

impl CustomPath {
    /// The text behind the last colon.
    pub(crate) fn last_name(&self) -> &str {
        self.text.rsplit(':').next().unwrap_or_default()
    }

    /// The path as that of an attribute, for want of a resource to settle it by.
    pub(crate) fn as_attribute(&self, kind: ResourceKind, quirks: &mut Quirks) -> Result<Resolved, PathError> {
        let resolved = resolve(kind, &self.text, quirks)?;
        match &self.sub {
            Some(sub) => resolved.with_sub(sub, quirks),
            None => Ok(resolved),
        }
    }
}

/// Resolves a path.
pub(crate) fn target(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Target, PathOrFilterError> {
    let (name, selection) = match text.split_once('[') {
        Some((name, rest)) => (name, Some(selection(text, rest)?)),
        None => (text, None),
    };
    if is_urn(name) {
        match kind.schema_urn(name) {
            Some(found) if found.names.is_none() && selection.is_none() => {
                if found.mistyped {
                    quirks.note(Quirk::MistypedUrn);
                }
                return Ok(if kind.is_core(found.schema) { Target::Resource } else { Target::Extension(found.schema) });
            }
            None if !is_registered(name) => return custom(kind, name, selection, quirks),
            _ => {}
        }
    }
    let list = resolve(kind, name, quirks)?;
    let Some(Selection { inside, behind }) = selection else {
        return Ok(Target::Attribute { resolved: list, filter: None });
    };
    if list.path.sub.is_some() || !list.path.multi {
        return Err(malformed(format!("{} has no elements to select", quoted(name))).into());
    }
    let filter = parse_element(kind, &list, inside, quirks)?;
    let resolved = match behind {
        Some(sub) => list.with_sub(sub, quirks)?,
        None => list,
    };
    Ok(Target::Attribute { resolved, filter: Some(filter) })
}

/// `[inside].behind`
struct Selection<'a> {
    inside: &'a str,
    behind: Option<&'a str>,
}

fn selection<'a>(text: &str, rest: &'a str) -> Result<Selection<'a>, PathError> {
    let (inside, behind) =
        rest.rsplit_once(']').ok_or_else(|| malformed(format!("{} has no closing bracket", quoted(text))))?;
    match behind.strip_prefix('.') {
        Some(sub) => Ok(Selection { inside, behind: Some(sub) }),
        None if behind.is_empty() => Ok(Selection { inside, behind: None }),
        None => Err(malformed(format!("{} is not a path", quoted(text)))),
    }
}

fn custom(
    kind: ResourceKind,
    name: &str,
    selection: Option<Selection<'_>>,
    quirks: &mut Quirks,
) -> Result<Target, PathOrFilterError> {
    let is_divided = name.rsplit_once(':').is_some_and(|(urn, _)| urn.len() > "urn:".len());
    if name.len() > NAME_BYTES || !is_divided || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(malformed(format!("{} is not an attribute path", quoted(name))).into());
    }
    let (filter, sub) = match selection {
        None => (None, None),
        Some(Selection { inside, behind }) => {
            let list = resolve(kind, name, quirks)?;
            if list.path.sub.is_some() {
                return Err(malformed(format!("{} has no elements to select", quoted(name))).into());
            }
            behind.map_or(Ok(()), check_name)?;
            (Some(parse_element(kind, &list, inside, quirks)?), behind.map(str::to_owned))
        }
    };
    Ok(Target::Custom(CustomPath { text: name.to_owned(), filter, sub }))
}

/// The two kinds of errors in a path.
pub(crate) enum PathOrFilterError {
    Path(PathError),
    Filter(ScimError),
}

impl From<PathError> for PathOrFilterError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<ScimError> for PathOrFilterError {
    fn from(error: ScimError) -> Self {
        Self::Filter(error)
    }
}

fn malformed(reason: String) -> PathError {
    PathError::Malformed(reason)
}
