//! OAuth clients on the wire. The secret is in the answer that made it, and in no other.

use crate::view::tokens::ReplacedToken;
use chrono::{DateTime, Utc};
use rollcall_core::ids::{CredentialId, OauthClientId};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A secret of a client; a client has one, and two while it is rotated.
#[derive(Debug, Serialize, ToSchema)]
pub struct OauthClient {
    /// The secret.
    pub id: Uuid,
    pub client_id: Option<Uuid>,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it last got a token.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl From<store::OauthSecret> for OauthClient {
    fn from(row: store::OauthSecret) -> Self {
        let store::OauthSecret { id, client_id, name, prefix, created_at, expires_at, revoked_at, last_used_at } = row;
        Self { id, client_id, name, prefix, created_at, expires_at, revoked_at, last_used_at }
    }
}

/// A client that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewOauthClient {
    /// The secret, as the list names it.
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    #[schema(value_type = Uuid)]
    pub client_id: OauthClientId,
    pub client_secret: String,
    pub name: String,
    pub expires_at: Option<DateTime<Utc>>,
    /// The address at which the client gets tokens.
    pub token_url: String,
    /// The address that the tokens open.
    pub scim_url: String,
}

/// A client with another secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedOauthClient {
    /// The new secret, as the list names it.
    #[schema(value_type = Uuid)]
    pub id: CredentialId,
    #[schema(value_type = Uuid)]
    pub client_id: OauthClientId,
    pub client_secret: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub replaces: ReplacedToken,
}
