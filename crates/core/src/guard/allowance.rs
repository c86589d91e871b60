//! Allowances: the number of changes of one kind that may still be applied automatically in a sliding window (DA10, PE8).

use crate::policy::Limit;

/// The rest of a limit, and the changes that used it.
pub(super) struct Allowance {
    left: Option<u32>,
    taken: u32,
}

impl Allowance {
    /// An allowance after `before` changes in the window, of which `further` were allowed beyond the limit; unlimited without a
    /// limit.
    pub(super) fn new(limit: Option<&Limit>, managed: u32, before: u32, further: u32) -> Self {
        let left = |limit: &Limit| limit.allowed(managed).saturating_add(further).saturating_sub(before);
        Self { left: limit.map(left), taken: 0 }
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
