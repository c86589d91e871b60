//! `/api/v1/members/{id}/identities`: the people of identity providers who are a member.

use crate::answer::{Answer, snapshot};
use crate::auth::ApiAuth;
use crate::path::id_in_path;
use crate::query::only_fields;
use crate::view::List;
use crate::view::identities as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::MemberId;

#[utoipa::path(
    get, path = "/api/v1/members/{id}/identities", tag = "sign-in", operation_id = "identities_identities", summary = "The people of identity providers who are this member",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = List<view::Identity>)),
)]
pub(crate) async fn identities(request: HttpRequest, auth: ApiAuth) -> Answer {
    let member: MemberId = id_in_path(&request, "member")?;
    only_fields(&request)?;
    auth.admin.hub.store.member(&auth.scope, member).await?;
    snapshot::<view::Identity>(&request, auth.admin.hub.store.identities(&auth.scope, member).await?, None)
}

/// Releases the member: sessions of the person end, and the next person with the member's address is tied anew.
#[utoipa::path(
    delete, path = "/api/v1/members/{id}/identities", tag = "sign-in", operation_id = "identities_release_identities", summary = "Releases a member from the people who are tied to it",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn release_identities(request: HttpRequest, auth: ApiAuth) -> Answer {
    let member: MemberId = id_in_path(&request, "member")?;
    auth.admin.hub.store.member(&auth.scope, member).await?;
    let released = auth.admin.hub.store.release_identities(&auth.scope, member).await?;
    auth.admin.hub.after_commit(released).await;
    Ok(HttpResponse::NoContent().finish())
}
