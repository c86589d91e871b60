//! `/api/v1/policy`: the policy of the tenant.

use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::body::policy_body;
use crate::error::AdminError;
use crate::view::policy as view;
use crate::words::plainly;
use rollcall_core::policy::Policy;
use rollcall_store::StoreError;
use rollcall_web::Body;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = SetPolicyRequest)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    /// Every key of it.
    #[schema(value_type = view::Policy)]
    policy: Map<String, Json>,
    /// The version that was read, so that another admin's change in between is not overwritten.
    version: i64,
    /// People who may lose access at once by a new `user_scope`, beyond the removal limit.
    #[serde(default)]
    leaving: u32,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangePolicyRequest)]
#[serde(deny_unknown_fields)]
struct PolicyChanges {
    #[schema(value_type = view::PolicyChanges)]
    policy: Map<String, Json>,
    /// As above, for changes that depend on the rest of the policy.
    version: Option<i64>,
    /// As above.
    #[serde(default)]
    leaving: u32,
}

#[utoipa::path(
    get, path = "/api/v1/policy", tag = "policy", operation_id = "policy_policy", summary = "The policy in force",
    responses((status = 200, body = view::VersionedPolicy)),
)]
pub(crate) async fn policy(auth: ApiAuth) -> Answer {
    one::<view::VersionedPolicy>(auth.admin.hub.store.policy(&auth.scope).await?)
}

/// Replaces the policy. The body must have every key, because a missing one would silently reset a switch.
#[utoipa::path(
    put, path = "/api/v1/policy", tag = "policy", operation_id = "policy_set_policy", summary = "Replaces the policy",
    request_body = NewPolicy,
    responses((status = 200, body = view::VersionedPolicy)),
)]
pub(crate) async fn set_policy(auth: ApiAuth, payload: Body) -> Answer {
    let new: NewPolicy = policy_body(payload).await?;
    let policy = Policy::whole(&new.policy).map_err(|error| AdminError::BadRequest(plainly(&error)))?;
    require_fresh_for(&auth, &auth.admin.hub.store.policy(&auth.scope).await?.policy, &policy)?;
    let changed = auth.admin.hub.store.set_policy(&auth.scope, &policy, new.version, new.leaving).await;
    let changed = changed.map_err(in_plain_words)?;
    one::<view::VersionedPolicy>(auth.admin.hub.after_commit(changed).await)
}

/// Changes the keys that the body has.
#[utoipa::path(
    patch, path = "/api/v1/policy", tag = "policy", operation_id = "policy_change_policy", summary = "Changes keys of the policy",
    request_body = PolicyChanges,
    responses((status = 200, body = view::VersionedPolicy)),
)]
pub(crate) async fn change_policy(auth: ApiAuth, payload: Body) -> Answer {
    let asked: PolicyChanges = policy_body(payload).await?;
    let before = auth.admin.hub.store.policy(&auth.scope).await?.policy;
    // The store tells of changes that cannot be.
    if let Ok(after) = before.with_changes(&asked.policy) {
        require_fresh_for(&auth, &before, &after)?;
    }
    let changed = auth.admin.hub.store.change_policy(&auth.scope, &asked.policy, asked.version, asked.leaving).await;
    let changed = changed.map_err(in_plain_words)?;
    one::<view::VersionedPolicy>(auth.admin.hub.after_commit(changed).await)
}

/// The owner's keys take accounts over or buy seats, so a session must have signed in lately for them, as for a token.
fn require_fresh_for(auth: &ApiAuth, before: &Policy, after: &Policy) -> Result<(), AdminError> {
    let changed = before.owners_key_changed(after).map_err(|error| AdminError::BadRequest(plainly(&error)))?;
    if changed.is_some() { auth.require_fresh() } else { Ok(()) }
}

/// A value of another kind is told as the rest of the API tells it.
fn in_plain_words(error: StoreError) -> StoreError {
    match error {
        StoreError::Invalid(text) => StoreError::Invalid(plainly(&text)),
        error => error,
    }
}
