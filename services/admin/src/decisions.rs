//! `/api/v1`: what admins decide: held runs, the policy, groups that nobody needs.

use crate::auth::{AdminAuth, ApiAuth};
use crate::body::{Seen, body, no_body, policy_body};
use crate::error::AdminError;
use crate::resources::{Answer, id_in_path};
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::policy::Policy;
use rollcall_store::{RunDecision, VersionedPolicy};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    policy: Map<String, Json>,
    /// The version that was read; another admin's change in between is not overwritten.
    version: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyChanges {
    policy: Map<String, Json>,
    /// As above, where it matters what the rest of the policy says.
    version: Option<i64>,
}

pub(crate) async fn approve_run(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    decide_run(&request, auth, payload, RunDecision::Approve).await
}

pub(crate) async fn reject_run(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    decide_run(&request, auth, payload, RunDecision::Reject).await
}

async fn decide_run(request: &HttpRequest, auth: AdminAuth, payload: web::Payload, decision: RunDecision) -> Answer {
    let AdminAuth(auth) = auth;
    let id = id_in_path(request, "run")?;
    // Another tenant's run is no run, whatever the body says.
    auth.admin.store.run(&auth.scope, id).await?;
    let seen: Seen = body(payload).await?;
    auth.admin.store.decide_run(&auth.scope, id, &seen.digest, decision).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Ok().json(auth.admin.store.run(&auth.scope, id).await?))
}

/// Asks for the run that takes this one back: a worker plans it, an admin approves it like a held one.
pub(crate) async fn rewind_run(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let id = id_in_path(&request, "run")?;
    auth.admin.store.run(&auth.scope, id).await?;
    no_body(payload).await?;
    let rewind = auth.admin.store.rewind_run(&auth.scope, id).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Accepted().json(auth.admin.store.run(&auth.scope, rewind).await?))
}

fn policy_answer(policy: &VersionedPolicy) -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "policy": policy.policy, "version": policy.version })))
}

pub(crate) async fn policy(auth: ApiAuth) -> Answer {
    policy_answer(&auth.admin.store.policy(&auth.scope).await?)
}

/// Replaces the policy. The body has every key: one that was left out would be a switch turned back unnoticed.
pub(crate) async fn set_policy(auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let new: NewPolicy = policy_body(payload).await?;
    let policy = Policy::whole(&new.policy).map_err(AdminError::BadRequest)?;
    let policy = auth.admin.store.set_policy(&auth.scope, &policy, new.version).await?;
    auth.admin.wake(&auth.scope);
    policy_answer(&policy)
}

/// Changes the keys that the body has.
pub(crate) async fn change_policy(auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let asked: PolicyChanges = policy_body(payload).await?;
    let policy = auth.admin.store.change_policy(&auth.scope, &asked.policy, asked.version).await?;
    auth.admin.wake(&auth.scope);
    policy_answer(&policy)
}

/// The second of two steps: the source has let go of the group (DX20).
pub(crate) async fn delete_group(request: HttpRequest, auth: AdminAuth) -> Answer {
    let AdminAuth(auth) = auth;
    auth.admin.store.delete_group_here(&auth.scope, id_in_path(&request, "group")?).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::NoContent().finish())
}
