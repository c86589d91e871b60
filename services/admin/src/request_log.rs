//! `/api/v1/request-log`: requests of identity providers and their answers (PE15).

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::query::{parameters, parsed};
use crate::view::List;
use crate::view::request_log as view;
use actix_web::HttpRequest;
use rollcall_store::RequestFilter;

#[utoipa::path(
    get, path = "/api/v1/request-log", tag = "audit", operation_id = "request_log_request_log", summary = "SCIM requests and their answers",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("source_id" = Option<String>, Query), ("subject_id" = Option<String>, Query), ("member_id" = Option<String>, Query)),
    responses((status = 200, body = List<view::LoggedRequest>)),
)]
pub(crate) async fn request_log(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &["source_id", "subject_id", "member_id"])?;
    let filter = RequestFilter {
        source: parsed("source_id", asked.source_id.as_deref())?,
        subject: parsed("subject_id", asked.subject_id.as_deref())?,
        member: parsed("member_id", asked.member_id.as_deref())?,
    };
    let page = auth.admin.hub.store.logged_requests(&auth.scope, &filter, &asked.page()?).await?;
    list::<view::LoggedRequest>(&request, page)
}
