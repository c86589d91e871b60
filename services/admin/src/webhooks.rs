//! `/api/v1/webhooks`: addresses to which events go, signed as Standard Webhooks says. Messages leave from the workers, but for tests.

use crate::answer::{Answer, list, one, read, snapshot};
use crate::auth::ApiAuth;
use crate::body::{body, body_or_default, no_body, present};
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::{only_fields, parameters, parsed};
use crate::view::List;
use crate::view::closed;
use crate::view::webhooks as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use rollcall_core::event::AuditKind;
use rollcall_core::event::WebhookKinds;
use rollcall_core::ids::WebhookId;
use rollcall_core::webhook::{DeliveryOutcome, DeliveryPurpose, WebhookStatus};
use rollcall_runtime::outbound::{Answered, Message};
use rollcall_store::{DeliveryRecord, NewWebhook, Replay, Sequence, WebhookChange};
use rollcall_web::Body;
use serde::Deserialize;
use serde_json::json;
use std::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

/// The kind of a test's message.
const TEST: &str = "webhook.test";
/// Time in which a former secret signs, too, unless the caller gives another one.
const OVERLAP_SECONDS: u32 = 86_400;
/// Characters of an answer that a test shows.
const ANSWER_SHOWN: usize = 1_024;

#[derive(Deserialize, ToSchema)]
#[schema(as = CreateWebhookRequest)]
#[serde(deny_unknown_fields)]
struct New {
    /// An https address.
    endpoint: String,
    #[serde(default)]
    description: String,
    /// The kinds of events that it hears of; all when it is left out.
    #[schema(value_type = Option<Vec<closed::OutgoingKind>>)]
    kinds: Option<Vec<AuditKind>>,
    /// The sequence after which it begins; events from now on when it is left out.
    after: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeWebhookRequest)]
#[serde(deny_unknown_fields)]
struct Change {
    endpoint: Option<String>,
    description: Option<String>,
    /// Null for all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<closed::OutgoingKind>>)]
    kinds: Option<Option<Vec<AuditKind>>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RotateWebhookRequest)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// Seconds for which the former secret signs, too: a day when it is left out, a week at most.
    overlap_seconds: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReplayWebhookRequest)]
#[serde(deny_unknown_fields)]
struct Replayed {
    /// The one event that goes out again; alone.
    sequence: Option<String>,
    /// Events after this sequence go out again.
    after: Option<String>,
    /// The last of them. Without it the endpoint goes back to `after` and gets everything from there.
    until: Option<String>,
}

fn kinds_of(kinds: Option<Vec<AuditKind>>) -> Result<WebhookKinds, AdminError> {
    kinds.map_or(Ok(WebhookKinds::ALL), WebhookKinds::only).map_err(AdminError::BadRequest)
}

fn sequence(name: &str, text: Option<&str>) -> Result<Option<Sequence>, AdminError> {
    let wrong =
        || AdminError::BadRequest(format!("{name} is the `sequence` of an event, or the `next_after` of a feed"));
    text.map(|text| text.parse().map_err(|_| wrong())).transpose()
}

async fn checked(auth: &ApiAuth, endpoint: &str) -> Result<String, AdminError> {
    let url = auth.admin.webhooks.check_name(endpoint).await;
    Ok(url.map_err(|why| AdminError::BadRequest(format!("endpoint: {why}")))?.to_string())
}

#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "events", operation_id = "webhooks_webhooks", summary = "Endpoints of webhooks, with how far each has come",
    responses((status = 200, body = List<view::Webhook>)),
)]
pub(crate) async fn webhooks(request: HttpRequest, auth: ApiAuth) -> Answer {
    only_fields(&request)?;
    snapshot::<view::Webhook>(&request, auth.admin.hub.store.webhooks(&auth.scope).await?, None)
}

