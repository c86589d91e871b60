//! `/oauth/openapi.json`: this service's part of OAuth described by OpenAPI 3.1. It is a document of its own, because a hub may run
//! ingest without the REST API.

use super::wire;
use actix_web::HttpResponse;
use std::sync::LazyLock;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi};
use utoipa::{Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(super::token, super::revoke, super::device::begin, super::metadata),
    components(schemas(wire::Failure)),
    modifiers(&Client),
    tags((name = "oauth", description = "Short-lived tokens for identity providers"))
)]
struct Described;

/// How a client shows itself.
struct Client;

impl Modify for Client {
    fn modify(&self, document: &mut OpenApi) {
        let basic = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
        document.components.get_or_insert_default().add_security_scheme("client", basic);
    }
}

const INTRODUCTION: &str = "An identity provider gets a token for one source with a client's id and secret (RFC 6749 §4.4), and gives it \
    back (RFC 7009). The client sends them by HTTP Basic, or in the form. docs/api.md tells how clients are made.";

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());

pub(crate) async fn json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(TEXT.as_str())
}

fn document() -> OpenApi {
    let mut document = Described::openapi();
    let info = InfoBuilder::new().title("Rollcall OAuth").version(env!("CARGO_PKG_VERSION"));
    document.info = info.description(Some(INTRODUCTION)).build();
    document
}

#[cfg(test)]
mod tests;
