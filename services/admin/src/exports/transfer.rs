//! The way of an export to its reader: a page when the one before is taken, all of them within one time, and a sign in the last line
//! when that is not the end of the list.

use super::format::{Columns, Format};
use super::rows::Row;
use crate::error::AdminError;
use actix_web::rt::time::{Instant, sleep, timeout};
use actix_web::web::Bytes;
use rollcall_store::StoreError;
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that are handed to the connection at a time.
const SLICE: usize = 32 * 1024;
/// Attempts at a page while the database is away, and the time between them.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// The pages of a list.
pub(super) trait Pages {
    /// A place between two pages.
    type Place: Copy;

    /// The page after this place. Once the answer has begun a refusal has no place in it, so the page waits for its turn.
    async fn page(
        &self,
        after: Option<Self::Place>,
        begun: bool,
    ) -> Result<(Vec<Row>, Option<Self::Place>), AdminError>;
}

/// An export at work.
pub(super) struct Transfer<P: Pages> {
    pages: P,
    format: Format,
    columns: Columns,
    ends: Instant,
    /// Rendered, and not taken yet.
    ready: VecDeque<Slice>,
    /// The cursor of the next page.
    next: Option<P::Place>,
    /// The reason why it ends early, once its sign was given.
    failed: Option<AdminError>,
}

struct Slice {
    bytes: Bytes,
    /// The sign of an early end may stand before it.
    begins_row: bool,
}

impl<P: Pages> Transfer<P> {
    /// Reads the first page, so that a refusal is one.
    pub(super) async fn begin(pages: P, format: Format, columns: Columns, time: Duration) -> Result<Self, AdminError> {
        let ends = Instant::now() + time;
        let (ready, next, failed) = (VecDeque::new(), None, None);
        let mut transfer = Self { pages, format, columns, ends, ready, next, failed };
        let first = timeout(time, transfer.pages.page(None, false)).await.map_err(|_| too_long())??;
        let mut bytes = Vec::new();
        transfer.format.begin(&transfer.columns, &mut bytes);
        transfer.take(first, bytes);
        Ok(transfer)
    }

    /// The next bytes; none at the end. An error ends the transfer without its last chunk.
    pub(super) async fn slice(&mut self) -> Result<Option<Bytes>, AdminError> {
        if let Some(why) = self.failed.take() {
            return Err(why);
        }
        loop {
            match self.ready.front() {
                Some(slice) if slice.begins_row && Instant::now() >= self.ends => {
                    return Ok(Some(self.fail(too_long())));
                }
                Some(_) => return Ok(self.ready.pop_front().map(|slice| slice.bytes)),
                None if self.next.is_none() => return Ok(None),
                None => match self.read().await {
                    Ok(()) => {}
                    Err(why) => return Ok(Some(self.fail(why))),
                },
            }
        }
    }

    /// The last line.
    fn fail(&mut self, why: AdminError) -> Bytes {
        let problem = why.problem();
        self.ready.clear();
        self.failed = Some(why);
        self.format.incomplete(problem.code.as_str(), &problem.detail)
    }

    /// Reads the next page. The tenant's other requests may have its share for a while.
    async fn read(&mut self) -> Result<(), AdminError> {
        let mut attempts = 1;
        loop {
            let left = self.ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(too_long());
            }
            let page = timeout(left, self.pages.page(self.next, true)).await.map_err(|_| too_long())?;
            let pause = match page {
                Ok(page) => {
                    self.take(page, Vec::new());
                    return Ok(());
                }
                Err(AdminError::Store(StoreError::Busy { retry_after, .. })) => retry_after,
                Err(AdminError::Store(StoreError::Unavailable(_) | StoreError::Contended(_)))
                    if attempts < ATTEMPTS =>
                {
                    attempts += 1;
                    PAUSE
                }
                Err(why) => return Err(why),
            };
            sleep(pause.min(left)).await;
        }
    }

    /// Renders a page after what stands before it. A row that is larger than a slice goes out in several.
    fn take(&mut self, (rows, next): (Vec<Row>, Option<P::Place>), before: Vec<u8>) {
        let mut bytes = before;
        for row in &rows {
            self.format.row(&self.columns, row, &mut bytes);
            if bytes.len() >= SLICE {
                self.push(std::mem::take(&mut bytes));
            }
        }
        self.push(bytes);
        self.next = next;
    }

    fn push(&mut self, rows: Vec<u8>) {
        let (mut rows, mut begins_row) = (Bytes::from(rows), true);
        while !rows.is_empty() {
            let bytes = rows.split_to(SLICE.min(rows.len()));
            self.ready.push_back(Slice { bytes, begins_row });
            begins_row = false;
        }
    }
}

fn too_long() -> AdminError {
    let why = "this export took longer than it may: take it with a filter, or a shorter time (`since`, `until`), and read it faster";
    StoreError::TooMuch(why.into()).into()
}

#[cfg(test)]
mod tests;
