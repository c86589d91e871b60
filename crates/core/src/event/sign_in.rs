//! Details of events about signing in: links, sessions, identity providers, domains and identities.

use crate::ids::{MemberId, SignInConnectionId};
use crate::role_rules::RoleRule;
use crate::roster::Role;
use crate::sign_in::ConnectionUse;
use crate::sign_in_groups::GroupsFromSignIn;
use crate::text_enum::text_enum;
use chrono::{DateTime, Utc};
use serde::Serialize;

text_enum! {
    /// How a member signed in.
    SignInWay {
        /// A link that an operator or an owner made.
        Link = "link",
        /// One of an owner's recovery codes.
        RecoveryCode = "recovery_code",
        /// The identity provider of the organisation.
        Provider = "provider",
    }
}

text_enum! {
    /// Why a session ended before its time.
    SessionEnd {
        SignedOut = "signed_out",
        /// Another person ended it.
        Revoked = "revoked",
        /// The member's role or status changed.
        MemberChanged = "member_changed",
        /// The person signed out at the identity provider.
        SignedOutAtProvider = "signed_out_at_provider",
        /// From now on the identity provider has to sign people in.
        ProviderRequired = "provider_required",
        /// The member's identity was released.
        IdentityReleased = "identity_released",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SignInLinkCreated {
    pub member_id: MemberId,
    pub way: SignInWay,
    /// Null for a recovery code, which lasts until it is used or replaced.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SignInLinkUsed {
    pub member_id: MemberId,
    pub way: SignInWay,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionStarted {
    pub member_id: MemberId,
    pub way: SignInWay,
    pub role: Role,
    /// The caller's address, as far as the trusted proxies tell it.
    pub address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SessionEnded {
    pub member_id: MemberId,
    pub why: SessionEnd,
}

/// A connection to an identity provider, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignInConnectionDetail {
    pub issuer: String,
    pub client_id: String,
    pub email_trusted: bool,
    #[serde(rename = "use")]
    pub usage: ConnectionUse,
    pub role_rules: Vec<RoleRule>,
    pub creates_members: bool,
    /// Null where sign-ins fill no groups.
    pub groups_from_sign_in: Option<GroupsFromSignIn>,
    /// True if the secret was set, or replaced by this change.
    pub secret_set: bool,
}

/// The connection whose rules decided at a sign-in, and those that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByRules {
    pub sign_in_connection_id: SignInConnectionId,
    pub rules: Vec<RoleRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignInConnectionTested {
    /// The person's identifier at the provider; none when the provider did not sign the person in.
    pub subject: Option<String>,
    pub accepted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DomainName {
    pub domain: String,
}

/// A person of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityDetail {
    pub issuer: String,
    pub subject: String,
    /// The address by which the person was recognised.
    pub email: Option<String>,
}
