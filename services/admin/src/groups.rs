//! `/api/v1/groups`: sharing groups and their members.

use crate::answer::{Answer, list, read};
use crate::auth::ApiAuth;
use crate::path::id_in_path;
use crate::query::parameters;
use crate::view;
use crate::view::List;
use actix_web::{HttpRequest, HttpResponse};

#[utoipa::path(
    get, path = "/api/v1/groups", tag = "groups", operation_id = "groups_groups", summary = "Sharing groups",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::groups::SharingGroup>)),
)]
pub(crate) async fn groups(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &[])?;
    list::<view::groups::SharingGroup>(&request, auth.admin.hub.store.groups(&auth.scope, &asked.page()?).await?)
}

#[utoipa::path(
    get, path = "/api/v1/groups/{id}", tag = "groups", operation_id = "groups_group", summary = "A sharing group",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::groups::SharingGroup)),
)]
pub(crate) async fn group(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "group")?;
    read::<view::groups::SharingGroup>(&request, auth.admin.hub.store.sharing_group(&auth.scope, id).await?)
}

#[utoipa::path(
    get, path = "/api/v1/groups/{id}/members", tag = "groups", operation_id = "groups_group_members", summary = "The members of a sharing group",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::members::Member>)),
)]
pub(crate) async fn group_members(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let asked = parameters(&request, &[])?;
    let group = id_in_path(&request, "group")?;
    list::<view::members::Member>(
        &request,
        auth.admin.hub.store.group_members(&auth.scope, group, &asked.page()?).await?,
    )
}

/// The second of two steps: the source has let go of the group (DX20).
#[utoipa::path(
    delete, path = "/api/v1/groups/{id}", tag = "groups", operation_id = "groups_delete_group", summary = "Deletes a sharing group that no source feeds",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn delete_group(request: HttpRequest, auth: ApiAuth) -> Answer {
    let deleted = auth.admin.hub.store.delete_group_here(&auth.scope, id_in_path(&request, "group")?).await?;
    auth.admin.hub.after_commit(deleted).await;
    Ok(HttpResponse::NoContent().finish())
}
