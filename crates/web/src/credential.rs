//! Credential and address of a request.

use actix_web::HttpRequest;
use actix_web::http::header;
use rollcall_runtime::Caller;

/// The bearer token of a request (RFC 6750 §2.1).
pub fn bearer_token(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The `Authorization` header of a request that opens nothing, for the answer that says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented<'r> {
    Nothing,
    /// One word: a secret without the word `Bearer`.
    Bare(&'r str),
    /// Under another scheme than `Bearer`.
    OtherScheme,
    Bearer(&'r str),
}

impl Presented<'_> {
    pub fn of(request: &HttpRequest) -> Presented<'_> {
        let Some(header) = request.headers().get(header::AUTHORIZATION) else { return Presented::Nothing };
        match (bearer_token(request), header.to_str().map(str::trim)) {
            (Some(""), _) => Presented::Nothing,
            (Some(token), _) => Presented::Bearer(token),
            (None, Ok(scheme)) if scheme.is_empty() || scheme.eq_ignore_ascii_case("bearer") => Presented::Nothing,
            (None, Ok(value)) if value.contains(' ') => Presented::OtherScheme,
            (None, Ok(value)) => Presented::Bare(value),
            (None, Err(_)) => Presented::Bare(""),
        }
    }

    /// True if the secret has this prefix.
    pub fn begins_with(self, prefix: &str) -> bool {
        matches!(self, Self::Bare(secret) | Self::Bearer(secret) if secret.starts_with(prefix))
    }
}

/// The address for the limit of failed authentications.
pub fn peer(request: &HttpRequest) -> Caller {
    Caller::at(request.peer_addr().map(|peer| peer.ip()))
}
