//! What a tenant decided about its provisioning. Defaults are what admins of the field's systems expect.

use crate::roster::text_enum;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

text_enum! {
    /// How a new member comes in.
    Onboarding {
        /// By an invitation the person accepts.
        Invite = "invite",
        /// No mail: the person signs in with the IdP at once (LP13).
        Federated = "federated",
    }
}

text_enum! {
    /// What becomes of a member whose record the source deleted (DX14).
    OnDeleted { Suspend = "suspend", Remove = "remove" }
}

text_enum! {
    /// What a SCIM removal over the limit does (design §4).
    OverLimit {
        /// Access ends at once; everything irreversible waits for an admin.
        SuspendOnly = "suspend_only",
        /// Nothing happens until an admin releases it.
        Hold = "hold",
    }
}

/// How many people may lose access by themselves (DA10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemovalLimit {
    /// People who may always go, however small the tenant.
    pub count: u32,
    /// Percent of the managed members; the larger of both counts.
    pub percent: u32,
    /// The sliding window, in hours.
    pub window_hours: u32,
}

impl Default for RemovalLimit {
    fn default() -> Self {
        Self { count: 10, percent: 5, window_hours: 24 }
    }
}

impl RemovalLimit {
    /// Removals allowed inside one window in a tenant with this many managed members.
    pub fn allowed(&self, managed: u32) -> u32 {
        let share = u64::from(managed) * u64::from(self.percent) / 100;
        self.count.max(u32::try_from(share).unwrap_or(u32::MAX))
    }

    pub fn window(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.window_hours))
    }
}

/// A tenant's policy; stored as JSON, unknown keys refused so that a typing error never passes for a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// New people in the directory become members (DA1).
    pub auto_provision: bool,
    /// People who left lose access by themselves; off, the plan lists what it would do (DA11).
    pub auto_deprovision: bool,
    /// New people wait as `pending` until an admin approves them (LP5).
    pub approval: bool,
    /// A member made by hand with a matching email becomes managed (DX2).
    pub adopt_existing: bool,
    pub onboarding: Onboarding,
    pub on_deleted: OnDeleted,
    pub over_limit: OverLimit,
    /// Directory groups become sharing groups (DA9, DX6).
    pub group_sync: bool,
    pub removal_limit: RemovalLimit,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            auto_provision: true,
            auto_deprovision: true,
            approval: false,
            adopt_existing: true,
            onboarding: Onboarding::Invite,
            on_deleted: OnDeleted::Suspend,
            over_limit: OverLimit::SuspendOnly,
            group_sync: true,
            removal_limit: RemovalLimit::default(),
        }
    }
}

impl Policy {
    /// Reads `key=value` settings over the defaults, e.g. `onboarding=federated`, `removal_limit.count=20`.
    ///
    /// # Errors
    /// Names the key and what it takes.
    pub fn with_settings<'a>(settings: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut json = serde_json::to_value(Self::default()).map_err(|e| e.to_string())?;
        for setting in settings {
            let (key, value) = setting.split_once('=').ok_or_else(|| format!("`{setting}` is not key=value"))?;
            let pointer = format!("/{}", key.replace('.', "/"));
            let slot = json.pointer_mut(&pointer).ok_or_else(|| format!("`{key}` is not a policy key"))?;
            *slot = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            let parsed: Result<Self, _> = serde_json::from_value(json.clone());
            parsed.map_err(|e| format!("policy key `{key}`: {e}"))?;
        }
        let policy: Self = serde_json::from_value(json).map_err(|e| e.to_string())?;
        policy.validate()?;
        Ok(policy)
    }

    /// # Errors
    /// Names the key that is out of range, and the range.
    pub fn validate(&self) -> Result<(), String> {
        if self.removal_limit.percent > 100 {
            return Err("removal_limit.percent is a percentage, 0 to 100".into());
        }
        if !(1..=720).contains(&self.removal_limit.window_hours) {
            return Err("removal_limit.window_hours is 1 to 720".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn da10_limit_is_ten_or_five_percent() {
        let limit = RemovalLimit::default();
        assert_eq!([limit.allowed(0), limit.allowed(100), limit.allowed(219), limit.allowed(1000)], [10, 10, 10, 50]);
    }

    #[test]
    fn settings_are_read_and_mistakes_are_named() {
        let policy = Policy::with_settings(["onboarding=federated", "approval=true", "removal_limit.count=3"]).unwrap();
        assert_eq!((policy.onboarding, policy.approval, policy.removal_limit.count), (Onboarding::Federated, true, 3));
        for (setting, named) in [
            ("onbording=invite", "onbording"),
            ("approval=maybe", "approval"),
            ("on_deleted=archive", "on_deleted"),
            ("removal_limit.percent=101", "removal_limit.percent"),
            ("approval", "key=value"),
        ] {
            let error = Policy::with_settings([setting]).unwrap_err();
            assert!(error.contains(named), "{setting}: {error}");
        }
    }
}
