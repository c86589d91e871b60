//! Failures of this service as problem documents (RFC 9457).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use rollcall_core::permission::Permission;
use rollcall_hub::{NoStream, SignInError};
use rollcall_sign_in::Failure;
use rollcall_store::StoreError;
use rollcall_web::{Code, Problem, Refusal, whole_seconds};

#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("this key lacks the permission `{0}`; use one that has it, or make one (`POST /api/v1/api-keys`)")]
    NotPermitted(Permission),
    #[error(
        "this takes a sign-in of the last 10 minutes: sign in again at /sign-in, by your identity provider, with a recovery code, or with a \
         link that another owner or `rollcall sign-in-link` makes; then repeat it"
    )]
    SignInAgain,
    #[error(
        "this takes a sign-in of the last 10 minutes, and your identity provider does not say when you signed in (`auth_time`): sign in with a \
         recovery code or a link for this, or have the provider send the claim"
    )]
    ProviderSaysNoTime,
    #[error("the first request with this Idempotency-Key is still running; ask again in a moment")]
    StillRunning,
    #[error("this Idempotency-Key was used for another request; take a new key for each request")]
    KeyReused,
    #[error(
        "the first request with this Idempotency-Key ran and was answered with {0}; its answer is larger than 64 KiB and was not kept. Read \
         what it changed, or send a new key"
    )]
    AnswerNotKept(u16),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    BadRequest(String),
    #[error(transparent)]
    NoStream(NoStream),
    #[error(transparent)]
    SignIn(SignInError),
    #[error(transparent)]
    Web(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AdminError {
    /// The status, a stable code for programs, and the sentence for people.
    pub(crate) fn problem(&self) -> Problem {
        let (status, code) = match self {
            Self::Web(refusal) => return refusal.problem(),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, Code::Forbidden),
            Self::NotPermitted(_) => (StatusCode::FORBIDDEN, Code::NotPermitted),
            Self::SignInAgain | Self::ProviderSaysNoTime => (StatusCode::FORBIDDEN, Code::SignInAgain),
            Self::StillRunning => (StatusCode::CONFLICT, Code::StillRunning),
            Self::AnswerNotKept(_) => (StatusCode::CONFLICT, Code::AnswerNotKept),
            Self::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, Code::KeyReused),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, Code::NotFound),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, Code::BadRequest),
            Self::NoStream(NoStream::Store(error)) => return problem_of_store(error),
            Self::NoStream(NoStream::OfCredential | NoStream::OfTenant) => {
                (StatusCode::TOO_MANY_REQUESTS, Code::TooManyStreams)
            }
            Self::NoStream(NoStream::OfProcess | NoStream::Stopping) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::TooManyStreams)
            }
            Self::SignIn(error) => (status_of_sign_in(error), Code::SignInFailed),
            Self::Store(error) => return problem_of_store(error),
        };
        Problem::new(status, code, self.to_string())
    }
}

fn status_of_sign_in(error: &SignInError) -> StatusCode {
    match error {
        SignInError::Provider(failure) if failure.is_passing() => StatusCode::BAD_GATEWAY,
        SignInError::Provider(Failure::Refused { .. })
        | SignInError::Unrecognised(_)
        | SignInError::NoOperator(_)
        | SignInError::NotAllowed => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<NoStream> for AdminError {
    fn from(error: NoStream) -> Self {
        match error {
            NoStream::Store(error) => error.into(),
            error => Self::NoStream(error),
        }
    }
}

impl From<SignInError> for AdminError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Caller(error) => error.into(),
            SignInError::Store(error) => error.into(),
            error => Self::SignIn(error),
        }
    }
}

impl AdminError {
    pub(crate) fn provider(failure: Failure) -> Self {
        Self::SignIn(failure.into())
    }
}

fn problem_of_store(error: &StoreError) -> Problem {
    let (status, code) = match error {
        StoreError::Forbidden(_) => (StatusCode::FORBIDDEN, Code::Forbidden),
        StoreError::OverQuota(_) => (StatusCode::FORBIDDEN, Code::OverQuota),
        StoreError::NotFound(_) => (StatusCode::NOT_FOUND, Code::NotFound),
        StoreError::Invalid(_) | StoreError::TooMany(_) => (StatusCode::BAD_REQUEST, Code::BadRequest),
        StoreError::Stale | StoreError::Unsettled | StoreError::Overtaken => (StatusCode::CONFLICT, Code::PlanStale),
        StoreError::Taken(_) | StoreError::Changed | StoreError::Conflict(_) => (StatusCode::CONFLICT, Code::Conflict),
        StoreError::TooManyLeave(_) => (StatusCode::CONFLICT, Code::TooManyLeave),
        StoreError::ResyncRequired(_) => (StatusCode::GONE, Code::ResyncRequired),
        StoreError::Outdated => (StatusCode::PRECONDITION_FAILED, Code::Outdated),
        StoreError::Busy { .. } => (StatusCode::TOO_MANY_REQUESTS, Code::TooBusy),
        StoreError::TooMuch(_) => (StatusCode::BAD_REQUEST, Code::TooMuchWork),
        StoreError::Unavailable(_) | StoreError::Contended(_) => {
            let detail = "the hub is busy or its database away; try again";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, detail);
        }
        StoreError::LeaseLost | StoreError::Moved | StoreError::Database(_) => {
            let detail = "an error on our side; it was logged under the request's id";
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, detail);
        }
    };
    Problem::new(status, code, error.to_string())
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        self.problem().status()
    }

    fn error_response(&self) -> HttpResponse {
        let problem = self.problem();
        if problem.status().is_server_error() {
            tracing::error!(error = %self, "an API request failed");
        }
        problem.response(|response| match self {
            Self::Web(refusal) => refusal.add_headers(response),
            Self::Store(StoreError::Busy { retry_after, .. }) => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*retry_after)));
            }
            Self::NoStream(NoStream::Stopping) => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            Self::NoStream(_) => {
                response.insert_header((header::RETRY_AFTER, 30));
            }
            Self::Store(StoreError::Unavailable(_) | StoreError::Contended(_)) => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            _ => {}
        })
    }
}
