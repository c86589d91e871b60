//! `/api/v1/request-log`: requests of identity providers and their answers (PE15).

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::query::{parameters, parsed};
use crate::view::request_log as view;
use actix_web::HttpRequest;
use rollcall_store::RequestFilter;

pub(crate) async fn request_log(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &["source_id", "subject_id", "member_id"])?;
    let filter = RequestFilter {
        source: parsed("source_id", asked.source_id.as_deref())?,
        subject: parsed("subject_id", asked.subject_id.as_deref())?,
        member: parsed("member_id", asked.member_id.as_deref())?,
    };
    let page = auth.admin.hub.store.logged_requests(&auth.scope, &filter, &asked.page()?).await?;
    list::<view::LoggedRequest>(page)
}
