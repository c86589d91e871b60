//! Filters (RFC 7644 §3.4.2.2), with the extensions that Entra and Ping need. The parser resolves names against the schema
//! and values against the attribute's type, so that a translator to SQL gets a small and regular tree.

mod evaluate;
mod lexer;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde_json::{Number, Value};

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::path::AttrPath;
use crate::schema::ResourceKind;

pub(crate) use parse::parse_element;

/// A parsed filter. The lists of `And` and `Or` are flat and have at least two entries; build them with [`Filter::all`] and
/// [`Filter::any`].
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// `path op value`; on a multi-valued attribute true when any value matches. `ne` is the exact opposite of `eq`: true also
    /// for an unassigned attribute. Strings are compared folded ([`crate::fold()`]) unless the path is `case_exact`; their
    /// order is that of their UTF-8 bytes.
    Compare {
        path: AttrPath,
        op: CompareOp,
        value: CompareValue,
    },
    /// `path pr`: assigned, and not empty.
    Present(AttrPath),
    /// `path[filter]`: one element of the list fulfils all of the filter. Paths inside are complete (`emails.type`);
    /// a translator working on the element uses their `sub`.
    ValuePath {
        path: AttrPath,
        filter: Box<Filter>,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl CompareOp {
    /// True for operators of order.
    #[must_use]
    pub const fn is_order(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// True for operators on parts of a string.
    #[must_use]
    pub const fn is_substring(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

/// The operand, already of the attribute's type. `eq null` is `not (x pr)`, so there is no null.
#[derive(Debug, Clone, PartialEq)]
pub enum CompareValue {
    String(String),
    /// Only with `eq` and `ne`.
    Boolean(bool),
    /// An instant, whatever its text form. Not with `co`, `sw`, `ew`.
    DateTime(DateTime<Utc>),
    /// Only for attributes of unknown extensions (`Kind::Any`). Not with `co`, `sw`, `ew`.
    Number(Number),
}

impl Filter {
    /// Parses a filter over resources of one kind.
    ///
    /// # Errors
    /// `invalidFilter`, with the position and the reason.
    pub fn parse(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Self, ScimError> {
        parse::parse(kind, text, quirks)
    }

    /// Parses a filter over resources of every kind for this kind: an attribute that only other kinds have is unassigned here
    /// (RFC 7644 §3.4.2.1).
    ///
    /// # Errors
    /// As [`parse`](Self::parse), also for an attribute that no kind has.
    pub fn parse_for_all(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Self, ScimError> {
        parse::parse_for_all(kind, text, quirks)
    }

    /// True if a full resource (as [`crate::render`] builds it) fulfils the filter: the reference for every SQL translation.
    /// A user without `active` counts as active.
    #[must_use]
    pub fn matches(&self, resource: &Value) -> bool {
        evaluate::matches(self, resource)
    }

    /// True if one element of a multi-valued attribute fulfils the inside of a value path.
    #[must_use]
    pub fn matches_element(&self, element: &Value) -> bool {
        evaluate::matches_element(self, element)
    }

    /// The number of its comparisons.
    #[must_use]
    pub fn terms(&self) -> usize {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().map(Self::terms).sum(),
            Self::Not(filter) | Self::ValuePath { filter, .. } => filter.terms(),
            Self::Compare { .. } | Self::Present(_) => 1,
        }
    }

    /// All of `filters`; of a single one, that one.
    #[must_use]
    pub fn all(filters: Vec<Self>) -> Self {
        join(filters, Self::And, |filter| match filter {
            Self::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Any of `filters`; of a single one, that one.
    #[must_use]
    pub fn any(filters: Vec<Self>) -> Self {
        join(filters, Self::Or, |filter| match filter {
            Self::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }
}

fn join(
    filters: Vec<Filter>,
    list: fn(Vec<Filter>) -> Filter,
    flatten: fn(Filter) -> Result<Vec<Filter>, Filter>,
) -> Filter {
    let mut flat = Vec::with_capacity(filters.len());
    for filter in filters {
        match flatten(filter) {
            Ok(inner) => flat.extend(inner),
            Err(filter) => flat.push(filter),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { list(flat) }
}
