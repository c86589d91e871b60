//! `/api/v1/…/explain`: explanation of a person's access (PE14), from the store's facts by the gates of `core`.

use crate::answer::{Answer, one, whole};
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::path::{id_in_path, second_id};
use crate::query::{address, query};
use crate::view::List;
use crate::view::explain as view;
use actix_web::HttpRequest;
use rollcall_core::explain::{Explanation, explain};
use rollcall_store::Known;
use serde::Deserialize;

/// Longest address or external id in a query, in characters.
const KNOWN_CHARACTERS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Somebody {
    email: Option<String>,
    external_id: Option<String>,
}

#[utoipa::path(
    get, path = "/api/v1/members/{id}/explain", tag = "members", operation_id = "explain_member", summary = "Why a member has access, or has none",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Explanation)),
)]
pub(crate) async fn member(request: HttpRequest, auth: ApiAuth) -> Answer {
    let facts = auth.admin.hub.store.facts_of_member(&auth.scope, id_in_path(&request, "member")?).await?;
    one::<Explanation>(explain(&facts))
}

/// A directory record, with or without a member.
#[utoipa::path(
    get, path = "/api/v1/sources/{id}/users/{user_id}/explain", tag = "sources", operation_id = "explain_record", summary = "Why the person of a record has access, or has none",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 200, body = view::Explanation)),
)]
pub(crate) async fn record(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let user = second_id(&request, "user_id", "user")?;
    let facts = auth.admin.hub.store.facts_of_record(&auth.scope, source, user).await?;
    one::<Explanation>(explain(&facts))
}

/// Everybody who matches an address or an external id; an unknown person is explained as well.
#[utoipa::path(
    get, path = "/api/v1/explain", tag = "members", operation_id = "explain_somebody", summary = "Everybody whom an address or external id may mean, explained",
    params(("email" = Option<String>, Query), ("external_id" = Option<String>, Query)),
    responses((status = 200, body = List<view::Explanation>)),
)]
pub(crate) async fn somebody(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked: Somebody = query(&request)?;
    let email = asked.email.as_deref().map(address);
    let known = match (&email, &asked.external_id) {
        (Some(email), None) => Known::Email(email),
        (None, Some(id)) => Known::ExternalId(id),
        _ => return Err(AdminError::BadRequest("name the person by either email or external_id".into())),
    };
    let (Known::Email(text) | Known::ExternalId(text)) = known;
    if text.trim().is_empty() || text.chars().count() > KNOWN_CHARACTERS_MAX {
        let takes = format!("email and external_id are 1 to {KNOWN_CHARACTERS_MAX} characters");
        return Err(AdminError::BadRequest(takes));
    }
    let facts = auth.admin.hub.store.facts_of_known(&auth.scope, known).await?;
    whole::<Explanation>(facts.iter().map(explain).collect())
}
