//! `/api/v1/audit-events`: the changes of a tenant, with actor and cause.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::query::{parameters, parsed};
use crate::view::List;
use crate::view::audit_events as view;
use actix_web::HttpRequest;
use rollcall_core::event::Actor;
use rollcall_store::AuditFilter;

#[utoipa::path(
    get, path = "/api/v1/audit-events", tag = "audit", operation_id = "audit_events_audit_events", summary = "Changes, with actor and cause",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("kind" = Option<String>, Query), ("subject_id" = Option<String>, Query)),
    responses((status = 200, body = List<view::AuditEvent>)),
)]
pub(crate) async fn audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let asked = parameters(&request, &["kind", "subject_id"])?;
    let kind = parsed("kind", asked.kind.as_deref())?;
    let subject = parsed("subject_id", asked.subject_id.as_deref())?;
    let page = auth.admin.hub.store.audit_events(&auth.scope, &AuditFilter { kind, subject }, &asked.page()?).await?;
    let people = page.items.iter().filter_map(|event| Actor::member_of(&event.actor)).collect();
    let names = auth.admin.hub.store.member_names(&auth.scope, &people).await?;
    list::<view::AuditEvent>(page.map(|event| view::AuditEvent::named(event, &names)))
}
