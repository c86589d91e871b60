//! Permissions: what a key may do within its role. A session and the operator have all of them; the role says the rest.

use crate::roster::Role;
use crate::text_enum::text_enum;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

text_enum! {
    /// A part of the REST API.
    Permission {
        /// Every list and every single thing.
        Read = "read",
        /// Changes and decisions about members and groups.
        Members = "members",
        /// Decisions about runs, skipped records and rejected requests.
        Runs = "runs",
        Policy = "policy",
        /// Sources and their tokens.
        Sources = "sources",
        /// Keys, sign-in links and sessions.
        Access = "access",
        /// Whole lists as files.
        Export = "export",
    }
}

/// A set of permissions. As text, its names are divided by spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    pub const NONE: Self = Self(0);

    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Everything that a role may do.
    pub fn of_role(role: Role) -> Self {
        match role {
            Role::Owner | Role::Admin => Self::all(),
            // The endpoint table opens the reads among these to an auditor, and no write.
            Role::Auditor => [Permission::Read, Permission::Access, Permission::Export].into_iter().collect(),
            Role::Member => Permission::Read.into(),
        }
    }

    /// The permissions in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn bit(permission: Permission) -> u8 {
        1 << permission as u8
    }

    pub const fn allow(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    /// True if every permission of this set is in the other.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.allow(*permission))
    }
}

impl From<Permission> for Permissions {
    fn from(permission: Permission) -> Self {
        Self(Self::bit(permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, |set, permission| Self(set.0 | Self::bit(permission)))
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Permission::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

impl FromStr for Permissions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(' ').filter(|name| !name.is_empty()).map(str::parse::<Permission>).collect()
    }
}

/// As a list of names.
impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Permission>::deserialize(deserializer).map(|names| names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_back_from_its_text_and_from_its_json() {
        for bits in 0..1_u8 << Permission::ALL.len() {
            let set = Permissions(bits);
            assert_eq!(set.to_string().parse(), Ok(set));
            let json = serde_json::to_string(&set).expect("a list of names");
            assert_eq!(serde_json::from_str::<Permissions>(&json).expect("its own form"), set);
            assert!(set.within(Permissions::all()) && Permissions::NONE.within(set));
            assert_eq!(Permissions::all().within(set), set == Permissions::all());
        }
        assert!("read write".parse::<Permissions>().is_err());
    }
}
