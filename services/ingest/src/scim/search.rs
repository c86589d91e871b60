//! `GET` of the base address and `POST /.search` (RFC 7644 §3.4.2.1, §3.4.3): users and groups in one list, users first. No
//! other order is served, so `sortBy` is refused here.

use super::write::read_search;
use super::{Listed, groups, list_answer, users};
use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_scim::list::Paging;
use rollcall_scim::{ListQuery, Quirks, ResourceKind, ScimError, query};
use rollcall_web::Body;
use serde_json::Value;
use uuid::Uuid;

/// Prefixes of this list's cursors, which name the kind of their position.
const IN_USERS: &str = "u.";
const IN_GROUPS: &str = "g.";

pub(crate) async fn search(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = read_search(&auth, body).await?;
    answer(&request, &auth, &Question::Body(body)).await
}

pub(crate) async fn list(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let pairs = query::parse_query(request.query_string(), &mut auth.quirks())?;
    answer(&request, &auth, &Question::Pairs(pairs)).await
}

/// An unparsed query.
enum Question {
    Body(Value),
    Pairs(Vec<(String, String)>),
}

async fn answer(request: &HttpRequest, auth: &SourceAuth, question: &Question) -> Result<HttpResponse, IngestError> {
    let of_users = asked(auth, ResourceKind::User, question)?;
    if auth.scope.users_only() {
        let page = users_page(request, auth, &of_users).await?;
        return Ok(list_answer(&of_users, page));
    }
    let of_groups = asked(auth, ResourceKind::Group, question)?;
    both(request, auth, of_users, of_groups).await
}

fn asked(auth: &SourceAuth, kind: ResourceKind, question: &Question) -> Result<ListQuery, IngestError> {
    let (mut quirks, pages) = (Quirks::new(), auth.ingest.config.pages);
    let query = match question {
        Question::Body(body) => ListQuery::of_all_from_search(kind, body, pages, &mut quirks),
        Question::Pairs(pairs) => ListQuery::of_all_from_pairs(kind, pairs, pages, &mut quirks),
    };
    // One request is parsed for both kinds, and its quirks count once.
    if kind == ResourceKind::User {
        auth.quirks().merge(&quirks);
    }
    let query = query?;
    if query.sort.is_some() {
        let detail = "sortBy is not served over users and groups together; search /Users or /Groups";
        return Err(ScimError::invalid_value(detail).into());
    }
    Ok(query)
}

/// The page of a query for one kind; a cursor of the other kind is not of this list.
async fn users_page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<Listed, IngestError> {
    let query = ListQuery { paging: within(&query.paging, IN_USERS)?, ..query.clone() };
    let page = users::listed(request, auth, &query).await?;
    Ok(Listed { next: page.next.map(|next| format!("{IN_USERS}{next}")), ..page })
}

async fn groups_page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<Listed, IngestError> {
    let query = ListQuery { paging: within(&query.paging, IN_GROUPS)?, ..query.clone() };
    let page = groups::listed(request, auth, &query).await?;
    Ok(Listed { next: page.next.map(|next| format!("{IN_GROUPS}{next}")), ..page })
}

fn within(paging: &Paging, kind: &str) -> Result<Paging, IngestError> {
    let wrong = || ScimError::invalid_cursor("this is not a cursor of this list; start again without one");
    Ok(match paging {
        Paging::Cursor(Some(cursor)) => {
            let place = cursor.strip_prefix(kind).ok_or_else(wrong)?;
            if !place.is_empty() && place.parse::<Uuid>().is_err() {
                return Err(wrong().into());
            }
            Paging::Cursor(Some(place.to_owned()).filter(|place| !place.is_empty()))
        }
        other => other.clone(),
    })
}

async fn both(
    request: &HttpRequest,
    auth: &SourceAuth,
    of_users: ListQuery,
    mut of_groups: ListQuery,
) -> Result<HttpResponse, IngestError> {
    let start = match &of_users.paging {
        Paging::Index(start) => *start,
        Paging::Cursor(Some(cursor)) if cursor.starts_with(IN_GROUPS) => {
            return Ok(list_answer(&of_groups, groups_page(request, auth, &of_groups).await?));
        }
        Paging::Cursor(_) => {
            let mut page = users_page(request, auth, &of_users).await?;
            // The first page of groups follows the last one of users, even when there are no groups.
            page.next = page.next.or_else(|| Some(IN_GROUPS.to_owned()));
            return Ok(list_answer(&of_users, page));
        }
    };
    let mut page = users_page(request, auth, &of_users).await?;
    let users = page.total.unwrap_or(0);
    // Groups continue the index of the users; when the page is full, only their number is read.
    of_groups.paging = Paging::Index(start.saturating_sub(users).max(1));
    let shown = page.resources.len();
    // A page that ends for its size, before the last user, is followed by users.
    let is_last_of_users = start.saturating_sub(1).saturating_add(shown as u64) >= users;
    of_groups.count = if is_last_of_users { of_groups.count.saturating_sub(shown) } else { 0 };
    let groups = groups_page(request, auth, &of_groups).await?;
    page.resources.extend(groups.resources);
    page.total = Some(users + groups.total.unwrap_or(0));
    Ok(list_answer(&of_users, page))
}
