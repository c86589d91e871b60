//! Quotas of writes: each process adds up what it accepts for a tenant since the last exact count, so that a write costs no query.
//!
//! A count runs in the background when much was added since the last one, and in a request only before it is refused, unless the
//! last one is some seconds old. So nobody is refused by an old estimate, and a tenant exceeds a quota by no more than what other
//! processes accept between two counts.

use crate::Hub;
use hashlink::LruCache;
use rollcall_core::ids::TenantId;
use rollcall_core::quota::{OverQuota, Quota, Quotas, Usage};
use rollcall_store::{SourceScope, StoreError};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Most tenants in memory; the least recently used are counted anew.
const TENANTS: usize = 20_000;
/// Longest time for which a count of a tenant that writes is used.
const COUNT_LIFE: Duration = Duration::from_secs(600);
/// Age of a count by which a write may be refused, and the same in durations of that count: a large tenant that is refused
/// keeps the database busy for a tenth of the time at most.
const FRESH: Duration = Duration::from_secs(5);
const FRESH_COUNTS: u32 = 10;
/// Counts in the background at once: after a restart every tenant that writes is due.
const COUNTS: usize = 2;
/// A count is due when a twentieth of the room, and at least this much, was added.
const LEAST: Usage = Usage { records: 100, bytes: 8 << 20, sources: 0, keys: 0, webhooks: 0, changes: 20_000 };
/// An update of this size is accepted somewhat beyond the quota of bytes, since identity providers send whole records, and
/// always if it ends access. Larger ones are not, or whoever says `active: false` beside a megabyte stores without end.
const SMALL_BYTES: u64 = 16 << 10;

/// The additions of a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adds {
    usage: Usage,
    creates: bool,
    /// Ends somebody's access, or deletes.
    ends: bool,
}

impl Adds {
    pub(crate) fn creation(data: &Value) -> Self {
        Self {
            usage: Usage { records: 1, bytes: weight(data), changes: 1, ..Usage::default() },
            creates: true,
            ends: false,
        }
    }

    pub(crate) fn update(data: &Value) -> Self {
        let usage = Usage { bytes: weight(data), changes: 1, ..Usage::default() };
        Self { usage, creates: false, ends: ends_access(data) }
    }

    pub(crate) fn deletion() -> Self {
        Self { usage: Usage { changes: 1, ..Usage::default() }, creates: false, ends: true }
    }

    fn may_exceed(&self, quota: Quota, used: u64, limit: u64) -> bool {
        let small = self.usage.bytes <= SMALL_BYTES;
        let somewhat = used <= limit.saturating_add(limit / 4);
        match quota {
            Quota::Bytes => !self.creates && (if self.ends { small || somewhat } else { small && somewhat }),
            Quota::Changes => self.ends,
            Quota::Records | Quota::Sources | Quota::Keys | Quota::Webhooks => !self.creates,
        }
    }
}

/// About as many bytes as the value has as text.
fn weight(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 + 3,
        Value::Array(items) => items.iter().map(weight).sum::<u64>() + 2,
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| key.len() as u64 + 4 + weight(value)).sum::<u64>() + 2
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// Does the body say `active: false` anywhere, or take something away, in any of the spellings of identity providers?
fn ends_access(value: &Value) -> bool {
    let is_false = |value: &Value| match value {
        Value::Bool(active) => !active,
        Value::String(text) => text.eq_ignore_ascii_case("false"),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().any(ends_access),
        Value::Object(entries) => {
            let says = |wanted: &str, said: &str| {
                let found = entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
                found.and_then(|(_, value)| value.as_str()).is_some_and(|value| value.eq_ignore_ascii_case(said))
            };
            let at_active = says("path", "active");
            says("op", "remove")
                || entries.iter().any(|(key, value)| {
                    let of_active =
                        key.eq_ignore_ascii_case("active") || (at_active && key.eq_ignore_ascii_case("value"));
                    (of_active && is_false(value)) || ends_access(value)
                })
        }
        _ => false,
    }
}

/// The numbers of one tenant in this process.
struct Tally {
    limits: Quotas,
    counted: Usage,
    /// Accepted here, ever.
    accepted: Usage,
    /// Accepted and not ended: a count that begins now may not see them.
    in_flight: Usage,
    /// The accepted writes that had ended when the count began, so that it saw them.
    seen: Usage,
    /// The beginning of the count. One that began earlier and ends later says nothing new.
    begun_at: Option<Instant>,
    counted_at: Option<Instant>,
    /// Until then a write may be refused by the last count.
    fresh_until: Option<Instant>,
    counting: bool,
}

impl Tally {
    /// Accepted here and perhaps not in the count.
    fn added(&self) -> Usage {
        self.accepted.minus(&self.seen)
    }

