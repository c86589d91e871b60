//! Flaws of a write: values that cannot be kept. One flaw refuses the whole write, so that the sender learns of it, unless the
//! write ends somebody's access: then the value is left out and counted, because nobody may stay inside over a photo
//! (`docs/decisions/0051-a-leaver-leaves.md`).

use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;

/// More values than this are not listed one by one.
const LISTED: usize = 100;

/// An attribute that was left out: of the resource itself, or of one of its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) extension: Option<String>,
    /// An attribute's name, or the URN of a whole extension.
    pub(crate) attribute: String,
}

impl LeftOut {
    pub(crate) fn core(attribute: &str) -> Self {
        Self { extension: None, attribute: attribute.to_owned() }
    }

    pub(crate) fn within(urn: &str, attribute: &str) -> Self {
        Self { extension: Some(urn.to_owned()), attribute: attribute.to_owned() }
    }
}

/// The flaws of one write.
#[derive(Debug, Default)]
pub(crate) struct Flaws {
    first: Option<ScimError>,
    count: u32,
    left_out: Vec<LeftOut>,
}

impl Flaws {
    pub(crate) fn add(&mut self, left_out: LeftOut, error: ScimError) {
        self.first.get_or_insert(error);
        self.count = self.count.saturating_add(1);
        if self.left_out.len() < LISTED {
            self.left_out.push(left_out);
        }
    }

    /// Refuses the write because of its first flaw, if there is one.
    pub(crate) fn refuse(self) -> Result<(), ScimError> {
        self.first.map_or(Ok(()), Err)
    }

    /// Lists the attributes left out of a write that ends somebody's access; any other write is refused.
    pub(crate) fn tolerated(self, ends_access: bool, quirks: &mut Quirks) -> Result<Vec<LeftOut>, ScimError> {
        if !ends_access {
            self.refuse()?;
            return Ok(Vec::new());
        }
        (0..self.count).for_each(|_| quirks.note(Quirk::ValueLeftOut));
        Ok(self.left_out)
    }
}
