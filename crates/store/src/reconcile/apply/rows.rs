//! Rows that an apply writes in bulk.

use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, json_rows, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::reconcile::subjects::ids_of;
use crate::reconcile::world::Line;
use chrono::{DateTime, Utc};
use rollcall_core::action::{Action, Item, Why};
use rollcall_core::change::{Impossible, Recorded, Target};
use rollcall_core::digest::PlanDigest;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::RunId;
use rollcall_core::outcome::Played;
use rollcall_core::run::ItemDecision;
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

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
        (item, played): (&Item, &Played),
        decision: ItemDecision,
        reason: Option<HoldReason>,
    ) -> Result<Self, StoreError> {
        // A member or group that an item would make has no id before it is made.
        let made = (decision == ItemDecision::Applied).then_some(played.recorded.target);
        let target = item.action.target().or(made);
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
            decision: decision.as_str(),
            held_reason: reason.map(HoldReason::as_str),
            detail: action_json(item)?,
            digest: digest_of(item)?.to_hex(),
            request_id: super::request_of(item),
            source_id: source_of(item),
            member_id: target.and_then(Target::member).map(|id| id.0),
            group_id: target.and_then(Target::group).map(|id| id.0),
            who: json!(played.known_as),
            before: played.recorded.change.before.clone().map(Json::Object),
            after: Json::Object(played.recorded.change.after.clone()),
        })
    }

    /// One item of a planned rewind, made from the item that it rewinds.
    pub(crate) fn of_rewind(
        tx: &TenantTx,
        run: Uuid,
        line: &Line,
        outcome: Result<&Item, Impossible>,
        in_the_way: Option<Uuid>,
    ) -> Result<Self, StoreError> {
        let step = outcome.ok().and_then(|item| if let Action::Undo(step) = &item.action { Some(step) } else { None });
        let change = step.map(|step| step.change.clone()).unwrap_or_default();
        let mut detail = json!({ "undoes": { "item_id": line.id, "action": line.action, "run_id": line.run_id } });
        if let Some(run) = in_the_way {
            detail["later_run_id"] = json!(run);
        }
        Ok(Self {
            tenant_id: tx.tenant.0,
            run_id: run,
            id: tx.clock.new_id(),
            action: step.map_or_else(|| line.inverse_action(), |step| step.kind().as_str()),
            subject_id: line.subject_id,
            object_id: line.id,
            subject_kind: line.subject_kind()?,
            why: Why::TakenBack.as_str(),
            decision: if step.is_some() { ItemDecision::Planned } else { ItemDecision::Impossible }.as_str(),
            held_reason: outcome.err().map(Impossible::as_str),
            detail,
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

/// Outcome of an open item: another decision, and its change if it was applied.
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
    pub(crate) fn new(run_id: Uuid, id: Uuid, decision: ItemDecision) -> Self {
        let decision = decision.as_str();
        let (held_reason, member_id, group_id, before, after) = Default::default();
        Self { run_id, id, decision, held_reason, member_id, group_id, before, after }
    }

    pub(super) fn with(self, played: Option<&Played>) -> Self {
        let Some(Played { recorded: Recorded { target, change, .. }, .. }) = played else { return self };
        Self {
            member_id: target.member().map(|id| id.0),
            group_id: target.group().map(|id| id.0),
            before: change.before.clone().map(Json::Object),
            after: Some(Json::Object(change.after.clone())),
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

static SETTLE_ITEMS: Sql = Sql::tenant_rows(
    &[("rows", 2, SETTLED)],
    &["UPDATE run_items SET decision = r.decision, \
       held_reason = coalesce(r.held_reason, run_items.held_reason), \
       member_id = coalesce(r.member_id, run_items.member_id), \
       group_id = coalesce(r.group_id, run_items.group_id), \
       before = coalesce(r.before, run_items.before), \
       after = coalesce(r.after, run_items.after) FROM {rows} \
       WHERE run_items.tenant_id = {tenant} AND run_items.run_id = r.run_id AND run_items.id = r.id"],
);

impl TenantTx {
    /// Writes the outcome of open items; missing fields stay as recorded.
    pub(crate) async fn settle_items(&self, rows: &[SettledRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.exec(&SETTLE_ITEMS, [json_rows(rows)?]).await?;
        Ok(())
    }
}

/// The digest of one item: its subject and its action.
pub(crate) fn digest_of(item: &Item) -> Result<PlanDigest, StoreError> {
    item.digest().map_err(|e| StoreError::Invalid(e.to_string()))
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

pub(crate) fn source_of(item: &Item) -> Option<Uuid> {
    item.origin.map(|origin| origin.source.0)
}

fn action_json(item: &Item) -> Result<Json, StoreError> {
    serde_json::to_value(&item.action).map_err(|e| StoreError::Invalid(e.to_string()))
}
