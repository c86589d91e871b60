//! Rows of members, sharing groups and memberships, as an outcome leaves them.

use crate::engine::row_sets::{Columns, Type, time_text, time_text_null};
use chrono::{DateTime, Utc};
use rollcall_core::change::GroupFacts;
use rollcall_core::email::fold;
use rollcall_core::ids::{MemberId, SharingGroupId, TenantId};
use rollcall_core::outcome::GroupLinked;
use rollcall_core::roster::MemberState;
use serde::Serialize;
use uuid::Uuid;

#[derive(Serialize)]
pub(super) struct MemberChangeRow {
    tenant_id: Uuid,
    id: Uuid,
    email: String,
    email_folded: String,
    search_text: String,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    external_id: Option<String>,
    status: &'static str,
    role: &'static str,
    billing_contact: bool,
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
    former_record_id: Option<Uuid>,
    /// The address that the member gave up, by which people still find them.
    former_email_folded: Option<String>,
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
            ("search_text", Type::Text),
            ("display_name", Type::Text),
            ("given_name", Type::Text),
            ("family_name", Type::Text),
            ("external_id", Type::Text),
            ("status", Type::Text),
            ("role", Type::Text),
            ("billing_contact", Type::Flag),
            ("managed_by", Type::Uuid),
            ("directory_user_id", Type::Uuid),
            ("former_record_id", Type::Uuid),
            ("former_email_folded", Type::Text),
            ("suspended_from", Type::Text),
            ("waiting_for", Type::Text),
            ("seated", Type::Flag),
            ("held", Type::Flag),
            ("modified_at", Type::Time),
            $($extra),*
        ]
    };
}

/// A planned member, with the values it was planned from in columns that others than the lease holder write.
#[derive(Serialize)]
pub(super) struct MemberUpdateRow {
    #[serde(flatten)]
    after: MemberChangeRow,
    was_status: &'static str,
    was_role: &'static str,
    was_billing_contact: bool,
    was_waiting_for: Option<&'static str>,
    was_display_name: Option<String>,
    was_given_name: Option<String>,
    was_family_name: Option<String>,
}

impl MemberUpdateRow {
    pub(super) fn new(tenant: TenantId, before: &MemberState, after: &MemberState, now: DateTime<Utc>) -> Self {
        Self {
            after: MemberChangeRow::new(tenant, after, now),
            was_status: before.status.as_str(),
            was_role: before.role.as_str(),
            was_billing_contact: before.billing_contact,
            was_waiting_for: before.waiting_for.map(|what| what.as_str()),
            was_display_name: before.profile.display_name.clone(),
            was_given_name: before.profile.given_name.clone(),
            was_family_name: before.profile.family_name.clone(),
        }
    }
}

pub(super) const MEMBER_UPDATE: Columns = member_columns!(
    ("was_status", Type::Text),
    ("was_role", Type::Text),
    ("was_billing_contact", Type::Flag),
    ("was_waiting_for", Type::Text),
    ("was_display_name", Type::Text),
    ("was_given_name", Type::Text),
    ("was_family_name", Type::Text)
);
pub(super) const MEMBER_INSERT: Columns = member_columns!(("created_at", Type::Time));

impl MemberChangeRow {
    pub(super) fn new(tenant: TenantId, member: &MemberState, now: DateTime<Utc>) -> Self {
        Self {
            tenant_id: tenant.0,
            id: member.id.0,
            email: member.profile.email.clone(),
            email_folded: fold(&member.profile.email),
            search_text: member.search_text(),
            display_name: member.profile.display_name.clone(),
            given_name: member.profile.given_name.clone(),
            family_name: member.profile.family_name.clone(),
            external_id: member.profile.external_id.clone(),
            status: member.status.as_str(),
            role: member.role.as_str(),
            billing_contact: member.billing_contact,
            managed_by: member.managed_by.map(|id| id.0),
            directory_user_id: member.directory_user.map(|id| id.0),
            former_record_id: member.former_record.map(|id| id.0),
            former_email_folded: member.gave_up().map(fold),
            suspended_from: member.suspended_from.map(|status| status.as_str()),
            waiting_for: member.waiting_for.map(|what| what.as_str()),
            seated: member.seated,
            held: member.held,
            modified_at: now,
            created_at: now,
        }
    }
}

