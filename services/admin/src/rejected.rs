//! `/api/v1/sources/{id}/rejected`: rejected requests of a source, and their replay.

use crate::answer::{Answer, list};
use crate::auth::{AdminAuth, ApiAuth};
use crate::body::no_body;
use crate::path::{id_in_path, second_id};
use crate::query::page_of;
use crate::redact;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_hub::Replayed;
use rollcall_scim::Limits;
use rollcall_store::{Page, RejectedRequest};
use rollcall_web::Body;
use serde_json::{Value, json};

/// Rejected requests, the oldest first, without names.
pub(crate) async fn rejected(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let page = auth.admin.hub.store.rejected_requests(&auth.scope, source, &page_of(&request)?).await?;
    list(Page { items: page.items.iter().map(shown_rejected).collect(), next: page.next })
}

fn shown_rejected(one: &RejectedRequest) -> Value {
    json!({
        "id": one.id,
        "at": one.at,
        "expires_at": one.expires_at,
        "method": one.method,
        "path": redact::path(&one.path),
        "body": one.body.as_deref().map(redact::body),
        "body_bytes": one.body_bytes,
        "answer": { "status": one.status, "scim_type": one.scim_type, "detail": redact::sentence(&one.detail) },
        "replayed_at": one.replayed_at,
        "replayable": replayable(one),
    })
}

/// True if a replay is possible: not done yet, kept whole, and about users or groups.
fn replayable(one: &RejectedRequest) -> bool {
    let about = ["/Users", "/Groups"].iter().any(|collection| one.path.starts_with(collection));
    about && one.replayed_at.is_none() && (one.body.is_some() || one.body_bytes == 0)
}

pub(crate) async fn replay(request: HttpRequest, auth: AdminAuth, payload: Body) -> Answer {
    let AdminAuth(auth) = auth;
    let source = id_in_path(&request, "source")?;
    let id = second_id(&request, "rejected_id", "rejected request")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    no_body(payload).await?;
    let replayed = auth.admin.hub.replay_rejected(&auth.scope, source, id, &Limits::default()).await?;
    let shown = match replayed {
        Replayed::Done { status, changed } => {
            json!({ "replayed": true, "changed": changed, "status": status })
        }
        Replayed::Refused(error) => json!({
            "replayed": false,
            "changed": false,
            "status": error.status,
            "scim_type": error.scim_type.map(|kind| kind.as_str()),
            "detail": redact::sentence(&error.detail),
        }),
    };
    Ok(HttpResponse::Ok().json(shown))
}
