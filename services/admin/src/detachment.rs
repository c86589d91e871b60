//! `/api/v1/sources/{id}/detachment` and `…/detach`: detachment of a source. Read as a plan first, and done by the plan's
//! digest.

use crate::answer::{Answer, list, one};
use crate::auth::ApiAuth;
use crate::body::body;
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::{parameters, parsed};
use crate::view;
use crate::view::List;
use crate::view::closed;
use actix_web::HttpRequest;
use rollcall_core::directory::PeopleAfter;
use rollcall_core::ids::SourceId;
use rollcall_store::PageRequest;
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = DetachRequest)]
#[serde(deny_unknown_fields)]
struct SeenDetachment {
    #[schema(value_type = closed::PeopleAfter)]
    people: PeopleAfter,
    digest: String,
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/detachment", tag = "sources", operation_id = "detachment_detachment", summary = "The effect of leaving a source behind",
    params(("id" = Uuid, Path), ("people" = Option<String>, Query)),
    responses((status = 200, body = view::detachment::Detachment)),
)]
pub(crate) async fn detachment(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let (people, _) = fate(&request)?;
    one::<view::detachment::Detachment>(auth.admin.hub.store.detachment(&auth.scope, id, people).await?)
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/detachment/items", tag = "sources", operation_id = "detachment_detachment_items", summary = "The items of that plan",
    params(("id" = Uuid, Path), ("people" = Option<String>, Query), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<view::runs::RunItem>)),
)]
pub(crate) async fn detachment_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let (people, page) = fate(&request)?;
    list::<view::runs::RunItem>(&request, auth.admin.hub.store.detachment_items(&auth.scope, id, people, &page).await?)
}

#[utoipa::path(
    post, path = "/api/v1/sources/{id}/detach", tag = "sources", operation_id = "detachment_detach", summary = "Leaves a source behind",
    params(("id" = Uuid, Path)),
    request_body = SeenDetachment,
    responses((status = 200, body = view::sources::Source)),
)]
pub(crate) async fn detach(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let seen: SeenDetachment = body(payload).await?;
    let detached = auth.admin.hub.store.detach(&auth.scope, id, seen.people, &seen.digest).await?;
    auth.admin.hub.after_commit(detached).await;
    one::<view::sources::Source>(auth.admin.hub.store.source(&auth.scope, id).await?)
}

fn fate(request: &HttpRequest) -> Result<(PeopleAfter, PageRequest), AdminError> {
    let asked = parameters(request, &["people"])?;
    let missing = || AdminError::BadRequest("people is keep or remove".into());
    let people = parsed("people", asked.people.as_deref())?.ok_or_else(missing)?;
    asked.limit_of_plan()?;
    Ok((people, asked.page()?))
}
