//! `/api/v1/members/{id}/sign-in-link`: a link with which a member signs in once.

use crate::Admin;
use crate::answer::Answer;
use crate::auth::ApiAuth;
use crate::body::body_or_default;
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::view::sign_in_links as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use rollcall_store::{NewSignInLink, SIGN_IN_LINK_TIME_MAX};
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

/// Life of a link unless the request has one.
const DEFAULT_SECONDS: u32 = 15 * 60;

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateSignInLinkRequest)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    expires_in_seconds: Option<u32>,
}

#[utoipa::path(
    post, path = "/api/v1/members/{id}/sign-in-link", tag = "session", operation_id = "sign_in_links_create_sign_in_link", summary = "Makes a link with which a member signs in once",
    params(("id" = Uuid, Path)),
    request_body = Option<Asked>,
    responses((status = 201, body = view::NewSignInLink)),
)]
pub(crate) async fn create_sign_in_link(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let member = id_in_path(&request, "member")?;
    auth.admin.hub.store.member(&auth.scope, member).await?;
    let Asked { expires_in_seconds } = body_or_default(payload).await?;
    let life = TimeDelta::seconds(expires_in_seconds.unwrap_or(DEFAULT_SECONDS).into());
    if life <= TimeDelta::zero() || life > SIGN_IN_LINK_TIME_MAX {
        let max = SIGN_IN_LINK_TIME_MAX.num_seconds();
        return Err(AdminError::BadRequest(format!("expires_in_seconds is 1 to {max}")));
    }
    let made = auth.admin.hub.store.create_sign_in_link(&auth.scope, member, life).await?;
    let made = auth.admin.hub.after_commit(made).await;
    Ok(HttpResponse::Created().json(shown(&request, &auth.admin, made)))
}

/// The link as a person opens it.
pub(crate) fn shown(request: &HttpRequest, admin: &Admin, made: NewSignInLink) -> view::NewSignInLink {
    let NewSignInLink { secret, member, expires_at } = made;
    view::NewSignInLink { url: view::url(&admin.base(request), &secret), member_id: member, expires_at }
}
