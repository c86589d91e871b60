//! The rows an application writes in bulk.

use crate::error::StoreError;
use crate::scope::TenantTx;
use crate::sql::{Columns, Type, time_text};
use chrono::{DateTime, Utc};
use rollcall_core::digest::PlanDigest;
use rollcall_core::email::fold;
use rollcall_core::guard::HoldReason;
use rollcall_core::ids::{RunId, TenantId};
use rollcall_core::plan::{Action, Item, Subject};
use rollcall_core::roster::MemberState;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

#[derive(Serialize)]
pub(crate) struct MemberChangeRow {
    tenant_id: Uuid,
    id: Uuid,
    email: String,
    email_folded: String,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    external_id: Option<String>,
    status: &'static str,
    role: &'static str,
    billing_contact: bool,
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
    suspended_from: Option<&'static str>,
    waiting_for: Option<&'static str>,
    seated: bool,
    held: bool,
    #[serde(serialize_with = "time_text")]
    modified_at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    created_at: DateTime<Utc>,
}

macro_rules! member_columns {
    ($($extra:expr),*) => {
        &[
            ("tenant_id", Type::Uuid),
            ("id", Type::Uuid),
            ("email", Type::Text),
            ("email_folded", Type::Text),
            ("display_name", Type::Text),
            ("given_name", Type::Text),
            ("family_name", Type::Text),
            ("external_id", Type::Text),
            ("status", Type::Text),
            ("role", Type::Text),
            ("billing_contact", Type::Flag),
            ("managed_by", Type::Uuid),
            ("directory_user_id", Type::Uuid),
            ("suspended_from", Type::Text),
            ("waiting_for", Type::Text),
            ("seated", Type::Flag),
            ("held", Type::Flag),
            ("modified_at", Type::Time),
            $($extra),*
        ]
    };
}

pub(crate) const MEMBER_UPDATE: Columns = member_columns!();
pub(crate) const MEMBER_INSERT: Columns = member_columns!(("created_at", Type::Time));

impl MemberChangeRow {
    pub(crate) fn new(tenant: TenantId, member: &MemberState, now: DateTime<Utc>) -> Self {
        Self {
            tenant_id: tenant.0,
            id: member.id.0,
            email: member.profile.email.clone(),
            email_folded: fold(&member.profile.email),
            display_name: member.profile.display_name.clone(),
            given_name: member.profile.given_name.clone(),
            family_name: member.profile.family_name.clone(),
            external_id: member.profile.external_id.clone(),
            status: member.status.as_str(),
            role: member.role.as_str(),
            billing_contact: member.billing_contact,
            managed_by: member.managed_by.map(|id| id.0),
            directory_user_id: member.directory_user.map(|id| id.0),
            suspended_from: member.suspended_from.map(|status| status.as_str()),
            waiting_for: member.waiting_for.map(|what| what.as_str()),
            seated: member.seated,
            held: member.held,
            modified_at: now,
            created_at: now,
        }
    }
}

/// A unique text laid aside for the length of a transaction, so that two rows can swap theirs.
#[derive(Serialize)]
pub(crate) struct VacateRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) folded: String,
}

#[derive(Serialize)]
pub(crate) struct GroupChangeRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) name_folded: String,
    pub(crate) managed_by: Option<Uuid>,
    pub(crate) directory_group_id: Option<Uuid>,
    #[serde(serialize_with = "time_text")]
    pub(crate) modified_at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) const GROUP_INSERT: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("name", Type::Text),
    ("name_folded", Type::Text),
    ("managed_by", Type::Uuid),
    ("directory_group_id", Type::Uuid),
    ("modified_at", Type::Time),
    ("created_at", Type::Time),
];

#[derive(Serialize)]
pub(crate) struct GroupMemberRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) group_id: Uuid,
    pub(crate) member_id: Uuid,
}

pub(crate) const GROUP_MEMBER: Columns =
    &[("tenant_id", Type::Uuid), ("group_id", Type::Uuid), ("member_id", Type::Uuid)];

#[derive(Serialize)]
pub(crate) struct ItemRow {
    tenant_id: Uuid,
    run_id: Uuid,
    id: Uuid,
    action: &'static str,
    subject_id: Uuid,
    object_id: Uuid,
    subject_kind: &'static str,
    why: &'static str,
    decision: &'static str,
    held_reason: Option<&'static str>,
    detail: Json,
    digest: String,
    request_id: Option<Uuid>,
}

pub(crate) const ITEM_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("run_id", Type::Uuid),
    ("id", Type::Uuid),
    ("action", Type::Text),
    ("subject_id", Type::Uuid),
    ("object_id", Type::Uuid),
    ("subject_kind", Type::Text),
    ("why", Type::Text),
    ("decision", Type::Text),
    ("held_reason", Type::Text),
    ("detail", Type::Json),
    ("digest", Type::Text),
    ("request_id", Type::Uuid),
];

impl ItemRow {
    pub(crate) fn new(
        tx: &TenantTx,
        run: RunId,
        item: &Item,
        decision: &'static str,
        reason: Option<HoldReason>,
    ) -> Result<Self, StoreError> {
        let (subject_kind, subject_id) = ids_of(item.subject);
        let object_id = match &item.action {
            Action::AddToGroup { group, .. } | Action::RemoveFromGroup { group, .. } => group.0,
            _ => subject_id,
        };
        Ok(Self {
            tenant_id: tx.tenant.0,
            run_id: run.0,
            id: tx.clock.new_id(),
            action: item.action.name(),
            subject_id,
            object_id,
            subject_kind,
            why: item.why.as_str(),
            decision,
            held_reason: reason.map(HoldReason::as_str),
            detail: action_json(item)?,
            digest: digest_of(item)?.to_hex(),
            request_id: super::request_of(item),
        })
    }
}

/// The digest of one item: whom it is about and what it does.
pub(crate) fn digest_of(item: &Item) -> Result<PlanDigest, StoreError> {
    let text = serde_json::to_string(item).map_err(|e| StoreError::Invalid(e.to_string()))?;
    Ok(PlanDigest::of(&text))
}

#[derive(Serialize)]
pub(crate) struct DisputeRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) subject_id: Uuid,
    pub(crate) subject_kind: &'static str,
    pub(crate) dispute: &'static str,
    pub(crate) about: String,
    #[serde(serialize_with = "time_text")]
    pub(crate) since: DateTime<Utc>,
}

pub(crate) const DISPUTE_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("subject_id", Type::Uuid),
    ("subject_kind", Type::Text),
    ("dispute", Type::Text),
    ("about", Type::Text),
    ("since", Type::Time),
];

/// The kind and the id of a subject, as stored.
pub(crate) fn ids_of(subject: Subject) -> (&'static str, Uuid) {
    match subject {
        Subject::DirectoryUser(id) => ("directory_user", id.0),
        Subject::DirectoryGroup(id) => ("directory_group", id.0),
        Subject::Member(id) => ("member", id.0),
        Subject::SharingGroup(id) => ("sharing_group", id.0),
    }
}

pub(crate) fn source_of(item: &Item) -> Option<Uuid> {
    item.origin.map(|origin| origin.source.0)
}

fn action_json(item: &Item) -> Result<Json, StoreError> {
    serde_json::to_value(&item.action).map_err(|e| StoreError::Invalid(e.to_string()))
}
