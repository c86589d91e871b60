//! `/api/v1/members`: people whom an admin invites by hand, invitations that go out again, and members made by hand who are taken out
//! (DW1, DW2).

use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::body::{body, body_or_default, large_body};
use crate::error::AdminError;
use crate::member_blocks::decide_many;
use crate::path::id_in_path;
use crate::view::invitations::{AllInvitedAgain, InvitationDecided, InvitationsDecided, InvitedAgain};
use crate::view::member_blocks::BlocksDecided;
use crate::view::{closed, members as view};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::MemberId;
use rollcall_core::invitation::{Invitation, InvitationRefusal};
use rollcall_core::roster::{Profile, Role};
use rollcall_store::{INVITATIONS_MAX, RepeatResult, Shut, StoreError};
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

/// A person to invite.
#[derive(Deserialize, ToSchema)]
#[schema(as = InviteMemberRequest, example = json!({"email": "ann@acme.example", "role": "member", "display_name": "Ann Lee"}))]
#[serde(deny_unknown_fields)]
struct Person {
    email: String,
    /// `member` when it is left out.
    #[serde(default = "member")]
    #[schema(value_type = Option<closed::Role>)]
    role: Role,
    #[serde(default)]
    billing_contact: bool,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    /// Words to the person, at most 500 characters.
    message: Option<String>,
}

fn member() -> Role {
    Role::Member
}

impl Person {
    /// True if the person would be able to do more than use the product.
    fn gets_authority(&self) -> bool {
        self.role.signs_in_as(self.billing_contact).is_some()
    }
}

impl From<Person> for Invitation {
    fn from(person: Person) -> Self {
        let Person { email, role, billing_contact, display_name, given_name, family_name, message } = person;
        let email = email.trim().to_owned();
        Self {
            profile: Profile { email, display_name, given_name, family_name, external_id: None },
            role,
            billing_contact,
            message,
        }
    }
}

#[utoipa::path(
    post, path = "/api/v1/members", tag = "members", operation_id = "invitations_invite", summary = "Invites a person by hand",
    request_body = Person,
    responses((status = 201, body = view::Member)),
)]
pub(crate) async fn invite(auth: ApiAuth, payload: Body) -> Answer {
    let person: Person = body(payload).await?;
    if person.gets_authority() {
        auth.require_to_give_roles()?;
    }
    let invited = auth.admin.hub.store.invite_one(&auth.scope, person.into()).await?;
    let id = auth.admin.hub.after_commit(invited).await;
    let member = auth.admin.hub.store.member(&auth.scope, id).await?;
    Ok(HttpResponse::Created().json(view::Member::from(member)))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = InviteMembersRequest)]
#[serde(deny_unknown_fields)]
struct People {
    /// 1 to 1,000 people.
    members: Vec<Person>,
}

#[utoipa::path(
    post, path = "/api/v1/members/invite", tag = "members", operation_id = "invitations_invite_many", summary = "Invites people by hand",
    request_body = People,
    responses((status = 200, body = InvitationsDecided)),
)]
pub(crate) async fn invite_many(auth: ApiAuth, payload: Body) -> Answer {
    let People { members } = large_body(payload).await?;
    if !(1..=INVITATIONS_MAX).contains(&members.len()) {
        return Err(AdminError::BadRequest(format!("members has 1 to {INVITATIONS_MAX} people")));
    }
    if members.iter().any(Person::gets_authority) {
        auth.require_to_give_roles()?;
    }
    let emails: Vec<String> = members.iter().map(|person| person.email.clone()).collect();
    let people: Vec<Invitation> = members.into_iter().map(Into::into).collect();
    let decided = auth.admin.hub.store.invite(&auth.scope, &people).await?;
    let results = auth.admin.hub.after_commit(decided).await;
    let items = emails.into_iter().zip(results).map(|(email, result)| InvitationDecided::of(email, result)).collect();
    one::<InvitationsDecided>(InvitationsDecided { items })
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = InviteAgainRequest)]
#[serde(deny_unknown_fields, default)]
struct Message {
    /// Words to the person, at most 500 characters.
    message: Option<String>,
}

#[utoipa::path(
    post, path = "/api/v1/members/{id}/invite-again", tag = "members", operation_id = "invitations_invite_again", summary = "Sends an open invitation once more",
    params(("id" = Uuid, Path)),
    request_body = Option<Message>,
    responses((status = 200, body = InvitedAgain)),
)]
pub(crate) async fn invite_again(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: MemberId = id_in_path(&request, "member")?;
    auth.admin.hub.store.member(&auth.scope, id).await?;
    let Message { message } = body_or_default(payload).await?;
    let results = auth.admin.hub.store.invite_again(&auth.scope, &[id], message.as_deref()).await?;
    let result = results.into_iter().next().unwrap_or(RepeatResult::NotFound);
    match result {
        RepeatResult::Done(_) => one::<InvitedAgain>(InvitedAgain::of(id, result)),
        RepeatResult::NotInvited => Err(StoreError::Conflict("the member has no open invitation".into()).into()),
        RepeatResult::TooMany => Err(StoreError::Conflict(InvitationRefusal::TooMany.sentence().into()).into()),
        RepeatResult::NotFound => Err(StoreError::NotFound("member").into()),
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = InviteManyAgainRequest)]
#[serde(deny_unknown_fields)]
struct ManyAgain {
    /// 1 to 1,000 ids.
    #[schema(value_type = Vec<Uuid>)]
    member_ids: Vec<MemberId>,
    /// Words to the people, at most 500 characters.
    message: Option<String>,
}

#[utoipa::path(
    post, path = "/api/v1/members/invite-again", tag = "members", operation_id = "invitations_invite_many_again", summary = "Sends open invitations once more",
    request_body = ManyAgain,
    responses((status = 200, body = AllInvitedAgain)),
)]
pub(crate) async fn invite_many_again(auth: ApiAuth, payload: Body) -> Answer {
    let ManyAgain { member_ids, message } = body(payload).await?;
    if !(1..=INVITATIONS_MAX).contains(&member_ids.len()) {
        return Err(AdminError::BadRequest(format!("member_ids has 1 to {INVITATIONS_MAX} ids")));
    }
    let results = auth.admin.hub.store.invite_again(&auth.scope, &member_ids, message.as_deref()).await?;
    let items = member_ids.into_iter().zip(results).map(|(id, result)| InvitedAgain::of(id, result)).collect();
    one::<AllInvitedAgain>(AllInvitedAgain { items })
}

/// Withdraws an open invitation, ends a wait, or takes a member out who was made by hand.
#[utoipa::path(
    delete, path = "/api/v1/members/{id}", tag = "members", operation_id = "invitations_remove", summary = "Takes out a member who was made by hand",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn remove(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "member")?;
    let removed = auth.admin.hub.store.block_member(&auth.scope, id, Shut::Remove).await?;
    auth.admin.hub.after_commit(removed).await;
    Ok(HttpResponse::NoContent().finish())
}

#[utoipa::path(
    post, path = "/api/v1/members/remove", tag = "members", operation_id = "invitations_remove_many", summary = "Takes out members who were made by hand",
    request_body = crate::members::Members,
    responses((status = 200, body = BlocksDecided)),
)]
pub(crate) async fn remove_many(auth: ApiAuth, payload: Body) -> Answer {
    decide_many(auth, payload, Shut::Remove).await
}
