//! The outlook of an action: the guard that would withhold it whatever else its plan holds. It is shown for plans that are not
//! reviewed, because they only say what would happen (DX3). Limits, seats and the last admin depend on the other items and
//! are not part of it.

use super::privileged_members::account_of;
use crate::action::Action;
use crate::hold_reason::HoldReason;
use crate::policy::Policy;
use crate::roster::{MemberStatus, Role};

/// The guard that would withhold this action, or the irreversible part of it, until an admin decides. `role` is that of the
/// member whom it changes. A promotion links its people itself, by the digest that an owner approved.
pub fn would_hold(policy: &Policy, role: Option<Role>, action: &Action) -> Option<HoldReason> {
    let links = matches!(action, Action::Adopt { .. } | Action::Relink { .. });
    let privileged = role.is_some_and(Role::is_privileged) && account_of(action).is_some() && !links;
    match *action {
        Action::Suspend { member, .. } | Action::Remove { member, .. } | Action::ReleaseSeat { member }
            if policy.protected_members.contains(&member) =>
        {
            Some(HoldReason::ProtectedMember)
        }
        _ if privileged => Some(HoldReason::PrivilegedMember),
        // A pending member has no access that the switch could preserve.
        Action::Suspend { from, .. } if from != MemberStatus::Pending && !policy.auto_deprovision => {
            Some(HoldReason::DeprovisioningOff)
        }
        Action::Remove { .. } if !policy.auto_deprovision => Some(HoldReason::DeprovisioningOff),
        Action::Provision { .. } if !policy.auto_provision => Some(HoldReason::ProvisioningOff),
        _ => None,
    }
}
