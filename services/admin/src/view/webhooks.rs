//! Webhooks on the wire. A secret is in the answer that made it, and in no other.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An endpoint: an address to which events go.
#[derive(Debug, Serialize, ToSchema)]
pub struct Webhook {
    pub id: Uuid,
    /// The address to which messages are posted.
    pub endpoint: String,
    pub description: String,
    /// The kinds of events that it hears of; null for all.
    #[schema(value_type = Option<Vec<closed::OutgoingKind>>)]
    pub kinds: Option<Vec<&'static str>>,
    #[schema(value_type = closed::WebhookStatus)]
    pub status: String,
    /// Why the hub stopped it; null otherwise.
    #[schema(value_type = Option<closed::WebhookDisabledReason>)]
    pub disabled_reason: Option<String>,
    /// Until then messages have the signature by the former secret, too.
    pub former_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    /// The sequence of the last event that it got, or that its filter left out.
    pub after: String,
    /// Attempts in a row that failed.
    pub failures: i64,
    pub failing_since: Option<DateTime<Utc>>,
    /// The time of the next attempt.
    pub retry_at: Option<DateTime<Utc>>,
    /// The status of its last answer.
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub last_delivered_at: Option<DateTime<Utc>>,
}

impl From<store::Webhook> for Webhook {
    fn from(row: store::Webhook) -> Self {
        let kinds = row.kinds().listed().map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect());
        let after = row.after().to_string();
        Self {
            id: row.id,
            endpoint: row.url,
            description: row.description,
            kinds,
            status: row.status,
            disabled_reason: row.disabled_reason,
            former_secret_until: row.former_until,
            created_at: row.created_at,
            modified_at: row.modified_at,
            after,
            failures: row.failures,
            failing_since: row.failing_since,
            retry_at: row.retry_at,
            last_status: row.last_status,
            last_error: row.last_error,
            last_delivered_at: row.last_delivered_at,
        }
    }
}

/// An endpoint with its new secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookWithSecret {
    #[serde(flatten)]
    pub webhook: Webhook,
    /// The key of the signatures (Standard Webhooks), shown once.
    pub secret: String,
}

impl From<store::WebhookSecret> for WebhookWithSecret {
    fn from(made: store::WebhookSecret) -> Self {
        Self { webhook: made.webhook.into(), secret: made.secret }
    }
}

/// An attempt to send a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookDelivery {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub event_id: Uuid,
    /// The event's; null for a test.
    pub sequence: Option<String>,
    /// The kind of the event, or `webhook.test`.
    pub r#type: String,
    #[schema(value_type = closed::DeliveryPurpose)]
    pub purpose: String,
    #[schema(value_type = closed::DeliveryOutcome)]
    pub outcome: String,
    /// The number of the attempt, from 1.
    pub attempt: i64,
    /// The status of the answer; null where there was none.
    pub answer_status: Option<i64>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
    /// Why there was no answer.
    pub failure: Option<String>,
    pub duration_ms: i64,
}

impl From<store::WebhookDelivery> for WebhookDelivery {
    fn from(row: store::WebhookDelivery) -> Self {
        let store::WebhookDelivery {
            id,
            at,
            event_id,
            sequence,
            kind,
            purpose,
            outcome,
            attempt,
            status,
            answer,
            error,
            duration_ms,
        } = row;
        Self {
            id,
            at,
            event_id,
            sequence,
            r#type: kind,
            purpose,
            outcome,
            attempt,
            answer_status: status,
            answer,
            failure: error,
            duration_ms,
        }
    }
}

/// The result of a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedWebhook {
    /// The `webhook-id` of the message.
    pub event_id: Uuid,
    #[schema(value_type = closed::DeliveryOutcome)]
    pub outcome: &'static str,
    /// The status of the answer; null where there was none.
    pub answer_status: Option<u16>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
    /// Why there was no answer.
    pub failure: Option<String>,
    pub duration_ms: i64,
}
