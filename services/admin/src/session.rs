//! `/api/v1/session`: the caller's own session. A link or a recovery code becomes a session once.

use crate::Admin;
use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::body::{body, no_body};
use crate::error::AdminError;
use crate::view::session as view;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::event::SessionEnd;
use rollcall_hub::CallerError;
use rollcall_store::{SESSION_TIME, SignInClient, StartedSession};
use rollcall_web::{
    Body, Refusal, ended_session_cookie, is_from_own_page, known_caller, peer, request_id, session_cookie,
};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = SignInRequest)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// The secret of a sign-in link, or a recovery code.
    link: String,
}

/// The caller, and the caller's role and permissions.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "session", operation_id = "session_session", summary = "The caller: tenant, role, permissions, and the person",
    responses((status = 200, body = view::CurrentSession)),
)]
pub(crate) async fn session(auth: ApiAuth) -> Answer {
    let tenant = auth.admin.hub.store.tenant_names(&auth.scope).await?;
    let store = &auth.admin.hub.store;
    let (member, recovery_codes_left) = match auth.scope.member() {
        Some(member) => {
            let codes = store.recovery_codes_left(&auth.scope, member).await?;
            (Some(store.member(&auth.scope, member).await?.into()), Some(codes))
        }
        None => (None, None),
    };
    one::<view::CurrentSession>(view::CurrentSession {
        tenant: tenant.into(),
        role: auth.scope.role(),
        permissions: auth.scope.permissions(),
        member,
        session: auth.session.map(Into::into),
        recovery_codes_left,
    })
}

#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", operation_id = "session_sign_in", summary = "Signs a member in by a link or a recovery code",
    request_body = SignIn,
    responses((status = 201, body = view::Session)),
)]
pub(crate) async fn sign_in(request: HttpRequest, admin: web::Data<Admin>, payload: Body) -> Answer {
    let SignIn { link } = body(payload).await?;
    let started = signed_in(&request, &admin, &link).await?;
    let cookie = session_cookie(started.secret, SESSION_TIME.num_seconds());
    Ok(HttpResponse::Created().cookie(cookie).json(view::Session::from(started.session)))
}

/// Signs a member in by a link. A page of another site cannot do that: it would sign a visitor in as somebody else.
pub(crate) async fn signed_in(request: &HttpRequest, admin: &Admin, link: &str) -> Result<StartedSession, AdminError> {
    if is_from_other_site(request, admin) {
        return Err(AdminError::Forbidden("only a page of this hub signs in"));
    }
    // The whole address of a link is what people copy.
    let link = link.trim();
    let link = link.split_once("link=").map_or(link, |(_, secret)| secret);
    let (address, client) = (peer(request), client_of(request));
    let started = admin.hub.sign_in(link, &client, &address, &admin.limits).await.map_err(link_refused)?;
    known_caller(request, started.session.tenant, started.session.id);
    Ok(started)
}

/// True if the browser says that a page of another site sent the request.
pub(crate) fn is_from_other_site(request: &HttpRequest, admin: &Admin) -> bool {
    is_from_own_page(request, admin.public_url.as_deref()) == Some(false)
}

pub(crate) fn client_of(request: &HttpRequest) -> SignInClient {
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.unwrap_or_default().to_owned();
    SignInClient { address: peer(request).to_string(), agent, request: request_id(request) }
}

/// The answer to a link that signs nobody in; why it does not is nobody's business.
pub(crate) fn link_refused(error: CallerError) -> AdminError {
    match error {
        CallerError::Unknown => Refusal::Unauthorized(
            "the link or code is unknown, was used, or has ended; ask an owner for a new link, or the operator (`rollcall sign-in-link`)",
        )
        .into(),
        error => error.into(),
    }
}

#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session", operation_id = "session_sign_out", summary = "Signs the caller out",
    responses((status = 204)),
)]
pub(crate) async fn sign_out(auth: ApiAuth) -> Answer {
    let Some(session) = auth.session else {
        return Err(AdminError::BadRequest("a key has no session; revoke it at /api/v1/api-keys".into()));
    };
    let ended = auth.admin.hub.store.end_session(&auth.scope, session.id, None, SessionEnd::SignedOut).await?;
    auth.admin.hub.session_ended(session.id, ended).await;
    Ok(HttpResponse::NoContent().cookie(ended_session_cookie()).finish())
}

/// Makes the owner's recovery codes, in the place of the earlier ones.
#[utoipa::path(
    post, path = "/api/v1/session/recovery-codes", tag = "session", operation_id = "session_recovery_codes", summary = "Makes an owner's recovery codes",
    responses((status = 201, body = view::RecoveryCodes)),
)]
pub(crate) async fn recovery_codes(auth: ApiAuth, payload: Body) -> Answer {
    no_body(payload).await?;
    let Some(owner) = auth.scope.member() else {
        return Err(AdminError::BadRequest("recovery codes belong to a person: sign in as an owner".into()));
    };
    let made = auth.admin.hub.store.create_recovery_codes(&auth.scope, owner).await?;
    let codes = auth.admin.hub.after_commit(made).await;
    Ok(HttpResponse::Created().json(view::RecoveryCodes { codes }))
}
