//! Applies a verdict to the roster: members, groups, seats, runs, audit events and the consumed changes in one
//! transaction, under the lease's fence. Either all of it happened, or none (design §6.1).

mod follow;
mod hold;
mod roster;
mod rows;

use crate::audit::NewEvent;
use crate::changes::{Lane, Touched};
use crate::connect::Store;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::scope::TenantTx;
use crate::sql::id_rows;
use crate::world::{Chunk, hour_of};
use rollcall_core::audit::Actor;
use rollcall_core::digest::PlanDigest;
use rollcall_core::guard::Verdict;
use rollcall_core::ids::RunId;
use rollcall_core::plan::{Disputed, Item};
use roster::RosterChange;
use rows::{DISPUTE_COLUMNS, DisputeRow, ITEM_COLUMNS, ItemRow, ids_of};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What one application did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub items: usize,
    /// Items newly withheld.
    pub held: usize,
}

impl Store {
    /// Applies what the guards let through, records what they withheld, and consumes the changes.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker took over; nothing was written then.
    pub async fn apply(
        &self,
        lease: &Lease,
        chunk: Chunk,
        disputed: &[Disputed],
        verdict: Verdict,
    ) -> Result<Applied, StoreError> {
        let tx = self.write(&lease.scope).await?;
        let mut change = RosterChange::new(&tx, &chunk.world, &verdict);
        let run: RunId = tx.clock.new_id();
        for item in &verdict.apply {
            change.perform(item, run)?;
        }
        tx.write_counts(lease, change.seats_used, change.managed).await?;
        change.write(&tx).await?;
        if verdict.removals > 0 {
            tx.count_removals(verdict.removals).await?;
        }
        tx.write_run(run, &verdict.apply).await?;
        let held = tx.write_held(&chunk, &verdict).await?;
        tx.write_disputes(&chunk, disputed).await?;
        tx.follow_up(&change, &chunk).await?;
        tx.consume(&chunk.change_ids).await?;
        tx.commit().await?;
        Ok(Applied { items: verdict.apply.len(), held })
    }

    /// Takes a change that fails by itself out of the way, with a line in the list of things to look at, so that the rest
    /// of the tenant goes on (design §6.6).
    pub async fn set_aside(&self, lease: &Lease, chunk: &Chunk, error: &str) -> Result<(), StoreError> {
        let tx = self.write(&lease.scope).await?;
        let world = &chunk.world;
        tx.write_counts(lease, i64::from(world.standing.seats_used), i64::from(world.standing.managed)).await?;
        let users = world.users.iter().map(|user| ("directory_user", user.id.0));
        let groups = world.groups.iter().map(|group| ("directory_group", group.id.0));
        let row = |(kind, subject_id): (&'static str, Uuid)| DisputeRow {
            tenant_id: tx.tenant.0,
            subject_id,
            subject_kind: kind,
            dispute: "failed",
            about: error.chars().take(500).collect(),
            since: tx.clock.now(),
        };
        let rows: Vec<DisputeRow> = users.chain(groups).map(row).collect();
        tx.upsert_disputes(&rows).await?;
        tx.consume(&chunk.change_ids).await?;
        tx.commit().await
    }
}

impl TenantTx {
    async fn count_removals(&self, removals: u32) -> Result<(), StoreError> {
        let sql = "INSERT INTO removal_counts (tenant_id, hour, removals) VALUES ($1, $2, $3) \
                   ON CONFLICT (tenant_id, hour) DO UPDATE SET removals = removal_counts.removals + excluded.removals";
        let hour = hour_of(self.clock.now());
        self.tx.exec(sql, [self.tenant.0.into(), hour.into(), i64::from(removals).into()]).await?;
        Ok(())
    }

