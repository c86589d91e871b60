//! CORS: pages of other sites that the operator names (`admin.cors_origins`) may call the REST API with a key. Never with the cookie of
//! a session: no answer has `Access-Control-Allow-Credentials`, and the header that a write by cookie needs is not among those allowed
//! (decision 0086).

use crate::Admin;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use rollcall_web::RouteLabel;
use std::str::FromStr;
use std::sync::Arc;
use url::{Host, Url};

/// Headers that a page may send, beyond those that need no leave.
const ASKED_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Rollcall-Tenant, traceparent, tracestate";
/// Headers of answers that a page may read.
const SHOWN_HEADERS: &str = "ETag, Idempotency-Replayed, Retry-After, X-Request-Id";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// How long a browser remembers the leave, in seconds: a shorter list of origins holds for everybody by then.
const REMEMBERED: &str = "600";

/// The sites that may call; none unless the operator names some. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Origins(Arc<[String]>);

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split([' ', ',']).filter(|origin| !origin.is_empty()).map(checked).collect::<Result<_, _>>().map(Self)
    }
}

/// An origin as browsers send it.
fn checked(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("{text:?} {why}; it takes origins such as https://portal.example.com");
    if text.contains('*') {
        return Err(wrong("stands for many sites, and each has to be named"));
    }
    let url = Url::parse(text).map_err(|_| wrong("is not an origin"))?;
    if url.origin().ascii_serialization() != text {
        return Err(wrong(
            "is not written as browsers send it: scheme, host in lower case, a port that is not the usual one",
        ));
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(text.to_owned()),
        "http" if is_loopback => Ok(text.to_owned()),
        _ => Err(wrong("is not https, which only this machine may do without")),
    }
}

impl Origins {
    fn is_off(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `Origin` if it is one of these.
    fn named(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.0.iter().any(|named| named.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// True for the calls that other sites may make: the REST API, but for what signs somebody in, and its description.
fn is_open(pattern: &str) -> bool {
    let signs_in = pattern == "/api/v1/session" || pattern.starts_with("/api/v1/session/");
    (pattern.starts_with("/api/v1/") && !signs_in) || pattern == "/api/openapi.json"
}

/// Answers preflights, and says in every other answer who may read it.
///
/// # Errors
/// As the handler.
pub(crate) async fn answered(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let origins = request.app_data::<web::Data<Admin>>().map(|admin| admin.cors.clone()).unwrap_or_default();
    let is_open = request.request().app_data::<RouteLabel>().is_some_and(|label| is_open(label.pattern));
    if origins.is_off() || !is_open {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let origin = origins.named(request.headers());
    let is_preflight =
        *request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut answer = if is_preflight && origin.is_some() {
        let leave = HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ASKED_HEADERS))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED))
            .finish();
        request.into_response(leave)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = answer.headers_mut();
    // Also without an origin: a cache must not give one site's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SHOWN_HEADERS));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::endpoints;

    #[test]
    fn origins_are_exact_and_https_but_for_this_machine() {
        let good = "https://portal.example.com, https://portal.example.com:8443 http://localhost:5173 http://127.0.0.1:3000 http://[::1]:3000";
        assert_eq!(good.parse::<Origins>().expect("origins").0.len(), 5);
        assert!("".parse::<Origins>().expect("none").is_off());
        for (text, why) in [
            ("*", "named"),
            ("https://*.example.com", "named"),
            ("null", "not an origin"),
            ("portal.example.com", "not an origin"),
            ("https://portal.example.com/", "as browsers send it"),
            ("https://portal.example.com/app", "as browsers send it"),
            ("https://portal.example.com:443", "as browsers send it"),
            ("https://Portal.example.com", "as browsers send it"),
            ("https://user@portal.example.com", "as browsers send it"),
            ("http://portal.example.com", "not https"),
            ("http://localhost.example.com", "not https"),
            ("ftp://portal.example.com", "not https"),
            ("file:///tmp", "as browsers send it"),
        ] {
            let refusal = text.parse::<Origins>().unwrap_err();
            assert!(refusal.contains(why), "{text}: {refusal}");
        }
    }

    #[test]
    fn nothing_that_signs_in_is_open_to_other_sites() {
        for endpoint in endpoints() {
            let signs_in = endpoint.path == "/api/v1/session" || endpoint.path.starts_with("/api/v1/session/");
            let is_page = !endpoint.path.starts_with("/api/v1/") && endpoint.path != "/api/openapi.json";
            assert_eq!(is_open(endpoint.path), !signs_in && !is_page, "{}", endpoint.path);
        }
    }
}
