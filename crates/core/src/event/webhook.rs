//! Events and webhooks: the kinds that an endpoint hears of, and the details of events about webhooks. An address may hold a secret of the receiver, so the log has its host alone.

use super::AuditKind;
use crate::webhook::{WebhookDisabledReason, WebhookStatus};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Kinds of events that an endpoint hears of: those of the filter, or all outgoing ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WebhookKinds(Option<Vec<AuditKind>>);

impl WebhookKinds {
    /// Every outgoing event.
    pub const ALL: Self = Self(None);

    /// These kinds.
    ///
    /// # Errors
    /// Names a kind that no product hears of, or asks for at least one.
    pub fn only(mut kinds: Vec<AuditKind>) -> Result<Self, String> {
        if kinds.is_empty() {
            return Err("kinds: name at least one, or null for all".into());
        }
        if let Some(inward) = kinds.iter().find(|kind| !kind.is_outgoing()) {
            return Err(format!("kinds: `{inward}` concerns the hub alone; there are {}", outgoing().join(", ")));
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(Some(kinds)))
    }

    /// The kinds of the filter; none for all.
    pub fn listed(&self) -> Option<&[AuditKind]> {
        self.0.as_deref()
    }

    pub fn has(&self, kind: AuditKind) -> bool {
        self.0.as_ref().map_or_else(|| kind.is_outgoing(), |kinds| kinds.contains(&kind))
    }
}

/// The names of all outgoing kinds.
pub fn outgoing() -> Vec<&'static str> {
    AuditKind::ALL.iter().filter(|kind| kind.is_outgoing()).map(|kind| kind.as_str()).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pe16_a_filter_has_outgoing_kinds_alone() {
        let only = WebhookKinds::only(vec![AuditKind::MemberSuspended, AuditKind::MemberSuspended]).expect("a filter");
        assert!(only.has(AuditKind::MemberSuspended) && !only.has(AuditKind::MemberInvited));
        assert!(WebhookKinds::ALL.has(AuditKind::MemberInvited) && !WebhookKinds::ALL.has(AuditKind::PolicyChanged));
        assert!(WebhookKinds::only(Vec::new()).is_err());
        let refused = WebhookKinds::only(vec![AuditKind::PolicyChanged]).expect_err("it is no product's");
        assert!(refused.contains("policy.changed") && refused.contains("member.suspended"), "{refused}");
    }
}
