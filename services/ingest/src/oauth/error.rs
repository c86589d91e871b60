//! Failures of `/oauth` in the form of RFC 6749 §5.2. A description is ASCII without quotes and backslashes, as that section wants it.

use super::wire::{Code, Failure};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use rollcall_store::StoreError;
use rollcall_web::{Refusal, whole_seconds};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub(crate) enum OauthError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error(
        "the client is unknown, or its secret is wrong, was replaced or has ended; make or rotate one \
         (POST /api/v1/sources/{{id}}/oauth-clients)"
    )]
    InvalidClient {
        /// The client tried to name itself in the `Authorization` header.
        by_header: bool,
    },
    #[error("this grant is not served; grant_type is client_credentials, or that of device codes for an agent")]
    UnsupportedGrant,
    /// A code of RFC 8628 §3.5, or of RFC 6749 §5.2, with its description.
    #[error("{1}")]
    Device(Code, &'static str),
    #[error("too many requests; try again in {} s", whole_seconds(*.retry_after))]
    RateLimited { retry_after: Duration },
    #[error(transparent)]
    Web(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OauthError {
    pub(super) fn invalid(why: &'static str) -> Self {
        Self::Invalid(why)
    }

    pub(super) fn unknown_client(request: &HttpRequest) -> Self {
        Self::InvalidClient { by_header: request.headers().contains_key(header::AUTHORIZATION) }
    }

    fn code(&self) -> (StatusCode, Code) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            Self::InvalidClient { .. } => (StatusCode::UNAUTHORIZED, Code::InvalidClient),
            Self::Device(code, _) => (StatusCode::BAD_REQUEST, *code),
            Self::UnsupportedGrant => (StatusCode::BAD_REQUEST, Code::UnsupportedGrantType),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::TemporarilyUnavailable),
            Self::Web(refusal) => (refusal.problem().status(), Code::InvalidRequest),
            Self::Store(StoreError::Busy { .. }) => (StatusCode::TOO_MANY_REQUESTS, Code::TemporarilyUnavailable),
            Self::Store(StoreError::Unavailable(_) | StoreError::Contended(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::TemporarilyUnavailable)
            }
            Self::Store(StoreError::Invalid(_)) => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, Code::ServerError),
        }
    }

    fn description(&self) -> String {
        let text = match (self, self.code().0) {
            (Self::Store(_), StatusCode::INTERNAL_SERVER_ERROR) => {
                "an error on our side; it was logged under the request's id".to_owned()
            }
            (Self::Store(StoreError::Invalid(why)), _) => why.clone(),
            (Self::Store(StoreError::Busy { limit, .. }), _) => limit.clone(),
            (Self::Store(_), _) => "the hub is busy or its database away; try again".to_owned(),
            (other, _) => other.to_string(),
        };
        text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '\'' }).collect()
    }
}

impl ResponseError for OauthError {
    fn status_code(&self) -> StatusCode {
        self.code().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code) = self.code();
        if status.is_server_error() {
            tracing::error!(error = %self, "a request for a token failed");
        }
        let mut response = HttpResponse::build(status);
        match self {
            Self::Web(refusal) => refusal.add_headers(&mut response),
            Self::InvalidClient { by_header: true } => {
                response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"rollcall\""));
            }
            Self::RateLimited { retry_after } | Self::Store(StoreError::Busy { retry_after, .. }) => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*retry_after)));
            }
            Self::Store(StoreError::Unavailable(_) | StoreError::Contended(_)) => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            _ => {}
        }
        response.insert_header((header::PRAGMA, "no-cache"));
        response.json(Failure { error: code, error_description: self.description() })
    }
}
