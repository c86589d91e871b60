//! `/api/v1/members/…/block`: an admin shuts people out, whatever their source says (DW1, DW9).

use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::body::{body, no_body};
use crate::error::AdminError;
use crate::members::Members;
use crate::path::id_in_path;
use crate::view::member_blocks::{BlockDecided, BlocksDecided};
use crate::view::members as view;
use actix_web::HttpRequest;
use rollcall_core::block::AWAITS_OWNER;
use rollcall_store::{BLOCKS_MAX, BlockResult, Shut};
use rollcall_web::Body;

#[utoipa::path(
    post, path = "/api/v1/members/{id}/block", tag = "members", operation_id = "member_blocks_block", summary = "Blocks a member",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Member)),
)]
pub(crate) async fn block(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    decide_one(&request, auth, payload, Shut::Block).await
}

#[utoipa::path(
    post, path = "/api/v1/members/{id}/unblock", tag = "members", operation_id = "member_blocks_unblock", summary = "Lifts a block",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Member)),
)]
pub(crate) async fn unblock(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    decide_one(&request, auth, payload, Shut::Unblock).await
}

#[utoipa::path(
    post, path = "/api/v1/members/block", tag = "members", operation_id = "member_blocks_block_many", summary = "Blocks members",
    request_body = Members,
    responses((status = 200, body = BlocksDecided)),
)]
pub(crate) async fn block_many(auth: ApiAuth, payload: Body) -> Answer {
    decide_many(auth, payload, Shut::Block).await
}

#[utoipa::path(
    post, path = "/api/v1/members/unblock", tag = "members", operation_id = "member_blocks_unblock_many", summary = "Lifts blocks",
    request_body = Members,
    responses((status = 200, body = BlocksDecided)),
)]
pub(crate) async fn unblock_many(auth: ApiAuth, payload: Body) -> Answer {
    decide_many(auth, payload, Shut::Unblock).await
}

async fn decide_one(request: &HttpRequest, auth: ApiAuth, payload: Body, what: Shut) -> Answer {
    let id = id_in_path(request, "member")?;
    auth.admin.hub.store.member(&auth.scope, id).await?;
    no_body(payload).await?;
    let decided = auth.admin.hub.store.block_member(&auth.scope, id, what).await?;
    let decided = auth.admin.hub.after_commit(decided).await;
    let member = view::Member::from(auth.admin.hub.store.member(&auth.scope, id).await?);
    let next = (decided == BlockResult::AwaitsOwner).then_some(AWAITS_OWNER);
    one::<view::Member>(view::Member { next, ..member })
}

pub(crate) async fn decide_many(auth: ApiAuth, payload: Body, what: Shut) -> Answer {
    let Members { member_ids } = body(payload).await?;
    if !(1..=BLOCKS_MAX).contains(&member_ids.len()) {
        return Err(AdminError::BadRequest(format!("member_ids has 1 to {BLOCKS_MAX} ids")));
    }
    let decided = auth.admin.hub.store.block_members(&auth.scope, &member_ids, what).await?;
    let results = auth.admin.hub.after_commit(decided).await;
    let items = member_ids.into_iter().zip(results).map(|(id, result)| BlockDecided::of(id, result)).collect();
    one::<BlocksDecided>(BlocksDecided { items })
}
