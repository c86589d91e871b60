//! `/api/v1`: members, groups, runs and the audit log. Lists answer `{"items": […], "next_cursor": …}` and take `limit`
//! (to 200) and `cursor` (design §7).

use crate::auth::{AdminAuth, ApiAuth};
use crate::error::AdminError;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::roster::MemberStatus;
use rollcall_store::{AuditEvent, AuditFilter, MemberFilter, Page, PageRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::str::FromStr;

/// The parameters of any list; each list uses some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    limit: Option<u64>,
    cursor: Option<String>,
    email: Option<String>,
    status: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    subject_id: Option<String>,
}

pub(crate) type Answer = Result<HttpResponse, AdminError>;

fn parameters(request: &HttpRequest) -> Result<ListParameters, AdminError> {
    let parameters = Query::<ListParameters>::from_query(request.query_string());
    parameters.map(Query::into_inner).map_err(|e| AdminError::BadRequest(format!("the query parameters: {e}")))
}

impl ListParameters {
    fn page(&self) -> Result<PageRequest, AdminError> {
        Ok(PageRequest::parse(self.limit, self.cursor.as_deref())?)
    }
}

fn parsed<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, AdminError>
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

pub(crate) async fn member(request: HttpRequest, auth: ApiAuth) -> Answer {
    let member = auth.admin.store.member(&auth.scope, id_in_path(&request, "member")?).await?;
    Ok(HttpResponse::Ok().json(member))
}

/// The product reports that an invited person accepted (DX13).
pub(crate) async fn accept_invitation(request: HttpRequest, auth: AdminAuth) -> Answer {
    let AdminAuth(auth) = auth;
    let id = id_in_path(&request, "member")?;
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
    list(auth.admin.store.runs(&auth.scope, asked.state.as_deref(), &asked.page()?).await?)
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

pub(crate) async fn audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let kind = parsed("kind", asked.kind.as_deref())?;
    let subject = parsed("subject_id", asked.subject_id.as_deref())?;
    let page = auth.admin.store.audit_events(&auth.scope, &AuditFilter { kind, subject }, &asked.page()?).await?;
    list(Page { items: page.items.iter().map(event).collect(), next: page.next })
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
