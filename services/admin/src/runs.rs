//! `/api/v1/runs`: planned, applied, held and simulated runs, and the decisions of admins about them.

use crate::answer::{Answer, list, one, read, snapshot};
use crate::auth::ApiAuth;
use crate::body::{body, no_body};
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::{parameters, parsed};
use crate::view::List;
use crate::view::runs as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use rollcall_core::run::RunState;
use rollcall_store::{RunDecision, RunSeen};
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", operation_id = "runs_runs", summary = "Runs",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("state" = Option<String>, Query)),
    responses((status = 200, body = List<view::Run>)),
)]
pub(crate) async fn runs(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &["state"])?;
    let state: Option<RunState> = parsed("state", asked.state.as_deref())?;
    list::<view::Run>(&request, auth.admin.hub.store.runs(&auth.scope, state, &asked.page()?).await?)
}

#[utoipa::path(
    get, path = "/api/v1/runs/{id}", tag = "runs", operation_id = "runs_run", summary = "A run",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Run)),
)]
pub(crate) async fn run(request: HttpRequest, auth: ApiAuth) -> Answer {
    let run = auth.admin.hub.store.run(&auth.scope, id_in_path(&request, "run")?).await?;
    read::<view::Run>(&request, run)
}

/// The items of a run: subject, action, before and after, reason, and decision.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/items", tag = "runs", operation_id = "runs_run_items", summary = "The items of a run",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::RunItem>)),
)]
pub(crate) async fn run_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let asked = parameters(&request, &[])?;
    let run = id_in_path(&request, "run")?;
    list::<view::RunItem>(&request, auth.admin.hub.store.run_items(&auth.scope, run, &asked.page()?).await?)
}

/// Comparison of this run with another one (PE11).
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/compare", tag = "runs", operation_id = "runs_compare_runs", summary = "The effects of two runs side by side",
    params(("id" = Uuid, Path), ("with" = Option<String>, Query), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<view::ComparedItem>)),
)]
pub(crate) async fn compare_runs(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let asked = parameters(&request, &["with"])?;
    let this = id_in_path(&request, "run")?;
    auth.admin.hub.store.run(&auth.scope, this).await?;
    let missing = || AdminError::BadRequest("with: the id of the run to compare with".into());
    let other = parsed("with", asked.with.as_deref())?.ok_or_else(missing)?;
    let limit = asked.limit_of_plan()?;
    let page = auth.admin.hub.store.compare_runs(&auth.scope, (this, other), limit, asked.cursor.as_deref()).await?;
    snapshot::<view::ComparedItem>(&request, page.items, page.next)
}

#[utoipa::path(
    post, path = "/api/v1/runs/{id}/approve", tag = "runs", operation_id = "runs_approve_run", summary = "Approves what the caller saw",
    params(("id" = Uuid, Path)),
    request_body = DecidedRun,
    responses((status = 200, body = view::Run)),
)]
pub(crate) async fn approve_run(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    decide_run(&request, auth, payload, RunDecision::Approve).await
}

#[utoipa::path(
    post, path = "/api/v1/runs/{id}/reject", tag = "runs", operation_id = "runs_reject_run", summary = "Rejects what the caller saw",
    params(("id" = Uuid, Path)),
    request_body = DecidedRun,
    responses((status = 200, body = view::Run)),
)]
pub(crate) async fn reject_run(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    decide_run(&request, auth, payload, RunDecision::Reject).await
}

/// Identifies the plan that the admin saw, and tells the reason.
#[derive(Deserialize, ToSchema)]
#[schema(as = RunDecisionRequest)]
#[serde(deny_unknown_fields)]
struct DecidedRun {
    digest: String,
    /// The reason, for the audit log; to 500 characters.
    note: Option<String>,
}

async fn decide_run(request: &HttpRequest, auth: ApiAuth, payload: Body, decision: RunDecision) -> Answer {
    let id = id_in_path(request, "run")?;
    // Another tenant's run is no run, whatever the body says.
    auth.admin.hub.store.run(&auth.scope, id).await?;
    let DecidedRun { digest, note } = body(payload).await?;
    let note = note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    let seen = RunSeen { digest: &digest, note };
    let decided = auth.admin.hub.store.decide_run(&auth.scope, id, seen, decision).await?;
    auth.admin.hub.after_commit(decided).await;
    one::<view::Run>(auth.admin.hub.store.run(&auth.scope, id).await?)
}

/// Requests the rewind of this run: a worker plans it, an admin approves it like a held run.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/rewind", tag = "runs", operation_id = "runs_rewind_run", summary = "Plans to take a run back",
    params(("id" = Uuid, Path)),
    responses((status = 202, body = view::Run)),
)]
pub(crate) async fn rewind_run(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "run")?;
    auth.admin.hub.store.run(&auth.scope, id).await?;
    no_body(payload).await?;
    let made = auth.admin.hub.store.rewind_run(&auth.scope, id).await?;
    let rewind = auth.admin.hub.after_commit(made).await;
    Ok(HttpResponse::Accepted().json(view::Run::from(auth.admin.hub.store.run(&auth.scope, rewind).await?)))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = RewindSourceRequest)]
#[serde(deny_unknown_fields)]
struct Since {
    since: DateTime<Utc>,
}

/// Requests the rewind of everything that this source did since an instant, as one run.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/rewind", tag = "sources", operation_id = "runs_rewind_source", summary = "Plans to take back what a source did since a time",
    params(("id" = Uuid, Path)),
    request_body = Since,
    responses((status = 202, body = view::Run)),
)]
pub(crate) async fn rewind_source(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let Since { since } = body(payload).await?;
    let made = auth.admin.hub.store.rewind_source(&auth.scope, source, since).await?;
    let rewind = auth.admin.hub.after_commit(made).await;
    Ok(HttpResponse::Accepted().json(view::Run::from(auth.admin.hub.store.run(&auth.scope, rewind).await?)))
}
