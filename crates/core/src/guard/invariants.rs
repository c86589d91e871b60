//! Invariants: a tenant keeps at least one active admin and one active billing contact (DA7). No approval lifts them.

use crate::action::{Action, Item};
use crate::change::Impossible;
use crate::hold_reason::HoldReason;
use crate::ids::MemberId;
use crate::roster::{MemberState, MemberStatus};
use crate::world::Standing;
use std::collections::{HashMap, HashSet};

/// The invariant that a departure would break.
#[derive(Clone, Copy)]
pub(super) enum Broken {
    LastAdmin,
    LastBillingContact,
}

impl From<Broken> for HoldReason {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::LastAdmin => Self::LastAdmin,
            Broken::LastBillingContact => Self::LastBillingContact,
        }
    }
}

impl From<Broken> for Impossible {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::LastAdmin => Self::LastAdmin,
            Broken::LastBillingContact => Self::LastBillingContact,
        }
    }
}

/// The admins and billing contacts that remain while items are decided.
pub(super) struct Invariants {
    admins_left: usize,
    billing_contacts_left: usize,
    /// Stays as both admin and billing contact, instead of two people who would have to stay: one person is less than
    /// two.
    keeper: Option<MemberId>,
}

impl Invariants {
    /// The admins and billing contacts of now, and those who return in this plan.
    pub(super) fn new<'m>(standing: &Standing, returning: impl Iterator<Item = &'m MemberState> + Clone) -> Self {
        Self {
            admins_left: standing.active_admins.len() + returning.clone().filter(|m| m.role.is_admin()).count(),
            billing_contacts_left: standing.active_billing_contacts.len()
                + returning.filter(|m| m.billing_contact).count(),
            keeper: None,
        }
    }

    /// Chooses a keeper when all admins and all billing contacts would leave: a member who is both, and the last such,
    /// because a limit that is reached keeps the later ones anyway.
    pub(super) fn choose_keeper(&mut self, leaving: &[&MemberState]) {
        let admins = leaving.iter().filter(|member| member.is_active_admin()).count();
        let billing_contacts = leaving.iter().filter(|member| member.is_active_billing_contact()).count();
        if admins >= self.admins_left && billing_contacts >= self.billing_contacts_left {
            let is_both = |member: &&&MemberState| member.is_active_admin() && member.is_active_billing_contact();
            self.keeper = leaving.iter().rfind(is_both).map(|member| member.id);
        }
    }

    /// The invariant that the departure of this member would break.
    pub(super) fn broken_without(&self, member: &MemberState) -> Option<Broken> {
        if member.is_active_admin() && (self.admins_left <= 1 || self.keeper == Some(member.id)) {
            return Some(Broken::LastAdmin);
        }
        (member.is_active_billing_contact() && self.billing_contacts_left <= 1).then_some(Broken::LastBillingContact)
    }

    /// Counts a departure.
    pub(super) fn count_departure(&mut self, member: &MemberState) {
        self.admins_left -= usize::from(member.is_active_admin());
        self.billing_contacts_left -= usize::from(member.is_active_billing_contact());
    }
}

/// Admins and billing contacts whom these items make active again: each of them lets the last other one go.
pub(super) fn returning(items: &[Item], members: &HashMap<MemberId, &MemberState>) -> HashSet<MemberId> {
    let restored = items.iter().filter(|item| item.is_live()).filter_map(|item| match &item.action {
        Action::Restore { member, to: MemberStatus::Active, .. } => members.get(member),
        Action::Undo(step) => members.get(&step.activates()?),
        _ => None,
    });
    restored.filter(|member| member.role.is_admin() || member.billing_contact).map(|member| member.id).collect()
}
