//! `/api/v1/sessions`: who is signed in. Members see and end their own sessions; owners see and end everybody's.

use crate::answer::{Answer, snapshot};
use crate::auth::ApiAuth;
use crate::path::id_in_path;
use crate::query::only_fields;
use crate::view::List;
use crate::view::sessions as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::event::SessionEnd;
use rollcall_core::ids::{CredentialId, MemberId};
use rollcall_core::roster::Role;

#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "session", operation_id = "sessions_sessions", summary = "Sessions in force",
    responses((status = 200, body = List<view::ListedSession>)),
)]
pub(crate) async fn sessions(request: HttpRequest, auth: ApiAuth) -> Answer {
    only_fields(&request)?;
    let sessions = auth.admin.hub.store.sessions(&auth.scope, own_unless_owner(&auth)).await?;
    let own = auth.session.map(|session| session.id.0);
    let listed = sessions.into_iter().map(|session| view::ListedSession::of(session, own));
    snapshot::<view::ListedSession>(&request, listed.collect(), None)
}

#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "session", operation_id = "sessions_end_session", summary = "Ends a session",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn end_session(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: CredentialId = id_in_path(&request, "session")?;
    let why = if auth.session.is_some_and(|own| own.id == id) { SessionEnd::SignedOut } else { SessionEnd::Revoked };
    let ended = auth.admin.hub.store.end_session(&auth.scope, id, own_unless_owner(&auth), why).await?;
    auth.admin.hub.session_ended(id, ended).await;
    Ok(HttpResponse::NoContent().finish())
}

/// The member whose sessions the caller may see; `None` for everybody's. A key that is no owner's sees none.
fn own_unless_owner(auth: &ApiAuth) -> Option<MemberId> {
    match auth.scope.role() {
        Role::Owner => None,
        Role::Admin | Role::Auditor | Role::Member => Some(auth.scope.member().unwrap_or(MemberId(uuid::Uuid::nil()))),
    }
}
