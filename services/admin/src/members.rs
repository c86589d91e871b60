//! `/api/v1/members`: the roster, changes of a member by an admin, and decisions about pending people (LP5).

use crate::answer::{Answer, list, one, read};
use crate::auth::ApiAuth;
use crate::body::{body, no_body, present};
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::{ListParameters, address, parameters, parsed};
use crate::view::List;
use crate::view::closed;
use crate::view::members as view;
use actix_web::HttpRequest;
use chrono::{DateTime, Utc};
use rollcall_core::ids::MemberId;
use rollcall_core::policy::LocalAttribute;
use rollcall_core::roster::{Approval, Role};
use rollcall_store::{DECISIONS_MAX, MemberChanges, MemberFilter};
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[utoipa::path(
    get, path = "/api/v1/members", tag = "members", operation_id = "members_members", summary = "The roster",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("email" = Option<String>, Query), ("former_email" = Option<String>, Query), ("status" = Option<String>, Query), ("modified_since" = Option<String>, Query), ("q" = Option<String>, Query), ("contains" = Option<String>, Query), ("role" = Option<String>, Query), ("billing_contact" = Option<bool>, Query), ("managed_by" = Option<String>, Query), ("waiting_for" = Option<String>, Query), ("blocked" = Option<bool>, Query)),
    responses((status = 200, body = List<view::Member>)),
)]
pub(crate) async fn members(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let asked = parameters(&request, &FILTERS)?;
    let filter = filter_of(&asked)?;
    list::<view::Member>(&request, auth.admin.hub.store.members(&auth.scope, &filter, &asked.page()?).await?)
}

/// The filters of the list.
pub(crate) const FILTERS: [&str; 11] = [
    "email",
    "former_email",
    "status",
    "modified_since",
    "q",
    "contains",
    "role",
    "billing_contact",
    "managed_by",
    "waiting_for",
    "blocked",
];

pub(crate) fn filter_of(asked: &ListParameters) -> Result<MemberFilter, AdminError> {
    Ok(MemberFilter {
        email: asked.email.as_deref().map(address),
        former_email: asked.former_email.as_deref().map(address),
        status: parsed("status", asked.status.as_deref())?,
        role: parsed("role", asked.role.as_deref())?,
        billing_contact: parsed("billing_contact", asked.billing_contact.as_deref())?,
        managed_by: parsed("managed_by", asked.managed_by.as_deref())?,
        waiting_for: parsed("waiting_for", asked.waiting_for.as_deref())?,
        blocked: parsed("blocked", asked.blocked.as_deref())?,
        text: parsed("q", asked.q.as_deref())?,
        parts: parsed("contains", asked.contains.as_deref())?,
        modified_since: asked.modified_since()?,
    })
}

#[utoipa::path(
    get, path = "/api/v1/members/{id}", tag = "members", operation_id = "members_member", summary = "A member, with former addresses",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::MemberWithHistory)),
)]
pub(crate) async fn member(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "member")?;
    let member = auth.admin.hub.store.member(&auth.scope, id).await?.into();
    let former_emails =
        auth.admin.hub.store.former_emails(&auth.scope, id).await?.into_iter().map(Into::into).collect();
    read::<view::MemberWithHistory>(&request, view::MemberWithHistory { member, former_emails })
}

/// Missing keys change nothing; a null name is removed.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeMemberRequest)]
#[serde(deny_unknown_fields)]
struct MemberPatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<closed::Role>)]
    role: Option<Role>,
    #[serde(default, deserialize_with = "present")]
    billing_contact: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    given_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    family_name: Option<Option<String>>,
    /// The value that was read, so that another change in between is not overwritten.
    modified_at: Option<DateTime<Utc>>,
}

impl From<MemberPatch> for MemberChanges {
    fn from(patch: MemberPatch) -> Self {
        let local = [
            (LocalAttribute::DisplayName, patch.display_name),
            (LocalAttribute::GivenName, patch.given_name),
            (LocalAttribute::FamilyName, patch.family_name),
        ];
        Self {
            role: patch.role,
            billing_contact: patch.billing_contact,
            local: local.into_iter().filter_map(|(attribute, value)| Some((attribute, value?))).collect(),
            seen: patch.modified_at,
        }
    }
}

