//! `/api/v1/sources/{id}/promotion` and `…/promote`: cut-over of the tenant to another source. Read as a plan first, and done by
//! the plan's digest.

use crate::answer::{Answer, one, snapshot};
use crate::auth::ApiAuth;
use crate::body::{Seen, body};
use crate::path::id_in_path;
use crate::query::parameters;
use crate::view;
use crate::view::List;
use actix_web::HttpRequest;
use rollcall_core::ids::SourceId;
use rollcall_web::Body;

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/promotion", tag = "sources", operation_id = "promotion_promotion", summary = "The effect of making a source the authority",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::promotion::Promotion)),
)]
pub(crate) async fn promotion(request: HttpRequest, auth: ApiAuth) -> Answer {
    let promotion = auth.admin.hub.store.promotion(&auth.scope, id_in_path(&request, "source")?).await?;
    one::<view::promotion::Promotion>(promotion)
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/promotion/items", tag = "sources", operation_id = "promotion_promotion_items", summary = "The items of that plan",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<view::runs::RunItem>)),
)]
pub(crate) async fn promotion_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let (id, asked) = (id_in_path(&request, "source")?, parameters(&request, &[])?);
    let limit = asked.limit_of_plan()?;
    let page = auth.admin.hub.store.promotion_items(&auth.scope, id, limit, asked.cursor.as_deref()).await?;
    snapshot::<view::runs::RunItem>(&request, page.items, page.next)
}

#[utoipa::path(
    post, path = "/api/v1/sources/{id}/promote", tag = "sources", operation_id = "promotion_promote", summary = "Makes a source the authority",
    params(("id" = Uuid, Path)),
    request_body = Seen,
    responses((status = 200, body = view::sources::Source)),
)]
pub(crate) async fn promote(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    // Another tenant's source is no source, whatever the body says.
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let seen: Seen = body(payload).await?;
    let promoted = auth.admin.hub.store.promote(&auth.scope, id, &seen.digest).await?;
    auth.admin.hub.after_commit(promoted).await;
    one::<view::sources::Source>(auth.admin.hub.store.source(&auth.scope, id).await?)
}
