//! Allowances: the number of changes of one kind that may still be applied automatically in a sliding window (DA10, PE8).

use crate::policy::Limit;

/// The rest of a limit, and the changes that used it.
pub(super) struct Allowance {
    left: Option<u32>,
    taken: u32,
}

impl Allowance {
    /// An allowance after `before` changes in the window; unlimited without a limit.
    pub(super) fn new(limit: Option<&Limit>, managed: u32, before: u32) -> Self {
        Self { left: limit.map(|limit| limit.allowed(managed).saturating_sub(before)), taken: 0 }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left == Some(0)
    }

    pub(super) fn take(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.taken += 1;
    }

    /// The changes that count against the next plan; none without a limit.
    pub(super) fn taken(&self) -> u32 {
        self.left.map_or(0, |_| self.taken)
    }
}
