//! What a guard would say of an action whatever else is in its plan: shown of plans that are not reviewed, because they only
//! say what would be (DX3). Limits, seats and the last admin depend on everybody else, and are not here.

use super::HoldReason;
use crate::plan::Action;
use crate::policy::Policy;
use crate::roster::MemberStatus;

/// The guard that would withhold this action, or the irreversible part of it, until an admin decides.
pub fn would_hold(policy: &Policy, action: &Action) -> Option<HoldReason> {
    match *action {
        Action::Suspend { member, .. } | Action::Remove { member, .. } | Action::ReleaseSeat { member }
            if policy.protected_members.contains(&member) =>
        {
            Some(HoldReason::ProtectedMember)
        }
        // Who waits has no access that the switch could leave.
        Action::Suspend { from, .. } if from != MemberStatus::Pending && !policy.auto_deprovision => {
            Some(HoldReason::DeprovisioningOff)
        }
        Action::Remove { .. } if !policy.auto_deprovision => Some(HoldReason::DeprovisioningOff),
        Action::Provision { .. } if !policy.auto_provision => Some(HoldReason::ProvisioningOff),
        _ => None,
    }
}