/// A unique string that is vacated for the length of a transaction, so that two rows can swap theirs.
#[derive(Serialize)]
pub(super) struct VacateRow {
    pub(super) id: Uuid,
    pub(super) folded: String,
}

#[derive(Serialize)]
pub(super) struct GroupChangeRow {
    pub(super) tenant_id: Uuid,
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) name_folded: String,
    pub(super) managed_by: Option<Uuid>,
    pub(super) directory_group_id: Option<Uuid>,
    #[serde(serialize_with = "time_text")]
    pub(super) modified_at: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    pub(super) created_at: DateTime<Utc>,
}

pub(super) const GROUP_INSERT: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("name", Type::Text),
    ("name_folded", Type::Text),
    ("managed_by", Type::Uuid),
    ("directory_group_id", Type::Uuid),
    ("modified_at", Type::Time),
    ("created_at", Type::Time),
];

/// A group that returns to an earlier state.
#[derive(Serialize)]
pub(super) struct GroupFactsRow {
    pub(super) tenant_id: Uuid,
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) name_folded: String,
    pub(super) managed_by: Option<Uuid>,
    pub(super) directory_group_id: Option<Uuid>,
    #[serde(serialize_with = "time_text_null")]
    pub(super) removed_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "time_text")]
    pub(super) modified_at: DateTime<Utc>,
}

pub(super) const GROUP_FACTS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("name", Type::Text),
    ("name_folded", Type::Text),
    ("managed_by", Type::Uuid),
    ("directory_group_id", Type::Uuid),
    ("removed_at", Type::Time),
    ("modified_at", Type::Time),
];

#[derive(Serialize)]
pub(super) struct GroupMemberRow {
    pub(super) tenant_id: Uuid,
    pub(super) group_id: Uuid,
    pub(super) member_id: Uuid,
}

pub(super) const GROUP_MEMBER: Columns =
    &[("tenant_id", Type::Uuid), ("group_id", Type::Uuid), ("member_id", Type::Uuid)];

#[derive(Serialize)]
pub(super) struct JoinedRow {
    #[serde(flatten)]
    pub(super) pair: GroupMemberRow,
    #[serde(serialize_with = "time_text")]
    pub(super) joined_at: DateTime<Utc>,
}

pub(super) const JOINED: Columns =
    &[("tenant_id", Type::Uuid), ("group_id", Type::Uuid), ("member_id", Type::Uuid), ("joined_at", Type::Time)];

impl GroupChangeRow {
    pub(super) fn new(tenant: TenantId, group: &GroupLinked, now: DateTime<Utc>) -> Self {
        Self {
            tenant_id: tenant.0,
            id: group.id.0,
            name: group.name.clone(),
            name_folded: fold(&group.name),
            managed_by: group.managed_by.map(|source| source.0),
            directory_group_id: group.directory_group.map(|group| group.0),
            modified_at: now,
            created_at: now,
        }
    }
}

impl GroupFactsRow {
    pub(super) fn new(tenant: TenantId, (id, facts): &(SharingGroupId, GroupFacts), now: DateTime<Utc>) -> Self {
        Self {
            tenant_id: tenant.0,
            id: id.0,
            name: facts.name.clone(),
            name_folded: fold(&facts.name),
            managed_by: facts.managed_by.map(|source| source.0),
            directory_group_id: facts.directory_group.map(|group| group.0),
            removed_at: facts.removed.then_some(now),
            modified_at: now,
        }
    }
}

impl GroupMemberRow {
    pub(super) fn new(tenant: TenantId, (group, member): &(SharingGroupId, MemberId)) -> Self {
        Self { tenant_id: tenant.0, group_id: group.0, member_id: member.0 }
    }
}
