//! Refusals of the HTTP layer, before any service handles the request: the reason and its headers. A service answers them
//! in its own format.

use crate::problem::{Code, Problem};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Unauthorized(&'static str),
    #[error("this endpoint takes {allowed}")]
    MethodNotAllowed { allowed: String },
    #[error("too many requests; try again in {} s", whole_seconds(*.retry_after))]
    RateLimited { retry_after: Duration },
    #[error("the body is larger than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: usize },
    #[error("compress the body with gzip or not at all")]
    UnknownEncoding,
    #[error("the body could not be read: {0}")]
    UnreadableBody(String),
    #[error("the body came too slowly; send it within {} s and at {bytes_per_second_min} bytes a second at least", .longest.as_secs())]
    SlowBody { longest: Duration, bytes_per_second_min: u64 },
    #[error(
        "too many answers{} are not read yet; read them, or ask for smaller pages (`count`, `limit`, `attributes`)",
        if *.of_tenant { " to this organisation" } else { "" }
    )]
    AnswersUnread { of_tenant: bool, retry_after: Duration },
}

impl Refusal {
    pub fn problem(&self) -> Problem {
        let (status, code) = match self {
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, Code::Unauthorized),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge),
            Self::UnknownEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedMediaType),
            Self::UnreadableBody(_) => (StatusCode::BAD_REQUEST, Code::BadRequest),
            Self::SlowBody { .. } => (StatusCode::REQUEST_TIMEOUT, Code::SlowBody),
            Self::AnswersUnread { of_tenant: true, .. } => (StatusCode::TOO_MANY_REQUESTS, Code::AnswersUnread),
            Self::AnswersUnread { of_tenant: false, .. } => (StatusCode::SERVICE_UNAVAILABLE, Code::AnswersUnread),
        };
        Problem::new(status, code, self.to_string())
    }

    /// Adds the headers that a client needs for its next try.
    pub fn add_headers(&self, response: &mut HttpResponseBuilder) {
        match self {
            Self::Unauthorized(_) => response.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
            Self::MethodNotAllowed { allowed } => response.insert_header((header::ALLOW, allowed.as_str())),
            Self::RateLimited { retry_after } | Self::AnswersUnread { retry_after, .. } => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*retry_after)))
            }
            Self::BodyTooLarge { .. } | Self::UnknownEncoding | Self::UnreadableBody(_) | Self::SlowBody { .. } => {
                response
            }
        };
    }
}

/// As a problem document, outside the services' own formats.
impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.problem().status()
    }

    fn error_response(&self) -> HttpResponse {
        self.problem().response(|response| self.add_headers(response))
    }
}

/// Seconds for `Retry-After`, never 0, because a client would retry at once.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.as_secs() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_whole_seconds_and_never_none() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3)] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds, "{milliseconds} ms");
        }
    }
}
