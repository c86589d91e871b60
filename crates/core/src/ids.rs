//! One type per kind of identifier, so that a member's id cannot be passed where a group's is meant.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                text.parse().map(Self).map_err(|_| "an id looks like 01890a5d-ac96-774b-bcce-b302099a8057".to_owned())
            }
        }
    )+};
}

ids! {
    /// A customer organisation.
    TenantId,
    /// A SCIM connection or an agent that feeds one tenant.
    SourceId,
    /// A token, an API key, a session or a sign-in link; the secret itself is kept as a digest only.
    CredentialId,
    /// The key of an agent, with which it signs.
    AgentKeyId,
    /// One upload of an agent; the agent makes it.
    UploadId,
    /// A program that gets short-lived tokens for one source (RFC 6749 §4.4); it stays the same when its secret changes.
    OauthClientId,
    /// A key of the hosted service's operator, which reaches every tenant.
    OperatorKeyId,
    /// A person of the hosted service, who belongs to no tenant and reaches every one.
    OperatorId,
    /// The connection of a tenant to its identity provider, for the sign-in of its people.
    SignInConnectionId,
    /// A domain of a tenant, proven or to be proven.
    DomainId,
    /// A person of an identity provider, tied to a member.
    IdentityId,
    /// A person of a source; it is the SCIM `id` and never re-used.
    DirectoryUserId,
    /// A group of a source; it is the SCIM `id` and never re-used.
    DirectoryGroupId,
    /// A person in the product.
    MemberId,
    /// A group in the product.
    SharingGroupId,
    /// An address to which events go.
    WebhookId,
    /// One run.
    RunId,
    /// One event of the audit log.
    AuditEventId,
    /// One HTTP request or command; it connects logs, changes and audit events.
    RequestId,
}
