//! The dialect ledger in this process: the quirks of requests are collected in memory and written every few seconds in
//! one batch for all sources, so that no request pays for it and no row is hot.

mod passwords;
mod requests;

use self::passwords::storable;
use self::requests::{Asked, Line, Lines, path_of};
use crate::Ingest;
use crate::scim::error::IngestError;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rollcall_scim::{Quirk, Quirks, ScimError};
use rollcall_store::{
    DISCOVERY_READS, DialectCount, REJECTED_BODY_BYTES, REJECTED_KEPT, REQUESTS, RejectedRequest, SourceScope, Store,
    StoreError,
};
use rollcall_web::{HadTrailingSlash, request_id};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Interval between two flushes.
const FLUSH_INTERVAL: Duration = Duration::from_secs(3);
/// Flushes between two prunes of expired rows.
const FLUSHES_PER_PRUNE: u32 = 200;
/// Most rejected requests between two flushes, of one source and in all; more of them add nothing new.
const REJECTED_PER_SOURCE: usize = 20;
const REJECTED_IN_ALL: usize = 500;
/// Longest stored path and query, in bytes.
const PATH_BYTES: usize = 8 * 1024;

/// Quirks and lines of all requests of this process since the last flush. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Ledger {
    pending: Arc<Mutex<Pending>>,
    /// Retention of the request log; zero: no log.
    lines_kept: TimeDelta,
}

/// Tenant, source, day.
type DayOfSource = (Uuid, Uuid, NaiveDate);

/// The counts of one page.
#[derive(Default)]
struct Counts {
    requests: i64,
    /// Requests that read discovery.
    discovery_reads: i64,
    quirks: Quirks,
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.discovery_reads += other.discovery_reads;
        self.quirks.merge(&other.quirks);
    }
}

#[derive(Default)]
struct Pending {
    pages: BTreeMap<DayOfSource, Counts>,
    rejected: Vec<RejectedRequest>,
    lines: Lines,
}

impl Pending {
    fn note_rejected(&mut self, rejected: RejectedRequest) {
        let of_source = self.rejected.iter().filter(|other| other.source_id == rejected.source_id).count();
        if of_source < REJECTED_PER_SOURCE && self.rejected.len() < REJECTED_IN_ALL {
            self.rejected.push(rejected);
        }
    }
}

