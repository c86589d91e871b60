//! Seats: those that are free, or that a tenant buys automatically, go to people in the policy's order; the rest wait
//! (DA8, PE3).

use super::review::Review;
use crate::action::{Action, Item};
use crate::change::{Impossible, Target};
use crate::email::fold;
use crate::hold_reason::HoldReason;
use crate::policy::SeatOrder;
use crate::roster::{MemberStatus, WaitingFor};

pub(super) fn claims_seat(item: &Item) -> bool {
    match &item.action {
        Action::Provision { status, .. } => matches!(status, MemberStatus::Invited | MemberStatus::Active),
        Action::Restore { to, .. } => matches!(to, MemberStatus::Invited | MemberStatus::Active),
        Action::Undo(step) => step.seats() > 0,
        _ => false,
    }
}

impl Review<'_> {
    pub(super) fn give_seats(&mut self, mut claims: Vec<Item>) {
        match self.world.policy.seat_order {
            SeatOrder::Announced => claims.sort_by_key(|item| (item.subject.id(), item.subject)),
            SeatOrder::Email => claims.sort_by_cached_key(|item| (self.address_of(item), item.subject)),
        }
        for item in claims {
            if let Some(reason) = item.silenced() {
                self.withhold(item, reason);
            } else if matches!(item.action, Action::Provision { .. }) && !self.may_provision(&item) {
                self.withhold(item, HoldReason::ProvisioningOff);
            } else if self.has_seat(&item) {
                self.verdict.apply.push(item);
            } else if self.seats_free > 0 || self.grow(&item) {
                self.seats_free -= 1;
                self.verdict.apply.push(item);
            } else {
                self.wait_for_seat(item);
            }
        }
    }

    /// The folded address by which the waitlist orders the person.
    fn address_of(&self, item: &Item) -> Option<String> {
        let profile = match (&item.action, item.action.target()) {
            (Action::Provision { profile, .. }, _) => Some(profile),
            (_, Some(Target::Member(id))) => self.members.get(&id).map(|member| &member.profile),
            _ => None,
        };
        profile.map(|profile| fold(&profile.email))
    }

    /// Buys as many seats as one more person needs, if the policy's cap allows it (PE3). A rewind buys none.
    fn grow(&mut self, item: &Item) -> bool {
        let bought = i64::from(self.world.standing.seats_bought) + i64::from(self.verdict.seats_grown);
        let missing = 1 - self.seats_free;
        let allowed = self.world.policy.seat_cap.is_some_and(|cap| bought + missing <= i64::from(cap));
        if !allowed || matches!(item.action, Action::Undo(_)) {
            return false;
        }
        self.verdict.seats_grown += u32::try_from(missing).unwrap_or_default();
        self.seats_free += missing;
        true
    }

    fn has_seat(&self, item: &Item) -> bool {
        match item.action {
            Action::Restore { member, .. } => self.members.get(&member).is_some_and(|m| m.seated),
            _ => false,
        }
    }

    fn wait_for_seat(&mut self, item: Item) {
        match item.action {
            Action::Undo(step) => self.verdict.impossible.push((step.id, Impossible::NoSeat)),
            Action::Provision { profile, .. } => {
                let (status, waiting_for) = (MemberStatus::Pending, Some(WaitingFor::Seat));
                let action = Action::Provision { profile, status, waiting_for };
                self.verdict.apply.push(Item { action, ..item });
            }
            Action::Restore { member, .. } => {
                let waits_already = self.members.get(&member).is_some_and(|m| m.waiting_for == Some(WaitingFor::Seat));
                if !waits_already {
                    self.verdict.apply.push(Item { action: Action::Waitlist { member }, ..item });
                }
            }
            _ => {}
        }
    }
}
