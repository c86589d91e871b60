//! Counts on the wire.

use super::sources::Source;
use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;

/// Members by status; the blocked ones are among the others.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberCounts {
    pub pending: i64,
    pub invited: i64,
    pub active: i64,
    pub suspended: i64,
    pub removed: i64,
    pub blocked: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SeatCounts {
    pub bought: i64,
    pub used: i64,
}

/// One UTC day.
#[derive(Debug, Serialize, ToSchema)]
pub struct Day {
    #[schema(format = Date)]
    pub day: String,
    pub members: MemberCounts,
    pub seats: SeatCounts,
    pub sign_ins: i64,
    pub runs: i64,
    /// Runs of which a part was held, planned or simulated.
    pub runs_withheld: i64,
}

impl From<store::DayCounts> for Day {
    fn from(counts: store::DayCounts) -> Self {
        let store::DayCounts { pending, invited, active, suspended, removed, blocked, .. } = counts;
        Self {
            day: counts.day,
            members: MemberCounts { pending, invited, active, suspended, removed, blocked },
            seats: SeatCounts { bought: counts.seats, used: counts.seats_used },
            sign_ins: counts.sign_ins,
            runs: counts.runs,
            runs_withheld: counts.runs_withheld,
        }
    }
}

/// The time from a source's request to its effect on a member.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lag {
    /// The last effects that were looked at.
    pub changes: usize,
    pub p50_ms: i64,
    pub p99_ms: i64,
    pub max_ms: i64,
}

impl From<store::SyncLag> for Lag {
    fn from(lag: store::SyncLag) -> Self {
        let store::SyncLag { changes, p50_ms, p99_ms, max_ms } = lag;
        Self { changes, p50_ms, p99_ms, max_ms }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// The oldest first; a day on which no worker ran is missing.
    pub days: Vec<Day>,
    pub sync_lag: Lag,
}

/// Things that wait for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attention {
    pub held_runs: i64,
    /// Members who wait for an approval.
    pub approvals: i64,
    /// At most 10,001.
    pub skipped_records: i64,
    pub quarantined_sources: usize,
}

/// Things that wait for a worker.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backlog {
    /// At most 10,001.
    pub changes: i64,
    pub oldest_change_at: Option<DateTime<Utc>>,
    /// The next try after a failure.
    pub retry_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// An organisation at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    pub members: MemberCounts,
    pub seats: SeatCounts,
    /// Members who wait for a seat.
    pub waitlist: i64,
    pub attention: Attention,
    pub backlog: Backlog,
    pub sync_lag: Lag,
    pub sources: Vec<Source>,
}
