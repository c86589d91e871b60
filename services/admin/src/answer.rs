//! Answers of handlers. Lists have the form `{"items": […], "next_cursor": …}`.

use crate::error::AdminError;
use actix_web::HttpResponse;
use rollcall_store::Page;
use serde::Serialize;
use serde_json::json;

pub(crate) type Answer = Result<HttpResponse, AdminError>;

pub(crate) fn list<T: Serialize>(page: Page<T>) -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "items": page.items, "next_cursor": page.next })))
}
