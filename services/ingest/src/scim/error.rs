//! Failures of this service as SCIM errors, with their headers (RFC 7644 §3.12).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use rollcall_core::quota::Quota;
use rollcall_hub::ScimWriteError;
use rollcall_scim::{CONTENT_TYPE, ScimError};
use rollcall_store::StoreError;
use rollcall_web::{Refusal, whole_seconds};

/// Wait of a client whose tenant has too many changes open: long enough for a worker to read some.
const CHANGES_RETRY_SECONDS: u64 = 30;

#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error(transparent)]
    Scim(#[from] ScimError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Web(#[from] Refusal),
}

impl From<ScimWriteError> for IngestError {
    fn from(error: ScimWriteError) -> Self {
        match error {
            ScimWriteError::Scim(error) => error.into(),
            ScimWriteError::Store(error) => error.into(),
        }
    }
}

impl IngestError {
    /// The error as the answer of one operation of a bulk. An internal failure is logged here, because it gets no
    /// response of its own.
    pub(crate) fn into_scim(self) -> ScimError {
        let error = self.scim();
        if is_failure(&error) {
            tracing::error!(error = %self, "an operation of a SCIM bulk failed");
        }
        error
    }

    pub(crate) fn scim(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::Web(refusal) => refused(refusal),
            Self::Store(error) => match error {
                StoreError::NotFound(what) => ScimError::not_found(format!("there is no such {what}")),
                StoreError::Taken(what) => ScimError::uniqueness(format!("{what} is already in use")),
                StoreError::Stale
                | StoreError::Unsettled
                | StoreError::Overtaken
                | StoreError::Conflict(_)
                | StoreError::TooManyLeave(_)
                | StoreError::ResyncRequired(_)
                | StoreError::Forbidden(_) => ScimError::conflict(error.to_string()),
                // Not 507: an identity provider repeats a 5xx for ever, and nothing changes until somebody acts.
                StoreError::OverQuota(over) if over.quota != Quota::Changes => ScimError::forbidden(over.to_string()),
                StoreError::OverQuota(over) => ScimError::too_many_requests(over.to_string()),
                StoreError::Changed | StoreError::Outdated => {
                    ScimError::precondition_failed("the resource changed since you read it")
                }
                StoreError::Invalid(why) => ScimError::invalid_value(why),
                StoreError::TooMany(why) => ScimError::too_many(why),
                StoreError::Busy { .. } => ScimError::too_many_requests(error.to_string()),
                StoreError::TooMuch(why) => ScimError::too_many(why),
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

/// A refusal of the HTTP layer as a SCIM error.
fn refused(refusal: &Refusal) -> ScimError {
    let detail = refusal.to_string();
    match refusal {
        Refusal::Unauthorized(_) => ScimError::unauthorized(detail),
        Refusal::MethodNotAllowed { .. } => ScimError::method_not_allowed(detail),
        Refusal::RateLimited { .. } | Refusal::AnswersUnread { of_tenant: true, .. } => {
            ScimError::too_many_requests(detail)
        }
        Refusal::AnswersUnread { of_tenant: false, .. } => ScimError::unavailable(detail),
        Refusal::SlowBody { .. } => ScimError { status: 408, scim_type: None, detail },
        Refusal::BodyTooLarge { .. } => ScimError::too_large(detail),
        Refusal::UnknownEncoding => ScimError::unsupported_media_type(detail),
        Refusal::UnreadableBody(_) => ScimError::invalid_syntax(detail),
    }
}

/// Whether an error is a failure of the hub. A part of SCIM that is not served is an answer like any other: clients may ask.
fn is_failure(error: &ScimError) -> bool {
    error.status >= 500 && error.status != 501
}

impl ResponseError for IngestError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.scim().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let error = self.scim();
        if is_failure(&error) {
            tracing::error!(error = %self, "a SCIM request failed");
        }
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(CONTENT_TYPE);
        match self {
            Self::Web(refusal) => refusal.add_headers(&mut response),
            Self::Store(StoreError::Busy { retry_after, .. }) => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*retry_after)));
            }
            Self::Store(StoreError::Unavailable(_) | StoreError::Contended(_)) => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            Self::Store(StoreError::OverQuota(over)) if over.quota == Quota::Changes => {
                response.insert_header((header::RETRY_AFTER, CHANGES_RETRY_SECONDS));
            }
            _ => {}
        }
        response.body(error.to_json().to_string())
    }
}
