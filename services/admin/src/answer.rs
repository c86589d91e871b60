//! The answers of handlers: what the wire types say, with a status.

use crate::error::AdminError;
use crate::fields::{Fields, Sparse};
use crate::view::List;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_store::{Cursor, Page};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) type Answer = Result<HttpResponse, AdminError>;

/// One thing after a write, or one that is always shown whole, in its form on the wire.
pub(crate) fn one<T: Serialize>(row: impl Into<T>) -> Answer {
    Ok(HttpResponse::Ok().json(row.into()))
}

/// One thing that is read, with the fields that the request asks for.
pub(crate) fn read<T: Serialize + ToSchema>(request: &HttpRequest, row: impl Into<T>) -> Answer {
    let fields = Fields::of_one::<T>(request)?;
    Ok(HttpResponse::Ok().json(Sparse { row: row.into(), fields: &fields }))
}

/// A page of a list, with the fields that the request asks for.
pub(crate) fn list<T: Serialize + ToSchema>(request: &HttpRequest, page: Page<impl Into<T>>) -> Answer {
    let cursor = |cursor: Option<Cursor>| cursor.map(|cursor| cursor.to_string());
    rows::<T>(request, page.items, cursor(page.next), cursor(page.resume))
}

/// Items that were worked out for this answer, and the cursor of the next ones. Nobody follows such a list.
pub(crate) fn snapshot<T: Serialize + ToSchema>(
    request: &HttpRequest,
    items: Vec<impl Into<T>>,
    next: Option<String>,
) -> Answer {
    rows::<T>(request, items, next, None)
}

/// Things that are always shown whole.
pub(crate) fn whole<T: Serialize>(items: Vec<impl Into<T>>) -> Answer {
    Ok(HttpResponse::Ok().json(List::<T>::of(items, None, None)))
}

fn rows<T: Serialize + ToSchema>(
    request: &HttpRequest,
    items: Vec<impl Into<T>>,
    next_cursor: Option<String>,
    resume_cursor: Option<String>,
) -> Answer {
    let fields = Fields::of_list::<T>(request)?;
    let items = items.into_iter().map(|row| Sparse { row: row.into(), fields: &fields }).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor, resume_cursor }))
}
