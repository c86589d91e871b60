//! Pages of lists. A page begins after the place of the last row of the page before, so the last page costs as much as the first;
//! and places grow in commit order ([`crate::engine::position`]), so a reader who goes on from a cursor misses no row.

use crate::engine::error::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Rows of a page when the client gives no limit, and the greatest limit.
const DEFAULT_LIMIT: u64 = 50;
pub const MAX_LIMIT: u64 = 200;
/// Bytes of stored rows at which a page ends (decision 0067). An audit event of a policy has megabytes.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The direction of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// The oldest first. The end of such a list can be followed.
    #[default]
    Ascending,
    /// The newest first.
    Descending,
}

/// The place of a row in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowPlace {
    pub(crate) position: i64,
    pub(crate) id: Uuid,
}

impl RowPlace {
    /// After all rows with a position below this one.
    pub(crate) fn before(position: i64) -> Self {
        Self { position: position - 1, id: Uuid::max() }
    }
}

/// A place in one list, read in one direction. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) order: ListOrder,
    pub(crate) place: RowPlace,
    list: ListName,
}

/// Tells the cursors of one list from those of another: the first bytes of a digest of its name, with its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListName([u8; 8]);

impl ListName {
    pub(crate) fn of(list: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(list).into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// Version and direction of a cursor, in its first byte.
const ASCENDING: u8 = 0x10;
const DESCENDING: u8 = 0x11;

impl Cursor {
    pub(crate) fn in_list(order: ListOrder, place: RowPlace, list: ListName) -> Self {
        Self { order, place, list }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(33);
        bytes.push(if self.order == ListOrder::Ascending { ASCENDING } else { DESCENDING });
        bytes.extend(self.list.0);
        bytes.extend(self.place.position.to_be_bytes());
        bytes.extend(self.place.id.as_bytes());
        formatter.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        if Uuid::try_parse(text).is_ok() {
            let why = "cursor is an id, as earlier versions gave them; begin without cursor (or with since), and go on \
                       with the next_cursor and resume_cursor of the answers";
            return Err(StoreError::Invalid(why.into()));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unknown_cursor())?;
        let bytes: [u8; 33] = bytes.try_into().map_err(|_| unknown_cursor())?;
        let ([version], rest) = bytes.split_first_chunk::<1>().ok_or_else(unknown_cursor)?;
        let order = match *version {
            ASCENDING => ListOrder::Ascending,
            DESCENDING => ListOrder::Descending,
            _ => return Err(unknown_cursor()),
        };
        let (list, rest) = rest.split_first_chunk::<8>().ok_or_else(unknown_cursor)?;
        let (position, id) = rest.split_first_chunk::<8>().ok_or_else(unknown_cursor)?;
        let id = Uuid::from_slice(id).map_err(|_| unknown_cursor())?;
        Ok(Self { order, list: ListName(*list), place: RowPlace { position: i64::from_be_bytes(*position), id } })
    }
}

/// The answer to a cursor that no list gave, or another one.
pub(crate) fn unknown_cursor() -> StoreError {
    let why = "cursor is not one that this list gave: take next_cursor or resume_cursor of an answer unchanged, with the same \
               filters and order, or begin without cursor";
    StoreError::Invalid(why.into())
}

/// The request for a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageRequest {
    pub limit: u64,
    pub order: ListOrder,
    /// The last place of the page before.
    pub cursor: Option<Cursor>,
    /// Rows of this time and later ones.
    pub since: Option<DateTime<Utc>>,
    /// Rows before this time.
    pub until: Option<DateTime<Utc>>,
}

/// The rows that a page is made of.
pub(crate) struct Rows<T> {
    /// One more than fit, if there are so many.
    pub(crate) found: Vec<(RowPlace, T)>,
    /// They end for their size; there are more.
    pub(crate) cut: bool,
    /// The place up to which nothing else is in the list, if that is known and further than the last row.
    pub(crate) examined: Option<RowPlace>,
}

/// A page, and the cursors after it.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; none on the last one.
    pub next: Option<Cursor>,
    /// The cursor with which a reader of this page goes on later; none for a list with the newest first.
    pub resume: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page in another form.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        let Self { items, next, resume } = self;
        Page { items: items.into_iter().map(convert).collect(), next, resume }
    }

    /// The same page of other rows, of which some may be missing.
    pub(crate) fn filter_map<U>(self, convert: impl FnMut(T) -> Option<U>) -> Page<U> {
        let Self { items, next, resume } = self;
        Page { items: items.into_iter().filter_map(convert).collect(), next, resume }
    }
}

impl PageRequest {
    /// The first page of a list, the oldest rows first.
    pub fn first(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The page after this cursor.
    #[must_use]
    pub fn after(self, cursor: Option<Cursor>) -> Self {
        Self { cursor, ..self }
    }

    /// Reads `limit` as a client sends it.
    ///
    /// # Errors
    /// Names the parameter and its valid values.
    pub fn limit_of(limit: Option<u64>) -> Result<u64, StoreError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(StoreError::Invalid(format!("limit is 1 to {MAX_LIMIT}")));
        }
        Ok(limit)
    }

    /// The place after which the page begins.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a cursor of another list, or of the other direction.
    pub(crate) fn place_in(&self, list: ListName) -> Result<Option<RowPlace>, StoreError> {
        let Some(cursor) = self.cursor else { return Ok(None) };
        if cursor.list != list || cursor.order != self.order {
            return Err(unknown_cursor());
        }
        Ok(Some(cursor.place))
    }

    /// The page of these rows.
    pub(crate) fn cut<T>(&self, list: ListName, rows: Rows<T>) -> Page<T> {
        let Rows { found: mut rows, cut, examined } = rows;
        let page = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = cut || rows.len() > page;
        rows.truncate(page);
        let last = rows.last().map(|(place, _)| *place);
        let last = if more { last } else { last.max(examined) };
        self.up_to(list, rows.into_iter().map(|(_, row)| row).collect(), last, more)
    }

    /// The page of the items of a plan, from several queries, each of which read its first ones after the cursor, one more than the
    /// page. A plan is of one moment, so nobody follows it.
    pub(crate) fn cut_plan<T>(&self, list: ListName, items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        let place = |item: T| (RowPlace { position: 0, id: id(&item) }, item);
        let mut found: Vec<(RowPlace, T)> = items.into_iter().map(place).collect();
        found.sort_by_key(|(place, _)| *place);
        Page { resume: None, ..self.cut(list, Rows { found, cut: false, examined: None }) }
    }

    /// The page of these items, which is read up to this place.
    pub(crate) fn up_to<T>(&self, list: ListName, items: Vec<T>, last: Option<RowPlace>, more: bool) -> Page<T> {
        let cursor = |place| Cursor { order: self.order, place, list };
        let next = last.filter(|_| more).map(cursor);
        let resume = match self.order {
            ListOrder::Ascending => {
                last.max(self.cursor.map(|cursor| cursor.place)).or(Some(RowPlace::default())).map(cursor)
            }
            ListOrder::Descending => None,
        };
        Page { items, next, resume }
    }
}
