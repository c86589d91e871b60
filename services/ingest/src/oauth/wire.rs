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
    /// `scim` for a client, `agent` for an agent, whatever was asked for.
    pub(super) scope: &'static str,
    /// The source that an agent may enrol for; tokens of clients have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub(super) source_id: Option<uuid::Uuid>,
}

/// The codes of an agent that waits to be let in (RFC 8628 §3.2).
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "device_code": "rcv_9fQ2…", "user_code": "BCDF-GHJK", "verification_uri": "https://rollcall.example/activate",
    "verification_uri_complete": "https://rollcall.example/activate?user_code=BCDF-GHJK", "expires_in": 900, "interval": 5
}))]
pub(super) struct DeviceCodes {
    pub(super) device_code: String,
    /// A person types it at `verification_uri`.
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: String,
    /// Seconds.
    pub(super) expires_in: i64,
    /// Seconds between two questions.
    pub(super) interval: i64,
}

/// The form of an agent that wants to be let in.
#[derive(ToSchema)]
#[schema(example = json!({ "client_id": "rollcall-agent", "device_name": "dc01" }))]
#[expect(dead_code, reason = "as below")]
pub(super) struct DeviceRequest {
    /// `rollcall-agent`.
    client_id: String,
    /// The name by which the admin recognises the machine.
    device_name: Option<String>,
}

/// The addresses and ways of this hub (RFC 8414).
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "issuer": "https://rollcall.example", "token_endpoint": "https://rollcall.example/oauth/token",
    "revocation_endpoint": "https://rollcall.example/oauth/revoke",
    "device_authorization_endpoint": "https://rollcall.example/oauth/device_authorization",
    "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:device_code"],
    "response_types_supported": [], "scopes_supported": ["scim", "agent"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]
}))]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) token_endpoint: String,
    pub(super) revocation_endpoint: String,
    pub(super) device_authorization_endpoint: String,
    pub(super) grant_types_supported: [&'static str; 2],
    pub(super) response_types_supported: [&'static str; 0],
    pub(super) scopes_supported: [&'static str; 2],
    pub(super) token_endpoint_auth_methods_supported: [&'static str; 3],
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
pub(crate) enum Code {
    InvalidRequest,
    InvalidClient,
    UnsupportedGrantType,
    /// The code of an agent is unknown, or used.
    InvalidGrant,
    /// Nobody has decided about the agent yet.
    AuthorizationPending,
    /// The agent asks too often.
    SlowDown,
    ExpiredToken,
    /// An admin refused the agent.
    AccessDenied,
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
    /// The code of an agent, which has no secret.
    device_code: Option<String>,
    /// Ignored.
    scope: Option<String>,
}

/// The grants that are served.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a text of the form")]
enum Grant {
    ClientCredentials,
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
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
