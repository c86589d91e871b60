//! Every failure of this service as a SCIM error, with the headers that belong to it (RFC 7644 §3.12).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use rollcall_scim::{CONTENT_TYPE, ScimError};
use rollcall_store::{CallError, StoreError};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error(transparent)]
    Scim(#[from] ScimError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("too many requests")]
    RateLimited { retry_after: Duration },
    #[error("the method is not allowed here")]
    MethodNotAllowed { allowed: String },
}

impl From<CallError> for IngestError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Scim(error) => error.into(),
            CallError::Store(error) => error.into(),
        }
    }
}

impl IngestError {
    /// As one operation of a bulk answers it. A failure of ours is logged here: it gets no response of its own.
    pub(crate) fn into_scim(self) -> ScimError {
        let error = self.scim();
        if error.status >= 500 {
            tracing::error!(error = %self, "an operation of a SCIM bulk failed");
        }
        error
    }

    pub(crate) fn scim(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::RateLimited { retry_after } => {
                let seconds = whole_seconds(*retry_after);
                ScimError::too_many_requests(format!("too many requests; try again in {seconds} s"))
            }
            Self::MethodNotAllowed { allowed } => {
                ScimError::method_not_allowed(format!("this endpoint takes {allowed}"))
            }
            Self::Store(error) => match error {
                StoreError::NotFound(what) => ScimError::not_found(format!("there is no such {what}")),
                StoreError::Taken(what) => ScimError::uniqueness(format!("{what} is already in use")),
                StoreError::Stale | StoreError::Unsettled | StoreError::Conflict(_) | StoreError::Forbidden(_) => {
                    ScimError::conflict(error.to_string())
                }
                StoreError::Changed => ScimError::precondition_failed("the resource changed since you read it"),
                StoreError::Invalid(why) => ScimError::invalid_value(why),
                StoreError::Unavailable(_) | StoreError::Contended(_) => {
                    ScimError::unavailable("the hub is busy or its database away; try again")
                }
                StoreError::LeaseLost | StoreError::Moved | StoreError::Database(_) => {
                    ScimError::internal("an error on our side; it was logged under the request's id")
                }
            },
        }
    }
}

/// Seconds for `Retry-After`, never 0: a client that waits 0 s asks again at once.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0).max(u64::from(wait.as_secs() == 0))
}

impl ResponseError for IngestError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.scim().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let error = self.scim();
        if error.status >= 500 {
            tracing::error!(error = %self, "a SCIM request failed");
        }
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(CONTENT_TYPE);
        match self {
            Self::RateLimited { retry_after } => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*retry_after)));
            }
            Self::Store(StoreError::Unavailable(_) | StoreError::Contended(_)) => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            Self::MethodNotAllowed { allowed } => {
                response.insert_header((header::ALLOW, allowed.as_str()));
            }
            Self::Scim(error) if error.status == 401 => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            _ => {}
        }
        response.body(error.to_json().to_string())
    }
}
