//! Entries: the lines of a part. They hold what LP10 lists, and an unknown field is refused, so nothing else can travel.

use crate::bucket::bucket_of;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest id, in bytes.
pub const ID_BYTES_MAX: usize = 200;
/// Longest name or address, in characters: the hub keeps no longer ones.
pub const TEXT_CHARACTERS_MAX: usize = 256;
/// Most groups of one person.
pub const GROUPS_MAX: usize = 2_000;

/// A person of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The immutable id of the directory: objectGUID, entryUUID, or a column of a file.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    pub active: bool,
    /// Ids of all groups that the person is in, nested ones too; sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// A group of the directory. Its members are named by the people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub id: String,
    pub name: String,
}

/// One line of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Group(Group),
    User(User),
    /// The group with this id is gone; in a delta only.
    GoneGroup(String),
    /// The person with this id is gone; in a delta only.
    GoneUser(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Group,
    User,
}

/// The position of an entry in an upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub bucket: u16,
    pub id: String,
}

/// SHA-256 of an entry's canonical line, in its first half.
pub type EntryDigest = [u8; 16];

/// Why an entry cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("an id is empty, longer than {ID_BYTES_MAX} bytes, or holds a control character")]
    Id,
    #[error("a text is empty, longer than {TEXT_CHARACTERS_MAX} characters, or holds a control character")]
    Text,
    #[error("the groups of a person are not sorted, or one is named twice")]
    Groups,
    #[error("a person is in more than {GROUPS_MAX} groups")]
    TooManyGroups,
}

fn check_id(id: &str) -> Result<(), Wrong> {
    let is_id = !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
    if is_id { Ok(()) } else { Err(Wrong::Id) }
}

fn check_text(text: &str) -> Result<(), Wrong> {
    let is_text = !text.trim().is_empty() && text.chars().count() <= TEXT_CHARACTERS_MAX;
    if is_text && !text.chars().any(char::is_control) { Ok(()) } else { Err(Wrong::Text) }
}

impl User {
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), Wrong> {
        check_id(&self.id)?;
        let texts = [&self.user_name, &self.email, &self.given_name, &self.family_name, &self.display_name];
        texts.into_iter().flatten().try_for_each(|text| check_text(text))?;
        if self.groups.len() > GROUPS_MAX {
            return Err(Wrong::TooManyGroups);
        }
        self.groups.iter().try_for_each(|group| check_id(group))?;
        let is_sorted = self.groups.windows(2).all(|pair| pair[0] < pair[1]);
        if is_sorted { Ok(()) } else { Err(Wrong::Groups) }
    }
}

impl Entry {
    pub fn id(&self) -> &str {
        match self {
            Self::Group(group) => &group.id,
            Self::User(user) => &user.id,
            Self::GoneGroup(id) | Self::GoneUser(id) => id,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Group(_) | Self::GoneGroup(_) => Kind::Group,
            Self::User(_) | Self::GoneUser(_) => Kind::User,
        }
    }

    pub fn is_gone(&self) -> bool {
        matches!(self, Self::GoneGroup(_) | Self::GoneUser(_))
    }

    pub fn place(&self) -> Place {
        Place { bucket: bucket_of(self.kind(), self.id()), id: self.id().to_owned() }
    }

    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), Wrong> {
        match self {
            Self::User(user) => user.check(),
            Self::Group(group) => check_id(&group.id).and_then(|()| check_text(&group.name)),
            Self::GoneGroup(id) | Self::GoneUser(id) => check_id(id),
        }
    }

    /// The line that travels, without its end. Fields have one order, so equal entries have equal lines.
    ///
    /// # Panics
    /// Never: an entry holds texts, flags and lists of texts.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("texts and flags serialise")
    }

    pub fn digest(&self) -> EntryDigest {
        half(Sha256::digest(self.line().as_bytes()).into())
    }
}

/// The first half of a SHA-256.
pub(crate) fn half(digest: [u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    first
}
