//! A tenant's decisions about its provisioning. The defaults are the usual ones of similar systems.

mod change;
mod mapping;
mod mapping_errors;
mod mapping_language;
mod per_source;
mod scope;

pub use mapping::{EXPRESSION_BYTES_MAX, Mapped, MappedAttribute, Mapping, Unmapped};
pub use mapping_errors::RECORD_ATTRIBUTES;
pub use per_source::{OVERRIDABLE, SourcePolicy};
pub use scope::GroupScope;

use crate::ids::{MemberId, SourceId};
use crate::spelling::did_you_mean;
use crate::text_enum::text_enum;
use chrono::TimeDelta;
use scope::{GROUP_SCOPE, USER_SCOPE};
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

text_enum! {
    /// How a new member joins.
    Onboarding {
        /// By an invitation that the person accepts.
        Invite = "invite",
        /// Without mail: the person signs in with the IdP at once (LP13).
        Federated = "federated",
    }
}

text_enum! {
    /// Order of the waitlist.
    SeatOrder {
        /// In the order of the directory's announcements.
        Announced = "announced",
        /// In the bytewise order of the folded addresses.
        Email = "email",
    }
}

text_enum! {
    /// Action on a member whose record the source deleted, disabled, or took out of the scope (DX14).
    OnDeleted { Suspend = "suspend", Remove = "remove" }
}

text_enum! {
    /// Meaning of a PUT of a group without `members` (docs/decisions/0061-put-without-members-as-empty.md).
    PutWithoutMembers {
        /// The members stay.
        Keep = "keep",
        /// The group has no members, as with an empty list.
        Empty = "empty",
    }
}

text_enum! {
    /// Action on a SCIM removal over the limit (docs/design.md#guards).
    OverLimit {
        /// Access ends at once; the irreversible part waits for an admin.
        SuspendOnly = "suspend_only",
        /// The whole removal waits for an admin.
        Hold = "hold",
    }
}

text_enum! {
    /// A member's attribute that the product may own (PE6).
    LocalAttribute { DisplayName = "display_name", GivenName = "given_name", FamilyName = "family_name" }
}

/// Number of changes of one kind that may be applied automatically (DA10, PE8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// Allowed in any tenant, however small.
    pub count: u32,
    /// Percent of the managed members; the larger of both applies.
    pub percent: u32,
    /// The sliding window, in hours.
    pub window_hours: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self { count: 10, percent: 5, window_hours: 24 }
    }
}

impl Limit {
    /// Changes allowed inside one window in a tenant with this many managed members.
    pub fn allowed(&self, managed: u32) -> u32 {
        let share = u64::from(managed) * u64::from(self.percent) / 100;
        self.count.max(u32::try_from(share).unwrap_or(u32::MAX))
    }

    pub fn window(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.window_hours))
    }
}

/// Most protected members of a policy: every plan looks them up.
const PROTECTED_MAX: usize = 100;

