//! Counts of a tenant: now, on each day, and how long changes take (decision 0079).

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::entity::audit_events;
use crate::reconcile::retention::first_id_of;
use crate::scope::{AdminScope, TenantScope};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use rollcall_core::event::Actor;
use rollcall_core::ids::TenantId;
use sea_orm::sea_query::Value;
use sea_orm::{DerivePartialModel, FromQueryResult};
use uuid::Uuid;

/// Events whose delay is looked at.
const EVENTS_READ: u64 = 2_000;
/// Most skipped records and waiting changes that are counted; one more means that there are more.
const COUNTED_MAX: i64 = 10_000;

/// A tenant on one day. Sign-ins and runs are those of the day; the rest is as it was when it was counted last.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct DayCounts {
    /// UTC, as `2026-11-30`.
    pub day: String,
    pub pending: i64,
    pub invited: i64,
    pub active: i64,
    pub suspended: i64,
    pub removed: i64,
    pub blocked: i64,
    pub seats: i64,
    pub seats_used: i64,
    pub sign_ins: i64,
    pub runs: i64,
    /// Runs of which a guard, a simulation or a rewind withheld a part.
    pub runs_withheld: i64,
}

/// Things that wait in a tenant.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Waiting {
    pub for_seat: i64,
    pub for_approval: i64,
    pub held_runs: i64,
    /// At most 10,001.
    pub skipped_records: i64,
    /// At most 10,001.
    pub changes: i64,
    pub oldest_change_at: Option<DateTime<Utc>>,
    pub retry_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// The time from a request of a source to its effect on a member, of the last effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncLag {
    pub changes: usize,
    pub p50_ms: i64,
    pub p99_ms: i64,
    pub max_ms: i64,
}

/// `$2` is the day, `$3` and `$4` are the least ids of it and of the next. Sign-ins and runs of a day are a range of their ids.
const COUNTS: &str = "SELECT CAST($2 AS text) AS day, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.status = 'pending') AS pending, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.status = 'invited') AS invited, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.status = 'active') AS active, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.status = 'suspended') AS suspended, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.status = 'removed') AS removed, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.blocked_from IS NOT NULL) AS blocked, \
    t.seats, l.seats_used, \
    (SELECT count(*) FROM credentials c WHERE c.tenant_id = {tenant} AND c.kind = 'session' \
     AND c.id >= $3 AND c.id < $4) AS sign_ins, \
    (SELECT count(*) FROM runs r WHERE r.tenant_id = {tenant} AND r.id >= $3 AND r.id < $4) AS runs, \
    (SELECT count(*) FROM runs r WHERE r.tenant_id = {tenant} AND r.id >= $3 AND r.id < $4 \
     AND r.verdict <> 'applied') AS runs_withheld \
    FROM tenants t JOIN tenant_leases l ON l.tenant_id = t.id WHERE t.id = {tenant}";

static COUNTS_NOW: Sql = Sql::tenant(&[COUNTS]);
static NOTE_DAY: Sql = Sql::tenant(&[
    "INSERT INTO tenant_days (tenant_id, day, pending, invited, active, suspended, removed, blocked, seats, seats_used, sign_ins, \
     runs, runs_withheld) SELECT {tenant}, x.day, x.pending, x.invited, x.active, x.suspended, x.removed, x.blocked, x.seats, \
     x.seats_used, x.sign_ins, x.runs, x.runs_withheld FROM (",
    COUNTS,
    ") AS x WHERE TRUE ON CONFLICT (tenant_id, day) DO UPDATE SET pending = excluded.pending, invited = excluded.invited, \
     active = excluded.active, suspended = excluded.suspended, removed = excluded.removed, blocked = excluded.blocked, \
     seats = excluded.seats, seats_used = excluded.seats_used, sign_ins = excluded.sign_ins, runs = excluded.runs, \
     runs_withheld = excluded.runs_withheld",
]);
/// The last part of a day that is over: what happened in it. Its members are not known any more.
static END_DAY: Sql = Sql::tenant(&[
    "WITH x AS (",
    COUNTS,
    ") UPDATE tenant_days SET sign_ins = x.sign_ins, runs = x.runs, runs_withheld = x.runs_withheld FROM x WHERE tenant_days.tenant_id = {tenant} AND tenant_days.day = x.day",
]);
static DAYS: Sql =
    Sql::tenant(&["SELECT day, pending, invited, active, suspended, removed, blocked, seats, seats_used, sign_ins, \
    runs, runs_withheld FROM tenant_days WHERE tenant_id = {tenant} AND day >= $2 AND day < $3 ORDER BY day"]);
