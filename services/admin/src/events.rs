//! `/api/v1/events` and `/api/v1/operator-events`: outgoing events in commit order, for products that ask for them.

use crate::answer::{Answer, one};
use crate::auth::{ApiAuth, OperatorAuth};
use crate::error::AdminError;
use crate::query::query;
use crate::view::events as view;
use actix_web::HttpRequest;
use rollcall_hub::ListenerKey;
use rollcall_store::{PageRequest, Sequence};
use rollcall_web::Refusal;
use serde::Deserialize;
use std::time::Duration;

/// Longest wait, in seconds; proxies end requests that are silent for a minute.
const WAIT_MAX: u64 = 30;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    after: Option<String>,
    limit: Option<u64>,
    #[serde(default)]
    wait: u64,
}

struct Place {
    after: Option<Sequence>,
    limit: u64,
    wait: Duration,
}

fn place(request: &HttpRequest) -> Result<Place, AdminError> {
    let Asked { after, limit, wait } = query(request)?;
    if wait > WAIT_MAX {
        return Err(AdminError::BadRequest(format!("wait is 0 to {WAIT_MAX} seconds")));
    }
    let after = after.as_deref().map(str::parse).transpose()?;
    Ok(Place { after, limit: PageRequest::limit_of(limit)?, wait: Duration::from_secs(wait) })
}

fn ended() -> AdminError {
    Refusal::Unauthorized("the credential ended while the call waited").into()
}

#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "events_events", summary = "Events about members and groups, after a sequence",
    params(("after" = Option<String>, Query), ("limit" = Option<u64>, Query), ("wait" = Option<u64>, Query)),
    responses((status = 200, body = view::EventPage)),
)]
pub(crate) async fn events(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let Place { after, limit, wait } = place(&request)?;
    if auth.operator.is_some() && !wait.is_zero() {
        return Err(AdminError::Forbidden("waiting takes a key: an operator who signed in asks without `wait`"));
    }
    let key = auth.operator_key.map_or(ListenerKey::Credential(auth.credential), ListenerKey::Operator);
    let read = auth.admin.hub.read_events(auth.scope, key, after, limit, wait).await?;
    one::<view::EventPage>(read.ok_or_else(ended)?)
}

#[utoipa::path(
    get, path = "/api/v1/operator-events", tag = "events", operation_id = "events_events_of_all", summary = "Events of all organisations, after a sequence",
    params(("after" = Option<String>, Query), ("limit" = Option<u64>, Query), ("wait" = Option<u64>, Query)),
    responses((status = 200, body = view::EventPage)),
)]
pub(crate) async fn events_of_all(request: HttpRequest, auth: OperatorAuth) -> Answer {
    let Place { after, limit, wait } = place(&request)?;
    if auth.session.is_some() && !wait.is_zero() {
        return Err(AdminError::Forbidden("waiting takes a key: an operator who signed in asks without `wait`"));
    }
    let read = auth.admin.hub.read_events_of_all(&auth.operator, after, limit, wait).await?;
    one::<view::EventPage>(read.ok_or_else(ended)?)
}
