//! `/api/v1`: what admins decide: held runs, the policy, skipped records.

use crate::auth::{AdminAuth, ApiAuth};
use crate::error::AdminError;
use crate::resources::{Answer, id_in_path};
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::policy::Policy;
use rollcall_store::{RunDecision, VersionedPolicy};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Largest body of a decision, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Names the plan that the admin saw.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    policy: Policy,
    /// The version that was read; another admin's change in between is not overwritten.
    version: i64,
}

pub(crate) async fn body<T: DeserializeOwned>(payload: web::Payload) -> Result<T, AdminError> {
    parse(&read(payload).await?)
}

async fn read(payload: web::Payload) -> Result<web::Bytes, AdminError> {
    let bytes = payload.to_bytes_limited(BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| AdminError::BadRequest(format!("the body is larger than {BODY_BYTES_MAX} bytes")))?;
    bytes.map_err(|e| AdminError::BadRequest(format!("the body could not be read: {e}")))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AdminError> {
    serde_json::from_slice(bytes).map_err(|e| AdminError::BadRequest(format!("the body: {e}")))
}

/// As [`body`], but no body at all asks for the defaults.
pub(crate) async fn body_or_default<T: DeserializeOwned + Default>(payload: web::Payload) -> Result<T, AdminError> {
    let bytes = read(payload).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
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

fn policy_answer(policy: &VersionedPolicy) -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "policy": policy.policy, "version": policy.version })))
}

pub(crate) async fn policy(auth: ApiAuth) -> Answer {
    policy_answer(&auth.admin.store.policy(&auth.scope).await?)
}

/// Replaces the policy; keys that the body leaves out get their defaults.
pub(crate) async fn set_policy(auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let new: NewPolicy = body(payload).await?;
    let policy = auth.admin.store.set_policy(&auth.scope, &new.policy, new.version).await?;
    auth.admin.wake(&auth.scope);
    policy_answer(&policy)
}

pub(crate) async fn skipped_records(auth: ApiAuth) -> Answer {
    let records = auth.admin.store.skipped_records(&auth.scope).await?;
    let row = |record: &rollcall_store::SkippedRecord| -> Value {
        json!({
            "subject": { "kind": record.subject_kind, "id": record.subject_id },
            "dispute": record.dispute,
            "about": record.about,
            "since": record.since,
            "remedy": record.remedy(),
        })
    };
    Ok(HttpResponse::Ok().json(json!({ "items": records.iter().map(row).collect::<Vec<_>>(), "next_cursor": null })))
}

pub(crate) async fn retry_record(request: HttpRequest, auth: AdminAuth) -> Answer {
    let AdminAuth(auth) = auth;
    auth.admin.store.retry_record(&auth.scope, id_in_path(&request, "record")?).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Accepted().json(json!({ "status": "the record is planned again" })))
}