static WAITING: Sql = Sql::tenant(&["SELECT \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.waiting_for IS NOT NULL AND m.waiting_for = 'seat' \
     AND (m.approval IS NULL OR m.approval <> 'declined')) AS for_seat, \
    (SELECT count(*) FROM members m WHERE m.tenant_id = {tenant} AND m.waiting_for IS NOT NULL AND m.waiting_for = 'approval' \
     AND (m.approval IS NULL OR m.approval <> 'declined')) \
     AS for_approval, \
    (SELECT count(*) FROM runs r WHERE r.tenant_id = {tenant} AND r.state IN ('held', 'approved', 'planning') AND r.state = 'held') \
     AS held_runs, \
    (SELECT count(*) FROM (SELECT 1 FROM disputes d WHERE d.tenant_id = {tenant} AND d.ignored_at IS NULL LIMIT $2) AS x) \
     AS skipped_records, \
    (SELECT count(*) FROM (SELECT 1 FROM directory_changes c WHERE c.tenant_id = {tenant} LIMIT $2) AS y) AS changes, \
    (SELECT min(z.created_at) FROM (SELECT created_at FROM (SELECT c.created_at FROM directory_changes c \
      WHERE c.tenant_id = {tenant} AND c.lane = 0 ORDER BY c.id LIMIT 1) AS p UNION ALL SELECT created_at FROM ( \
      SELECT c.created_at FROM directory_changes c WHERE c.tenant_id = {tenant} AND c.lane = 1 ORDER BY c.id LIMIT 1) AS b) AS z) \
     AS oldest_change_at, \
    l.retry_at, l.last_error FROM tenant_leases l WHERE l.tenant_id = {tenant}"]);

impl Store {
    /// The counts of now.
    #[tracing::instrument(name = "store.statistics.counts_now", skip_all)]
    pub async fn counts_now(&self, scope: &AdminScope) -> Result<DayCounts, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let counts = tx.one(&COUNTS_NOW, of_day(tx.clock.now().date_naive())).await?;
        counts.ok_or(StoreError::NotFound("tenant"))
    }

    /// The days from this one on for which a row was written, the last one as it is now.
    #[tracing::instrument(name = "store.statistics.days", skip_all)]
    pub async fn days(&self, scope: &AdminScope, since: NaiveDate) -> Result<Vec<DayCounts>, StoreError> {
        let now = self.counts_now(scope).await?;
        let tx = self.read(&scope.scope).await?;
        let mut days: Vec<DayCounts> = tx.all(&DAYS, [text_of(since).into(), now.day.as_str().into()]).await?;
        days.push(now);
        Ok(days)
    }

    #[tracing::instrument(name = "store.statistics.waiting", skip_all)]
    pub async fn waiting(&self, scope: &AdminScope) -> Result<Waiting, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.one(&WAITING, [(COUNTED_MAX + 1).into()]).await?.ok_or(StoreError::NotFound("tenant"))
    }

    /// The delays of the last effects of sources on members.
    #[tracing::instrument(name = "store.statistics.sync_lag", skip_all)]
    pub async fn sync_lag(&self, scope: &AdminScope) -> Result<SyncLag, StoreError> {
        use audit_events::{Column, Entity};
        let tx = self.read(&scope.scope).await?;
        let last = tx.find::<Entity>().descending(Column::Position).descending(Column::Id).limit(EVENTS_READ);
        let events: Vec<ToldEvent> = last.all().await?;
        let mut delays: Vec<i64> = events.iter().filter_map(ToldEvent::delay).collect();
        delays.sort_unstable();
        let at =
            |percent: usize| delays.get((delays.len() * percent / 100).min(delays.len().saturating_sub(1))).copied();
        let (p50_ms, p99_ms, max_ms) = (at(50).unwrap_or(0), at(99).unwrap_or(0), delays.last().copied().unwrap_or(0));
        Ok(SyncLag { changes: delays.len(), p50_ms, p99_ms, max_ms })
    }

    /// Writes the row of today, and what happened in the rest of yesterday. Processes that do it at once write the same.
    #[tracing::instrument(name = "store.statistics.note_day", skip_all)]
    pub async fn note_day(&self, tenant: TenantId) -> Result<(), StoreError> {
        let tx = self.write(&TenantScope::new(tenant, Actor::System)).await?;
        let today = tx.clock.now().date_naive();
        tx.exec(&END_DAY, of_day(today - TimeDelta::days(1))).await?;
        tx.exec(&NOTE_DAY, of_day(today)).await?;
        tx.commit().await
    }
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit_events::Entity")]
struct ToldEvent {
    at: DateTime<Utc>,
    subject_kind: String,
    request_id: Option<Uuid>,
    run_id: Option<Uuid>,
}

impl ToldEvent {
    /// Milliseconds from the request to its effect on a member by a run. The id of a request begins with its time.
    fn delay(&self) -> Option<i64> {
        let request = self.request_id.filter(|_| self.run_id.is_some() && self.subject_kind == "member")?;
        let asked = i64::try_from(request.as_u128() >> 80).ok()?;
        Some((self.at.timestamp_millis() - asked).max(0))
    }
}

fn text_of(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

fn of_day(day: NaiveDate) -> [Value; 3] {
    let begin = day.and_time(NaiveTime::MIN).and_utc();
    let end = begin + TimeDelta::days(1);
    [text_of(day).into(), first_id_of(begin).into(), first_id_of(end).into()]
}
