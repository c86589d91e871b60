//! Connections to identity providers on the wire. A client secret is in no answer.

use chrono::{DateTime, Utc};
use rollcall_core::ids::TenantId;
use rollcall_hub::{backchannel_logout_path, redirect_path};
use rollcall_store as store;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A connection to an identity provider (OpenID Connect).
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInConnection {
    pub id: Uuid,
    pub issuer: String,
    pub client_id: String,
    pub has_client_secret: bool,
    /// Addresses count although the provider does not say that they are verified.
    pub email_trusted: bool,
    /// `off`, `offered` or `required`.
    #[serde(rename = "use")]
    pub usage: String,
    pub created_at: DateTime<Utc>,
    /// The last trial; null before the first.
    pub test: Option<ConnectionTest>,
}

/// A trial: a person signed in at the provider, and the hub looked whom it recognises.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionTest {
    pub at: DateTime<Utc>,
    /// The person would be signed in.
    pub accepted: bool,
    /// `outcome` (`recognised`, `unrecognised`, `not_allowed` or `failed`), `why` unless recognised, `claims` as the provider sent
    /// them, and the `member_id` and `role` of the member.
    #[schema(value_type = Object)]
    pub report: Json,
}

impl From<store::SignInConnection> for SignInConnection {
    fn from(row: store::SignInConnection) -> Self {
        let store::SignInConnection { id, issuer, client_id, has_secret, email_trusted, usage, created_at, .. } = row;
        let test = row.tested_at.map(|at| ConnectionTest {
            at,
            accepted: row.test_accepted,
            report: row.test.unwrap_or_default(),
        });
        Self { id, issuer, client_id, has_client_secret: has_secret, email_trusted, usage, created_at, test }
    }
}

/// All connections, and the addresses that a provider has to know.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInConnections {
    pub items: Vec<SignInConnection>,
    /// People come back here from the provider; to be registered there.
    pub redirect_uri: String,
    /// People come here once the provider has signed them out.
    pub post_logout_redirect_uri: String,
    /// The provider tells here that a person signed out (OpenID Connect Back-Channel Logout).
    pub backchannel_logout_uri: String,
}

impl SignInConnections {
    pub(crate) fn new(base: &str, tenant: TenantId, rows: Vec<store::SignInConnection>) -> Self {
        let base = base.trim_end_matches('/');
        Self {
            items: rows.into_iter().map(Into::into).collect(),
            redirect_uri: format!("{base}{}", redirect_path(tenant)),
            post_logout_redirect_uri: format!("{base}/sign-in"),
            backchannel_logout_uri: format!("{base}{}", backchannel_logout_path(tenant)),
        }
    }
}

/// A trial that was begun: the browser that asked for it opens the address within ten minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct BegunTest {
    pub url: String,
}