    async fn write_run(&self, run: RunId, items: &[Item]) -> Result<(), StoreError> {
        if items.is_empty() {
            return Ok(());
        }
        let sources: std::collections::BTreeSet<Uuid> = items.iter().filter_map(rows::source_of).collect();
        let source = if sources.len() == 1 { sources.into_iter().next() } else { None };
        let now = self.clock.now();
        let sql = "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, created_at, \
                   modified_at) VALUES ($1, $2, $3, 'applied', 'applied', $4, $5, $6, $7, $7)";
        let values = [
            self.tenant.0.into(),
            run.0.into(),
            source.into(),
            json!([]).into(),
            counts_of(items).into(),
            digest_of_all(items)?.to_hex().into(),
            now.into(),
        ];
        self.tx.exec(sql, values).await?;
        let rows: Vec<ItemRow> =
            items.iter().map(|item| ItemRow::new(self, run, item, "applied", None)).collect::<Result<_, _>>()?;
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, "ON CONFLICT DO NOTHING").await?;
        Ok(())
    }

    async fn write_disputes(&self, chunk: &Chunk, disputed: &[Disputed]) -> Result<(), StoreError> {
        let still: std::collections::HashSet<Uuid> = disputed.iter().map(|d| ids_of(d.subject).1).collect();
        let users = chunk.world.users.iter().map(|user| user.id.0);
        let touched = users.chain(chunk.world.groups.iter().map(|group| group.id.0));
        let settled: Vec<Uuid> = touched.filter(|id| !still.contains(id)).collect();
        if !settled.is_empty() {
            let sql = format!(
                "DELETE FROM disputes WHERE tenant_id = $2 AND subject_id IN (SELECT r.id FROM {})",
                self.tx.rows(crate::sql::ID)
            );
            self.tx.exec(&sql, [id_rows(settled)?, self.tenant.0.into()]).await?;
        }
        let row = |disputed: &Disputed| {
            let (subject_kind, subject_id) = ids_of(disputed.subject);
            let (dispute, about) = (disputed.dispute.as_str(), disputed.about.clone());
            DisputeRow { tenant_id: self.tenant.0, subject_id, subject_kind, dispute, about, since: self.clock.now() }
        };
        self.upsert_disputes(&disputed.iter().map(row).collect::<Vec<_>>()).await
    }

    async fn upsert_disputes(&self, rows: &[DisputeRow]) -> Result<(), StoreError> {
        let tail =
            "ON CONFLICT (tenant_id, subject_id) DO UPDATE SET dispute = excluded.dispute, about = excluded.about";
        self.tx.insert_rows("disputes", DISPUTE_COLUMNS, rows, tail).await?;
        Ok(())
    }

    async fn consume(&self, changes: &[Uuid]) -> Result<(), StoreError> {
        let sql = format!(
            "DELETE FROM directory_changes WHERE tenant_id = $2 AND id IN (SELECT r.id FROM {})",
            self.tx.rows(crate::sql::ID)
        );
        self.tx.exec(&sql, [id_rows(changes.iter().copied())?, self.tenant.0.into()]).await?;
        Ok(())
    }

    /// More people may wait than were looked at: look again.
    async fn look_at_waitlist_again(&self) -> Result<(), StoreError> {
        self.write_changes(None, Lane::Bulk, [Touched::Tenant]).await
    }
}

fn digest_of_all<'i>(items: impl IntoIterator<Item = &'i Item>) -> Result<PlanDigest, StoreError> {
    items.into_iter().try_fold(PlanDigest::default(), |sum, item| Ok(sum.with(rows::digest_of(item)?)))
}

/// Items by action.
fn counts_of<'i>(items: impl IntoIterator<Item = &'i Item>) -> serde_json::Value {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(item.action.name()).or_default() += 1;
    }
    json!(counts)
}

/// Who an item's event names: the source that said so, or Rollcall itself.
fn actor_of(item: &Item) -> String {
    item.origin.map_or(Actor::System, |origin| Actor::Source(origin.source)).to_text()
}

fn request_of(item: &Item) -> Option<Uuid> {
    item.origin.and_then(|origin| origin.request).map(|id| id.0)
}

/// An event of one kind about one subject.
fn event(
    kind: rollcall_core::audit::AuditKind,
    subject_kind: &'static str,
    subject_id: Uuid,
    detail: serde_json::Value,
) -> NewEvent {
    NewEvent { kind, subject_kind, subject_id, detail: Some(detail) }
}
