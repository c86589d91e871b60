//! The cookie of a session, and the check that a request with it comes from a page of this hub.

use crate::peer::origin;
use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::Method;

/// The prefix makes browsers refuse the cookie unless it is secure, of this host alone, and for every path (RFC 6265bis §4.1.3.2).
const NAME: &str = "__Host-rollcall";
/// A header that no form of another site can send.
const HEADER: &str = "x-rollcall-csrf";

/// The secret of the session that a request has.
pub fn session_secret(request: &HttpRequest) -> Option<String> {
    request.cookie(NAME).map(|cookie| cookie.value().to_owned())
}

/// The cookie that gives a browser its session.
pub fn session_cookie(secret: String, seconds: i64) -> Cookie<'static> {
    let cookie = Cookie::build(NAME, secret).path("/").secure(true).http_only(true).same_site(SameSite::Lax);
    cookie.max_age(Duration::seconds(seconds)).finish()
}

/// The cookie that takes a browser's session away.
pub fn ended_session_cookie() -> Cookie<'static> {
    session_cookie(String::new(), 0)
}

/// The session of an operator, beside that of a member: one browser may have both.
const OPERATOR: &str = "__Host-rollcall-operator";

/// The secret of the operator's session that a request has.
pub fn operator_session_secret(request: &HttpRequest) -> Option<String> {
    request.cookie(OPERATOR).map(|cookie| cookie.value().to_owned())
}

/// The cookie that gives an operator's browser its session.
pub fn operator_session_cookie(secret: String, seconds: i64) -> Cookie<'static> {
    let cookie = Cookie::build(OPERATOR, secret).path("/").secure(true).http_only(true).same_site(SameSite::Lax);
    cookie.max_age(Duration::seconds(seconds)).finish()
}

/// The cookie that takes an operator's session away.
pub fn ended_operator_session_cookie() -> Cookie<'static> {
    operator_session_cookie(String::new(), 0)
}

/// Holds the sealed state of a sign-in by an identity provider until the browser is back.
const BEGUN: &str = "__Host-rollcall-sign-in";

/// The sealed state of the sign-in that this browser began.
pub fn begun_sign_in(request: &HttpRequest) -> Option<String> {
    request.cookie(BEGUN).map(|cookie| cookie.value().to_owned())
}

/// The cookie that makes a browser the only one in which a sign-in ends. `Lax`, since the provider's answer comes from its own site.
pub fn begun_sign_in_cookie(state: String, seconds: i64) -> Cookie<'static> {
    let cookie = Cookie::build(BEGUN, state).path("/").secure(true).http_only(true).same_site(SameSite::Lax);
    cookie.max_age(Duration::seconds(seconds)).finish()
}

pub fn ended_begun_sign_in_cookie() -> Cookie<'static> {
    begun_sign_in_cookie(String::new(), 0)
}

/// True if the request cannot come from another site's page: it reads only, or has the header and the browser, or its `Origin`, says
/// that the page is this hub's own. `public` is the address of the hub for people, when it is known.
pub fn is_own_request(request: &HttpRequest, public: Option<&str>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads || (request.headers().contains_key(HEADER) && is_from_own_page(request, public) == Some(true))
}

/// Whether the browser says that a page of this hub sent the request; `None` when it says nothing.
pub fn is_from_own_page(request: &HttpRequest, public: Option<&str>) -> Option<bool> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = header("sec-fetch-site") {
        return Some(site == "same-origin");
    }
    let from = header("origin")?;
    let own = public.map_or_else(|| origin(request), str::to_owned);
    Some(from.eq_ignore_ascii_case(own.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn own(method: Method, headers: &[(&'static str, &'static str)], public: Option<&str>) -> bool {
        let request = TestRequest::default().method(method).insert_header(("host", "hub.example:8080"));
        let request = headers.iter().fold(request, |request, header| request.append_header(*header));
        is_own_request(&request.to_http_request(), public)
    }

    #[test]
    fn a_write_needs_the_header_and_a_page_of_the_hub() {
        let csrf = (HEADER, "1");
        let post = |headers: &[(&'static str, &'static str)]| own(Method::POST, headers, None);
        assert!(own(Method::GET, &[("sec-fetch-site", "cross-site")], None), "a link from elsewhere may read");
        assert!(post(&[csrf, ("sec-fetch-site", "same-origin")]));
        assert!(post(&[csrf, ("origin", "http://hub.example:8080")]));
        assert!(!post(&[csrf]), "neither header");
        assert!(!post(&[("sec-fetch-site", "same-origin")]), "a form of the hub's own host has no header");
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!post(&[csrf, ("sec-fetch-site", site), ("origin", "http://hub.example:8080")]), "{site}");
        }
        for origin in ["http://evil.example", "https://hub.example:8080", "http://hub.example", "null", ""] {
            assert!(!post(&[csrf, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn behind_a_proxy_the_public_address_counts() {
        let post = |origin| own(Method::POST, &[(HEADER, "1"), ("origin", origin)], Some("https://hub.acme.example/"));
        assert!(post("https://hub.acme.example"));
        assert!(!post("http://hub.example:8080"));
    }
}
