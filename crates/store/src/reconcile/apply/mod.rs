//! Applies a verdict to the roster: members, groups, seats, runs, audit events and the consumed changes in one
//! transaction, under the lease's fence. Either all of it happened, or none
//! (docs/design.md#one-change-one-audit-event).

pub(crate) mod candidate;
mod follow;
mod group_losses;
mod hold;
mod quarantine;
mod rewind;
mod roster_rows;
mod rows;
mod write;

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::log::changes::{Lane, Touched};
use crate::reconcile::lease::Lease;
use crate::reconcile::subjects::ids_of;
use crate::reconcile::world::limit_windows::hour_of;
use crate::reconcile::world::{Chunk, MANY_CHANGES};
use rollcall_core::action::{Disputed, Item};
use rollcall_core::change::Impossible;
use rollcall_core::digest::PlanDigest;
use rollcall_core::event::{Actor, Event, SeatsGrown};
use rollcall_core::guard::Verdict;
use rollcall_core::ids::RunId;
use rollcall_core::outcome::{Fault, Played, play};
use rollcall_core::run::ItemDecision;
use rollcall_core::world::World;
use rows::{DISPUTE_COLUMNS, DisputeRow, ITEM_COLUMNS, ItemRow};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Result of one apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub items: usize,
    /// Items newly withheld.
    pub held: usize,
}

#[derive(FromQueryResult)]
struct SettledRow {
    subject_kind: String,
    subject_id: Uuid,
}

impl Store {
    /// Applies the items that passed the guards, records the withheld ones, and consumes the changes.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker took over; [`StoreError::Moved`] when a member of the plan changed
    /// meanwhile, such as by accepting an invitation, or a held run was decided about. Nothing was written then.
    #[tracing::instrument(name = "store.apply.apply", skip_all)]
    pub async fn apply(&self, lease: &Lease, chunk: &Chunk, verdict: Verdict) -> Result<Applied, StoreError> {
        if let Some(part) = &chunk.rewind {
            return self.apply_rewind(lease, chunk, part, verdict).await;
        }
        let mut tx = self.write(&lease.scope).await?;
        if chunk.changes >= MANY_CHANGES {
            tx = tx.with_fresh_plans();
        }
        let run: RunId = tx.clock.new_id();
        let outcome = play(&chunk.world, &verdict, &mut || tx.clock.new_id()).map_err(program_fault)?;
        let applied: Vec<(&Item, &Played)> = verdict.apply.iter().zip(&outcome.played).collect();
        tx.write_counts(lease, outcome.seats_used, outcome.managed).await?;
        tx.consume(&chunk.read).await?;
        tx.grow_seats(&chunk.world, verdict.seats_grown, run).await?;
        // The rows of the run are built while the database writes those of the roster.
        let (written, items) = tokio::join!(tx.write_outcome(&outcome, run), async { tx.item_rows(run, &applied) });
        written?;
        tx.count_changes(&verdict).await?;
        tx.write_group_losses(&verdict, &chunk.world.policy).await?;
        tx.write_run(run, &applied, items?).await?;
        let held = tx.write_held(chunk, &verdict, &applied).await?;
        if held > 0 {
            tx.quarantine_if_due(&chunk.world, &verdict).await?;
        }
        let resumed = tx.write_disputes(&chunk.world, &verdict.disputed).await?;
        for candidate in &chunk.candidates {
            tx.write_candidate(candidate).await?;
            tx.write_disputes(&candidate.world, &candidate.plan.disputed).await?;
        }
        tx.follow_up(&outcome, chunk, &verdict.disputed).await?;
        tx.touch_resumed(resumed).await?;
        if chunk.rewind_waits {
            tx.look_at_tenant_again().await?;
        }
        tx.commit().await?;
        Ok(Applied { items: verdict.apply.len(), held })
    }