impl Ledger {
    /// A ledger with this retention of the request log; zero for none.
    pub fn new(lines_kept: TimeDelta) -> Self {
        Self { pending: Arc::default(), lines_kept }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Flushes every few seconds until cancelled. Later entries need a last [`Ledger::flush`].
    pub async fn run(self, store: Store, cancel: CancellationToken) {
        let mut flushes = 0_u32;
        while cancel.run_until_cancelled(tokio::time::sleep(FLUSH_INTERVAL)).await.is_some() {
            self.flush(&store).await;
            flushes = flushes.wrapping_add(1);
            if flushes % FLUSHES_PER_PRUNE == 1
                && let Err(error) = self.prune(&store).await
            {
                tracing::warn!(%error, "expired entries of the ledger stay for now");
            }
        }
    }

    async fn prune(&self, store: &Store) -> Result<(), StoreError> {
        store.prune_ledger().await?;
        store.forget_requests(self.lines_kept).await
    }

    /// Writes the collected entries. After a failure they are kept for the next flush, except for rejected requests and
    /// lines of the log.
    pub async fn flush(&self, store: &Store) {
        let (pages, rejected, lines) = {
            let mut pending = self.pending();
            (std::mem::take(&mut pending.pages), std::mem::take(&mut pending.rejected), pending.lines.take())
        };
        if let Err(error) = store.add_dialect_counts(&counts(&pages)).await {
            tracing::warn!(%error, "the dialect ledger is written later");
            let mut pending = self.pending();
            for (page, counts) in pages {
                pending.pages.entry(page).or_default().merge(&counts);
            }
        }
        if let Err(error) = store.keep_rejected(&rejected).await {
            tracing::warn!(%error, requests = rejected.len(), "rejected requests are not kept");
        }
        if let Err(error) = store.log_requests(&lines).await {
            tracing::warn!(%error, lines = lines.len(), "requests are missing from the log");
        }
    }
}

/// In the order of the pages' keys, so that processes write rows in the same order.
fn counts(pages: &BTreeMap<DayOfSource, Counts>) -> Vec<DialectCount> {
    let mut counts = Vec::new();
    for ((tenant_id, source_id, day), page) in pages {
        let mut of_page = vec![(REQUESTS, page.requests)];
        if page.discovery_reads > 0 {
            of_page.push((DISCOVERY_READS, page.discovery_reads));
        }
        of_page.extend(page.quirks.iter().map(|(quirk, count)| (quirk.name(), i64::from(count))));
        of_page.sort_unstable();
        let (tenant_id, source_id) = (*tenant_id, *source_id);
        let row =
            |(quirk, occurrences)| DialectCount { tenant_id, source_id, day: day.to_string(), quirk, occurrences };
        counts.extend(of_page.into_iter().map(row));
    }
    counts
}

/// Facts that one request collects while it is handled.
pub(crate) struct Noted {
    scope: SourceScope,
    quirks: RefCell<Quirks>,
    body: RefCell<(Vec<u8>, usize)>,
    parts: RefCell<Vec<RejectedPart>>,
    /// Operations of a bulk, each a line of the log.
    operations: RefCell<Vec<Asked>>,
    subject: Cell<Option<Uuid>>,
}

/// A rejected operation of a bulk, which a replay treats as a request of its own.
struct RejectedPart {
    method: String,
    path: String,
    body: Vec<u8>,
    error: ScimError,
}

impl Noted {
    pub(crate) fn new(scope: SourceScope) -> Rc<Self> {
        Rc::new(Self {
            scope,
            quirks: RefCell::default(),
            body: RefCell::default(),
            parts: RefCell::default(),
            operations: RefCell::default(),
            subject: Cell::default(),
        })
    }

    pub(crate) fn quirks(&self) -> RefMut<'_, Quirks> {
        self.quirks.borrow_mut()
    }

    /// Records the user or group of the request.
    pub(crate) fn concerns(&self, subject: Uuid) {
        self.subject.set(Some(subject));
    }

    /// Records an answered operation of a bulk; its subject is the one recorded since the operation before.
    pub(crate) fn operation(&self, method: &str, path: &str, named: Option<Uuid>, outcome: Result<u16, &ScimError>) {
        let subject = self.subject.take().or(named);
        self.operations.borrow_mut().push(Asked::new(method, path, subject, outcome));
    }

    /// Keeps the body until the answer is known; only the size of one that is too large.
    pub(crate) fn keep_body(&self, bytes: Vec<u8>) {
        let size = bytes.len();
        *self.body.borrow_mut() = if size <= REJECTED_BODY_BYTES { (bytes, size) } else { (Vec::new(), size) };
    }

    pub(crate) fn rejected_part(&self, method: &str, path: String, body: Vec<u8>, error: &ScimError) {
        let mut parts = self.parts.borrow_mut();
        if not_understood(error) && parts.len() < REJECTED_PER_SOURCE {
            parts.push(RejectedPart { method: method.to_owned(), path, body, error: error.clone() });
        }
    }
}

/// A 400 means that the request could not be parsed; 401 to 429 were parsed and refused.
fn not_understood(error: &ScimError) -> bool {
    error.status == 400
}

/// Middleware around every handler: records the request once its answer is known.
pub(crate) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let response = next.call(request).await?;
    let noted = response.request().extensions().get::<Rc<Noted>>().cloned();
    if let (Some(noted), Some(ingest)) = (noted, response.request().app_data::<web::Data<Ingest>>()) {
        let error = response.response().error().and_then(Error::as_error::<IngestError>).map(IngestError::scim);
        write_down(ingest, &noted, response.request(), error.map_or(Ok(response.status().as_u16()), Err));
    }
    Ok(response)
}

