//! `/api/v1`: members, groups, runs and the audit log. Lists answer `{"items": […], "next_cursor": …}` and take `limit`
//! (to 200) and `cursor` (design §7).

use crate::auth::{AdminAuth, ApiAuth};
use crate::body::no_body;
use crate::error::AdminError;
use crate::query::query;
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::approval::RunState;
use rollcall_core::roster::MemberStatus;
use rollcall_store::{
    AuditEvent, AuditFilter, DEFAULT_LIMIT, FormerEmail, LoggedRequest, Member, MemberFilter, Page, PageRequest,
    RequestFilter,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::str::FromStr;

/// The parameters of any list; each list uses some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    pub(crate) limit: Option<u64>,
    pub(crate) cursor: Option<String>,
    email: Option<String>,
    status: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    subject_id: Option<String>,
    source_id: Option<String>,
    member_id: Option<String>,
    pub(crate) dispute: Option<String>,
    pub(crate) ignored: Option<String>,
    with: Option<String>,
}

pub(crate) type Answer = Result<HttpResponse, AdminError>;

pub(crate) fn parameters(request: &HttpRequest) -> Result<ListParameters, AdminError> {
    query(request)
}

impl ListParameters {
    pub(crate) fn page(&self) -> Result<PageRequest, AdminError> {
        Ok(PageRequest::parse(self.limit, self.cursor.as_deref())?)
    }
}

pub(crate) fn parsed<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, AdminError>
where
    T::Err: std::fmt::Display,
{
    text.map(str::parse).transpose().map_err(|e: T::Err| AdminError::BadRequest(format!("{name}: {e}")))
}

/// `limit` and `cursor`.
pub(crate) fn page_of(request: &HttpRequest) -> Result<PageRequest, AdminError> {
    parameters(request)?.page()
}

/// The id in the path; one that is no UUID names nothing.
pub(crate) fn id_in_path<T: FromStr>(request: &HttpRequest, what: &str) -> Result<T, AdminError> {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| AdminError::NotFound(format!("{what} not found")))
}

pub(crate) fn list<T: Serialize>(page: Page<T>) -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "items": page.items, "next_cursor": page.next })))
}

pub(crate) async fn members(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let status: Option<MemberStatus> = parsed("status", asked.status.as_deref())?;
    let filter = MemberFilter { email: asked.email.clone(), status };
    list(auth.admin.store.members(&auth.scope, &filter, &asked.page()?).await?)
}

/// A member, and the addresses they had before.
#[derive(Serialize)]
struct MemberWithHistory {
    #[serde(flatten)]
    member: Member,
    former_emails: Vec<FormerEmail>,
}

pub(crate) async fn member(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "member")?;
    let member = auth.admin.store.member(&auth.scope, id).await?;
    let former_emails = auth.admin.store.former_emails(&auth.scope, id).await?;
    Ok(HttpResponse::Ok().json(MemberWithHistory { member, former_emails }))
}

/// The product reports that an invited person accepted (DX13).
pub(crate) async fn accept_invitation(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let id = id_in_path(&request, "member")?;
    auth.admin.store.member(&auth.scope, id).await?;
    no_body(payload).await?;
    auth.admin.store.accept_invitation(&auth.scope, id).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Ok().json(auth.admin.store.member(&auth.scope, id).await?))
}

pub(crate) async fn groups(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    list(auth.admin.store.groups(&auth.scope, &asked.page()?).await?)
}

pub(crate) async fn group_members(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let group = id_in_path(&request, "group")?;
    list(auth.admin.store.group_members(&auth.scope, group, &asked.page()?).await?)
}

pub(crate) async fn runs(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let state: Option<RunState> = parsed("state", asked.state.as_deref())?;
    list(auth.admin.store.runs(&auth.scope, state.map(RunState::as_str), &asked.page()?).await?)
}

pub(crate) async fn run(request: HttpRequest, auth: ApiAuth) -> Answer {
    let run = auth.admin.store.run(&auth.scope, id_in_path(&request, "run")?).await?;
    Ok(HttpResponse::Ok().json(run))
}

/// The items of a run: who, what, before and after, why, and what became of it.
pub(crate) async fn run_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let run = id_in_path(&request, "run")?;
    list(auth.admin.store.run_items(&auth.scope, run, &asked.page()?).await?)
}

/// What this run and another one do, side by side (PE11).
pub(crate) async fn compare_runs(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let this = id_in_path(&request, "run")?;
    auth.admin.store.run(&auth.scope, this).await?;
    let missing = || AdminError::BadRequest("with: the id of the run to compare with".into());
    let other = parsed("with", asked.with.as_deref())?.ok_or_else(missing)?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    let page = auth.admin.store.compare_runs(&auth.scope, (this, other), limit, asked.cursor.as_deref()).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": page.items, "next_cursor": page.next })))
}

pub(crate) async fn audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let kind = parsed("kind", asked.kind.as_deref())?;
    let subject = parsed("subject_id", asked.subject_id.as_deref())?;
    let page = auth.admin.store.audit_events(&auth.scope, &AuditFilter { kind, subject }, &asked.page()?).await?;
    list(Page { items: page.items.iter().map(event).collect(), next: page.next })
}

/// What identity providers asked and were answered (PE15).
pub(crate) async fn request_log(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let filter = RequestFilter {
        source: parsed("source_id", asked.source_id.as_deref())?,
        subject: parsed("subject_id", asked.subject_id.as_deref())?,
        member: parsed("member_id", asked.member_id.as_deref())?,
    };
    let page = auth.admin.store.logged_requests(&auth.scope, &filter, &asked.page()?).await?;
    list(Page { items: page.items.iter().map(logged_request).collect(), next: page.next })
}

fn logged_request(line: &LoggedRequest) -> Value {
    json!({
        "id": line.id,
        "at": line.at,
        "source_id": line.source_id,
        "subject_id": line.subject_id,
        "request_id": line.request_id,
        "method": line.method,
        "path": line.path,
        "answer": { "status": line.status, "scim_type": line.scim_type },
    })
}

fn event(event: &AuditEvent) -> Value {
    json!({
        "id": event.id,
        "at": event.at,
        "kind": event.kind,
        "actor": event.actor,
        "subject": { "kind": event.subject_kind, "id": event.subject_id },
        "cause": { "request_id": event.request_id, "run_id": event.run_id },
        "detail": event.detail,
    })
}
