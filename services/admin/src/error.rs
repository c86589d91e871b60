//! Every failure of this service as a problem document (RFC 9457).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use rollcall_store::StoreError;
use serde_json::json;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("{0}")]
    Unauthorized(&'static str),
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("this endpoint takes {allowed}")]
    MethodNotAllowed { allowed: String },
    #[error("too many requests; try again in {} s", seconds(*.retry_after))]
    RateLimited { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}

impl AdminError {
    /// The status, a stable word for programs, and the sentence for people.
    fn problem(&self) -> (StatusCode, &'static str, String) {
        let sentence = self.to_string();
        match self {
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized", sentence),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", sentence),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", sentence),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request", sentence),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", sentence),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", sentence),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", sentence),
            Self::Store(StoreError::Forbidden(_)) => (StatusCode::FORBIDDEN, "forbidden", sentence),
            Self::Store(StoreError::NotFound(_)) => (StatusCode::NOT_FOUND, "not_found", sentence),
            Self::Store(StoreError::Invalid(_)) => (StatusCode::BAD_REQUEST, "bad_request", sentence),
            Self::Store(StoreError::Stale | StoreError::Unsettled) => (StatusCode::CONFLICT, "plan_stale", sentence),
            Self::Store(StoreError::Taken(_) | StoreError::Changed | StoreError::Conflict(_)) => {
                (StatusCode::CONFLICT, "conflict", sentence)
            }
            Self::Store(StoreError::Unavailable(_) | StoreError::Contended(_)) => {
                let sentence = "the hub is busy or its database away; try again".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence)
            }
            Self::Store(StoreError::LeaseLost | StoreError::Moved | StoreError::Database(_)) => {
                let sentence = "an error on our side; it was logged under the request's id".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", sentence)
            }
        }
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        self.problem().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code, detail) = self.problem();
        if status.is_server_error() {
            tracing::error!(error = %self, "an API request failed");
        }
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        match self {
            Self::Unauthorized(_) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::MethodNotAllowed { allowed } => {
                response.insert_header((header::ALLOW, allowed.as_str()));
            }
            Self::RateLimited { retry_after } => {
                response.insert_header((header::RETRY_AFTER, seconds(*retry_after)));
            }
            _ => {}
        }
        let title = status.canonical_reason().unwrap_or_default();
        let body =
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail });
        response.body(body.to_string())
    }
}
