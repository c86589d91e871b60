//! Quotas: what one tenant may keep in the hub, so that no tenant takes the space of the others (S6). The operator sets them for all
//! tenants by settings, and for one by an override.

use crate::remedy::{self, Remedy};
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! quotas {
    ($($(#[$doc:meta])* $quota:ident = $text:literal in $field:ident, $default:expr);+ $(;)?) => {
        text_enum! {
            /// One thing that is counted.
            Quota { $($(#[$doc])* $quota = $text),+ }
        }

        /// The largest number of each thing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Quotas { $(pub $field: u64),+ }

        impl Default for Quotas {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl Quotas {
            pub const fn of(&self, quota: Quota) -> u64 {
                match quota { $(Quota::$quota => self.$field),+ }
            }

            /// Those of a tenant.
            #[must_use]
            pub fn with(&self, own: &QuotaOverrides) -> Self {
                Self { $($field: own.$field.unwrap_or(self.$field)),+ }
            }
        }

        /// The quotas of one tenant that differ from those of all.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct QuotaOverrides {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<u64>),+
        }

        impl QuotaOverrides {
            /// These, with the given ones of `later` in their place.
            #[must_use]
            pub fn changed_by(&self, later: &Self) -> Self {
                Self { $($field: later.$field.or(self.$field)),+ }
            }
        }

        /// Numbers in use.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Usage { $(pub $field: u64),+ }

        impl Usage {
            pub const fn of(&self, quota: Quota) -> u64 {
                match quota { $(Quota::$quota => self.$field),+ }
            }

            #[must_use]
            pub const fn plus(&self, more: &Self) -> Self {
                Self { $($field: self.$field.saturating_add(more.$field)),+ }
            }

            #[must_use]
            pub const fn minus(&self, less: &Self) -> Self {
                Self { $($field: self.$field.saturating_sub(less.$field)),+ }
            }
        }
    };
}

// Each thing with its field, and what a tenant may keep of it unless the operator says otherwise.
quotas! {
    /// Directory users and groups, with the rows of deleted ones.
    Records = "records" in records, 1_500_000;
    /// The attributes of the records, as the database stores them, and 100 for each membership.
    Bytes = "bytes" in bytes, 4 << 30;
    /// Sources of any mode.
    Sources = "sources" in sources, 20;
    /// Tokens and API keys in force.
    Keys = "keys" in keys, 200;
    /// Endpoints of webhooks.
    Webhooks = "webhooks" in webhooks, 10;
    /// Change marks that no worker has consumed.
    Changes = "changes" in changes, 4_000_000;
}

impl Quota {
    /// The way out when it is used up.
    pub const fn remedy(self) -> &'static Remedy {
        match self {
            Self::Records | Self::Bytes => &remedy::STORES_TOO_MUCH,
            Self::Sources => &remedy::TOO_MANY_SOURCES,
            Self::Keys => &remedy::TOO_MANY_KEYS,
            Self::Webhooks => &remedy::TOO_MANY_WEBHOOKS,
            Self::Changes => &remedy::TOO_MANY_CHANGES,
        }
    }
}

/// A refusal, with the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    pub quota: Quota,
    pub limit: u64,
}

impl Quotas {
    /// The first quota that this use exceeds.
    pub fn exceeded_by(&self, usage: &Usage) -> Option<OverQuota> {
        let over = Quota::ALL.iter().copied().find(|quota| usage.of(*quota) > self.of(*quota))?;
        Some(OverQuota { quota: over, limit: self.of(over) })
    }
}

impl fmt::Display for OverQuota {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, limit } = self;
        let remedy = quota.remedy().sentence;
        write!(formatter, "the quota of {quota} is used up: this organisation may keep {limit}. {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_an_override_counts_in_the_place_of_the_setting() {
        let all = Quotas { records: 10, bytes: 1_000, sources: 2, keys: 3, webhooks: 5, changes: 4 };
        let own = all.with(&QuotaOverrides { records: Some(20), changes: Some(0), ..QuotaOverrides::default() });
        assert_eq!(own, Quotas { records: 20, changes: 0, ..all });
        let usage = Usage { records: 11, ..Usage::default() };
        assert_eq!(all.exceeded_by(&usage), Some(OverQuota { quota: Quota::Records, limit: 10 }));
        assert_eq!(own.exceeded_by(&usage), None);
        assert_eq!(
            own.exceeded_by(&usage.plus(&Usage { changes: 1, ..Usage::default() })).map(|over| over.quota),
            Some(Quota::Changes)
        );
    }
}
