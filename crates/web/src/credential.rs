//! The credential of a request.

use actix_web::HttpRequest;
use actix_web::http::header;

/// The bearer token of a request (RFC 6750 §2.1).
pub fn bearer_token(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Why a request has no secret in the form that a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSecret {
    Nothing,
    /// It came under another scheme than Bearer.
    OtherScheme,
    Malformed,
}

impl NoSecret {
    /// The reason for a request whose bearer token, if there is one, has not the right form.
    pub fn of(request: &HttpRequest) -> Self {
        let Some(header) = request.headers().get(header::AUTHORIZATION) else { return Self::Nothing };
        match (bearer_token(request), header.to_str().map(str::trim)) {
            (Some(""), _) => Self::Nothing,
            (Some(_), _) => Self::Malformed,
            (None, Ok(scheme)) if scheme.is_empty() || scheme.eq_ignore_ascii_case("bearer") => Self::Nothing,
            (None, Ok(value)) if value.contains(' ') => Self::OtherScheme,
            // The secret alone, without a scheme.
            (None, _) => Self::Malformed,
        }
    }
}
