//! Details of events about the credentials of machines: OAuth clients, their tokens, and links to set a source up.

use crate::ids::{CredentialId, OauthClientId, SourceId};
use crate::text_enum::text_enum;
use chrono::{DateTime, Utc};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OauthClientCreated {
    pub source_id: SourceId,
    pub name: String,
    /// The secret, as lists name it.
    pub secret_id: CredentialId,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token for one source, which its client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessTokenIssued {
    pub client_id: OauthClientId,
    pub source_id: SourceId,
    pub expires_at: DateTime<Utc>,
    /// The caller's address, as far as the trusted proxies tell it.
    pub address: String,
}

text_enum! {
    /// Why a token ended before its time.
    AccessTokenEnd {
        /// Its client gave it back (RFC 7009).
        GivenBack = "given_back",
        /// Its client was revoked.
        ClientRevoked = "client_revoked",
        /// Its client asked for more tokens than it may have.
        TooMany = "too_many",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AccessTokenRevoked {
    pub client_id: Option<OauthClientId>,
    pub why: AccessTokenEnd,
}

/// A link with which somebody without an account sets one source up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetupLinkCreated {
    pub source_id: SourceId,
    pub name: String,
    pub expires_at: DateTime<Utc>,
}

/// An admin decided about an agent that asked to be enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnrolmentDecided {
    /// The agent's own name for its machine.
    pub device_name: String,
    /// The address from which the agent asked, as far as the trusted proxies tell it.
    pub address: String,
}
