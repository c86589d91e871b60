//! The problem document (RFC 9457): the error format of everything but SCIM.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

/// A failure for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// A stable code for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self { kind: "about:blank", title, status: status.as_u16(), code, detail: detail.into() }
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer with this failure's headers, which `headers` adds.
    pub fn response(&self, headers: impl FnOnce(&mut HttpResponseBuilder)) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        headers(&mut response);
        response.content_type("application/problem+json").body(serde_json::json!(self).to_string())
    }
}
