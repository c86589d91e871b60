//! One request of a conversation, its answer, and the common form of a dialect's requests.

use reqwest::Method;
use serde_json::Value;

use crate::wire::Json;

/// The form of this IdP's requests, whatever their content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dress {
    pub(crate) user_agent: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) accept: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// A query parameter without value that the tenant URL carries.
    pub(crate) flag: Option<&'static str>,
}

/// One request of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Names the step in findings and recordings.
    pub(crate) step: &'static str,
    pub(crate) method: Method,
    /// Below the SCIM endpoint, without leading slash, query escaped.
    pub(crate) path: String,
    pub(crate) body: Option<String>,
    /// The subject, which seeds chaos.
    pub(crate) subject: String,
    /// False for group creation: sent twice it makes two groups, so a lost answer is looked up instead.
    pub(crate) repeatable: bool,
    /// Sent instead of the source's token, for the step that must be refused.
    pub(crate) bad_token: bool,
}

impl Call {
    pub(crate) fn get(step: &'static str, path: impl Into<String>, subject: &str) -> Self {
        Self::new(step, Method::GET, path.into(), None, subject)
    }

    pub(crate) fn post(step: &'static str, path: impl Into<String>, body: &Json, subject: &str) -> Self {
        Self::new(step, Method::POST, path.into(), Some(body.text()), subject)
    }

    pub(crate) fn put(step: &'static str, path: impl Into<String>, body: &Json, subject: &str) -> Self {
        Self::new(step, Method::PUT, path.into(), Some(body.text()), subject)
    }

    pub(crate) fn patch(step: &'static str, path: impl Into<String>, body: &Json, subject: &str) -> Self {
        Self::new(step, Method::PATCH, path.into(), Some(body.text()), subject)
    }

    pub(crate) fn delete(step: &'static str, path: impl Into<String>, subject: &str) -> Self {
        Self::new(step, Method::DELETE, path.into(), None, subject)
    }

    pub(crate) const fn not_repeatable(mut self) -> Self {
        self.repeatable = false;
        self
    }

    pub(crate) const fn with_bad_token(mut self) -> Self {
        self.bad_token = true;
        self
    }

    /// Whether it reads a list, which every SCIM endpoint has.
    pub(crate) fn is_of_a_collection(&self) -> bool {
        let resource = self.path.split('?').next().unwrap_or_default();
        self.method == Method::GET && matches!(resource, "Users" | "Groups")
    }

    fn new(step: &'static str, method: Method, path: String, body: Option<String>, subject: &str) -> Self {
        Self { step, method, path, body, subject: subject.to_owned(), repeatable: true, bad_token: false }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// None for an empty body or one that is not JSON.
    pub(crate) json: Option<Value>,
    pub(crate) text: String,
    pub(crate) content_type: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    /// An earlier attempt of the same request may have been carried out.
    pub(crate) repeated: bool,
}

/// Result of sending.
#[derive(Debug)]
pub(crate) enum Sent {
    Answered(Answer),
    /// No answer was received; the request may have been carried out all the same.
    Lost,
}

impl Sent {
    pub(crate) fn answer(self) -> Option<Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Lost => None,
        }
    }
}
