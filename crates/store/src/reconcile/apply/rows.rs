//! The rows an application writes in bulk.

use super::roster::Done;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, json_rows, time_text, time_text_null};
use crate::engine::transaction::TenantTx;
use crate::reconcile::world::Line;
use chrono::{DateTime, Utc};
use rollcall_core::action::{Action, Item, Why};
use rollcall_core::change::{Impossible, Subject};
use rollcall_core::digest::PlanDigest;
use rollcall_core::email::fold;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{RunId, TenantId};
use rollcall_core::roster::MemberState;
use serde::Serialize;
use serde_json::{Value as Json, json};
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

/// A member as planned, and what it was planned from of the columns that others than the lease holder write.
#[derive(Serialize)]
pub(crate) struct MemberUpdateRow {
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
    pub(crate) fn new(tenant: TenantId, before: &MemberState, after: &MemberState, now: DateTime<Utc>) -> Self {
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

pub(crate) const MEMBER_UPDATE: Columns = member_columns!(
    ("was_status", Type::Text),
    ("was_role", Type::Text),
    ("was_billing_contact", Type::Flag),
    ("was_waiting_for", Type::Text),
    ("was_display_name", Type::Text),
    ("was_given_name", Type::Text),
    ("was_family_name", Type::Text)
);
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

/// A group given an earlier state.
#[derive(Serialize)]
pub(crate) struct GroupFactsRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) name_folded: String,
    pub(crate) managed_by: Option<Uuid>,
    pub(crate) directory_group_id: Option<Uuid>,
    #[serde(serialize_with = "time_text_null")]
    pub(crate) removed_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "time_text")]
    pub(crate) modified_at: DateTime<Utc>,
}

pub(crate) const GROUP_FACTS: Columns = &[
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
    pub(super) action: &'static str,
    pub(super) subject_id: Uuid,
    pub(super) object_id: Uuid,
    subject_kind: &'static str,
    why: &'static str,
    decision: &'static str,
    held_reason: Option<&'static str>,
    pub(super) detail: Json,
    pub(super) digest: String,
    request_id: Option<Uuid>,
    source_id: Option<Uuid>,
    member_id: Option<Uuid>,
    group_id: Option<Uuid>,
    who: Json,
    before: Option<Json>,
    after: Json,
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
    ("source_id", Type::Uuid),
    ("member_id", Type::Uuid),
    ("group_id", Type::Uuid),
    ("who", Type::Json),
    ("before", Type::Json),
    ("after", Type::Json),
];

impl ItemRow {
    pub(crate) fn new(
        tx: &TenantTx,
        run: RunId,
        (item, done): (&Item, &Done),
        decision: &'static str,
        reason: Option<HoldReason>,
    ) -> Result<Self, StoreError> {
        let (subject_kind, subject_id) = ids_of(item.subject);
        let object_id = item.action.membership_group().map_or(subject_id, |group| group.0);
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
            source_id: source_of(item),
            member_id: done.member_id(),
            group_id: done.group_id(),
            who: done.who.clone(),
            before: done.change.before.clone().map(Json::Object),
            after: Json::Object(done.change.after.clone()),
        })
    }

    /// One item of a planned rewind, made from the item that it takes back.
    pub(crate) fn of_rewind(
        tx: &TenantTx,
        run: Uuid,
        line: &Line,
        outcome: Result<&Item, Impossible>,
    ) -> Result<Self, StoreError> {
        let step = outcome.ok().and_then(|item| if let Action::Undo(step) = &item.action { Some(step) } else { None });
        let change = step.map(|step| step.change.clone()).unwrap_or_default();
        Ok(Self {
            tenant_id: tx.tenant.0,
            run_id: run,
            id: tx.clock.new_id(),
            action: step.map_or_else(|| line.inverse_action(), |step| step.kind().as_str()),
            subject_id: line.subject_id,
            object_id: line.id,
            subject_kind: line.subject_kind()?,
            why: Why::TakenBack.as_str(),
            decision: if step.is_some() { "planned" } else { "impossible" },
            held_reason: outcome.err().map(Impossible::as_str),
            detail: json!({ "undoes": { "item_id": line.id, "action": line.action } }),
            digest: outcome.map_or(Ok(PlanDigest::default()), digest_of)?.to_hex(),
            request_id: None,
            source_id: None,
            member_id: line.member_id,
            group_id: line.group_id,
            who: line.who.clone().unwrap_or_default(),
            before: change.before.map(Json::Object),
            after: Json::Object(change.after),
        })
    }
}

