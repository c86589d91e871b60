//! `/api/v1/changes`: a stream of server-sent events that tells which lists changed. It tells of no row: who hears of a change reads the
//! list, by the rules of the list.

use crate::answer::Answer;
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::query::query;
use crate::routes::endpoints;
use crate::view::changes as view;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use rollcall_core::event::ChangedList;
use rollcall_hub::{Listener, ListenerKey, News};
use rollcall_store::{AdminScope, Cursor};
use rollcall_web::Demand;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

/// Longest silence. Proxies end connections that are silent for a minute, and a write finds out that the client is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// The time after which a client comes back, in milliseconds.
const RETRY: u32 = 2_000;
const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    lists: Option<String>,
}

#[utoipa::path(
    get, path = "/api/v1/changes", tag = "audit", operation_id = "changes_changes", summary = "Server-sent events: which lists change",
    params(("lists" = Option<String>, Query), ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event, as browsers send it: changes since then are told first")),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "Events `open` (the lists that are watched) and `changed`, each with `Changed` as its data, and at last `end` with `{\"reason\"}`; lines with a colon first are no events")),
)]
pub(crate) async fn changes(request: HttpRequest, auth: ApiAuth) -> Answer {
    let Asked { lists } = query(&request)?;
    let wanted = wanted(&auth.scope, lists.as_deref())?;
    let since = request.headers().get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default().parse::<Cursor>());
    // An id that no stream gave: whoever holds it knows nothing, so that everything counts as changed.
    let (since, is_unknown) = match since {
        Some(Ok(since)) => (Some(since), false),
        Some(Err(_)) => (None, true),
        None => (None, false),
    };
    let hub = &auth.admin.hub;
    if auth.operator.is_some() {
        return Err(AdminError::Forbidden("a stream takes a key: an operator who signed in reads the lists instead"));
    }
    let key = auth.operator_key.map_or(ListenerKey::Credential(auth.credential), ListenerKey::Operator);
    let listener = hub.listen(auth.scope, key, wanted.clone(), since).await?;
    let mut first = format!("retry: {RETRY}\n\n");
    first += &event("open", Some(listener.begins), &view::Changed::of(&wanted));
    if is_unknown {
        first += &event("changed", Some(listener.begins), &view::Changed::of(&wanted));
    }
    let begun = Telling { listener, first: Some(first), over: false };
    let told = stream::unfold(begun, |mut telling| async move {
        let text = telling.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), telling))
    });
    let mut answer = HttpResponse::Ok();
    // A proxy that collects an answer would hold events back.
    answer.insert_header((header::CONTENT_TYPE, "text/event-stream")).insert_header(("X-Accel-Buffering", "no"));
    Ok(answer.streaming(Box::pin(told)))
}

/// A stream on its way.
struct Telling {
    listener: Listener,
    first: Option<String>,
    over: bool,
}

impl Telling {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.over {
            return None;
        }
        Some(match self.listener.next(SILENCE).await {
            News::Changed(lists, at) => event("changed", Some(at), &view::Changed::of(&lists)),
            News::Nothing => ": nothing changed\n\n".to_owned(),
            News::Ended(why) => {
                self.over = true;
                event("end", None, &view::End { reason: why.as_str() })
            }
        })
    }
}

fn event(name: &str, id: Option<Cursor>, data: &impl Serialize) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}

/// The lists that the caller asks for, or all that it may read.
fn wanted(scope: &AdminScope, asked: Option<&str>) -> Result<BTreeSet<ChangedList>, AdminError> {
    let allowed: BTreeSet<ChangedList> =
        ChangedList::ALL.iter().copied().filter(|list| may_read(scope, *list)).collect();
    let Some(asked) = asked else { return Ok(allowed) };
    let mut wanted = BTreeSet::new();
    for name in asked.split(',') {
        let list = name.trim().parse().map_err(|e: String| AdminError::BadRequest(format!("lists: {e}")))?;
        if !allowed.contains(&list) {
            return Err(AdminError::Forbidden(
                "this key or person may not read one of these lists, and so hears nothing of it",
            ));
        }
        wanted.insert(list);
    }
    Ok(wanted)
}

/// True if the caller may read the list itself, by the endpoint table.
fn may_read(scope: &AdminScope, list: ChangedList) -> bool {
    let path = path_of(list);
    let demand = endpoints().into_iter().find(|one| one.method == Method::GET && one.path == path);
    demand.and_then(|endpoint| endpoint.demand).is_some_and(|Demand { least_role, permission, .. }| {
        scope.role().is_at_least(least_role) && scope.permissions().allow(permission)
    })
}

/// The route at which a list is read.
fn path_of(list: ChangedList) -> String {
    match list {
        ChangedList::Tokens
        | ChangedList::OauthClients
        | ChangedList::SetupLinks
        | ChangedList::AgentKeys
        | ChangedList::Uploads => {
            format!("/api/v1/sources/{{id}}/{list}")
        }
        list => format!("/api/v1/{list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_hub::Ended;

    #[test]
    fn each_list_is_read_at_a_route_of_the_table() {
        for list in ChangedList::ALL {
            let path = path_of(*list);
            let found = endpoints().into_iter().find(|one| one.method == Method::GET && one.path == path);
            assert!(found.is_some_and(|endpoint| endpoint.demand.is_some()), "{path}");
        }
    }

    #[test]
    fn an_event_is_one_block() {
        let lists = BTreeSet::from([ChangedList::Runs, ChangedList::Members]);
        let text = event("changed", None, &view::Changed::of(&lists));
        assert_eq!(text, "event: changed\ndata: {\"lists\":[\"members\",\"runs\"]}\n\n");
        assert_eq!(
            event("end", None, &view::End { reason: Ended::Time.as_str() }),
            "event: end\ndata: {\"reason\":\"time\"}\n\n"
        );
    }
}