    fn is_due(&self, now: Instant) -> bool {
        let old = self.counted_at.is_none_or(|at| now.duration_since(at) > COUNT_LIFE);
        let much = Quota::ALL.iter().any(|quota| {
            let room = self.limits.of(*quota).saturating_sub(self.counted.of(*quota));
            let least = LEAST.of(*quota);
            least > 0 && self.added().of(*quota) > least.max(room / 20)
        });
        !self.counting && (old || much)
    }
}

/// The tallies of a process.
pub struct QuotaBook {
    tenants: Mutex<LruCache<TenantId, Tally>>,
    /// One exact count of a refusal at a time.
    exact: tokio::sync::Mutex<()>,
    background: Semaphore,
}

impl Default for QuotaBook {
    fn default() -> Self {
        let tenants = Mutex::new(LruCache::new(TENANTS));
        Self { tenants, exact: tokio::sync::Mutex::new(()), background: Semaphore::new(COUNTS) }
    }
}

/// The answer of a tally.
enum Charge {
    Accepted {
        /// Count in the background.
        due: bool,
    },
    Over {
        over: OverQuota,
        /// The last count is young enough to refuse by it.
        fresh: bool,
    },
}

impl QuotaBook {
    fn lock(&self) -> MutexGuard<'_, LruCache<TenantId, Tally>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn charge(&self, tenant: TenantId, adds: &Adds, defaults: &Quotas) -> Charge {
        let now = Instant::now();
        let mut tenants = self.lock();
        let tally = tenants.entry(tenant).or_insert_with(|| Tally {
            limits: *defaults,
            counted: Usage::default(),
            accepted: Usage::default(),
            in_flight: Usage::default(),
            seen: Usage::default(),
            begun_at: None,
            counted_at: None,
            fresh_until: None,
            counting: false,
        });
        let after = tally.counted.plus(&tally.added()).plus(&adds.usage);
        let over = tally.limits.exceeded_by(&after);
        if let Some(over) = over.filter(|over| !adds.may_exceed(over.quota, after.of(over.quota), over.limit)) {
            let fresh = tally.fresh_until.is_some_and(|until| now < until);
            return Charge::Over { over, fresh };
        }
        tally.accepted = tally.accepted.plus(&adds.usage);
        tally.in_flight = tally.in_flight.plus(&adds.usage);
        let due = tally.is_due(now);
        tally.counting |= due;
        Charge::Accepted { due }
    }

    /// The writes that a count which begins now is certain to see.
    fn ended(&self, tenant: TenantId) -> Usage {
        self.lock().get(&tenant).map(|tally| tally.accepted.minus(&tally.in_flight)).unwrap_or_default()
    }

    /// Notes the end of a write, whether it was made or not.
    fn end(&self, tenant: TenantId, usage: &Usage) {
        if let Some(tally) = self.lock().get_mut(&tenant) {
            tally.in_flight = tally.in_flight.minus(usage);
        }
    }

    /// Notes a count that began when the writes of `seen` had ended; a failed one is tried again later.
    fn note(&self, tenant: TenantId, seen: &Usage, begun: Instant, counted: Option<(Usage, Quotas)>) {
        let mut tenants = self.lock();
        let Some(tally) = tenants.get_mut(&tenant) else { return };
        let now = Instant::now();
        tally.counting = false;
        tally.counted_at = Some(now);
        tally.fresh_until = Some(now + FRESH.max(now.duration_since(begun) * FRESH_COUNTS));
        let is_newer = tally.begun_at.is_none_or(|at| at <= begun);
        if let Some((usage, limits)) = counted.filter(|_| is_newer) {
            (tally.counted, tally.limits, tally.begun_at) = (usage, limits, Some(begun));
            tally.seen = *seen;
        }
    }
}

impl Hub {
    /// Accepts what a write adds, or names the quota that it would exceed.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`]; those of an exact count, which only a refusal needs.
    pub(crate) async fn admit(&self, scope: &SourceScope, adds: &Adds) -> Result<Admitted, StoreError> {
        let admitted = || Admitted { book: Arc::clone(&self.quotas), tenant: scope.tenant(), usage: adds.usage };
        match self.quotas.charge(scope.tenant(), adds, &self.store.quotas) {
            Charge::Accepted { due: false } => Ok(admitted()),
            Charge::Accepted { due: true } => {
                let (hub, scope) = (self.clone(), *scope);
                tokio::spawn(async move {
                    let _turn = hub.quotas.background.acquire().await;
                    if let Err(error) = hub.count_anew(&scope).await {
                        tracing::warn!(%error, "the use of a tenant's quotas could not be counted");
                    }
                });
                Ok(admitted())
            }
            Charge::Over { .. } => Box::pin(self.admit_exactly(scope, adds)).await.map(|()| admitted()),
        }
    }