/// Makes an endpoint, which gets events at once.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "events", operation_id = "webhooks_create_webhook", summary = "Makes an endpoint with its secret, which is shown once",
    request_body = New,
    responses((status = 201, body = view::WebhookWithSecret)),
)]
pub(crate) async fn create_webhook(auth: ApiAuth, payload: Body) -> Answer {
    let New { endpoint, description, kinds, after } = body(payload).await?;
    let (kinds, after) = (kinds_of(kinds)?, sequence("after", after.as_deref())?);
    let url = checked(&auth, &endpoint).await?;
    let new = NewWebhook { url: &url, description: &description, kinds: &kinds, after };
    let made = auth.admin.hub.store.create_webhook(&auth.scope, &new).await?;
    Ok(HttpResponse::Created().json(view::WebhookWithSecret::from(made)))
}

#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", tag = "events", operation_id = "webhooks_webhook", summary = "One endpoint",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Webhook)),
)]
pub(crate) async fn webhook(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "webhook")?;
    read::<view::Webhook>(&request, auth.admin.hub.store.webhook(&auth.scope, id).await?)
}

#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "events", operation_id = "webhooks_change_webhook", summary = "Changes the address, the description or the kinds of an endpoint",
    params(("id" = Uuid, Path)),
    request_body = Change,
    responses((status = 200, body = view::Webhook)),
)]
pub(crate) async fn change_webhook(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: WebhookId = id_in_path(&request, "webhook")?;
    let store = &auth.admin.hub.store;
    store.webhook(&auth.scope, id).await?;
    let Change { endpoint, description, kinds } = body(payload).await?;
    let kinds = kinds.map(kinds_of).transpose()?;
    let url = match &endpoint {
        Some(endpoint) => Some(checked(&auth, endpoint).await?),
        None => None,
    };
    let (url, description) = (url.as_deref(), description.as_deref());
    let change = WebhookChange { url, description, kinds: kinds.as_ref(), status: None };
    one::<view::Webhook>(store.change_webhook(&auth.scope, id, &change).await?)
}

#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "events", operation_id = "webhooks_delete_webhook", summary = "Deletes an endpoint, with its log",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn delete_webhook(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "webhook")?;
    auth.admin.hub.store.delete_webhook(&auth.scope, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn set_status(request: &HttpRequest, auth: &ApiAuth, payload: Body, status: WebhookStatus) -> Answer {
    let id: WebhookId = id_in_path(request, "webhook")?;
    let store = &auth.admin.hub.store;
    store.webhook(&auth.scope, id).await?;
    no_body(payload).await?;
    let change = WebhookChange { status: Some(status), ..WebhookChange::default() };
    one::<view::Webhook>(store.change_webhook(&auth.scope, id, &change).await?)
}

#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/pause", tag = "events", operation_id = "webhooks_pause_webhook", summary = "Stops an endpoint; its events wait",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Webhook)),
)]
pub(crate) async fn pause_webhook(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    set_status(&request, &auth, payload, WebhookStatus::Paused).await
}

#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/resume", tag = "events", operation_id = "webhooks_resume_webhook", summary = "Lets an endpoint go on that was paused, or that the hub stopped",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Webhook)),
)]
pub(crate) async fn resume_webhook(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    set_status(&request, &auth, payload, WebhookStatus::Active).await
}

#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/rotate", tag = "events", operation_id = "webhooks_rotate_webhook", summary = "Gives an endpoint a new secret; the former one signs, too, for a while",
    params(("id" = Uuid, Path)),
    request_body = Rotation,
    responses((status = 200, body = view::WebhookWithSecret)),
)]
pub(crate) async fn rotate_webhook(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: WebhookId = id_in_path(&request, "webhook")?;
    let store = &auth.admin.hub.store;
    store.webhook(&auth.scope, id).await?;
    let Rotation { overlap_seconds } = body_or_default(payload).await?;
    let overlap = TimeDelta::seconds(overlap_seconds.unwrap_or(OVERLAP_SECONDS).into());
    one::<view::WebhookWithSecret>(store.rotate_webhook(&auth.scope, id, overlap).await?)
}

