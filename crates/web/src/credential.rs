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

/// The address for the limit of failed authentications.
pub fn peer(request: &HttpRequest) -> Caller {
    Caller::at(request.peer_addr().map(|peer| peer.ip()))
}
