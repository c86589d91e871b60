//! `/api/v1/audit-events`: the changes of a tenant, with actor and cause.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::query::{parameters, parsed};
use actix_web::HttpRequest;
use rollcall_store::{AuditEvent, AuditFilter, Page};
use serde_json::{Value, json};

pub(crate) async fn audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let kind = parsed("kind", asked.kind.as_deref())?;
    let subject = parsed("subject_id", asked.subject_id.as_deref())?;
    let page = auth.admin.hub.store.audit_events(&auth.scope, &AuditFilter { kind, subject }, &asked.page()?).await?;
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