    /// Sets a failing change aside as a dispute, so that the rest of the tenant goes on
    /// (docs/design.md#one-bad-entry-blocks-nothing). `chunk` is the failed one, so changes pushed since are not
    /// consumed unread.
    #[tracing::instrument(name = "store.apply.set_aside", skip_all)]
    pub async fn set_aside(&self, lease: &Lease, chunk: &Chunk, error: &str) -> Result<(), StoreError> {
        if let Some(part) = &chunk.rewind {
            tracing::warn!(error, "a step of a rewind failed");
            let steps = chunk.world.rewind.steps.iter();
            let impossible = steps.map(|step| (step.id, Impossible::Failed)).collect();
            self.apply_rewind(lease, chunk, part, Verdict { impossible, ..Verdict::default() }).await?;
            return Ok(());
        }
        let tx = self.write(&lease.scope).await?;
        let standing = &chunk.world.standing;
        tx.write_counts(lease, i64::from(standing.seats_used), i64::from(standing.managed)).await?;
        let about: String = error.chars().take(500).collect();
        let skipped = chunk.touched.iter().filter_map(|touched| skipped(*touched));
        let rows: Vec<DisputeRow> =
            skipped.map(|subject| DisputeRow::new(&tx, subject, "failed", about.clone())).collect();
        tx.upsert_disputes(&rows).await?;
        tx.consume(&chunk.read).await?;
        tx.touch_people_of_groups(chunk).await?;
        tx.commit().await
    }
}

static GROW_SEATS: Sql = Sql::tenant(&["UPDATE tenants SET seats = $2 WHERE id = {tenant}"]);
static COUNT_CHANGES: Sql =
    Sql::tenant(&["INSERT INTO removal_counts (tenant_id, hour, removals, creations, modifications) \
     VALUES ({tenant}, $2, $3, $4, $5) ON CONFLICT (tenant_id, hour) DO UPDATE SET \
     removals = removal_counts.removals + excluded.removals, \
     creations = removal_counts.creations + excluded.creations, \
     modifications = removal_counts.modifications + excluded.modifications"]);
static INSERT_APPLIED_RUN: Sql = Sql::tenant(&[
    "INSERT INTO runs (tenant_id, id, source_id, state, verdict, held_reasons, counts, digest, created_at, modified_at) \
     VALUES ({tenant}, $2, $3, 'applied', 'applied', $4, $5, $6, $7, $7)",
]);
static SETTLE_DISPUTES: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["DELETE FROM disputes WHERE tenant_id = {tenant} AND subject_id IN (SELECT r.id FROM {rows}) \
       RETURNING subject_kind, subject_id"],
);

impl TenantTx {
    /// Under the lease, whose row is also locked by every change of seats or policy, so the cap is never exceeded.
    async fn grow_seats(&self, world: &World, grown: u32, run: RunId) -> Result<(), StoreError> {
        if grown == 0 {
            return Ok(());
        }
        let before = world.standing.seats_bought;
        self.as_system(self.exec(&GROW_SEATS, [i64::from(before + grown).into()])).await?;
        let detail = SeatsGrown { before, after: before + grown, seat_cap: world.policy.seat_cap };
        let event = Event::SeatsGrown(self.tenant, detail);
        self.write_events(&[self.event_row(&event, Actor::System, None, Some(run))]).await
    }

    /// Adds to the counts of the limits (DA10, PE8).
    async fn count_changes(&self, verdict: &Verdict) -> Result<(), StoreError> {
        let counts = [verdict.removals, verdict.creations, verdict.modifications];
        if counts == [0; 3] {
            return Ok(());
        }
        let hour = hour_of(self.clock.now()).into();
        self.exec(&COUNT_CHANGES, std::iter::once(hour).chain(counts.map(|count| i64::from(count).into()))).await?;
        Ok(())
    }

    fn item_rows(&self, run: RunId, applied: &[(&Item, &Played)]) -> Result<Vec<ItemRow>, StoreError> {
        let row = |item: &(&Item, &Played)| ItemRow::new(self, run, *item, ItemDecision::Applied, None);
        applied.iter().map(row).collect()
    }