#[utoipa::path(
    patch, path = "/api/v1/members/{id}", tag = "members", operation_id = "members_change_member", summary = "Changes a member's role, billing contact or names",
    params(("id" = Uuid, Path)),
    request_body = MemberPatch,
    responses((status = 200, body = view::Member)),
)]
pub(crate) async fn change_member(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "member")?;
    // Another tenant's member is nobody, whatever the body says.
    auth.admin.hub.store.member(&auth.scope, id).await?;
    let patch: MemberPatch = body(payload).await?;
    if patch.role.is_some() || patch.billing_contact == Some(true) {
        auth.require_to_give_roles()?;
    }
    let changed = auth.admin.hub.store.change_member(&auth.scope, id, &patch.into()).await?;
    let member = auth.admin.hub.after_commit(changed).await;
    one::<view::Member>(member)
}

/// The product reports that an invited person accepted (DX13).
#[utoipa::path(
    post, path = "/api/v1/members/{id}/accept", tag = "members", operation_id = "members_accept_invitation", summary = "Reports that an invited person accepted",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Member)),
)]
pub(crate) async fn accept_invitation(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id = id_in_path(&request, "member")?;
    auth.admin.hub.store.member(&auth.scope, id).await?;
    no_body(payload).await?;
    let accepted = auth.admin.hub.store.accept_invitation(&auth.scope, id).await?;
    auth.admin.hub.after_commit(accepted).await;
    one::<view::Member>(auth.admin.hub.store.member(&auth.scope, id).await?)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ManyMembersRequest)]
#[serde(deny_unknown_fields)]
pub(crate) struct Members {
    #[schema(value_type = Vec<Uuid>)]
    pub(crate) member_ids: Vec<MemberId>,
}

#[utoipa::path(
    post, path = "/api/v1/members/{id}/approve", tag = "members", operation_id = "members_approve", summary = "Approves a pending person",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Member)),
)]
pub(crate) async fn approve(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    decide_one(&request, auth, payload, Approval::Approved).await
}

#[utoipa::path(
    post, path = "/api/v1/members/{id}/decline", tag = "members", operation_id = "members_decline", summary = "Declines a pending person",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Member)),
)]
pub(crate) async fn decline(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    decide_one(&request, auth, payload, Approval::Declined).await
}

#[utoipa::path(
    post, path = "/api/v1/members/approve", tag = "members", operation_id = "members_approve_many", summary = "Approves pending people",
    request_body = Members,
    responses((status = 200, body = view::Decisions)),
)]
pub(crate) async fn approve_many(auth: ApiAuth, payload: Body) -> Answer {
    decide_many(auth, payload, Approval::Approved).await
}

#[utoipa::path(
    post, path = "/api/v1/members/decline", tag = "members", operation_id = "members_decline_many", summary = "Declines pending people",
    request_body = Members,
    responses((status = 200, body = view::Decisions)),
)]
pub(crate) async fn decline_many(auth: ApiAuth, payload: Body) -> Answer {
    decide_many(auth, payload, Approval::Declined).await
}

async fn decide_one(request: &HttpRequest, auth: ApiAuth, payload: Body, approval: Approval) -> Answer {
    let id = id_in_path(request, "member")?;
    auth.admin.hub.store.member(&auth.scope, id).await?;
    no_body(payload).await?;
    let decided = auth.admin.hub.store.decide_member(&auth.scope, id, approval).await?;
    auth.admin.hub.after_commit(decided).await;
    one::<view::Member>(auth.admin.hub.store.member(&auth.scope, id).await?)
}

async fn decide_many(auth: ApiAuth, payload: Body, approval: Approval) -> Answer {
    let Members { member_ids } = body(payload).await?;
    if !(1..=DECISIONS_MAX).contains(&member_ids.len()) {
        return Err(AdminError::BadRequest(format!("member_ids has 1 to {DECISIONS_MAX} ids")));
    }
    let decided = auth.admin.hub.store.decide_members(&auth.scope, &member_ids, approval).await?;
    let results = auth.admin.hub.after_commit(decided).await;
    let decided = |(member_id, result)| view::Decided { member_id, result: view::DecisionResult::from(result) };
    one::<view::Decisions>(view::Decisions { items: member_ids.into_iter().zip(results).map(decided).collect() })
}
