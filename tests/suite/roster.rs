//! Answers of the REST API as types: a missing or mistyped field fails every test that reads it.

use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) status: String,
    pub(crate) managed_by: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) role: String,
    pub(crate) waiting_for: Option<String>,
}

impl Member {
    /// Active in the team and counted against the seats, as far as the status alone tells.
    pub(crate) fn is_in(&self) -> bool {
        matches!(self.status.as_str(), "invited" | "active")
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct SharingGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) managed_by: Option<String>,
    pub(crate) members_count: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) source_id: Option<String>,
    pub(crate) held_reasons: Vec<String>,
    pub(crate) counts: Value,
    pub(crate) digest: Option<String>,
    pub(crate) created_at: String,
}

impl Run {
    pub(crate) fn is_held_for(&self, reason: &str) -> bool {
        self.state == "held" && self.held_reasons.iter().any(|held| held == reason)
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct AuditEvent {
    pub(crate) id: String,
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) actor: Value,
    pub(crate) subject: Subject,
    pub(crate) cause: Value,
    #[serde(default)]
    pub(crate) detail: Value,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// Members by email, for lookups in expectations.
pub(crate) trait Roster {
    fn find_member(&self, email: &str) -> Option<&Member>;
    fn member(&self, email: &str) -> &Member;
    fn with_status(&self, status: &str) -> Vec<&str>;
}

impl Roster for [Member] {
    fn find_member(&self, email: &str) -> Option<&Member> {
        self.iter().find(|member| member.email == email)
    }

    #[track_caller]
    fn member(&self, email: &str) -> &Member {
        self.find_member(email).unwrap_or_else(|| panic!("no member {email} in {self:#?}"))
    }

    /// Emails, sorted.
    fn with_status(&self, status: &str) -> Vec<&str> {
        let mut emails: Vec<&str> =
            self.iter().filter(|member| member.status == status).map(|member| member.email.as_str()).collect();
        emails.sort_unstable();
        emails
    }
}