/// Sends a message of the kind `webhook.test`, once, whatever the status of the endpoint.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/test", tag = "events", operation_id = "webhooks_test_webhook", summary = "Sends a test message, and tells the answer",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::TestedWebhook)),
)]
pub(crate) async fn test_webhook(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: WebhookId = id_in_path(&request, "webhook")?;
    let (store, scope) = (&auth.admin.hub.store, &auth.scope);
    let open = store.open_webhook(scope, id).await?;
    no_body(payload).await?;
    let (event_id, now) = (store.clock.new_id::<Uuid>(), store.clock.now());
    let message = json!({ "id": event_id, "type": TEST, "timestamp": now, "tenant_id": scope.tenant(), "sequence": null, "data": {} });
    let (body, timestamp) = (message.to_string().into_bytes(), now.timestamp());
    let message = Message { url: &open.url, id: event_id, timestamp, body, secrets: &open.secrets };
    let begun = Instant::now();
    let answered = auth.admin.webhooks.send(message).await;
    let duration_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    let is_success = answered.as_ref().is_ok_and(Answered::is_success);
    let outcome = if is_success { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed };
    let (status, answer, error) = match answered {
        Ok(Answered { status, body, .. }) => (Some(status), Some(body), None),
        Err(unsent) => (None, None, Some(unsent.to_string())),
    };
    let record = DeliveryRecord {
        at: now,
        event_id,
        sequence: None,
        kind: TEST,
        purpose: DeliveryPurpose::Test,
        outcome,
        attempt: 1,
        status,
        answer: answer.clone(),
        error: error.clone(),
        duration_ms,
    };
    store.note_webhook_test(scope, id, record).await?;
    let answer = answer.map(|answer| answer.chars().take(ANSWER_SHOWN).collect());
    let outcome = outcome.as_str();
    one::<view::TestedWebhook>(view::TestedWebhook {
        event_id,
        outcome,
        answer_status: status,
        answer,
        failure: error,
        duration_ms,
    })
}

#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "events", operation_id = "webhooks_deliveries", summary = "Attempts of an endpoint, with the answers; the newest thousand are kept",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("outcome" = Option<String>, Query)),
    responses((status = 200, body = List<view::WebhookDelivery>)),
)]
pub(crate) async fn deliveries(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id = id_in_path(&request, "webhook")?;
    let asked = parameters(&request, &["outcome"])?;
    let outcome = parsed("outcome", asked.outcome.as_deref())?;
    let page = auth.admin.hub.store.webhook_deliveries(&auth.scope, id, outcome, &asked.page()?).await?;
    list::<view::WebhookDelivery>(&request, page)
}

#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/replay", tag = "events", operation_id = "webhooks_replay_webhook", summary = "Sends one event again, a range, or everything after a sequence",
    params(("id" = Uuid, Path)),
    request_body = Replayed,
    responses((status = 202, body = view::Webhook)),
)]
pub(crate) async fn replay_webhook(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: WebhookId = id_in_path(&request, "webhook")?;
    auth.admin.hub.store.webhook(&auth.scope, id).await?;
    let Replayed { sequence: one_event, after, until } = body(payload).await?;
    let one_event = sequence("sequence", one_event.as_deref())?;
    let (after, until) = (sequence("after", after.as_deref())?, sequence("until", until.as_deref())?);
    let replay = match (one_event, after, until) {
        (Some(event), None, None) => Replay::One(event),
        (None, Some(after), Some(until)) => Replay::Range { after, until },
        (None, Some(after), None) => Replay::From(after),
        _ => {
            let why = "give `sequence` for one event, `after` and `until` for a range, or `after` alone for everything from there";
            return Err(AdminError::BadRequest(why.into()));
        }
    };
    let webhook = auth.admin.hub.store.replay_webhook(&auth.scope, id, replay).await?;
    Ok(HttpResponse::Accepted().json(view::Webhook::from(webhook)))
}
