//! Details of events about webhooks. An address may hold a secret of the receiver, so the log has its host alone.

use crate::webhook::{WebhookDisabledReason, WebhookKinds, WebhookStatus};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// The settings of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookDetail {
    pub host: String,
    pub description: String,
    /// Null for all kinds.
    pub kinds: WebhookKinds,
    pub status: WebhookStatus,
    /// The address was replaced, perhaps on the same host.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub url_changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookSecretRotated {
    /// The end of the time in which messages have the signature by the former secret, too.
    pub former_until: DateTime<Utc>,
}

/// The hub stopped the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookDisabled {
    pub host: String,
    pub reason: WebhookDisabledReason,
    pub failing_since: Option<DateTime<Utc>>,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
}

/// Events of before go out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookReplayed {
    /// The one event that goes out again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    pub after: Option<String>,
    /// Null for everything after.
    pub until: Option<String>,
}
