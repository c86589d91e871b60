//! `/api/v1/members/…/approve` and `decline`: an admin's word about people who wait to be let in (LP5), one or many.

use crate::auth::AdminAuth;
use crate::body::{body, no_body};
use crate::error::AdminError;
use crate::resources::{Answer, id_in_path};
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::ids::MemberId;
use rollcall_core::roster::Approval;
use rollcall_store::DECISIONS_MAX;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    member_ids: Vec<MemberId>,
}

pub(crate) async fn approve(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    decide_one(&request, auth, payload, Approval::Approved).await
}

pub(crate) async fn decline(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    decide_one(&request, auth, payload, Approval::Declined).await
}

pub(crate) async fn approve_many(auth: AdminAuth, payload: web::Payload) -> Answer {
    decide_many(auth, payload, Approval::Approved).await
}

pub(crate) async fn decline_many(auth: AdminAuth, payload: web::Payload) -> Answer {
    decide_many(auth, payload, Approval::Declined).await
}

async fn decide_one(request: &HttpRequest, auth: AdminAuth, payload: web::Payload, approval: Approval) -> Answer {
    let AdminAuth(auth) = auth;
    let id = id_in_path(request, "member")?;
    auth.admin.store.member(&auth.scope, id).await?;
    no_body(payload).await?;
    auth.admin.store.decide_member(&auth.scope, id, approval).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Ok().json(auth.admin.store.member(&auth.scope, id).await?))
}

async fn decide_many(auth: AdminAuth, payload: web::Payload, approval: Approval) -> Answer {
    let AdminAuth(auth) = auth;
    let Members { member_ids } = body(payload).await?;
    if !(1..=DECISIONS_MAX).contains(&member_ids.len()) {
        return Err(AdminError::BadRequest(format!("member_ids has 1 to {DECISIONS_MAX} ids")));
    }
    let results = auth.admin.store.decide_members(&auth.scope, &member_ids, approval).await?;
    auth.admin.wake(&auth.scope);
    let shown = member_ids.iter().zip(results).map(|(id, result)| json!({ "member_id": id, "result": result }));
    Ok(HttpResponse::Ok().json(json!({ "items": shown.collect::<Vec<Value>>() })))
}
