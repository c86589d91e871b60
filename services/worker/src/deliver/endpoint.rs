//! A turn at one endpoint: lease it, send its events in order, note how far it came. An event is noted after its answer, so a worker that
//! dies sends some again and skips none.

use super::Courier;
use super::lanes::Place;
use chrono::TimeDelta;
use rollcall_core::ids::{TenantId, WebhookId};
use rollcall_core::webhook::{DeliveryOutcome, DeliveryPurpose, WebhookDisabledReason, gives_up, retry_wait};
use rollcall_runtime::outbound::{Answered, Message, Unsent};
use rollcall_store::{Batch, DeliveryRecord, HeldWebhook, OutgoingEvent, Sequence, StoreError, WebhookFailure};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Life of a lease; longer than an attempt and the note of it.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// Longest turn; then other endpoints get the place.
const TURN: Duration = Duration::from_secs(5);
/// Events that are read at a time.
const EVENTS_READ: usize = 100;
/// Attempts are noted together, no later than this after the first of them.
const NOTED_EVERY: Duration = Duration::from_millis(250);
/// Time that an attempt gets to end when the process is asked to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// The receiver says that it is gone, and nobody shall try again.
const GONE: u16 = 410;

/// The end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing is left, or somebody else has the endpoint.
    Done,
    /// More is left, and others come first.
    Yields,
    /// An attempt failed; the next one comes after this time, if there is one.
    Failed(Option<TimeDelta>),
}

/// Attempts of a batch that are not noted yet.
struct Unnoted {
    records: Vec<DeliveryRecord>,
    upto: Option<Sequence>,
    since: Instant,
}

impl Courier {
    /// One turn. A failure of the database leaves the endpoint to a later one.
    pub(super) async fn take_turn(&self, tenant: TenantId, id: WebhookId, failing: bool) -> Ended {
        let Some(place) = self.lanes.place(failing).await else { return Ended::Done };
        let leased = self.lanes.call(self.store.lease_webhook(tenant, id, self.holder, LEASE)).await;
        let turn = match leased {
            Ok(None) => Ok(Ended::Done),
            Ok(Some(held)) => self.send_all(held, place).await,
            Err(error) => Err(error),
        };
        turn.unwrap_or_else(|error| {
            match error {
                // An admin changed the endpoint, and its events wait for the next turn.
                StoreError::LeaseLost => return Ended::Yields,
                error => tracing::warn!(%error, "an endpoint of a webhook could not be attended to; a later round tries again"),
            }
            Ended::Done
        })
    }

    async fn send_all(&self, mut held: HeldWebhook, mut place: Place) -> Result<Ended, StoreError> {
        let (begun, mut delivered) = (Instant::now(), false);
        loop {
            if begun.elapsed() > TURN || self.cancel.is_cancelled() {
                self.lanes.call(self.store.release_webhook(&held, delivered)).await?;
                return Ok(Ended::Yields);
            }
            // An endpoint that failed is probed with one event.
            let limit = if held.failures > 0 { 1 } else { EVENTS_READ };
            let batch = match self.lanes.call(self.store.webhook_batch(&held, limit)).await {
                Ok(batch) => batch,
                Err(StoreError::ResyncRequired(why)) => return self.stop_for_age(&held, why).await,
                Err(error) => return Err(error),
            };
            if batch.is_empty(&held) {
                self.lanes.call(self.store.release_webhook(&held, delivered)).await?;
                return Ok(Ended::Done);
            }
            if let Some(failed) = self.send_batch(&mut held, &batch, &mut place).await? {
                return Ok(failed);
            }
            delivered = true;
        }
    }

    /// Sends a batch; returns the end of the turn where an attempt failed.
    async fn send_batch(
        &self,
        held: &mut HeldWebhook,
        batch: &Batch,
        place: &mut Place,
    ) -> Result<Option<Ended>, StoreError> {
        let mut unnoted = Unnoted { records: Vec::new(), upto: None, since: Instant::now() };
        let kinds = held.kinds.clone();
        for event in batch.events.iter().filter(|event| kinds.has(event.kind)) {
            let begun = Instant::now();
            let attempt = async { if self.cancel.is_cancelled() { None } else { self.send(held, event, place).await } };
            let Some(answered) = attempt.await else {
                self.note(held, batch, &mut unnoted, true).await?;
                self.lanes.call(self.store.release_webhook(held, true)).await?;
                return Ok(Some(Ended::Yields));
            };
            let record = self.record(held, event, batch.purpose, begun, &answered);
            let is_success = record.outcome == DeliveryOutcome::Delivered;
            self.metrics.webhook_attempt(record.outcome.as_str(), begun.elapsed());
            unnoted.records.push(record);
            if !is_success {
                return self.fail(held, batch, unnoted, answered).await.map(Some);
            }
            if batch.purpose == DeliveryPurpose::Event {
                let age = self.store.clock.now() - event.event.at;
                self.metrics.webhook_lag(age.to_std().unwrap_or_default());
            }
            unnoted.upto = Some(event.sequence);
            if unnoted.since.elapsed() > NOTED_EVERY {
                self.note(held, batch, &mut unnoted, true).await?;
            }
        }
        self.note(held, batch, &mut unnoted, false).await?;
        Ok(None)
    }

