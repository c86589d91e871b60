//! The problem document (RFC 9457): the error format of everything but SCIM.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

/// Enums of failures have one text each, which is written once.
macro_rules! codes {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// The kind of a failure, for programs. It is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub enum Code {
            $(#[serde(rename = $text)] $name),+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }

        impl From<Code> for &'static str {
            fn from(code: Code) -> Self {
                code.as_str()
            }
        }
    };
}

codes! {
    BadRequest = "bad_request",
    TooMuchWork = "too_much_work",
    Unauthorized = "unauthorized",
    Forbidden = "forbidden",
    NotPermitted = "not_permitted",
    OverQuota = "over_quota",
    SignInAgain = "sign_in_again",
    SignInFailed = "sign_in_failed",
    NotFound = "not_found",
    MethodNotAllowed = "method_not_allowed",
    SlowBody = "slow_body",
    Conflict = "conflict",
    PlanStale = "plan_stale",
    TooManyLeave = "too_many_leave",
    StillRunning = "still_running",
    AnswerNotKept = "answer_not_kept",
    Outdated = "outdated",
    ResyncRequired = "resync_required",
    TooLarge = "too_large",
    UnsupportedMediaType = "unsupported_media_type",
    KeyReused = "key_reused",
    RateLimited = "rate_limited",
    TooBusy = "too_busy",
    TooManyStreams = "too_many_streams",
    AnswersUnread = "answers_unread",
    Unavailable = "unavailable",
    Internal = "internal",
}

/// A failure for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    pub code: Code,
    /// A sentence for people.
    pub detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
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
