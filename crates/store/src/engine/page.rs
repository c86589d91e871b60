//! Keyset pagination: a page begins after the id of the last row of the page before, so the last page costs as much as the first.

use crate::engine::error::StoreError;
use uuid::Uuid;

/// Rows of a page when the client gives no limit, and the greatest limit.
pub const DEFAULT_LIMIT: u64 = 50;
pub const MAX_LIMIT: u64 = 200;

/// The request for a page.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    pub limit: u64,
    /// The last id of the page before.
    pub after: Option<Uuid>,
}

/// A page, and the cursor of the next one.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Uuid>,
}

impl PageRequest {
    /// Reads `limit` and `cursor` as a client sends them.
    ///
    /// # Errors
    /// Names the parameter and its valid values.
    pub fn parse(limit: Option<u64>, cursor: Option<&str>) -> Result<Self, StoreError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(StoreError::Invalid(format!("limit is 1 to {MAX_LIMIT}")));
        }
        let after = cursor.map(str::parse::<Uuid>).transpose();
        let after = after.map_err(|_| StoreError::Invalid("cursor is not one that this list gave".into()))?;
        Ok(Self { limit, after })
    }

    /// A page of rows from several queries, each of which read its first ones after the cursor, one row more than the page.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        items.sort_by_key(&id);
        let page = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > page;
        items.truncate(page);
        let next = if more { items.last().map(id) } else { None };
        Page { items, next }
    }
}
