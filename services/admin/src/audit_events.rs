//! `/api/v1/audit-events`: the changes of a tenant, with actor and cause.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::query::{ACTORS, ListParameters, parameters, parsed};
use crate::view::List;
use crate::view::audit_events as view;
use actix_web::HttpRequest;
use rollcall_core::event::Actor;
use rollcall_core::ids::CredentialId;
use rollcall_store::{AdminScope, AuditFilter, Page, PageRequest, Store};
use std::collections::{BTreeSet, HashMap};

#[utoipa::path(
    get, path = "/api/v1/audit-events", tag = "audit", operation_id = "audit_events_audit_events", summary = "Changes, with actor and cause",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("kind" = Option<String>, Query), ("subject_id" = Option<String>, Query), ("actor" = Option<String>, Query), ("request_id" = Option<String>, Query)),
    responses((status = 200, body = List<view::AuditEvent>)),
)]
pub(crate) async fn audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    auth.expects_large_answer(&request)?;
    let asked = parameters(&request, &FILTERS)?;
    let filter = filter(&asked)?;
    list::<view::AuditEvent>(&request, page(&auth.admin.hub.store, &auth.scope, &filter, &asked.page()?).await?)
}

/// The filters of the log; an export takes them too.
pub(crate) const FILTERS: [&str; 4] = ["kind", "subject_id", "actor", "request_id"];

pub(crate) fn filter(asked: &ListParameters) -> Result<AuditFilter, AdminError> {
    let actor = asked.actor.as_deref().map(|text| {
        let wrong = || AdminError::BadRequest(format!("actor is {ACTORS}, as an event shows it"));
        Actor::of_text(text).ok_or_else(wrong)
    });
    Ok(AuditFilter {
        kind: parsed("kind", asked.kind.as_deref())?,
        subject: parsed("subject_id", asked.subject_id.as_deref())?,
        actor: actor.transpose()?,
        request: parsed("request_id", asked.request_id.as_deref())?,
    })
}

/// A page of events, with the names of their actors.
pub(crate) async fn page(
    store: &Store,
    scope: &AdminScope,
    filter: &AuditFilter,
    page: &PageRequest,
) -> Result<Page<view::AuditEvent>, AdminError> {
    let page = store.audit_events(scope, filter, page).await?;
    let names = names_of(store, scope, page.items.iter().filter_map(|event| Actor::of_text(&event.actor))).await?;
    Ok(page.map(|event| view::AuditEvent::named(event, &names)))
}

/// The names of people, operators, keys and set-up links among these actors: at most three look-ups for a page.
async fn names_of(
    store: &Store,
    scope: &AdminScope,
    actors: impl Iterator<Item = Actor>,
) -> Result<HashMap<String, String>, AdminError> {
    let (mut people, mut keys, mut operators) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for actor in actors {
        match actor {
            Actor::Member(member) => _ = people.insert(member),
            Actor::ApiKey(key) | Actor::SetupLink(key) => _ = keys.insert(key),
            Actor::OperatorPerson(operator) => _ = operators.insert(operator),
            Actor::Source(_) | Actor::Operator | Actor::OperatorKey(_) | Actor::System => {}
        }
    }
    let people = store.member_names(scope, &people).await?;
    let keys = store.key_names(scope, &keys).await?;
    let operators = store.operator_names(&operators).await?;
    let operators = operators.into_iter().map(|(operator, name)| (Actor::OperatorPerson(operator).to_text(), name));
    let people = people.into_iter().map(|(member, name)| (Actor::Member(member).to_text(), name)).chain(operators);
    let of_key = |(key, name): (CredentialId, String)| {
        [(Actor::SetupLink(key).to_text(), name.clone()), (Actor::ApiKey(key).to_text(), name)]
    };
    Ok(people.chain(keys.into_iter().flat_map(of_key)).collect())
}