/// A tenant's policy; stored as JSON. Unknown keys are refused, so that a misspelt one is no setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// New people in the directory become members (DA1).
    pub auto_provision: bool,
    /// People who left lose access automatically; when off, the plan lists the actions (DA11).
    pub auto_deprovision: bool,
    /// New people wait as `pending` until an admin approves them (LP5).
    pub approval: bool,
    /// An unmanaged member with a matching email becomes managed (DX2).
    pub adopt_existing: bool,
    pub onboarding: Onboarding,
    /// Action on members whom the source disabled, or removed from its assignment without deleting the record.
    pub on_disabled: OnDeleted,
    pub on_deleted: OnDeleted,
    /// A suspension or removal by sync asks the product to wipe the member's devices (DX16).
    pub wipe_on_suspend: bool,
    pub over_limit: OverLimit,
    /// Directory groups become sharing groups (DA9, DX6).
    pub group_sync: bool,
    /// The groups that are synced; `None`: all.
    #[serde(deserialize_with = "object_or_null")]
    pub group_scope: Option<GroupScope>,
    /// Scope of users: members of any of these groups of their source (DX6, LP5). `None`: everybody.
    #[serde(deserialize_with = "object_or_null")]
    pub user_scope: Option<GroupScope>,
    /// Action on members who left the last group of the user scope.
    pub on_out_of_scope: OnDeleted,
    pub put_without_members: PutWithoutMembers,
    /// People who may lose access automatically (DA10).
    #[serde(deserialize_with = "object")]
    pub removal_limit: Limit,
    /// New members (PE8); `None`: any number.
    #[serde(deserialize_with = "object_or_null")]
    pub creation_limit: Option<Limit>,
    /// Changed profiles (PE8); `None`: any number.
    #[serde(deserialize_with = "object_or_null")]
    pub modification_limit: Option<Limit>,
    /// Members whom no sync and no rewind ever suspends or removes (break-glass accounts); by id, because the source
    /// controls the address.
    pub protected_members: BTreeSet<MemberId>,
    /// A source whose held removals exceed the removal limit by this factor is quarantined (PE9). `None`: never.
    pub quarantine_after: Option<u32>,
    /// Seats are bought automatically, up to this number, when somebody would wait for one (PE3). `None`: never.
    pub seat_cap: Option<u32>,
    /// Order in which waiting people get seats (DA8).
    pub seat_order: SeatOrder,
    /// New members and new people of a sharing group cause a request to the product for their keys at once (LP9).
    pub pre_create_sharing_keys: bool,
    /// The SCIM attribute that holds the address (DX5): `userName`, `emails[type eq "work"]`, `urn:…:mail`. `None`: the
    /// primary email, else the first, else a userName that is an address.
    pub email_attribute: Option<String>,
    /// Expressions for attributes of a member that do not come from the attribute of the same name (PE13).
    #[serde(deserialize_with = "object")]
    pub mapping: Mapping,
    /// Attributes that the source fills for a new member, and never changes again (PE6).
    pub local_attributes: BTreeSet<LocalAttribute>,
    /// Different values for the records of one source.
    pub sources: BTreeMap<SourceId, SourcePolicy>,
}

/// Reads a part of the policy, which must be an object: serde takes a list of the values as well, in an order that nobody
/// can see.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(value: D) -> Result<T, D::Error> {
    object_or_null(value)?.ok_or_else(|| D::Error::custom("takes an object, not null"))
}

