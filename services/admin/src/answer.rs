//! The answers of handlers: what the wire types say, with a status.

use crate::error::AdminError;
use crate::view::List;
use actix_web::HttpResponse;
use rollcall_store::{Cursor, Page};
use serde::Serialize;

pub(crate) type Answer = Result<HttpResponse, AdminError>;

/// One thing, in its form on the wire.
pub(crate) fn one<T: Serialize>(row: impl Into<T>) -> Answer {
    Ok(HttpResponse::Ok().json(row.into()))
}

/// A page of a list.
pub(crate) fn list<T: Serialize>(page: Page<impl Into<T>>) -> Answer {
    let cursor = |cursor: Option<Cursor>| cursor.map(|cursor| cursor.to_string());
    let (next, resume) = (cursor(page.next), cursor(page.resume));
    Ok(HttpResponse::Ok().json(List::<T>::of(page.items, next, resume)))
}

/// Items that were worked out for this answer, and the cursor of the next ones. Nobody follows such a list.
pub(crate) fn snapshot<T: Serialize>(items: Vec<impl Into<T>>, next: Option<String>) -> Answer {
    Ok(HttpResponse::Ok().json(List::<T>::of(items, next, None)))
}
