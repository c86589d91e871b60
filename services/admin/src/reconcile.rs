//! `/api/v1/sources/{id}/users/{user_id}/reconcile`: dry run or reconcile of one person, with a trace of each step
//! (PE14).

use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::body::body;
use crate::error::AdminError;
use crate::path::{id_in_path, second_id};
use crate::view::reconcile as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::dry_run::dry_run;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_web::{Body, request_id};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = ReconcileRequest)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only report the effect.
    dry_run: bool,
}

#[utoipa::path(
    post, path = "/api/v1/sources/{id}/users/{user_id}/reconcile", tag = "sources", operation_id = "reconcile_reconcile", summary = "Plans one person on demand",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    request_body = Asked,
    responses((status = 200, body = view::DryRun), (status = 202, body = view::Requested)),
)]
pub(crate) async fn reconcile(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source: SourceId = id_in_path(&request, "source")?;
    let user: DirectoryUserId = second_id(&request, "user_id", "user")?;
    let world = auth.admin.hub.store.world_of_person(&auth.scope, source, user).await?;
    let asked: Asked = body(payload).await?;
    if !asked.dry_run {
        let touched = auth.admin.hub.store.touch_person(&auth.scope, source, user).await?;
        auth.admin.hub.after_commit(touched).await;
        let id = request_id(&request);
        return Ok(HttpResponse::Accepted().json(view::Requested { dry_run: false, request_id: id }));
    }
    let told = dry_run(&world, user).ok_or_else(|| AdminError::NotFound("user of this source not found".into()))?;
    one::<view::DryRun>(view::DryRun::of(&world, user, told))
}
