//! `/api/v1/operators`: the people of a hosted service, for each other; and the session of one.

use crate::answer::{Answer, one, snapshot};
use crate::auth::OperatorAuth;
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::only_fields;
use crate::view::List;
use crate::view::operators as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::OperatorId;
use rollcall_web::ended_operator_session_cookie;

#[utoipa::path(
    get, path = "/api/v1/operators", tag = "tenants", operation_id = "operators_operators", summary = "Operators who signed in once",
    responses((status = 200, body = List<view::Operator>)),
)]
pub(crate) async fn operators(request: HttpRequest, auth: OperatorAuth) -> Answer {
    only_fields(&request)?;
    snapshot::<view::Operator>(&request, auth.admin.hub.store.operators().await?, None)
}

/// Ends an operator's access at once. Only the command line gives it back.
#[utoipa::path(
    delete, path = "/api/v1/operators/{id}", tag = "tenants", operation_id = "operators_revoke", summary = "Ends an operator's access",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn revoke(request: HttpRequest, auth: OperatorAuth) -> Answer {
    let id: OperatorId = id_in_path(&request, "operator")?;
    auth.require_fresh()?;
    auth.admin.hub.store.revoke_operator(id).await?;
    tracing::info!(operator = %id, by = %auth.operator.id(), "an operator was revoked");
    Ok(HttpResponse::NoContent().finish())
}

#[utoipa::path(
    get, path = "/api/v1/operator-session", tag = "tenants", operation_id = "operators_session", summary = "The operator who signed in",
    responses((status = 200, body = view::OperatorSession)),
)]
pub(crate) async fn session(auth: OperatorAuth) -> Answer {
    let session = auth.session.ok_or_else(no_session)?;
    one::<view::OperatorSession>(session)
}

#[utoipa::path(
    delete, path = "/api/v1/operator-session", tag = "tenants", operation_id = "operators_sign_out", summary = "Signs the operator out",
    responses((status = 204)),
)]
pub(crate) async fn sign_out(auth: OperatorAuth) -> Answer {
    let session = auth.session.ok_or_else(no_session)?;
    auth.admin.hub.store.end_operator_session(session.credential()).await?;
    Ok(HttpResponse::NoContent().cookie(ended_operator_session_cookie()).finish())
}

fn no_session() -> AdminError {
    AdminError::BadRequest("a key has no session: `rollcall operator-key revoke` ends it".into())
}
