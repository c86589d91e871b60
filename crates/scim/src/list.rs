//! Lists: the request of a client (RFC 7644 §3.4.2 and §3.4.3, RFC 9865), and its page.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::{AttrPath, PathError, resolve};
use crate::projection::Projection;
use crate::query::last;
use crate::schema::{Kind, ResourceKind, get_ignore_case};

/// Schema of a list answer.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Schema of a `.search` body.
pub const SEARCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// Longest accepted cursor, in bytes.
const CURSOR_BYTES: usize = 2_048;

/// Page sizes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// Page size without a `count`.
    pub default: usize,
    /// A larger `count` is reduced to this.
    pub max: usize,
}

/// The form of paging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// `startIndex`, counted from 1.
    Index(u64),
    /// RFC 9865; `None` asks for the first page. A cursor is opaque here, but only has URL-safe characters.
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
    /// Reads decoded query pairs ([`crate::query::parse_query`]). Names are read in any case; unknown ones are ignored.
    ///
    /// # Errors
    /// `invalidFilter`, `invalidValue`, `invalidPath`, `invalidCursor` or `invalidCount`.
    pub fn from_pairs(
        kind: ResourceKind,
        pairs: &[(String, String)],
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        Asked::of_pairs(pairs).read(kind, Filter::parse, limits, quirks)
    }

    /// As [`from_pairs`](Self::from_pairs), for the part of a list of all kinds that concerns this one.
    pub fn of_all_from_pairs(
        kind: ResourceKind,
        pairs: &[(String, String)],
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        Asked::of_pairs(pairs).read(kind, Filter::parse_for_all, limits, quirks)
    }

    /// Reads a SearchRequest body (RFC 7644 §3.4.3).
    ///
    /// # Errors
    /// As [`from_pairs`](Self::from_pairs), and `invalidSyntax`.
    pub fn from_search(
        kind: ResourceKind,
        body: &Value,
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        Asked::of_body(body)?.read(kind, Filter::parse, limits, quirks)
    }

    /// As [`from_search`](Self::from_search), for the part of a list of all kinds that concerns this one.
    pub fn of_all_from_search(
        kind: ResourceKind,
        body: &Value,
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        Asked::of_body(body)?.read(kind, Filter::parse_for_all, limits, quirks)
    }
}

/// A parameter of a search body as its text in a query string.
fn body_text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, ScimError> {
    let wrong = || ScimError::invalid_value(format!("{name} must be a string, a number or a list of strings"));
    match get_ignore_case(body, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            names.map(|names| Some(names.join(","))).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

/// The parameters as text, from either form.
struct Asked {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
}

/// A parser of filters.
type ParseFilter = fn(ResourceKind, &str, &mut Quirks) -> Result<Filter, ScimError>;

impl Asked {
    fn of_pairs(pairs: &[(String, String)]) -> Self {
        let text = |name: &str| last(pairs, name).map(str::to_owned);
        Self {
            filter: text("filter"),
            start_index: text("startIndex"),
            count: text("count"),
            cursor: text("cursor"),
            sort_by: text("sortBy"),
            sort_order: text("sortOrder"),
            attributes: text("attributes"),
            excluded: text("excludedAttributes"),
        }
    }

    fn of_body(body: &Value) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax("a search body must be a JSON object"));
        };
        Ok(Self {
            filter: body_text(body, "filter")?,
            start_index: body_text(body, "startIndex")?,
            count: body_text(body, "count")?,
            cursor: body_text(body, "cursor")?,
            sort_by: body_text(body, "sortBy")?,
            sort_order: body_text(body, "sortOrder")?,
            attributes: body_text(body, "attributes")?,
            excluded: body_text(body, "excludedAttributes")?,
        })
    }

    fn read(
        self,
        kind: ResourceKind,
        parse_filter: ParseFilter,
        limits: PageLimits,
        quirks: &mut Quirks,
    ) -> Result<ListQuery, ScimError> {
        let by_cursor = self.cursor.is_some();
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let count = match &said(&self.count) {
            Some(count) => {
                let wrong = if by_cursor { ScimError::invalid_count::<&str> } else { ScimError::invalid_value };
                let count = integer(count).ok_or_else(|| wrong("count must be an integer"))?;
                usize::try_from(count).map_or(0, |count| count.min(limits.max))
            }
            None => limits.default.min(limits.max),
        };
        let filter = match self.filter.as_deref().filter(|text| !text.trim().is_empty()) {
            Some(text) => Some(parse_filter(kind, text, quirks)?),
            None => None,
        };
        let sort = match self.sort_by.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(by) => Some(sort(kind, by, self.sort_order.as_deref(), quirks)?),
            None => None,
        };
        let projection = Projection::parse(kind, self.attributes.as_deref(), self.excluded.as_deref())?;
        Ok(ListQuery {
            filter,
            paging: paging(self.cursor, said(&self.start_index).as_deref())?,
            count,
            sort,
            projection,
        })
    }
}

