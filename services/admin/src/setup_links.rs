//! `/api/v1/sources/{id}/setup-links`: links with which somebody without an account connects an identity provider to a source.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::body::body_or_default;
use crate::error::AdminError;
use crate::path::{id_in_path, second_id};
use crate::query::page_of;
use crate::view::List;
use crate::view::setup_links as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use rollcall_core::ids::SourceId;
use rollcall_store::SETUP_LINK_TIME_MAX;
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

/// Life of a link unless the request has one: a change at an identity provider may wait for its next window.
const DEFAULT_SECONDS: u32 = 7 * 86_400;
/// The log names a link by its name, so none is without.
const DEFAULT_NAME: &str = "set-up link";

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateSetupLinkRequest)]
#[serde(deny_unknown_fields, default)]
struct New {
    /// The log names it where the link's holder does something.
    name: String,
    /// A week, when it is left out; 30 days at most.
    expires_in_seconds: Option<u32>,
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/setup-links", tag = "sources", operation_id = "setup_links_setup_links", summary = "The set-up links of a source, ended ones too",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::SetupLink>)),
)]
pub(crate) async fn setup_links(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    list::<view::SetupLink>(&request, auth.admin.hub.store.setup_links(&auth.scope, source, &page_of(&request)?).await?)
}

/// Makes a link, which is shown once. Its holder sees the source's address and makes one token.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/setup-links", tag = "sources", operation_id = "setup_links_create_setup_link", summary = "Makes a link with which somebody without an account sets the source up",
    params(("id" = Uuid, Path)),
    request_body = Option<New>,
    responses((status = 201, body = view::NewSetupLink)),
)]
pub(crate) async fn create_setup_link(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let New { name, expires_in_seconds } = body_or_default(payload).await?;
    let name = Some(name).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| DEFAULT_NAME.to_owned());
    let life = TimeDelta::seconds(expires_in_seconds.unwrap_or(DEFAULT_SECONDS).into());
    if life <= TimeDelta::zero() || life > SETUP_LINK_TIME_MAX {
        let max = SETUP_LINK_TIME_MAX.num_seconds();
        return Err(AdminError::BadRequest(format!("expires_in_seconds is 1 to {max}")));
    }
    let made = auth.admin.hub.store.create_setup_link(&auth.scope, source, &name, life).await?;
    let url = view::url(&auth.admin.base(&request), &made.secret);
    Ok(HttpResponse::Created().json(view::NewSetupLink { id: made.id, name, url, expires_at: made.expires_at }))
}

/// Ends a link; the token that was made with it works on.
#[utoipa::path(
    delete, path = "/api/v1/sources/{id}/setup-links/{link_id}", tag = "sources", operation_id = "setup_links_revoke_setup_link", summary = "Ends a set-up link",
    params(("id" = Uuid, Path), ("link_id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn revoke_setup_link(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let link = second_id(&request, "link_id", "set-up link")?;
    let revoked = auth.admin.hub.store.revoke_setup_link(&auth.scope, source, link).await?;
    auth.admin.hub.after_commit(revoked).await;
    Ok(HttpResponse::NoContent().finish())
}