fn write_down(ingest: &Ingest, noted: &Noted, request: &HttpRequest, outcome: Result<u16, ScimError>) {
    let now = ingest.hub.store.clock.now();
    if request.extensions().get::<HadTrailingSlash>().is_some() {
        noted.quirks.borrow_mut().note(Quirk::TrailingSlash);
    }
    if ["/users", "/groups"].iter().any(|small| path_of(request).starts_with(small)) {
        noted.quirks.borrow_mut().note(Quirk::PathCase);
    }
    let lines = lines(ingest, noted, request, outcome.as_ref().copied(), now);
    let mut rejected = Vec::new();
    for part in noted.parts.take() {
        let size = part.body.len();
        rejected.push(row(ingest, noted, now, (part.method, part.path, part.body, size), &part.error));
    }
    if let Some(error) = outcome.err().filter(not_understood) {
        let (body, size) = noted.body.take();
        let call = (request.method().to_string(), path_and_query(request), body, size);
        rejected.push(row(ingest, noted, now, call, &error));
    }
    let scope = &noted.scope;
    let page = (scope.tenant().0, scope.source().0, now.date_naive());
    let mut pending = ingest.ledger.pending();
    let counts = pending.pages.entry(page).or_default();
    counts.requests += 1;
    counts.discovery_reads += i64::from(reads_discovery(path_of(request)));
    counts.quirks.merge(&noted.quirks.borrow());
    rejected.into_iter().for_each(|one| pending.note_rejected(one));
    let left_out = lines.into_iter().map(|line| pending.lines.add(line)).filter(|added| !added).count();
    drop(pending);
    ingest.hub.metrics.requests_unlogged(left_out);
}

/// Whether a path after the source's address is one of discovery (RFC 7644 §4).
fn reads_discovery(path: &str) -> bool {
    ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"].iter().any(|of_discovery| path.starts_with(of_discovery))
}

/// The request and its operations as lines of the log.
fn lines(
    ingest: &Ingest,
    noted: &Noted,
    request: &HttpRequest,
    outcome: Result<u16, &ScimError>,
    now: DateTime<Utc>,
) -> Vec<Line> {
    if ingest.ledger.lines_kept <= TimeDelta::zero() {
        return Vec::new();
    }
    let named = request.match_info().get("id").and_then(|id| id.parse().ok());
    let whole = Asked::new(request.method().as_str(), path_of(request), noted.subject.get().or(named), outcome);
    let id = request_id(request);
    let all = std::iter::once(whole).chain(noted.operations.take());
    all.map(|asked| asked.line(&noted.scope, id, ingest.hub.store.clock.new_id(), now)).collect()
}

fn path_and_query(request: &HttpRequest) -> String {
    let (path, query) = (path_of(request), request.query_string());
    let mut path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    path.truncate(path.floor_char_boundary(PATH_BYTES));
    path
}

fn row(
    ingest: &Ingest,
    noted: &Noted,
    at: DateTime<Utc>,
    (method, path, body, size): (String, String, Vec<u8>, usize),
    error: &ScimError,
) -> RejectedRequest {
    RejectedRequest {
        tenant_id: noted.scope.tenant().0,
        source_id: noted.scope.source().0,
        id: ingest.hub.store.clock.new_id(),
        at,
        expires_at: at + REJECTED_KEPT,
        method,
        path,
        body: storable(body),
        body_bytes: i64::try_from(size).unwrap_or(i64::MAX),
        status: i64::from(error.status),
        scim_type: error.scim_type.map(|kind| kind.as_str().to_owned()),
        detail: error.detail.clone(),
        replayed_at: None,
    }
}