    async fn admit_exactly(&self, scope: &SourceScope, adds: &Adds) -> Result<(), StoreError> {
        let _turn = self.quotas.exact.lock().await;
        let again = || self.quotas.charge(scope.tenant(), adds, &self.store.quotas);
        let over = match again() {
            Charge::Accepted { .. } => return Ok(()),
            Charge::Over { over, fresh: true } => over,
            Charge::Over { fresh: false, .. } => {
                self.count_anew(scope).await?;
                match again() {
                    Charge::Accepted { .. } => return Ok(()),
                    Charge::Over { over, .. } => over,
                }
            }
        };
        self.metrics.quota_refused(over.quota.as_str());
        Err(StoreError::OverQuota(over))
    }

    async fn count_anew(&self, scope: &SourceScope) -> Result<(), StoreError> {
        let tenant = scope.tenant();
        let (begun, seen) = (Instant::now(), self.quotas.ended(tenant));
        let counted = self.store.without_statement_timeout().usage_of_source(scope).await;
        let known = counted.as_ref().ok().map(|counted| (counted.usage, counted.limits));
        self.quotas.note(tenant, &seen, begun, known);
        counted.map(drop)
    }
}

/// A write in flight; dropped at its end.
pub(crate) struct Admitted {
    book: SharedQuotaBook,
    tenant: TenantId,
    usage: Usage,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.book.end(self.tenant, &self.usage);
    }
}

/// Shared by the clones of a hub.
pub type SharedQuotaBook = Arc<QuotaBook>;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn s6_a_write_that_ends_access_is_recognised_in_every_spelling() {
        for (body, ends) in [
            (json!({ "active": false }), true),
            (json!({ "Active": "False" }), true),
            (json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] }), true),
            (json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] }), true),
            (json!({ "Operations": [{ "op": "Remove", "path": "members[value eq \"1\"]" }] }), true),
            (json!({ "active": true, "title": "false" }), false),
            (json!({ "Operations": [{ "op": "replace", "path": "title", "value": "False" }] }), false),
        ] {
            assert_eq!(Adds::update(&body).ends, ends, "{body}");
        }
    }

    #[test]
    fn s6_the_weight_is_about_the_length_of_the_text() {
        let body = json!({ "userName": "ann@x.test", "emails": [{ "value": "a".repeat(10_000), "primary": true }] });
        let (weight, length) = (weight(&body), body.to_string().len() as u64);
        assert!(weight.abs_diff(length) < length / 10, "{weight} of {length}");
    }

    #[tokio::test(start_paused = true)]
    async fn s6_creations_stop_at_the_quota_and_what_ends_access_goes_on() {
        let book = QuotaBook::default();
        let limits = Quotas { records: 3, bytes: 1 << 20, ..Quotas::default() };
        let tenant = TenantId(uuid::Uuid::from_u128(1));
        let charge = |adds: &Adds| matches!(book.charge(tenant, adds, &limits), Charge::Accepted { .. });
        let small = json!({ "userName": "ann" });
        assert_eq!([(); 4].map(|()| charge(&Adds::creation(&small))), [true, true, true, false]);
        assert!(charge(&Adds::update(&small)), "a record that is there is no new one");
        assert!(charge(&Adds::deletion()));
        let large = json!({ "title": "x".repeat(2 << 20) });
        assert!(!charge(&Adds::update(&large)));
        assert!(!charge(&Adds::update(&json!({ "title": "x".repeat(2 << 20), "active": false }))), "it stores too");
        assert!(charge(&Adds::update(&json!({ "title": "x".repeat(8 << 10), "active": false }))));
        // A count that begins while all writes are in flight sees none of them, and takes none off.
        book.note(tenant, &book.ended(tenant), Instant::now(), Some((Usage::default(), limits)));
        assert!(!charge(&Adds::creation(&small)), "three are on their way");
        let accepted = Usage { records: 3, bytes: 64 << 20, changes: 9, ..Usage::default() };
        book.end(tenant, &accepted);
        let usage = Usage { records: 1, ..Usage::default() };
        book.note(tenant, &book.ended(tenant), Instant::now(), Some((usage, limits)));
        assert_eq!([(); 3].map(|()| charge(&Adds::creation(&small))), [true, true, false], "by the exact count");
    }

    #[tokio::test(start_paused = true)]
    async fn s6_a_count_that_is_overtaken_by_another_makes_no_room() {
        let book = QuotaBook::default();
        let limits = Quotas { records: 4, ..Quotas::default() };
        let tenant = TenantId(uuid::Uuid::from_u128(1));
        let adds = Adds::creation(&json!({ "userName": "ann" }));
        let write = || {
            let accepted = matches!(book.charge(tenant, &adds, &limits), Charge::Accepted { .. });
            book.end(tenant, &adds.usage);
            accepted
        };
        let counted = |records| Some((Usage { records, ..Usage::default() }, limits));
        assert!(write() && write());
        let (early, seen_early) = (Instant::now(), book.ended(tenant));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(write() && write());
        let (late, seen_late) = (Instant::now(), book.ended(tenant));
        book.note(tenant, &seen_late, late, counted(4));
        book.note(tenant, &seen_early, early, counted(2));
        assert!(!write(), "four are there");
    }
}
