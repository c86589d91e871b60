//! The events of a stream of changes on the wire.

use crate::view::closed;
use rollcall_core::event::ChangedList;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Lists that changed; of the event `open`, those that are watched.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    #[schema(value_type = Vec<closed::ChangedList>)]
    pub lists: Vec<ChangedList>,
}

impl Changed {
    pub(crate) fn of(lists: &BTreeSet<ChangedList>) -> Self {
        Self { lists: lists.iter().copied().collect() }
    }
}

/// Why a stream ends.
#[derive(Debug, Serialize)]
pub struct End {
    /// `credential`, `stopping`, `time` or `unavailable`.
    pub reason: &'static str,
}