    /// Notes what succeeded: a part of the batch, or all of it.
    async fn note(
        &self,
        held: &mut HeldWebhook,
        batch: &Batch,
        unnoted: &mut Unnoted,
        is_part: bool,
    ) -> Result<(), StoreError> {
        if is_part && unnoted.upto.is_none() {
            return Ok(());
        }
        let upto = unnoted.upto.filter(|_| is_part);
        let records = std::mem::take(&mut unnoted.records);
        self.lanes.call(self.store.note_delivered(held, batch, upto, records, LEASE)).await?;
        (unnoted.upto, unnoted.since) = (None, Instant::now());
        Ok(())
    }

    /// One attempt; none when the process stops before its end.
    async fn send(
        &self,
        held: &HeldWebhook,
        event: &OutgoingEvent,
        place: &mut Place,
    ) -> Option<Result<Answered, Unsent>> {
        let secrets = match &held.secrets {
            Ok(secrets) => secrets,
            Err(why) => return Some(Err(Unsent::Unreachable(why.clone()))),
        };
        let (url, id, timestamp) = (&held.url, event.event.id, self.store.clock.now().timestamp());
        let body = (self.delivery.render)(event.clone());
        let attempt = self.delivery.outbound.send(Message { url, id, timestamp, body, secrets });
        tokio::select! {
            answered = self.lanes.attempt(place, attempt) => {
                let cut = || Unsent::Unreachable("no answer soon, while too many other endpoints take long".to_owned());
                Some(answered.unwrap_or_else(|| Err(cut())))
            }
            () = stop_patience(&self.cancel) => None,
        }
    }

    fn record(
        &self,
        held: &HeldWebhook,
        event: &OutgoingEvent,
        purpose: DeliveryPurpose,
        begun: Instant,
        answered: &Result<Answered, Unsent>,
    ) -> DeliveryRecord {
        let is_success = answered.as_ref().is_ok_and(Answered::is_success);
        DeliveryRecord {
            at: self.store.clock.now(),
            event_id: event.event.id,
            sequence: Some(event.sequence),
            kind: event.kind.as_str(),
            purpose,
            outcome: if is_success { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed },
            attempt: held.failures.saturating_add(1),
            status: answered.as_ref().ok().map(|answered| answered.status),
            answer: answered.as_ref().ok().map(|answered| answered.body.clone()),
            error: answered.as_ref().err().map(ToString::to_string),
            duration_ms: i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        }
    }

    async fn fail(
        &self,
        held: &HeldWebhook,
        batch: &Batch,
        unnoted: Unnoted,
        answered: Result<Answered, Unsent>,
    ) -> Result<Ended, StoreError> {
        let (now, failures) = (self.store.clock.now(), held.failures.saturating_add(1));
        // A success before counts as the end of an earlier row of failures.
        let (failures, since) = match unnoted.upto {
            Some(_) => (1, now),
            None => (failures, held.failing_since.unwrap_or(now)),
        };
        let patience = TimeDelta::from_std(self.delivery.patience).unwrap_or(TimeDelta::MAX);
        let status = answered.as_ref().ok().map(|answered| answered.status);
        let disabled = if status == Some(GONE) {
            Some(WebhookDisabledReason::Gone)
        } else {
            gives_up(since, now, patience).then_some(WebhookDisabledReason::Failing)
        };
        let asked = answered.as_ref().ok().and_then(|answered| answered.retry_after);
        let asked = asked.and_then(|asked| TimeDelta::from_std(asked).ok());
        let wait = retry_wait(failures, self.random(), asked);
        let error = match &answered {
            Ok(answered) => format!("it answers {}, and 2xx is a success", answered.status),
            Err(unsent) => unsent.to_string(),
        };
        let retry_after = Some(wait).filter(|_| disabled.is_none());
        let failure = WebhookFailure { failures, since, status, error, retry_after, disabled };
        let progress = Some((batch, unnoted.upto));
        self.lanes.call(self.store.note_failed(held, progress, unnoted.records, failure)).await?;
        Ok(Ended::Failed(retry_after))
    }

    /// The next event is older than events are kept: going on would leave a gap that nobody notices.
    async fn stop_for_age(&self, held: &HeldWebhook, why: String) -> Result<Ended, StoreError> {
        let disabled = Some(WebhookDisabledReason::ResyncRequired);
        let (failures, since) = (held.failures, held.failing_since.unwrap_or_else(|| self.store.clock.now()));
        let failure = WebhookFailure { failures, since, status: None, error: why, retry_after: None, disabled };
        self.lanes.call(self.store.note_failed(held, None, Vec::new(), failure)).await?;
        Ok(Ended::Failed(None))
    }

    /// From 0 to 1: the random part of a new id.
    fn random(&self) -> f64 {
        let (_, random) = self.store.clock.new_id::<Uuid>().as_u64_pair();
        // The two highest bits are the same in every id.
        (random << 2) as f64 / u64::MAX as f64
    }
}

/// Returns a while after the process was asked to stop.
async fn stop_patience(cancel: &tokio_util::sync::CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(STOP_PATIENCE).await;
}
