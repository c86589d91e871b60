//! The answers of `/oauth`, and the forms that it takes, as its document tells them.

use serde::Serialize;
use utoipa::ToSchema;

/// The only thing that a token is for; clients may ask for any, and are told this one (RFC 6749 §3.3).
pub(super) const SCOPE: &str = "scim";
pub(super) const GRANT: &str = "client_credentials";
pub(super) const METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// A token of an hour (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "access_token": "rca_9fQ2…", "token_type": "Bearer", "expires_in": 3600, "scope": "scim" }))]
pub(super) struct AccessToken {
    pub(super) access_token: String,
    /// Always `Bearer`.
    pub(super) token_type: &'static str,
    /// Seconds.
    pub(super) expires_in: i64,
    /// Always `scim`, whatever was asked for.
    pub(super) scope: &'static str,
}

/// The addresses and ways of this hub (RFC 8414).
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "issuer": "https://rollcall.example", "token_endpoint": "https://rollcall.example/oauth/token",
    "revocation_endpoint": "https://rollcall.example/oauth/revoke", "grant_types_supported": ["client_credentials"],
    "response_types_supported": [], "scopes_supported": ["scim"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]
}))]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) token_endpoint: String,
    pub(super) revocation_endpoint: String,
    pub(super) grant_types_supported: [&'static str; 1],
    pub(super) response_types_supported: [&'static str; 0],
    pub(super) scopes_supported: [&'static str; 1],
    pub(super) token_endpoint_auth_methods_supported: [&'static str; 2],
    pub(super) revocation_endpoint_auth_methods_supported: [&'static str; 2],
}

/// A failure (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "error": "unsupported_grant_type", "error_description": "this grant is not served; grant_type is client_credentials" }))]
pub(super) struct Failure {
    pub(super) error: Code,
    /// A sentence for people, in ASCII.
    pub(super) error_description: String,
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    InvalidRequest,
    InvalidClient,
    UnsupportedGrantType,
    TemporarilyUnavailable,
    ServerError,
}

/// The form of a request for a token. Client and secret come here or by HTTP Basic, not both.
#[derive(ToSchema)]
#[schema(example = json!({ "grant_type": "client_credentials" }))]
#[expect(dead_code, reason = "the form is read field by field, so that each mistake has its sentence")]
pub(super) struct TokenRequest {
    grant_type: Grant,
    client_id: Option<String>,
    client_secret: Option<String>,
    /// Ignored.
    scope: Option<String>,
}

/// The grant that is served.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a text of the form")]
enum Grant {
    ClientCredentials,
}

/// The form with which a client gives a token back.
#[derive(ToSchema)]
#[schema(example = json!({ "token": "rca_9fQ2…" }))]
#[expect(dead_code, reason = "as above")]
pub(super) struct RevocationRequest {
    token: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    /// Ignored.
    token_type_hint: Option<String>,
}
