//! What a path points to: `[urn:]attr[.sub]`, `attr[filter]`, `attr[filter].sub`, or a whole schema.

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::filter::{Filter, parse_element};
use crate::path::{PathError, Resolved, quoted, resolve};
use crate::schema::{Kind, ResourceKind, Schema, is_urn};

/// A resolved path.
#[derive(Debug)]
pub(crate) enum Target {
    /// The core schema's URN: the resource itself.
    Resource,
    /// A known extension's URN.
    Extension(&'static Schema),
    /// An attribute or sub-attribute, perhaps of the elements that fulfil a filter.
    Attribute { resolved: Resolved, filter: Option<Filter> },
}

/// Resolves a path.
pub(crate) fn target(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Target, PathOrFilterError> {
    if is_urn(text) {
        if text.eq_ignore_ascii_case(kind.core().urn) {
            return Ok(Target::Resource);
        }
        if let Some(schema) = kind.extension(text) {
            return Ok(Target::Extension(schema));
        }
    }
    let Some((name, rest)) = text.split_once('[') else {
        return Ok(Target::Attribute { resolved: resolve(kind, text, quirks)?, filter: None });
    };
    let list = resolve(kind, name, quirks)?;
    let selectable = list.path.sub.is_none() && (list.path.multi || list.path.kind == Kind::Any);
    if !selectable {
        return Err(malformed(format!("{} has no elements to select", quoted(name))).into());
    }
    let (inside, behind) =
        rest.rsplit_once(']').ok_or_else(|| malformed(format!("{} has no closing bracket", quoted(text))))?;
    let filter = parse_element(kind, &list, inside, quirks)?;
    let resolved = match behind.strip_prefix('.') {
        Some(sub) => list.with_sub(sub, quirks)?,
        None if behind.is_empty() => list,
        None => return Err(malformed(format!("{} is not a path", quoted(text))).into()),
    };
    Ok(Target::Attribute { resolved, filter: Some(filter) })
}

/// Either way a path can be wrong.
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
