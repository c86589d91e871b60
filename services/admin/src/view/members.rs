//! Members on the wire.

use crate::view::closed;
use chrono::{DateTime, Utc};
use rollcall_core::ids::MemberId;
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One member.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    pub id: Uuid,
    pub email: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    #[schema(value_type = closed::MemberStatus)]
    pub status: String,
    #[schema(value_type = closed::Role)]
    pub role: String,
    pub billing_contact: bool,
    /// A rule of the sign-in lends the role, or the duty of a billing contact, and takes it back when the claim is gone.
    pub by_rule: bool,
    /// The source that manages the member; null for an unmanaged one.
    pub managed_by: Option<Uuid>,
    pub external_id: Option<String>,
    pub directory_user_id: Option<Uuid>,
    #[schema(value_type = Option<closed::WaitingFor>)]
    pub waiting_for: Option<String>,
    /// An admin's decision about a pending member: `approved` or `declined`.
    #[schema(value_type = Option<closed::Approval>)]
    pub approval: Option<String>,
    /// An admin blocked the member: no sync lets them in.
    pub blocked: bool,
    #[schema(value_type = Option<closed::MemberStatus>)]
    pub suspended_from: Option<String>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    /// A sentence about what has still to happen before an unblocked member is back; in the answer of an unblock alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<&'static str>,
}

impl From<store::Member> for Member {
    fn from(row: store::Member) -> Self {
        let store::Member {
            id,
            email,
            display_name,
            given_name,
            family_name,
            status,
            role,
            billing_contact,
            role_before_rule,
            contact_by_rule,
            managed_by,
            external_id,
            directory_user_id,
            waiting_for,
            approval,
            blocked_from,
            suspended_from,
            created_at,
            modified_at,
        } = row;
        Self {
            id,
            email,
            display_name,
            given_name,
            family_name,
            status,
            role,
            billing_contact,
            by_rule: role_before_rule.is_some() || contact_by_rule,
            managed_by,
            external_id,
            directory_user_id,
            waiting_for,
            approval,
            blocked: blocked_from.is_some(),
            suspended_from,
            created_at,
            modified_at,
            next: None,
        }
    }
}

/// An address that a member had.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormerEmail {
    pub email: String,
    /// When another address replaced it.
    pub until: DateTime<Utc>,
}

impl From<store::FormerEmail> for FormerEmail {
    fn from(row: store::FormerEmail) -> Self {
        let store::FormerEmail { email, until } = row;
        Self { email, until }
    }
}

/// A member, and the addresses they had before.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberWithHistory {
    #[serde(flatten)]
    pub member: Member,
    pub former_emails: Vec<FormerEmail>,
}

/// The result of an admin's decision about one member.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decided {
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    pub result: DecisionResult,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionResult {
    Decided,
    /// It was decided so before.
    Unchanged,
    /// The member is not `pending`, so there is nothing to decide.
    NotPending,
    NotFound,
}

impl From<store::DecisionResult> for DecisionResult {
    fn from(result: store::DecisionResult) -> Self {
        match result {
            store::DecisionResult::Decided => Self::Decided,
            store::DecisionResult::Unchanged => Self::Unchanged,
            store::DecisionResult::NotPending => Self::NotPending,
            store::DecisionResult::NotFound => Self::NotFound,
        }
    }
}

/// The decisions of one call, in the order of its ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decisions {
    pub items: Vec<Decided>,
}
