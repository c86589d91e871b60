//! SCIM errors (RFC 7644 §3.12). Every failure, also of the router and of authentication, has this form, because
//! several identity providers show the admin nothing else.

use serde_json::{Value, json};

/// Schema of an error body.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Message for clients of SCIM 1.1.
pub(crate) const SCIM_1_HINT: &str =
    "this is a SCIM 1.1 request; choose SCIM 2.0 in the identity provider (OneLogin calls it \"SCIM V2\")";

/// The detail keyword of a 400 or 409 (RFC 7644 table 9; the last three are RFC 9865 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    InvalidVers,
    Sensitive,
    InvalidCursor,
    ExpiredCursor,
    InvalidCount,
}

impl ScimType {
    /// Every keyword.
    pub const ALL: [Self; 13] = [
        Self::InvalidFilter,
        Self::TooMany,
        Self::Uniqueness,
        Self::Mutability,
        Self::InvalidSyntax,
        Self::InvalidPath,
        Self::NoTarget,
        Self::InvalidValue,
        Self::InvalidVers,
        Self::Sensitive,
        Self::InvalidCursor,
        Self::ExpiredCursor,
        Self::InvalidCount,
    ];

    /// The keyword in its wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A SCIM error: the HTTP status, the keyword if the RFC has one, and a sentence for the admin who reads the log of the
/// identity provider. `detail` names the attribute and the remedy and never carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    pub status: u16,
    pub scim_type: Option<ScimType>,
    pub detail: String,
}

/// One constructor a line: its status, its keyword, and when it is used.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $status:literal, $scim_type:expr;)*) => {
        impl ScimError {
            $($(#[$doc])*
            #[must_use]
            pub fn $name<T: Into<String>>(detail: T) -> Self {
                Self { status: $status, scim_type: $scim_type, detail: detail.into() }
            })*
        }
    };
}

constructors! {
    /// 400: not JSON, or not shaped as a SCIM request.
    invalid_syntax => 400, Some(ScimType::InvalidSyntax);
    /// 400: a required value is missing, or a value does not fit its attribute.
    invalid_value => 400, Some(ScimType::InvalidValue);
    /// 400: the filter does not parse, or compares incompatible values.
    invalid_filter => 400, Some(ScimType::InvalidFilter);
    /// 400: a patch path does not parse.
    invalid_path => 400, Some(ScimType::InvalidPath);
    /// 400: a patch path is missing where one is needed, or selects nothing that could be created.
    no_target => 400, Some(ScimType::NoTarget);
    /// 400: a write to a read-only attribute.
    mutability => 400, Some(ScimType::Mutability);
    /// 400: the filter would return more than the server allows.
    too_many => 400, Some(ScimType::TooMany);
    /// 400: another SCIM version than the served one.
    invalid_version => 400, Some(ScimType::InvalidVers);
    /// 400: not a cursor of this server (RFC 9865).
    invalid_cursor => 400, Some(ScimType::InvalidCursor);
    /// 400: the cursor has expired (RFC 9865).
    expired_cursor => 400, Some(ScimType::ExpiredCursor);
    /// 400: `count` does not fit the cursor's page size (RFC 9865).
    invalid_count => 400, Some(ScimType::InvalidCount);
    /// 409: another resource has this unique value.
    uniqueness => 409, Some(ScimType::Uniqueness);
    /// 409: the state forbids it, without a keyword in the RFC (such as a circular bulkId reference).
    conflict => 409, None;
    /// 401: no token, or not a valid one. Answer with `WWW-Authenticate: Bearer`.
    unauthorized => 401, None;
    /// 403: the token is valid, but the operation is not allowed.
    forbidden => 403, None;
    /// 404: no such resource or endpoint.
    not_found => 404, None;
    /// 405: the endpoint exists, the verb does not. Answer with `Allow`.
    method_not_allowed => 405, None;
    /// 412: `If-Match` names a version that is no longer current.
    precondition_failed => 412, None;
    /// 413: body, member list or bulk larger than the limit; the detail names the limit.
    too_large => 413, None;
    /// 415: neither `application/scim+json` nor `application/json`.
    unsupported_media_type => 415, None;
    /// 429: over the rate limit. Answer with `Retry-After`.
    too_many_requests => 429, None;
    /// 500: an internal error; the detail carries no internals.
    internal => 500, None;
    /// 501: a part of SCIM that is neither served nor advertised.
    not_implemented => 501, None;
    /// 503: a dependency is away; the client may retry.
    unavailable => 503, None;
}

impl ScimError {
    /// The error body. `status` is a string there (RFC 7644 §3.12); Okta's test suite checks it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.as_str().into();
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap10_error_body_has_a_string_status_and_its_keyword() {
        let body = ScimError::uniqueness("userName is taken").to_json();
        assert_eq!(
            body,
            json!({ "schemas": [ERROR_SCHEMA], "status": "409", "scimType": "uniqueness", "detail": "userName is taken" })
        );
        let body = ScimError::unauthorized("no token").to_json();
        assert_eq!(body, json!({ "schemas": [ERROR_SCHEMA], "status": "401", "detail": "no token" }));
    }
}
