//! Held reasons, and the remedy of each.

use crate::remedy::{self, Remedy};
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
        /// The member is an owner, admin or auditor, and no owner approved what the source asks for.
        PrivilegedMember = "privileged_member",
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

    /// True if only an owner may decide about an item that is withheld for this reason.
    pub const fn is_for_owner(self) -> bool {
        matches!(self, Self::PrivilegedMember)
    }

    /// The remedy for an admin.
    pub const fn remedy(self) -> &'static Remedy {
        match self {
            Self::RemovalOverLimit => &remedy::REMOVAL_OVER_LIMIT,
            Self::CreationOverLimit => &remedy::CREATION_OVER_LIMIT,
            Self::ModificationOverLimit => &remedy::MODIFICATION_OVER_LIMIT,
            Self::GroupWipe => &remedy::GROUP_WIPE,
            Self::ProtectedMember => &remedy::PROTECTED_MEMBER,
            Self::PrivilegedMember => &remedy::PRIVILEGED_MEMBER,
            Self::LastAdmin => &remedy::LAST_ADMIN,
            Self::LastBillingContact => &remedy::LAST_BILLING_CONTACT,
            Self::ProvisioningOff => &remedy::PROVISIONING_OFF,
            Self::DeprovisioningOff => &remedy::DEPROVISIONING_OFF,
            Self::Quarantined => &remedy::QUARANTINED,
            Self::Simulation => &remedy::SIMULATION,
        }
    }
}
