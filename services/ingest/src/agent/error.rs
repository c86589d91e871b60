//! Failures of `/agent/v1`: a number, a word for programs, and a sentence with what to do (DA3).

use super::wire::Failure;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use rollcall_core::upload::UploadRefusal;
use rollcall_hub::{AgentCallerError, CallerError};
use rollcall_snapshot::{Flaw, Unsigned};
use rollcall_store::{StoreError, UploadError};
use rollcall_web::{Refusal, whole_seconds};

#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error(transparent)]
    Caller(#[from] AgentCallerError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Web(#[from] Refusal),
    #[error("the body is not what was signed: its digest is another one")]
    OtherBody,
    #[error("{0}")]
    BadRequest(String),
    #[error(
        "the key was made on another machine or by another account; run the agent there as that account, or enrol it here (`rollcall-agent \
         setup`)"
    )]
    OtherMachine,
    #[error("the proof of the new key is wrong: it is signed with the new key over what the key is bound to")]
    NotProven,
    #[error("the hub reads as many parts as it can; try again")]
    Busy,
}

impl From<StoreError> for AgentError {
    fn from(error: StoreError) -> Self {
        Self::Upload(error.into())
    }
}

impl From<CallerError> for AgentError {
    fn from(error: CallerError) -> Self {
        Self::Caller(error.into())
    }
}

impl From<UploadRefusal> for AgentError {
    fn from(reason: UploadRefusal) -> Self {
        Self::Upload(reason.into())
    }
}

impl From<Flaw> for AgentError {
    fn from(flaw: Flaw) -> Self {
        UploadError::Refused { reason: UploadRefusal::PartFlawed, message: flaw.to_string() }.into()
    }
}

impl AgentError {
    /// The number and the word.
    fn kind(&self) -> (u16, &'static str) {
        match self {
            Self::Caller(error) => of_caller(error),
            Self::Upload(UploadError::Refused { reason, .. }) => (reason.code(), reason.as_str()),
            Self::Upload(UploadError::Store(error)) => of_store(error),
            Self::Web(refusal) => {
                let status = refusal.problem().status().as_u16();
                (status, if status == 413 { "too_large" } else { "bad_request" })
            }
            Self::OtherBody => (400, "content_digest_wrong"),
            Self::BadRequest(_) => (400, "bad_request"),
            Self::OtherMachine => (403, "another_machine"),
            Self::NotProven => (400, "key_not_proven"),
            Self::Busy => (503, "busy"),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Caller(AgentCallerError::Caller(CallerError::RateLimited { retry_after })) => {
                Some(whole_seconds(*retry_after))
            }
            Self::Upload(UploadError::Store(StoreError::Busy { retry_after, .. })) => Some(whole_seconds(*retry_after)),
            Self::Busy | Self::Upload(UploadError::Store(StoreError::Unavailable(_) | StoreError::Contended(_))) => {
                Some(1)
            }
            Self::Upload(UploadError::Refused { reason: UploadRefusal::UploadInProgress, .. }) => Some(5),
            Self::Upload(UploadError::Refused { reason: UploadRefusal::StorageFull, .. }) => Some(60),
            _ => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Upload(UploadError::Store(error)) => match error {
                StoreError::NotFound(what) => format!("there is no such {what}"),
                StoreError::Taken(_) => "this key was enrolled before; make another one".to_owned(),
                StoreError::Unavailable(_) | StoreError::Contended(_) => {
                    "the hub is busy or its database away; try again".to_owned()
                }
                StoreError::Database(_) | StoreError::LeaseLost | StoreError::Moved => {
                    "an error on our side; it was logged under the request's id".to_owned()
                }
                other => other.to_string(),
            },
            Self::Caller(AgentCallerError::Caller(CallerError::Store(_))) => {
                "the hub is busy or its database away; try again".to_owned()
            }
            Self::Caller(AgentCallerError::Caller(CallerError::Missing)) => {
                "no token: send an install token or the token of an enrolment, `Authorization: Bearer rci_…`".to_owned()
            }
            Self::Caller(AgentCallerError::Caller(CallerError::Unknown | CallerError::Ended)) => {
                "the token is unknown, was used or has expired; ask an owner for another one".to_owned()
            }
            other => other.to_string(),
        }
    }
}

fn of_caller(error: &AgentCallerError) -> (u16, &'static str) {
    match error {
        AgentCallerError::NotSigned(Unsigned::Missing) => (401, "not_signed"),
        AgentCallerError::NotSigned(Unsigned::Malformed) => (401, "signature_malformed"),
        AgentCallerError::NotSigned(Unsigned::Wrong) => (401, "signature_wrong"),
        AgentCallerError::OutOfTime { .. } => (401, "signature_out_of_time"),
        AgentCallerError::UnknownKey => (401, "key_unknown"),
        AgentCallerError::KeyEnded => (403, UploadRefusal::KeyRevoked.as_str()),
        AgentCallerError::Repeated => (409, "nonce_used"),
        AgentCallerError::Caller(CallerError::Missing) => (401, "no_token"),
        AgentCallerError::Caller(CallerError::Unknown | CallerError::Ended) => (401, "token_unknown"),
        AgentCallerError::Caller(CallerError::RateLimited { .. }) => (429, "rate_limited"),
        AgentCallerError::Caller(CallerError::Store(error)) => of_store(error),
    }
}

fn of_store(error: &StoreError) -> (u16, &'static str) {
    match error {
        StoreError::NotFound(_) => (404, "not_found"),
        StoreError::Overtaken
        | StoreError::Taken(_)
        | StoreError::Conflict(_)
        | StoreError::Changed
        | StoreError::Outdated => (409, "conflict"),
        StoreError::Invalid(_) | StoreError::TooMany(_) | StoreError::TooMuch(_) => (400, "bad_request"),
        StoreError::Forbidden(_) | StoreError::OverQuota(_) => (403, "forbidden"),
        StoreError::Busy { .. } => (429, "busy"),
        StoreError::Unavailable(_) | StoreError::Contended(_) => (503, "unavailable"),
        StoreError::Stale
        | StoreError::Unsettled
        | StoreError::TooManyLeave(_)
        | StoreError::ResyncRequired(_)
        | StoreError::LeaseLost
        | StoreError::Moved
        | StoreError::Database(_) => (500, "internal"),
    }
}

impl ResponseError for AgentError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let (code, reason) = self.kind();
        if code >= 500 {
            tracing::error!(error = %self, "a request of an agent failed");
        }
        let mut response = HttpResponse::build(self.status_code());
        match (self, self.retry_after()) {
            (Self::Web(refusal), _) => refusal.add_headers(&mut response),
            (_, Some(seconds)) => {
                response.insert_header((header::RETRY_AFTER, seconds));
            }
            (_, None) if code == 401 => {
                response.insert_header((header::WWW_AUTHENTICATE, "Signature"));
            }
            _ => {}
        }
        response.json(Failure { code, reason, message: self.message() })
    }
}
