//! `/api/v1/sources/{id}/promotion` and `…/promote`: cut-over of the tenant to another source. Read as a plan first, and done by
//! the plan's digest.

use crate::answer::Answer;
use crate::auth::{AdminAuth, ApiAuth};
use crate::body::{Seen, body};
use crate::path::id_in_path;
use crate::query::parameters;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::SourceId;
use rollcall_store::PageRequest;
use rollcall_web::Body;
use serde_json::json;

pub(crate) async fn promotion(request: HttpRequest, auth: ApiAuth) -> Answer {
    let promotion = auth.admin.hub.store.promotion(&auth.scope, id_in_path(&request, "source")?).await?;
    Ok(HttpResponse::Ok().json(promotion))
}

pub(crate) async fn promotion_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let (id, asked) = (id_in_path(&request, "source")?, parameters(&request)?);
    let limit = PageRequest::parse(asked.limit, None)?.limit;
    let page = auth.admin.hub.store.promotion_items(&auth.scope, id, limit, asked.cursor.as_deref()).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": page.items, "next_cursor": page.next })))
}

pub(crate) async fn promote(request: HttpRequest, auth: AdminAuth, payload: Body) -> Answer {
    let AdminAuth(auth) = auth;
    let id: SourceId = id_in_path(&request, "source")?;
    // Another tenant's source is no source, whatever the body says.
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let seen: Seen = body(payload).await?;
    let promoted = auth.admin.hub.store.promote(&auth.scope, id, &seen.digest).await?;
    auth.admin.hub.after_commit(promoted).await;
    Ok(HttpResponse::Ok().json(auth.admin.hub.store.source(&auth.scope, id).await?))
}
