//! The SCIM 2.0 endpoints, which connect the protocol in `rollcall-scim` with HTTP and the store.

pub(crate) mod bulk;
pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod groups;
pub(crate) mod search;
pub(crate) mod users;
pub(crate) mod write;

use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::budget::Budget;
use rollcall_scim::list::{ListResponse, Paging};
use rollcall_scim::{CONTENT_TYPE, ListQuery, Projection, ResourceKind, ScimError, query};
use rollcall_store::{ListPage, ListRequest};
use rollcall_web::origin;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::str::FromStr;
use uuid::Uuid;

/// The address of this source's endpoints, without a trailing slash.
fn base_url(request: &HttpRequest, auth: &SourceAuth) -> String {
    let source = auth.scope.source();
    match &auth.ingest.config.public_url {
        Some(url) => format!("{url}/scim/v2/{source}"),
        None => format!("{}/scim/v2/{source}", origin(request)),
    }
}

/// The id in the path. A string that is not a UUID was never given by this hub, so it names nothing.
fn id_in_path<T: FromStr>(request: &HttpRequest, what: &str) -> Result<T, IngestError> {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| ScimError::not_found(format!("there is no such {what}")).into())
}

fn header_text(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn answer(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).content_type(CONTENT_TYPE).json(body)
}

/// One resource, with its entity tag and its address (RFC 7644 §3.1, §3.14).
fn resource(status: StatusCode, body: &Value, etag: &str, location: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(CONTENT_TYPE)
        .insert_header((header::ETAG, etag))
        .insert_header((header::LOCATION, location))
        .json(body)
}

fn not_modified(etag: &str) -> HttpResponse {
    HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish()
}

/// `attributes` and `excludedAttributes` of a request for one resource.
fn projection(request: &HttpRequest, auth: &SourceAuth, kind: ResourceKind) -> Result<Projection, IngestError> {
    let pairs = query::parse_query(request.query_string(), &mut auth.quirks())?;
    Ok(Projection::parse(kind, query::last(&pairs, "attributes"), query::last(&pairs, "excludedAttributes"))?)
}

/// True if the request has `attributes`.
fn names_attributes(request: &HttpRequest, auth: &SourceAuth) -> Result<bool, IngestError> {
    let pairs = query::parse_query(request.query_string(), &mut auth.quirks())?;
    Ok(pairs.iter().any(|(key, value)| key.eq_ignore_ascii_case("attributes") && !value.trim().is_empty()))
}

fn list_query(request: &HttpRequest, auth: &SourceAuth, kind: ResourceKind) -> Result<ListQuery, IngestError> {
    let mut quirks = auth.quirks();
    let pairs = query::parse_query(request.query_string(), &mut quirks)?;
    served(ListQuery::from_pairs(kind, &pairs, auth.ingest.config.pages, &mut quirks)?)
}

fn search_query(auth: &SourceAuth, kind: ResourceKind, body: &Value) -> Result<ListQuery, IngestError> {
    served(ListQuery::from_search(kind, body, auth.ingest.config.pages, &mut auth.quirks())?)
}

/// A cursor is the id of the last resource, so it is served in the order of ids only (RFC 9865 leaves sorting with
/// cursors to the server).
fn served(query: ListQuery) -> Result<ListQuery, IngestError> {
    if let Paging::Cursor(cursor) = &query.paging {
        if query.sort.is_some() {
            return Err(ScimError::invalid_value("sortBy does not go with a cursor; page by startIndex instead").into());
        }
        if cursor.as_ref().is_some_and(|cursor| cursor.parse::<Uuid>().is_err()) {
            return Err(ScimError::invalid_cursor("this is not a cursor of this list; start again without one").into());
        }
    }
    Ok(query)
}

fn list_request<'q>(
    query: &'q ListQuery,
    auth: &SourceAuth,
    kind: ResourceKind,
    with_related: bool,
    base: &'q str,
    budget: &'q Budget,
) -> ListRequest<'q> {
    ListRequest {
        kind,
        filter: query.filter.as_ref(),
        sort: query.sort.as_ref(),
        paging: &query.paging,
        count: query.count,
        with_related,
        bytes_max: auth.ingest.config.answer_bytes_max,
        base,
        budget,
    }
}

/// A page in the client's form. Each resource is its text: as values, a page would take several times the bytes of its answer.
struct Listed {
    resources: Vec<Box<RawValue>>,
    total: Option<u64>,
    next: Option<String>,
}

impl Listed {
    /// Renders a page, and drops each item when its text is made.
    fn of<T>(page: ListPage<T>, render: impl Fn(T) -> Value) -> Result<Self, IngestError> {
        let texts = page.items.into_iter().map(|item| to_raw_value(&render(item))).collect::<Result<_, _>>();
        let unwritten = |error| ScimError::internal(format!("a resource has no text: {error}"));
        Ok(Self { resources: texts.map_err(unwritten)?, total: page.total, next: page.next.map(|id| id.to_string()) })
    }
}

/// The ListResponse of a page; an empty one is a 200, never a 404 (docs/scim.md#traps, 10).
fn list_answer(query: &ListQuery, page: Listed) -> HttpResponse {
    let start_index = match query.paging {
        Paging::Index(start) => Some(start),
        Paging::Cursor(_) => None,
    };
    let Listed { resources, total, next } = page;
    answer(StatusCode::OK, &ListResponse { total, start_index, next_cursor: next, ..ListResponse::of(resources) })
}
