//! Decisions of admins about pending members (LP5). The decision is written and the people are marked as changed; a worker then
//! admits approved people whom the source still has, under every guard.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::EventRow;
use crate::log::changes::{Lane, Touched};
use crate::scope::AdminScope;
use rollcall_core::event::{Event, MemberDecided};
use rollcall_core::ids::MemberId;
use rollcall_core::roster::{Approval, MemberStatus};
use sea_orm::FromQueryResult;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Most decisions in one call.
pub const DECISIONS_MAX: usize = 1_000;

/// The result of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionResult {
    Decided,
    /// The same decision was made before.
    Unchanged,
    /// The member is not `pending`, so there is no decision to make.
    NotPending,
    NotFound,
}

#[derive(FromQueryResult)]
struct PendingRow {
    id: Uuid,
    status: String,
    waiting_for: Option<String>,
    approval: Option<String>,
    directory_user_id: Option<Uuid>,
}

impl PendingRow {
    fn result(&self, approval: Approval) -> DecisionResult {
        // A repeated call gets the same answer as the first, whatever a worker has done since.
        if self.approval.as_deref() == Some(approval.as_str()) {
            DecisionResult::Unchanged
        } else if self.status == MemberStatus::Pending.as_str() {
            DecisionResult::Decided
        } else {
            DecisionResult::NotPending
        }
    }
}

impl Store {
    /// Decides about pending members, one by one, and answers in the order of the ids. The last decision counts: a declined
    /// member can be approved, and an approved one declined while they still wait. Plans that a worker has not applied are void,
    /// so a declined member is never admitted.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for more than [`DECISIONS_MAX`] ids.
    #[tracing::instrument(name = "store.member_approval.decide_members", skip_all)]
    pub async fn decide_members(
        &self,
        scope: &AdminScope,
        ids: &[MemberId],
        approval: Approval,
    ) -> Result<Committed<Vec<DecisionResult>>, StoreError> {
        if ids.len() > DECISIONS_MAX {
            return Err(StoreError::Invalid(format!("at most {DECISIONS_MAX} members at once")));
        }
        let tx = self.write(&scope.scope).await?;
        tx.stop_the_planning().await?;
        let known = tx.pending_rows(ids).await?;
        let decided: Vec<&PendingRow> =
            known.values().filter(|row| row.result(approval) == DecisionResult::Decided).collect();
        if !decided.is_empty() {
            tx.write_decision(&decided, approval).await?;
            tx.commit().await?;
        }
        let mut seen = HashSet::new();
        let result = |id: &MemberId| match known.get(&id.0).map(|row| row.result(approval)) {
            Some(DecisionResult::Decided) if !seen.insert(id.0) => DecisionResult::Unchanged,
            found => found.unwrap_or(DecisionResult::NotFound),
        };
        Ok(Committed::waking(scope.tenant(), ids.iter().map(result).collect()))
    }

    /// As [`decide_members`](Self::decide_members), about one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the member is not pending.
    #[tracing::instrument(name = "store.member_approval.decide_member", skip_all)]
    pub async fn decide_member(
        &self,
        scope: &AdminScope,
        id: MemberId,
        approval: Approval,
    ) -> Result<Committed<()>, StoreError> {
        let decided = self.decide_members(scope, &[id], approval).await?;
        decided.and_then(|results| match results.as_slice() {
            [DecisionResult::Decided | DecisionResult::Unchanged] => Ok(()),
            [DecisionResult::NotPending] => {
                Err(StoreError::Conflict("the member is not pending: there is nothing to decide".into()))
            }
            _ => Err(StoreError::NotFound("member")),
        })
    }
}

static PENDING_ROWS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT m.id, m.status, m.waiting_for, m.approval, m.directory_user_id FROM {rows} {join} members m \
      ON m.tenant_id = {tenant} AND m.id = r.id"],
);
static SET_APPROVAL: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "UPDATE members SET approval = $3, modified_at = $4 WHERE tenant_id = {tenant} AND id IN (SELECT r.id FROM {rows})",
    ],
);

impl TenantTx {
    async fn pending_rows(&self, ids: &[MemberId]) -> Result<HashMap<Uuid, PendingRow>, StoreError> {
        let rows: Vec<PendingRow> = self.all(&PENDING_ROWS, [id_rows(ids.iter().map(|id| id.0))?]).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    async fn write_decision(&self, decided: &[&PendingRow], approval: Approval) -> Result<(), StoreError> {
        let ids = id_rows(decided.iter().map(|row| row.id))?;
        self.exec(&SET_APPROVAL, [ids, approval.as_str().into(), self.clock.now().into()]).await?;
        let event = |row: &&PendingRow| {
            let (before, waiting_for) = (row.approval.clone(), row.waiting_for.clone());
            let detail = MemberDecided { before, after: approval, waiting_for };
            let event = match approval {
                Approval::Approved => Event::MemberApproved(row.id.into(), detail),
                Approval::Declined => Event::MemberDeclined(row.id.into(), detail),
            };
            self.event_row(&event, self.actor, self.request, None)
        };
        self.write_events(&decided.iter().map(event).collect::<Vec<EventRow>>()).await?;
        // A person who was invited by hand has no record, and is found on the waitlist.
        let touched: HashSet<Touched> = decided
            .iter()
            .map(|row| row.directory_user_id.map_or(Touched::Tenant, |id| Touched::User(id.into())))
            .collect();
        self.write_changes(None, Lane::Push, touched).await
    }
}
