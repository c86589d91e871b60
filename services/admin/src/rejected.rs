//! `/api/v1/sources/{id}/rejected`: rejected requests of a source, and their replay.

use crate::answer::{Answer, list, one};
use crate::auth::ApiAuth;
use crate::body::no_body;
use crate::path::{id_in_path, second_id};
use crate::query::page_of;
use crate::view::List;
use crate::view::rejected as view;
use actix_web::HttpRequest;
use rollcall_scim::Limits;
use rollcall_web::Body;

/// Rejected requests, the oldest first, without names.
#[utoipa::path(
    get, path = "/api/v1/sources/{id}/rejected", tag = "sources", operation_id = "rejected_rejected", summary = "Requests that were not understood",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::RejectedRequest>)),
)]
pub(crate) async fn rejected(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let source = id_in_path(&request, "source")?;
    let page = auth.admin.hub.store.rejected_requests(&auth.scope, source, &page_of(&request)?).await?;
    list::<view::RejectedRequest>(&request, page)
}

#[utoipa::path(
    post, path = "/api/v1/sources/{id}/rejected/{rejected_id}/replay", tag = "sources", operation_id = "rejected_replay", summary = "Repeats a rejected request",
    params(("id" = Uuid, Path), ("rejected_id" = Uuid, Path)),
    responses((status = 200, body = view::Replay)),
)]
pub(crate) async fn replay(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source = id_in_path(&request, "source")?;
    let id = second_id(&request, "rejected_id", "rejected request")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    no_body(payload).await?;
    let replayed = auth.admin.hub.replay_rejected(&auth.scope, source, id, &Limits::default()).await?;
    one::<view::Replay>(replayed)
}
