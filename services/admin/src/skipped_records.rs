//! `/api/v1/skipped-records`: skipped records, and the actions of an admin on them (PE10).

use crate::answer::{Answer, list, one};
use crate::auth::ApiAuth;
use crate::body::{body_or_default, no_body};
use crate::path::id_in_path;
use crate::query::{parameters, parsed};
use crate::view::List;
use crate::view::skipped_records as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_store::SkippedFilter;
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = IgnoreRequest)]
#[serde(deny_unknown_fields, default)]
struct Ignorance {
    /// The reason, for later readers.
    note: Option<String>,
}

#[utoipa::path(
    get, path = "/api/v1/skipped-records", tag = "runs", operation_id = "skipped_records_skipped_records", summary = "Records that cannot be applied",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("dispute" = Option<String>, Query), ("ignored" = Option<bool>, Query)),
    responses((status = 200, body = List<view::SkippedRecord>)),
)]
pub(crate) async fn skipped_records(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &["dispute", "ignored"])?;
    let dispute = parsed("dispute", asked.dispute.as_deref())?;
    let ignored = parsed("ignored", asked.ignored.as_deref())?.unwrap_or(false);
    let filter = SkippedFilter { dispute, ignored };
    let page = auth.admin.hub.store.skipped_records(&auth.scope, &filter, &asked.page()?).await?;
    list::<view::SkippedRecord>(&request, page)
}

#[utoipa::path(
    post, path = "/api/v1/skipped-records/{id}/retry", tag = "runs", operation_id = "skipped_records_retry", summary = "Plans a skipped record again",
    params(("id" = Uuid, Path)),
    responses((status = 202, body = view::Retried)),
)]
pub(crate) async fn retry(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "record")?;
    auth.admin.hub.store.skipped_record(&auth.scope, id).await?;
    no_body(payload).await?;
    let retried = auth.admin.hub.store.retry_record(&auth.scope, id).await?;
    auth.admin.hub.after_commit(retried).await;
    Ok(HttpResponse::Accepted().json(view::Retried { status: "the record is planned again" }))
}

#[utoipa::path(
    post, path = "/api/v1/skipped-records/{id}/ignore", tag = "runs", operation_id = "skipped_records_ignore", summary = "Takes a skipped record off the list",
    params(("id" = Uuid, Path)),
    request_body = Option<Ignorance>,
    responses((status = 200, body = view::SkippedRecord)),
)]
pub(crate) async fn ignore(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "record")?;
    auth.admin.hub.store.skipped_record(&auth.scope, id).await?;
    let asked: Ignorance = body_or_default(payload).await?;
    auth.admin.hub.store.ignore_record(&auth.scope, id, asked.note.as_deref()).await?;
    one::<view::SkippedRecord>(auth.admin.hub.store.skipped_record(&auth.scope, id).await?)
}
