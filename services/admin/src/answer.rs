//! The answers of handlers: what the wire types say, with a status.

use crate::error::AdminError;
use crate::view::List;
use actix_web::HttpResponse;
use rollcall_store::Page;
use serde::Serialize;

pub(crate) type Answer = Result<HttpResponse, AdminError>;

/// One thing, in its form on the wire.
pub(crate) fn one<T: Serialize>(row: impl Into<T>) -> Answer {
    Ok(HttpResponse::Ok().json(row.into()))
}

/// A page of a list.
pub(crate) fn list<T: Serialize>(page: Page<impl Into<T>>) -> Answer {
    all::<T>(page.items, page.next.map(|id| id.to_string()))
}

/// The items of a list, and the cursor of the next ones.
pub(crate) fn all<T: Serialize>(items: Vec<impl Into<T>>, next: Option<String>) -> Answer {
    Ok(HttpResponse::Ok().json(List::<T>::of(items, next)))
}