fn paging(cursor: Option<String>, start_index: Option<&str>) -> Result<Paging, ScimError> {
    let Some(cursor) = cursor else {
        let index = match start_index {
            Some(text) => integer(text).ok_or_else(|| ScimError::invalid_value("startIndex must be an integer"))?,
            None => 1,
        };
        return Ok(Paging::Index(u64::try_from(index).unwrap_or(1).max(1)));
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if cursor.len() > CURSOR_BYTES || !cursor.bytes().all(unreserved) {
        return Err(ScimError::invalid_cursor("this is not a cursor of this server; start again without one"));
    }
    Ok(Paging::Cursor(Some(cursor).filter(|cursor| !cursor.is_empty())))
}

/// An integer, clamped to `i64`.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

fn sort(kind: ResourceKind, by: &str, order: Option<&str>, quirks: &mut Quirks) -> Result<Sort, ScimError> {
    let refused = |reason: String| ScimError::invalid_path(format!("sortBy: {reason}"));
    let by = match resolve(kind, by.trim(), quirks) {
        Ok(resolved) => resolved.comparable().path,
        Err(PathError::Malformed(reason) | PathError::Unknown(reason)) => return Err(refused(reason)),
    };
    if by.kind == Kind::Complex {
        return Err(refused(format!("{by} cannot be sorted by; name a sub-attribute")));
    }
    let descending = match order.map(str::trim) {
        None | Some("") => false,
        Some(order) if order.eq_ignore_ascii_case("ascending") => false,
        Some(order) if order.eq_ignore_ascii_case("descending") => true,
        Some(_) => return Err(ScimError::invalid_value("sortOrder must be ascending or descending")),
    };
    Ok(Sort { by, descending })
}

/// The ListResponse of a page (RFC 7644 §3.4.2). `Resources` is always there, also when empty; the numbers are integers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<R> {
    pub schemas: [&'static str; 1],
    pub items_per_page: usize,
    /// May be missing when paging by cursor.
    #[serde(rename = "totalResults", skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// With index paging.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_index: Option<u64>,
    /// With cursor paging, unless this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    #[serde(rename = "Resources")]
    pub resources: Vec<R>,
}

impl<R> ListResponse<R> {
    #[must_use]
    pub fn of(resources: Vec<R>) -> Self {
        let items_per_page = resources.len();
        Self { schemas: [LIST_SCHEMA], items_per_page, total: None, start_index: None, next_cursor: None, resources }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;
    use serde_json::json;

    const LIMITS: PageLimits = PageLimits { default: 100, max: 200 };

    fn query(raw: &str) -> Result<ListQuery, ScimError> {
        let mut quirks = Quirks::new();
        let pairs = crate::query::parse_query(raw, &mut quirks)?;
        ListQuery::from_pairs(ResourceKind::User, &pairs, LIMITS, &mut quirks)
    }

    fn page(raw: &str) -> (Paging, usize) {
        let query = query(raw).expect("a query");
        (query.paging, query.count)
    }

    #[test]
    fn paging_is_clamped_as_the_rfc_says() {
        for (raw, start, count) in [
            ("", 1, 100),
            ("startIndex=1&count=100", 1, 100),
            ("count=&startIndex=", 1, 100),
            ("count=%20&startIndex=+", 1, 100),
            ("startIndex=0&count=-5", 1, 0),
            ("startIndex=-9&count=0", 1, 0),
            ("STARTINDEX=7&Count=1000", 7, 200),
            ("count=99999999999999999999&startIndex=99999999999999999999", i64::MAX as u64, 200),
        ] {
            assert_eq!(page(raw), (Paging::Index(start), count), "{raw}");
        }
    }

    #[test]
    fn cursors_page_by_themselves() {
        assert_eq!(page("cursor="), (Paging::Cursor(None), 100));
        assert_eq!(page("cursor&count=5"), (Paging::Cursor(None), 5));
        assert_eq!(page("cursor=aZ0-._~&startIndex=4"), (Paging::Cursor(Some("aZ0-._~".into())), 100));
    }

    #[test]
    fn each_refusal_has_its_keyword() {
        for (raw, expected) in [
            ("count=ten", ScimType::InvalidValue),
            ("startIndex=1.5", ScimType::InvalidValue),
            ("cursor=&count=ten", ScimType::InvalidCount),
            ("cursor=a%20b", ScimType::InvalidCursor),
            ("filter=shoe", ScimType::InvalidFilter),
            ("sortBy=shoe", ScimType::InvalidPath),
            ("sortBy=name", ScimType::InvalidPath),
            ("sortBy=userName&sortOrder=up", ScimType::InvalidValue),
        ] {
            assert_eq!(query(raw).expect_err(raw).scim_type, Some(expected), "{raw}");
        }
    }

    #[test]
    fn get_and_search_ask_the_same() {
        let body = json!({
            "schemas": [SEARCH_SCHEMA], "filter": "userName sw \"a\"", "startIndex": 11, "count": 10, "sortBy": "emails",
            "sortOrder": "Descending", "attributes": ["userName", "name.givenName"], "excludedAttributes": null,
        });
        let by_search =
            ListQuery::from_search(ResourceKind::User, &body, LIMITS, &mut Quirks::new()).expect("a search");
        let by_get = query(
            "filter=userName%20sw%20%22a%22&startIndex=11&count=10&sortBy=emails&sortOrder=descending&attributes=userName,name.givenName&aadOptscim062020",
        );
        assert_eq!(Ok(&by_search), by_get.as_ref());
        assert_eq!(
            by_search.sort.map(|sort| (sort.by.to_string(), sort.descending)),
            Some(("emails.value".into(), true))
        );
        for bad in [json!([]), json!({ "filter": {} }), json!({ "attributes": [1] }), json!({ "count": "x" })] {
            assert!(ListQuery::from_search(ResourceKind::User, &bad, LIMITS, &mut Quirks::new()).is_err(), "{bad}");
        }
    }

    #[test]
    fn trap10_an_empty_result_is_a_list_response() {
        let nobody = ListResponse { total: Some(0), start_index: Some(1), ..ListResponse::<Value>::of(Vec::new()) };
        assert_eq!(
            json!(nobody),
            json!({ "schemas": [LIST_SCHEMA], "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": [] })
        );
        let one = ListResponse { next_cursor: Some("n".into()), ..ListResponse::of(vec![json!({})]) };
        assert_eq!(
            json!(one),
            json!({ "schemas": [LIST_SCHEMA], "itemsPerPage": 1, "nextCursor": "n", "Resources": [{}] })
        );
    }
}
