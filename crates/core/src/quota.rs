//! Quotas: what one tenant may keep in the hub, so that no tenant takes the space of the others (S6). The operator sets them for all
//! tenants by settings, and for one by an override.

use crate::remedy::{self, Remedy};
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use std::fmt;

text_enum! {
    /// One thing that is counted.
    Quota {
        /// Directory users and groups, with the rows of deleted ones.
        Records = "records",
        /// The attributes of the records, as the database stores them, and 100 for each membership.
        Bytes = "bytes",
        /// Sources of any mode.
        Sources = "sources",
        /// Tokens and API keys in force.
        Keys = "keys",
        /// Change marks that no worker has consumed.
        Changes = "changes",
    }
}

impl Quota {
    /// The way out when it is used up.
    pub const fn remedy(self) -> &'static Remedy {
        match self {
            Self::Records | Self::Bytes => &remedy::STORES_TOO_MUCH,
            Self::Sources => &remedy::TOO_MANY_SOURCES,
            Self::Keys => &remedy::TOO_MANY_KEYS,
            Self::Changes => &remedy::TOO_MANY_CHANGES,
        }
    }
}

/// The largest number of each thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    pub records: u64,
    pub bytes: u64,
    pub sources: u64,
    pub keys: u64,
    pub changes: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { records: 1_500_000, bytes: 4 << 30, sources: 20, keys: 200, changes: 4_000_000 }
    }
}

/// The quotas of one tenant that differ from those of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<u64>,
}

/// Numbers in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub records: u64,
    pub bytes: u64,
    pub sources: u64,
    pub keys: u64,
    pub changes: u64,
}

/// A refusal, with the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    pub quota: Quota,
    pub limit: u64,
}

impl Quotas {
    pub const fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Records => self.records,
            Quota::Bytes => self.bytes,
            Quota::Sources => self.sources,
            Quota::Keys => self.keys,
            Quota::Changes => self.changes,
        }
    }

    /// Those of a tenant.
    #[must_use]
    pub fn with(&self, own: &QuotaOverrides) -> Self {
        Self {
            records: own.records.unwrap_or(self.records),
            bytes: own.bytes.unwrap_or(self.bytes),
            sources: own.sources.unwrap_or(self.sources),
            keys: own.keys.unwrap_or(self.keys),
            changes: own.changes.unwrap_or(self.changes),
        }
    }

    /// The first quota that this use exceeds.
    pub fn exceeded_by(&self, usage: &Usage) -> Option<OverQuota> {
        let over = Quota::ALL.iter().copied().find(|quota| usage.of(*quota) > self.of(*quota))?;
        Some(OverQuota { quota: over, limit: self.of(over) })
    }
}

impl QuotaOverrides {
    /// These, with the given ones of `later` in their place.
    #[must_use]
    pub fn changed_by(&self, later: &Self) -> Self {
        Self {
            records: later.records.or(self.records),
            bytes: later.bytes.or(self.bytes),
            sources: later.sources.or(self.sources),
            keys: later.keys.or(self.keys),
            changes: later.changes.or(self.changes),
        }
    }
}

impl Usage {
    pub const fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Records => self.records,
            Quota::Bytes => self.bytes,
            Quota::Sources => self.sources,
            Quota::Keys => self.keys,
            Quota::Changes => self.changes,
        }
    }

    #[must_use]
    pub const fn plus(&self, more: &Self) -> Self {
        Self {
            records: self.records.saturating_add(more.records),
            bytes: self.bytes.saturating_add(more.bytes),
            sources: self.sources.saturating_add(more.sources),
            keys: self.keys.saturating_add(more.keys),
            changes: self.changes.saturating_add(more.changes),
        }
    }

    #[must_use]
    pub const fn minus(&self, less: &Self) -> Self {
        Self {
            records: self.records.saturating_sub(less.records),
            bytes: self.bytes.saturating_sub(less.bytes),
            sources: self.sources.saturating_sub(less.sources),
            keys: self.keys.saturating_sub(less.keys),
            changes: self.changes.saturating_sub(less.changes),
        }
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
        let all = Quotas { records: 10, bytes: 1_000, sources: 2, keys: 3, changes: 4 };
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
