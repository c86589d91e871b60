//! `/api/v1/sources/{id}/detachment` and `…/detach`: detachment of a source. Read as a plan first, and done by the plan's
//! digest.

use crate::answer::{Answer, list, one};
use crate::auth::ApiAuth;
use crate::body::body;
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::{parameters, parsed};
use crate::view;
use actix_web::HttpRequest;
use rollcall_core::directory::PeopleAfter;
use rollcall_core::ids::SourceId;
use rollcall_store::PageRequest;
use rollcall_web::Body;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenDetachment {
    people: PeopleAfter,
    digest: String,
}

pub(crate) async fn detachment(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let (people, _) = fate(&request)?;
    one::<view::detachment::Detachment>(auth.admin.hub.store.detachment(&auth.scope, id, people).await?)
}

pub(crate) async fn detachment_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let (people, page) = fate(&request)?;
    list::<view::runs::RunItem>(auth.admin.hub.store.detachment_items(&auth.scope, id, people, &page).await?)
}

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
