//! `/api/v1/sources/{id}/promotion` and `…/detachment`: moving the tenant to another source, and leaving one behind. Each is
//! read as a plan first, and done by naming the plan's digest.

use crate::auth::{AdminAuth, ApiAuth};
use crate::body::{Seen, body};
use crate::error::AdminError;
use crate::query::query;
use crate::resources::{Answer, id_in_path, list, parameters};
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::directory::PeopleAfter;
use rollcall_core::ids::SourceId;
use rollcall_store::{PageRequest, SecretDigest};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenDetachment {
    people: PeopleAfter,
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhoseFate {
    people: PeopleAfter,
    limit: Option<u64>,
    cursor: Option<String>,
}

pub(crate) async fn promotion(request: HttpRequest, auth: ApiAuth) -> Answer {
    let promotion = auth.admin.store.promotion(&auth.scope, id_in_path(&request, "source")?).await?;
    Ok(HttpResponse::Ok().json(promotion))
}

pub(crate) async fn promotion_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let (id, asked) = (id_in_path(&request, "source")?, parameters(&request)?);
    let limit = PageRequest::parse(asked.limit, None)?.limit;
    let page = auth.admin.store.promotion_items(&auth.scope, id, limit, asked.cursor.as_deref()).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": page.items, "next_cursor": page.next })))
}

pub(crate) async fn promote(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let id: SourceId = id_in_path(&request, "source")?;
    // Another tenant's source is no source, whatever the body says.
    auth.admin.store.source(&auth.scope, id).await?;
    let seen: Seen = body(payload).await?;
    let tokens = auth.admin.store.promote(&auth.scope, id, &seen.digest).await?;
    switched(&auth, id, tokens).await
}

pub(crate) async fn detachment(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.store.source(&auth.scope, id).await?;
    let (people, _) = fate(&request)?;
    Ok(HttpResponse::Ok().json(auth.admin.store.detachment(&auth.scope, id, people).await?))
}

pub(crate) async fn detachment_items(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.store.source(&auth.scope, id).await?;
    let (people, page) = fate(&request)?;
    list(auth.admin.store.detachment_items(&auth.scope, id, people, &page).await?)
}

pub(crate) async fn detach(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.store.source(&auth.scope, id).await?;
    let seen: SeenDetachment = body(payload).await?;
    let tokens = auth.admin.store.detach(&auth.scope, id, seen.people, &seen.digest).await?;
    switched(&auth, id, tokens).await
}

fn fate(request: &HttpRequest) -> Result<(PeopleAfter, PageRequest), AdminError> {
    let asked = query::<WhoseFate>(request);
    let asked = asked.map_err(|e| AdminError::BadRequest(format!("{e}; people is keep or remove")))?;
    Ok((asked.people, PageRequest::parse(asked.limit, asked.cursor.as_deref())?))
}

/// Every process forgets what it believed of the tokens, and a worker looks at what is different now.
async fn switched(auth: &ApiAuth, id: SourceId, tokens: Vec<SecretDigest>) -> Answer {
    for digest in tokens {
        auth.admin.cache.refresh_credential(&digest).await;
    }
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Ok().json(auth.admin.store.source(&auth.scope, id).await?))
}
