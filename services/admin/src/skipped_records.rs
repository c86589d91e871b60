//! `/api/v1/skipped-records`: skipped records, and the actions of an admin on them (PE10).

use crate::answer::{Answer, list, one};
use crate::auth::ApiAuth;
use crate::body::{body_or_default, no_body};
use crate::path::id_in_path;
use crate::query::{parameters, parsed};
use crate::view::skipped_records as view;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_store::SkippedFilter;
use rollcall_web::Body;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ignorance {
    /// The reason, for later readers.
    note: Option<String>,
}

pub(crate) async fn skipped_records(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &["dispute", "ignored"])?;
    let dispute = parsed("dispute", asked.dispute.as_deref())?;
    let ignored = parsed("ignored", asked.ignored.as_deref())?.unwrap_or(false);
    let filter = SkippedFilter { dispute, ignored };
    let page = auth.admin.hub.store.skipped_records(&auth.scope, &filter, &asked.page()?).await?;
    list::<view::SkippedRecord>(page)
}

pub(crate) async fn retry(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "record")?;
    auth.admin.hub.store.skipped_record(&auth.scope, id).await?;
    no_body(payload).await?;
    let retried = auth.admin.hub.store.retry_record(&auth.scope, id).await?;
    auth.admin.hub.after_commit(retried).await;
    Ok(HttpResponse::Accepted().json(view::Retried { status: "the record is planned again" }))
}

pub(crate) async fn ignore(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "record")?;
    auth.admin.hub.store.skipped_record(&auth.scope, id).await?;
    let asked: Ignorance = body_or_default(payload).await?;
    auth.admin.hub.store.ignore_record(&auth.scope, id, asked.note.as_deref()).await?;
    one::<view::SkippedRecord>(auth.admin.hub.store.skipped_record(&auth.scope, id).await?)
}
