//! Lists: what a client asks for (RFC 7644 §3.4.2 and §3.4.3, RFC 9865), and the page it gets.

use serde_json::Value;

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::AttrPath;
use crate::projection::Projection;
use crate::schema::ResourceKind;

/// Page sizes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// Page size when the client names none.
    pub default: usize,
    /// A larger `count` is cut to this.
    pub max: usize,
}

/// How the client pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// `startIndex`, counted from 1.
    Index(u64),
    /// RFC 9865; `None` asks for the first page.
    Cursor(Option<String>),
}

/// `sortBy` and `sortOrder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    pub by: AttrPath,
    pub descending: bool,
}

/// A list request, the same for `GET` and `.search`.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    pub filter: Option<Filter>,
    pub paging: Paging,
    /// Page size, at most the server's; 0 asks for the total only.
    pub count: usize,
    pub sort: Option<Sort>,
    pub projection: Projection,
}

impl ListQuery {
    /// Reads decoded query pairs ([`crate::query::parse_query`]). Unknown parameters are ignored.
    ///
    /// # Errors
    /// `invalidFilter`, `invalidValue`, `invalidPath`, `invalidCursor` or `invalidCount`.
    pub fn from_pairs(
        kind: ResourceKind,
        pairs: &[(String, String)],
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        todo!("{kind:?} {pairs:?} {limits:?} {quirks:?}")
    }

    /// Reads a SearchRequest body (RFC 7644 §3.4.3).
    ///
    /// # Errors
    /// As [`from_pairs`](Self::from_pairs), and `invalidSyntax`.
    pub fn from_search(
        kind: ResourceKind,
        body: Value,
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        todo!("{kind:?} {body} {limits:?} {quirks:?}")
    }
}

/// One page of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    pub resources: Vec<Value>,
    /// May be left out when paging by cursor.
    pub total: Option<u64>,
    /// With index paging.
    pub start_index: Option<u64>,
    /// With cursor paging, unless this is the last page.
    pub next_cursor: Option<String>,
    pub previous_cursor: Option<String>,
}

/// The ListResponse (RFC 7644 §3.4.2). `Resources` is always there, also when empty.
#[must_use]
pub fn list_response(page: Page) -> Value {
    todo!("{page:?}")
}
