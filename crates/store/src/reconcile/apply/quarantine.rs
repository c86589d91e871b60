//! Quarantine: a source whose removals are held repeatedly is stopped until an admin releases it (PE9).

use super::rows;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::event::{Actor, Event, SourceQuarantined};
use rollcall_core::guard::Verdict;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct CountRow {
    held: i64,
}

static HELD_REMOVALS: Sql = Sql::tenant(&[
    "SELECT count(*) AS held FROM runs r JOIN run_items i ON i.tenant_id = r.tenant_id AND i.run_id = r.id \
     AND i.decision = 'held' AND i.held_reason = 'member_removal_over_limit' \
     WHERE r.tenant_id = {tenant} AND r.source_id = $2 AND r.state = 'held'",
]);
static QUARANTINE: Sql = Sql::tenant(&[
    "UPDATE sources SET quarantined_at = $3, quarantine_reason = $4 WHERE tenant_id = {tenant} AND id = $2 \
     AND mode = 'live' AND quarantined_at IS NULL \
     AND (quarantine_released_at IS NULL OR quarantine_released_at < $5)",
]);

impl TenantTx {
    /// Counts the held items of the sources in this plan: at most the limit of the rule, and one chunk.
    pub(super) async fn quarantine_if_due(&self, world: &World, verdict: &Verdict) -> Result<(), StoreError> {
        let Some(most) = world.policy.quarantined_at(world.standing.managed) else { return Ok(()) };
        let over = verdict.withheld.iter().filter(|(_, reason)| *reason == HoldReason::RemovalOverLimit);
        let sources: BTreeSet<Uuid> = over.filter_map(|(item, _)| rows::source_of(item)).collect();
        for source in sources {
            let count: Option<CountRow> = self.one(&HELD_REMOVALS, [source.into()]).await?;
            let held = count.map_or(0, |count| count.held);
            if held >= i64::from(most) {
                self.quarantine(source, world, held).await?;
            }
        }
        Ok(())
    }

    /// Not within the window of the limit after a release, because the admin has seen these items.
    async fn quarantine(&self, source: Uuid, world: &World, held: i64) -> Result<(), StoreError> {
        let (limit, managed) = (world.policy.removal_limit, world.standing.managed);
        let allowed = limit.allowed(managed);
        let reason = format!(
            "{held} removals are held: over the limit of {allowed} in {} hours more often than the policy takes from a source",
            limit.window_hours
        );
        let now = self.clock.now();
        let values = [source.into(), now.into(), reason.as_str().into(), (now - limit.window()).into()];
        if self.exec(&QUARANTINE, values).await? == 0 {
            return Ok(());
        }
        let event = Event::SourceQuarantined(source.into(), SourceQuarantined { reason, held, allowed });
        self.write_events(&[self.event_row(&event, Actor::System, None, None)]).await
    }
}