/// What became of an open item: another decision, and if it was applied what it changed.
#[derive(Serialize)]
pub(crate) struct SettledRow {
    pub(crate) run_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) decision: &'static str,
    pub(crate) held_reason: Option<&'static str>,
    pub(crate) member_id: Option<Uuid>,
    pub(crate) group_id: Option<Uuid>,
    pub(crate) before: Option<Json>,
    pub(crate) after: Option<Json>,
}

impl SettledRow {
    pub(crate) fn new(run_id: Uuid, id: Uuid, decision: &'static str) -> Self {
        let (held_reason, member_id, group_id, before, after) = Default::default();
        Self { run_id, id, decision, held_reason, member_id, group_id, before, after }
    }

    pub(super) fn with(self, done: Option<&Done>) -> Self {
        let Some(done) = done else { return self };
        Self {
            member_id: done.member_id(),
            group_id: done.group_id(),
            before: done.change.before.clone().map(Json::Object),
            after: Some(Json::Object(done.change.after.clone())),
            ..self
        }
    }
}

const SETTLED: Columns = &[
    ("run_id", Type::Uuid),
    ("id", Type::Uuid),
    ("decision", Type::Text),
    ("held_reason", Type::Text),
    ("member_id", Type::Uuid),
    ("group_id", Type::Uuid),
    ("before", Type::Json),
    ("after", Type::Json),
];

impl TenantTx {
    /// Writes what became of open items; what is not known of one stays as it was recorded.
    pub(crate) async fn settle_items(&self, rows: &[SettledRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let kept = ["held_reason", "member_id", "group_id", "before", "after"];
        let kept = kept.map(|column| format!("{column} = coalesce(r.{column}, run_items.{column})"));
        let sql = format!(
            "UPDATE run_items SET decision = r.decision, {} FROM {} \
             WHERE run_items.tenant_id = $2 AND run_items.run_id = r.run_id AND run_items.id = r.id",
            kept.join(", "),
            self.tx.rows(SETTLED)
        );
        self.tx.exec(&sql, [json_rows(rows)?, self.tenant.0.into()]).await?;
        Ok(())
    }
}

/// The digest of one item: whom it is about and what it does.
pub(crate) fn digest_of(item: &Item) -> Result<PlanDigest, StoreError> {
    let text = serde_json::to_string(item).map_err(|e| StoreError::Invalid(e.to_string()))?;
    Ok(PlanDigest::of(&text))
}

#[derive(Serialize)]
pub(crate) struct DisputeRow {
    tenant_id: Uuid,
    subject_id: Uuid,
    subject_kind: &'static str,
    dispute: &'static str,
    about: String,
    #[serde(serialize_with = "time_text")]
    since: DateTime<Utc>,
    #[serde(serialize_with = "time_text")]
    last_tried_at: DateTime<Utc>,
    tries: i64,
}

pub(crate) const DISPUTE_COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("subject_id", Type::Uuid),
    ("subject_kind", Type::Text),
    ("dispute", Type::Text),
    ("about", Type::Text),
    ("since", Type::Time),
    ("last_tried_at", Type::Time),
    ("tries", Type::Int),
];

impl DisputeRow {
    /// A record that was just tried, and skipped.
    pub(crate) fn new(tx: &TenantTx, subject: (&'static str, Uuid), dispute: &'static str, about: String) -> Self {
        let (subject_kind, subject_id) = subject;
        let now = tx.clock.now();
        let tenant_id = tx.tenant.0;
        Self { tenant_id, subject_id, subject_kind, dispute, about, since: now, last_tried_at: now, tries: 1 }
    }
}

/// The kind and the id of a subject, as stored; read back by [`subject_of`].
pub(crate) fn ids_of(subject: Subject) -> (&'static str, Uuid) {
    match subject {
        Subject::DirectoryUser(id) => ("directory_user", id.0),
        Subject::DirectoryGroup(id) => ("directory_group", id.0),
        Subject::Member(id) => ("member", id.0),
        Subject::SharingGroup(id) => ("sharing_group", id.0),
    }
}

pub(crate) fn subject_of(kind: &str, id: Uuid) -> Option<Subject> {
    Some(match kind {
        "directory_user" => Subject::DirectoryUser(id.into()),
        "directory_group" => Subject::DirectoryGroup(id.into()),
        "member" => Subject::Member(id.into()),
        "sharing_group" => Subject::SharingGroup(id.into()),
        _ => return None,
    })
}

pub(crate) fn source_of(item: &Item) -> Option<Uuid> {
    item.origin.map(|origin| origin.source.0)
}

fn action_json(item: &Item) -> Result<Json, StoreError> {
    serde_json::to_value(&item.action).map_err(|e| StoreError::Invalid(e.to_string()))
}
