//! Uploads of agents: a complete one is checked as a whole, and then written into the directory piece by piece. A turn that takes long
//! gives way to other tenants; a worker that dies leaves the upload to the next one, which goes on after the last piece.

use crate::Worker;
use rollcall_core::ids::TenantId;
use rollcall_core::upload::UploadRefusal;
use rollcall_runtime::Lane;
use rollcall_snapshot::{Part, PartLimits, Refused, UploadCheck, read_part};
use rollcall_store::{Checked, DiffCounts, PartDiff, StoreError, UploadWork};
use serde_json::Value as Json;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Longest time of a turn; the upload goes on in the next one.
const TURN_TIME: Duration = Duration::from_secs(4);
/// Steps of a simulation that are told.
const TOLD_MAX: usize = 500;
/// The limits of a part, as it was accepted.
const LIMITS: PartLimits = PartLimits { bytes_max: 8 << 20, line_bytes_max: 512 << 10, entries_max: 20_000 };

/// The end of a turn.
enum Turn {
    Ended,
    Yields,
}

/// Why a check ended early.
enum Stopped {
    Refused(UploadRefusal, Option<String>),
    Cancelled,
    Failed(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        let reason = match refused {
            Refused::Foreign(_) => UploadRefusal::PartForeign,
            Refused::Doubled(_) => UploadRefusal::PartDoubled,
            Refused::NotCovered => UploadRefusal::NotCovered,
            Refused::GoneInSnapshot => UploadRefusal::GoneInSnapshot,
            Refused::Counts { .. } => UploadRefusal::CountsDiffer,
            Refused::UnknownGroup(_) => UploadRefusal::UnknownGroup,
            Refused::TooManyGroups => UploadRefusal::TooManyGroups,
        };
        Self::Refused(reason, Some(refused.to_string()))
    }
}

/// Looks for uploads whose wake-up was lost, at the start and with each sweep.
pub(crate) async fn run(worker: &Worker, cancel: &CancellationToken) {
    let mut turn = interval(worker.config.sweep_interval);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(turn.tick()).await.is_some() {
        let mut after = None;
        loop {
            let due = match worker.store.tenants_with_due_uploads(after).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::warn!(%error, "uploads that wait could not be looked for");
                    break;
                }
            };
            let Some(last) = due.last() else { break };
            after = Some(*last);
            due.into_iter().for_each(|tenant| worker.queue.wake(tenant.0, Lane::Bulk));
        }
    }
}

impl Worker {
    /// Works on the uploads of a tenant until they are done, or its turn is over.
    pub(crate) async fn apply_uploads(&self, tenant: TenantId, cancel: &CancellationToken) {
        let begun = Instant::now();
        while !cancel.is_cancelled() {
            let mut work = match self.store.next_upload(tenant).await {
                Ok(Some(work)) => work,
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, "an upload could not be read"),
            };
            match self.work_on(&mut work, begun, cancel).await {
                Ok(Turn::Ended) => {}
                Ok(Turn::Yields) => return self.queue.wake(tenant.0, Lane::Bulk),
                Err(StoreError::LeaseLost) => return tracing::debug!("another worker has the upload"),
                Err(error) => {
                    tracing::error!(%error, upload = %work.id(), "an upload could not be applied; it is tried again");
                    if let Err(error) = self.store.fail_upload(&work).await {
                        tracing::warn!(%error, "the failure of an upload could not be noted");
                    }
                    return;
                }
            }
        }
    }

    async fn work_on(
        &self,
        work: &mut UploadWork,
        begun: Instant,
        cancel: &CancellationToken,
    ) -> Result<Turn, StoreError> {
        let mut plan = None;
        if !work.is_checked() {
            match self.check(work, cancel).await {
                Ok(told) => plan = work.simulates().then_some(told),
                Err(Stopped::Cancelled) => return Ok(Turn::Yields),
                Err(Stopped::Failed(error)) => return Err(error),
                Err(Stopped::Refused(why, message)) => {
                    self.store.refuse_upload(work, why, message.as_deref()).await?;
                    return Ok(Turn::Ended);
                }
            }
        }
        if !work.simulates() {
            while let Some(number) = work.next_part() {
                if self.apply_part(work, number, begun, cancel).await? {
                    return Ok(Turn::Yields);
                }
            }
        }
        self.store.finish_upload(work, plan).await?;
        Ok(Turn::Ended)
    }

    /// Checks the upload as a whole, and compares it with the directory; returns the first steps of its plan.
    async fn check(&self, work: &mut UploadWork, cancel: &CancellationToken) -> Result<Vec<Json>, Stopped> {
        if let Some(why) = self.store.refuse_early(work).await? {
            return Err(Stopped::Refused(why, None));
        }
        let mut check = UploadCheck::new(work.begun()?, self.store.known_groups(work).await?);
        let (mut diff, mut told) = (DiffCounts::default(), Vec::new());
        for number in 1..=work.parts() {
            if cancel.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            let part = self.read(work, number).await?;
            check.add(&part)?;
            let (steps, counts) = self.store.compare_part(work, part).await?;
            diff = diff.plus(counts);
            if work.simulates() {
                told.extend(steps.told(TOLD_MAX - told.len().min(TOLD_MAX)));
            }
        }
        let checked = Checked { totals: check.finish()?, diff };
        match self.store.judge_upload(work, &checked).await? {
            Some((why, message)) => Err(Stopped::Refused(why, Some(message))),
            None => Ok(told),
        }
    }

    /// Applies a part; true when the turn is over before the part is.
    async fn apply_part(
        &self,
        work: &mut UploadWork,
        number: u32,
        begun: Instant,
        cancel: &CancellationToken,
    ) -> Result<bool, StoreError> {
        let is_over = || cancel.is_cancelled() || begun.elapsed() > TURN_TIME;
        let part = self.read(work, number).await.map_err(|stopped| match stopped {
            Stopped::Failed(error) => error,
            // The parts went with the end of the upload, which another worker saw.
            Stopped::Refused(UploadRefusal::PartsMissing, _) => StoreError::LeaseLost,
            Stopped::Refused(..) | Stopped::Cancelled => StoreError::Invalid("a stored part is not understood".into()),
        })?;
        let (mut diff, _): (PartDiff, _) = self.store.compare_part(work, part).await?;
        while !self.store.apply_piece(work, &mut diff).await? {
            if is_over() {
                return Ok(true);
            }
        }
        self.store.finish_part(work, &diff).await?;
        Ok(is_over())
    }

    async fn read(&self, work: &UploadWork, number: u32) -> Result<Part, Stopped> {
        let content = match self.store.upload_part(work, number).await {
            Ok(content) => content,
            Err(StoreError::NotFound(_)) => return Err(Stopped::Refused(UploadRefusal::PartsMissing, None)),
            Err(error) => return Err(error.into()),
        };
        let read = tokio::task::spawn_blocking(move || read_part(&content, &LIMITS)).await;
        let read = read.map_err(|error| StoreError::Invalid(error.to_string()))?;
        read.map_err(|flaw| Stopped::Refused(UploadRefusal::PartFlawed, Some(flaw.to_string())))
    }
}
