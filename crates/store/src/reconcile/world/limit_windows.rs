//! The sliding windows of the removal, creation and modification limits: changes are counted per hour, and a window is the
//! sum of its hours (DA10, PE8).

use super::count;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rollcall_core::policy::{Limit, Policy};
use sea_orm::FromQueryResult;

#[derive(FromQueryResult)]
struct SumRow {
    removals: i64,
    allowed: i64,
    creations: i64,
    modifications: i64,
}

impl TenantTx {
    /// Removals, creations and modifications, each in the window of its own limit, and the removals that were allowed beyond it.
    pub(super) async fn counts_in_windows(&self, policy: &Policy) -> Result<[u32; 4], StoreError> {
        let sum = |column: &str, since: &str| {
            format!("CAST(coalesce(sum(CASE WHEN hour >= {since} THEN {column} END), 0) AS bigint) AS {column}")
        };
        let sql = format!(
            "SELECT {}, {}, {}, {} FROM removal_counts WHERE tenant_id = $1 AND hour >= $5",
            sum("removals", "$2"),
            sum("allowed", "$2"),
            sum("creations", "$3"),
            sum("modifications", "$4")
        );
        // Without a limit nothing is counted.
        let limit = |limit: &Option<Limit>| limit.unwrap_or(policy.removal_limit);
        let limits = [policy.removal_limit, limit(&policy.creation_limit), limit(&policy.modification_limit)];
        let since = limits.map(|limit| hour_of(self.clock.now() - limit.window()));
        let first = since.iter().min().copied();
        let values = [self.tenant.0.into()].into_iter().chain(since.map(Into::into)).chain([first.into()]);
        let row: Option<SumRow> = self.tx.one(&sql, values).await?;
        let row = row.map_or([0; 4], |row| [row.removals, row.creations, row.modifications, row.allowed]);
        Ok(row.map(count))
    }
}

/// The hour in which a removal is counted; the window is counted in whole hours, the oldest one in full.
pub(crate) fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}