    async fn write_run(&self, run: RunId, applied: &[(&Item, &Played)], rows: Vec<ItemRow>) -> Result<(), StoreError> {
        if applied.is_empty() {
            return Ok(());
        }
        let items = || applied.iter().map(|(item, _)| *item);
        let sources: std::collections::BTreeSet<Uuid> = items().filter_map(rows::source_of).collect();
        let source = if sources.len() == 1 { sources.into_iter().next() } else { None };
        let now = self.clock.now();
        let values = [
            run.0.into(),
            source.into(),
            json!([]).into(),
            counts_of(items()).into(),
            digest_of_all(items())?.to_hex().into(),
            now.into(),
        ];
        self.exec(&INSERT_APPLIED_RUN, values).await?;
        self.tx.insert_rows("run_items", ITEM_COLUMNS, &rows, "ON CONFLICT DO NOTHING").await?;
        Ok(())
    }

    /// Returns the groups whose disputes are settled.
    async fn write_disputes(&self, world: &World, disputed: &[Disputed]) -> Result<Vec<Uuid>, StoreError> {
        let still: std::collections::HashSet<Uuid> = disputed.iter().map(|d| ids_of(d.subject).1).collect();
        let users = world.users.iter().map(|user| user.id.0);
        let touched = users.chain(world.groups.iter().map(|group| group.id.0));
        let settled: Vec<Uuid> = touched.filter(|id| !still.contains(id)).collect();
        let mut resumed: Vec<SettledRow> = Vec::new();
        if !settled.is_empty() {
            resumed = self.all(&SETTLE_DISPUTES, [id_rows(settled)?]).await?;
            resumed.retain(|row| row.subject_kind == "directory_group");
        }
        let row = |disputed: &Disputed| {
            let about = disputed.about.clone();
            DisputeRow::new(self, ids_of(disputed.subject), disputed.dispute.as_str(), about)
        };
        self.upsert_disputes(&disputed.iter().map(row).collect::<Vec<_>>()).await?;
        Ok(resumed.into_iter().map(|row| row.subject_id).collect())
    }

    async fn upsert_disputes(&self, rows: &[DisputeRow]) -> Result<(), StoreError> {
        // An ignored record stays ignored while its dispute is the same.
        let kept = |column: &str| {
            format!(
                "{column} = CASE WHEN disputes.dispute = excluded.dispute AND disputes.about = excluded.about \
                 THEN disputes.{column} END"
            )
        };
        let tail = &format!(
            "ON CONFLICT (tenant_id, subject_id) DO UPDATE SET dispute = excluded.dispute, about = excluded.about, \
             last_tried_at = excluded.last_tried_at, tries = disputes.tries + 1, {}, {}",
            kept("ignored_at"),
            kept("note")
        );
        self.tx.insert_rows("disputes", DISPUTE_COLUMNS, rows, tail).await?;
        Ok(())
    }

    /// More people may wait than were read, or a rewind goes on: touch the tenant again.
    pub(crate) async fn look_at_tenant_again(&self) -> Result<(), StoreError> {
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

/// The skipped record for a failing change. For a membership it is the group: a retry of it touches all its
/// memberships.
fn skipped(touched: Touched) -> Option<(&'static str, Uuid)> {
    match touched {
        Touched::User(user) => Some(("directory_user", user.0)),
        Touched::Group(group) | Touched::Membership(group, _) => Some(("directory_group", group.0)),
        Touched::Tenant => None,
    }
}

fn request_of(item: &Item) -> Option<Uuid> {
    item.origin.and_then(|origin| origin.request).map(|id| id.0)
}

/// A verdict that does not fit its world is a fault of the program: nothing is written.
fn program_fault(fault: Fault) -> StoreError {
    StoreError::database(fault.to_string())
}
