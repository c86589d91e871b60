//! `/api/v1/request-log`: requests of identity providers and their answers (PE15).

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::query::{parameters, parsed};
use actix_web::HttpRequest;
use rollcall_store::{LoggedRequest, Page, RequestFilter};
use serde_json::{Value, json};

pub(crate) async fn request_log(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request)?;
    let filter = RequestFilter {
        source: parsed("source_id", asked.source_id.as_deref())?,
        subject: parsed("subject_id", asked.subject_id.as_deref())?,
        member: parsed("member_id", asked.member_id.as_deref())?,
    };
    let page = auth.admin.hub.store.logged_requests(&auth.scope, &filter, &asked.page()?).await?;
    list(Page { items: page.items.iter().map(logged_request).collect(), next: page.next })
}

fn logged_request(line: &LoggedRequest) -> Value {
    json!({
        "id": line.id,
        "at": line.at,
        "source_id": line.source_id,
        "subject_id": line.subject_id,
        "request_id": line.request_id,
        "method": line.method,
        "path": line.path,
        "answer": { "status": line.status, "scim_type": line.scim_type },
    })
}