fn object_or_null<'de, D: Deserializer<'de>, T: DeserializeOwned>(value: D) -> Result<Option<T>, D::Error> {
    match Json::deserialize(value)? {
        Json::Null => Ok(None),
        object @ Json::Object(_) => serde_json::from_value(object).map(Some).map_err(D::Error::custom),
        other => Err(D::Error::custom(format!("takes an object with its keys by name, not {other}"))),
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            auto_provision: true,
            auto_deprovision: true,
            approval: false,
            adopt_existing: true,
            onboarding: Onboarding::Invite,
            on_disabled: OnDeleted::Suspend,
            on_deleted: OnDeleted::Suspend,
            wipe_on_suspend: false,
            over_limit: OverLimit::SuspendOnly,
            group_sync: true,
            group_scope: None,
            user_scope: None,
            on_out_of_scope: OnDeleted::Suspend,
            put_without_members: PutWithoutMembers::Keep,
            removal_limit: Limit::default(),
            creation_limit: None,
            modification_limit: None,
            protected_members: BTreeSet::new(),
            quarantine_after: None,
            seat_cap: None,
            seat_order: SeatOrder::Announced,
            pre_create_sharing_keys: false,
            email_attribute: None,
            mapping: Mapping::default(),
            local_attributes: BTreeSet::new(),
            sources: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// Every key that [`with_settings`](Self::with_settings) takes, those of a limit as `removal_limit.count`.
    pub fn setting_keys() -> Vec<String> {
        let mut keys = Vec::new();
        let json = serde_json::to_value(Self::default()).unwrap_or_default();
        for (key, value) in json.as_object().into_iter().flatten() {
            match value.as_object().filter(|parts| !parts.is_empty()) {
                Some(parts) => keys.extend(parts.keys().map(|part| format!("{key}.{part}"))),
                None => keys.push(key.clone()),
            }
        }
        keys
    }

    /// Reads `key=value` settings over the defaults, e.g. `onboarding=federated`, `removal_limit.count=20`.
    ///
    /// # Errors
    /// Names the key and its valid values.
    pub fn with_settings<'a>(settings: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut json = serde_json::to_value(Self::default()).map_err(|e| e.to_string())?;
        for setting in settings {
            let (key, value) = setting.split_once('=').ok_or_else(|| format!("`{setting}` is not key=value"))?;
            let pointer = format!("/{}", key.replace('.', "/"));
            let known = Self::setting_keys();
            let unknown = || format!("`{key}` is not a policy key{}", did_you_mean(key, &known));
            let slot = json.pointer_mut(&pointer).ok_or_else(unknown)?;
            *slot = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            let parsed: Result<Self, _> = serde_json::from_value(json.clone());
            parsed.map_err(|e| format!("policy key `{key}`: {e}"))?;
        }
        let policy: Self = serde_json::from_value(json).map_err(|e| e.to_string())?;
        policy.validate()?;
        Ok(policy)
    }

    /// Number of held removals at which a source is quarantined (PE9): at least ten, however small the limit.
    pub fn quarantined_at(&self, managed: u32) -> Option<u32> {
        self.quarantine_after.map(|times| times.saturating_mul(self.removal_limit.allowed(managed).max(10)))
    }

    /// The seats that a tenant can have without an order by an admin (PE3).
    pub fn seats_at_most(&self, bought: u32) -> u32 {
        self.seat_cap.map_or(bought, |cap| cap.max(bought))
    }

    /// # Errors
    /// Names the key that is out of range, and the range.
    pub fn validate(&self) -> Result<(), String> {
        let limits = [
            ("removal_limit", Some(&self.removal_limit)),
            ("creation_limit", self.creation_limit.as_ref()),
            ("modification_limit", self.modification_limit.as_ref()),
        ];
        for (name, limit) in limits.iter().filter_map(|(name, limit)| Some((name, (*limit)?))) {
            if limit.percent > 100 {
                return Err(format!("{name}.percent is a percentage, 0 to 100"));
            }
            if !(1..=720).contains(&limit.window_hours) {
                return Err(format!("{name}.window_hours is 1 to 720"));
            }
        }
        if self.protected_members.len() > PROTECTED_MAX {
            return Err(format!("protected_members has at most {PROTECTED_MAX} members"));
        }
        if self.quarantine_after == Some(0) {
            return Err("quarantine_after is 1 or more, or null".into());
        }
        for (key, scope) in [(GROUP_SCOPE, &self.group_scope), (USER_SCOPE, &self.user_scope)] {
            scope.as_ref().map_or(Ok(()), |scope| scope.check(key))?;
        }
        self.mapping.check()?;
        for (source, own) in &self.sources {
            own.check_keys().map_err(|e| format!("sources.{source}: {e}"))?;
            self.of_source(*source)?.validate().map_err(|e| format!("sources.{source}: {e}"))?;
        }
        Ok(())
    }

    /// The policy for one source's records.
    ///
    /// # Errors
    /// Names the key whose value has another kind.
    pub fn of_source(&self, source: SourceId) -> Result<Self, String> {
        let tenant = Self { sources: BTreeMap::new(), ..self.clone() };
        let Some(own) = self.sources.get(&source) else { return Ok(tenant) };
        own.laid_over(&tenant).map_err(|e| format!("sources.{source}.{e}"))
    }

    /// The policies of all sources that differ from the tenant's.
    ///
    /// # Errors
    /// As [`of_source`](Self::of_source).
    pub fn by_source(&self) -> Result<HashMap<SourceId, Self>, String> {
        self.sources.keys().map(|source| Ok((*source, self.of_source(*source)?))).collect()
    }

    /// True if a directory group of this name becomes a sharing group (DX6).
    pub fn feeds_group(&self, name: &str, external_id: Option<&str>) -> bool {
        self.group_sync && self.group_scope.as_ref().is_none_or(|scope| scope.holds(name, external_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn da10_limit_is_ten_or_five_percent() {
        let limit = Limit::default();
        assert_eq!([limit.allowed(0), limit.allowed(100), limit.allowed(219), limit.allowed(1000)], [10, 10, 10, 50]);
    }

    #[test]
    fn settings_are_read_and_mistakes_are_named() {
        let policy = Policy::with_settings(["onboarding=federated", "approval=true", "removal_limit.count=3"]).unwrap();
        assert_eq!((policy.onboarding, policy.approval, policy.removal_limit.count), (Onboarding::Federated, true, 3));
        for (setting, named) in [
            ("onbording=invite", "`onbording` is not a policy key. Did you mean \"onboarding\"?"),
            ("approval=maybe", "approval"),
            ("on_deleted=archive", "on_deleted"),
            ("removal_limit.percent=101", "removal_limit.percent"),
            ("creation_limit={\"window_hours\": 0}", "creation_limit.window_hours"),
            ("approval", "key=value"),
        ] {
            let error = Policy::with_settings([setting]).unwrap_err();
            assert!(error.contains(named), "{setting}: {error}");
        }
    }
}
