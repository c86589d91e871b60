//! The SCIM 2.0 endpoints. The protocol itself is the `rollcall-scim` crate; here it meets HTTP and the store.

pub(crate) mod discovery;
pub(crate) mod groups;
pub(crate) mod users;

use crate::auth::SourceAuth;
use crate::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_scim::list::{Page, Paging, list_response};
use rollcall_scim::{CONTENT_TYPE, ListQuery, Projection, Quirks, ResourceKind, ScimError, query};
use rollcall_store::{ListPage, ListRequest};
use serde_json::Value;
use std::str::FromStr;

/// The address of this source's endpoints, without a slash at the end.
fn base_url(request: &HttpRequest, auth: &SourceAuth) -> String {
    let source = auth.scope.source();
    match &auth.ingest.config.public_url {
        Some(url) => format!("{url}/scim/v2/{source}"),
        None => {
            let info = request.connection_info();
            format!("{}://{}/scim/v2/{source}", info.scheme(), info.host())
        }
    }
}

/// The id in the path. One that is no UUID was never given by this hub, so it names nothing.
fn id_in_path<T: FromStr>(request: &HttpRequest, what: &str) -> Result<T, IngestError> {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| ScimError::not_found(format!("there is no such {what}")).into())
}

fn header_text(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn answer(status: StatusCode, body: &Value) -> HttpResponse {
    HttpResponse::build(status).content_type(CONTENT_TYPE).body(body.to_string())
}

/// One resource, with its entity tag and its address (RFC 7644 §3.1, §3.14).
fn resource(status: StatusCode, body: &Value, etag: &str, location: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(CONTENT_TYPE)
        .insert_header((header::ETAG, etag))
        .insert_header((header::LOCATION, location))
        .body(body.to_string())
}

fn not_modified(etag: &str) -> HttpResponse {
    HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish()
}

/// `attributes` and `excludedAttributes` of a request for one resource.
fn projection(request: &HttpRequest, kind: ResourceKind) -> Result<Projection, IngestError> {
    let pairs = query::parse_query(request.query_string(), &mut Quirks::new())?;
    let value = |name: &str| pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
    Ok(Projection::parse(kind, value("attributes"), value("excludedAttributes")))
}

fn list_query(request: &HttpRequest, auth: &SourceAuth, kind: ResourceKind) -> Result<ListQuery, IngestError> {
    let mut quirks = Quirks::new();
    let pairs = query::parse_query(request.query_string(), &mut quirks)?;
    Ok(ListQuery::from_pairs(kind, &pairs, auth.ingest.config.pages, &mut quirks)?)
}

fn list_request<'q>(query: &'q ListQuery, kind: ResourceKind, with_related: bool, base: &'q str) -> ListRequest<'q> {
    ListRequest {
        kind,
        filter: query.filter.as_ref(),
        sort: query.sort.as_ref(),
        paging: &query.paging,
        count: query.count,
        with_related,
        base,
    }
}

/// The ListResponse of a page; an empty one is a 200, never a 404 (scim.md trap 10).
fn list_answer<T>(query: &ListQuery, page: ListPage<T>, render: impl Fn(&T) -> Value) -> HttpResponse {
    let start_index = match query.paging {
        Paging::Index(start) => Some(start),
        Paging::Cursor(_) => None,
    };
    let body = list_response(Page {
        resources: page.items.iter().map(render).collect(),
        total: page.total,
        start_index,
        next_cursor: page.next.map(|id| id.to_string()),
        previous_cursor: None,
    });
    answer(StatusCode::OK, &body)
}
