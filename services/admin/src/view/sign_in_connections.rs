//! Connections to identity providers on the wire. A client secret is in no answer.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_core::ids::TenantId;
use rollcall_core::{role_rules as rules, sign_in_groups};
use rollcall_hub::{backchannel_logout_path, redirect_path};
use rollcall_store as store;
use serde::{Deserialize, Serialize};
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
    #[schema(value_type = closed::ConnectionUse)]
    pub usage: String,
    /// Roles by the provider's claims: from a sign-in with the claim until one without it.
    pub role_rules: Vec<RoleRule>,
    /// A person whom a rule gives a role and who is no member becomes one at the first sign-in.
    pub creates_members: bool,
    /// Sign-ins fill sharing groups; null where they fill none.
    pub groups_from_sign_in: Option<GroupsFromSignIn>,
    pub created_at: DateTime<Utc>,
    /// The last trial; null before the first.
    pub test: Option<ConnectionTest>,
}

/// A role for everybody who has this value in this claim.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRule {
    /// A claim of the id token, or of the provider's userinfo: `groups`, `roles`.
    pub claim: String,
    /// The claim's text, or one element of its list.
    pub value: String,
    /// `admin`, `auditor` or `billing_contact`; no rule makes an owner.
    #[schema(value_type = closed::RuledRole)]
    pub role: rules::RuledRole,
}

impl From<rules::RoleRule> for RoleRule {
    fn from(rules::RoleRule { claim, value, role }: rules::RoleRule) -> Self {
        Self { claim, value, role }
    }
}

impl From<RoleRule> for rules::RoleRule {
    fn from(RoleRule { claim, value, role }: RoleRule) -> Self {
        Self { claim, value, role }
    }
}

/// Sign-ins fill the sharing groups whose names a claim has.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupsFromSignIn {
    /// A claim of the id token, or of the provider's userinfo: `groups`.
    pub claim: String,
    /// `own_groups`: those that no source manages. `all_groups`: those of a source too, in which the last word counts.
    #[schema(value_type = closed::Fill)]
    pub fill: sign_in_groups::Fill,
}

impl From<sign_in_groups::GroupsFromSignIn> for GroupsFromSignIn {
    fn from(sign_in_groups::GroupsFromSignIn { claim, fill }: sign_in_groups::GroupsFromSignIn) -> Self {
        Self { claim, fill }
    }
}

impl From<GroupsFromSignIn> for sign_in_groups::GroupsFromSignIn {
    fn from(GroupsFromSignIn { claim, fill }: GroupsFromSignIn) -> Self {
        Self { claim, fill }
    }
}

/// A trial: a person signed in at the provider, and the hub looked whom it recognises.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionTest {
    pub at: DateTime<Utc>,
    /// The person would be signed in.
    pub accepted: bool,
    /// `outcome` (`recognised`, `would_join`, `unrecognised`, `not_allowed` or `failed`), `why` unless recognised, `claims` as the
    /// provider sent them, the `member_id` and `role` of the member, and `ruled`: the `role` and `billing_contact` that the rules
    /// give, the `rules` that match, and `incomplete` where a claim is kept elsewhere, so that nothing is taken back. `groups`: the
    /// sharing groups that the member `joins` and `leaves`.
    #[schema(value_type = Object)]
    pub report: Json,
}

impl TryFrom<store::SignInConnection> for SignInConnection {
    type Error = store::StoreError;

    fn try_from(row: store::SignInConnection) -> Result<Self, Self::Error> {
        let role_rules = row.role_rules()?.into_iter().map(Into::into).collect();
        let groups_from_sign_in = row.groups_from_sign_in()?.map(Into::into);
        let store::SignInConnection {
            id,
            issuer,
            client_id,
            has_secret,
            email_trusted,
            usage,
            creates_members,
            created_at,
            ..
        } = row;
        let test = row.tested_at.map(|at| ConnectionTest {
            at,
            accepted: row.test_accepted,
            report: row.test.unwrap_or_default(),
        });
        Ok(Self {
            id,
            issuer,
            client_id,
            has_client_secret: has_secret,
            email_trusted,
            usage,
            role_rules,
            creates_members,
            groups_from_sign_in,
            created_at,
            test,
        })
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
    pub(crate) fn new(
        base: &str,
        tenant: TenantId,
        rows: Vec<store::SignInConnection>,
    ) -> Result<Self, store::StoreError> {
        let base = base.trim_end_matches('/');
        Ok(Self {
            items: rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            redirect_uri: format!("{base}{}", redirect_path(tenant)),
            post_logout_redirect_uri: format!("{base}/sign-in"),
            backchannel_logout_uri: format!("{base}{}", backchannel_logout_path(tenant)),
        })
    }
}

/// A trial that was begun: the browser that asked for it opens the address within ten minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct BegunTest {
    pub url: String,
}
