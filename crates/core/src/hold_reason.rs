//! Held reasons, and the remedy of each.

use crate::text_enum::text_enum;

text_enum! {
    /// Reason for withholding an item; on the wire in a run's `held_reasons`.
    HoldReason {
        /// More people would lose access than the tenant allows in its window (DA10).
        RemovalOverLimit = "member_removal_over_limit",
        /// More people would come in than the tenant allows in its window (PE8).
        CreationOverLimit = "member_creation_over_limit",
        /// More profiles would change than the tenant allows in its window (PE8).
        ModificationOverLimit = "member_modification_over_limit",
        /// A sharing group would lose over half of its people, and at least ten (docs/design.md#guards).
        GroupWipe = "group_wipe",
        /// The policy protects this member from the source (a break-glass account).
        ProtectedMember = "protected_member",
        /// No active admin would remain (DA7).
        LastAdmin = "last_active_admin",
        /// No active billing contact would remain (DA7).
        LastBillingContact = "last_billing_contact",
        ProvisioningOff = "provisioning_off",
        /// The switch for deprovisioning is off; the item shows its effect (DA11).
        DeprovisioningOff = "deprovisioning_off",
        /// The source is in simulation: its plans have no effect (DX3).
        Simulation = "simulation",
        /// The source is quarantined: its changes have no effect until an admin releases it (PE9).
        Quarantined = "source_quarantined",
    }
}

impl HoldReason {
    /// True for the limits of new members and changed profiles (PE8).
    pub(crate) const fn is_of_changes(self) -> bool {
        matches!(self, Self::CreationOverLimit | Self::ModificationOverLimit)
    }

    /// The remedy for an admin.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::RemovalOverLimit => {
                "Check that these people really left, then approve the run. A higher limit counts for what comes after."
            }
            Self::CreationOverLimit => {
                "Check that these people belong in, then approve the run. A higher limit counts for what comes after."
            }
            Self::ModificationOverLimit => {
                "Check that the directory means these changes, then approve the run. A higher limit counts for what comes \
                 after."
            }
            Self::GroupWipe => {
                "Check that the group was emptied on purpose, then approve the run, or put the people back at the source."
            }
            Self::ProtectedMember => "Take the member out of the policy's `protected_members` if they really left.",
            Self::LastAdmin => "Make another active member an admin first.",
            Self::LastBillingContact => "Make another active member the billing contact first.",
            Self::ProvisioningOff => "Turn automatic provisioning on, or invite the person by hand.",
            Self::DeprovisioningOff => "Turn automatic deprovisioning on, after checking that everybody is in scope.",
            Self::Quarantined => "Check what the source says; then release the source, or switch it off.",
            Self::Simulation => "Promote the source when the plan is what you want.",
        }
    }
}
