//! The check of an upload as a whole, part by part, before anything of it is applied: its parts cover exactly what was begun, its
//! numbers are those that were told, and its people are in groups that exist. Its memory follows the number of groups alone.

use crate::bucket::{Ranges, joined};
use crate::entry::Entry;
use crate::part::Part;
use std::collections::HashSet;

/// Most groups of an upload.
pub const GROUPS_MAX: usize = 200_000;

/// The numbers of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those that are gone apart.
    pub users: u64,
    pub groups: u64,
    pub active_users: u64,
    pub users_with_email: u64,
    pub gone: u64,
}

/// Why an upload is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("part {0} is of another upload, or has another number")]
    Foreign(u32),
    #[error("part {0} covers buckets that an earlier part covers, or comes before it")]
    Doubled(u32),
    #[error("the parts do not cover the buckets for which the upload was begun")]
    NotCovered,
    #[error("a snapshot says that somebody is gone: that is for a delta; leave the entry out instead")]
    GoneInSnapshot,
    #[error("the upload has {users} people and {groups} groups, and was begun with {told_users} and {told_groups}")]
    Counts { users: u64, groups: u64, told_users: u64, told_groups: u64 },
    #[error("a person in part {0} is in a group that neither the upload nor the hub has")]
    UnknownGroup(u32),
    #[error("the upload has more than {GROUPS_MAX} groups")]
    TooManyGroups,
}

/// The terms under which an upload was begun.
#[derive(Clone, Debug)]
pub struct Begun {
    pub upload: String,
    pub is_delta: bool,
    pub covers: Ranges,
    pub users: u64,
    pub groups: u64,
}

/// A check in progress.
pub struct UploadCheck {
    begun: Begun,
    known_groups: HashSet<String>,
    covered: Ranges,
    parts: u32,
    totals: Totals,
}

impl UploadCheck {
    /// `known_groups` are the groups that the hub has and the upload need not name.
    pub fn new(begun: Begun, known_groups: HashSet<String>) -> Self {
        Self { begun, known_groups, covered: Ranges::new(), parts: 0, totals: Totals::default() }
    }

    /// Checks the next part.
    ///
    /// # Errors
    /// The first reason to refuse the upload.
    pub fn add(&mut self, part: &Part) -> Result<(), Refused> {
        self.parts += 1;
        let number = self.parts;
        if part.header.upload != self.begun.upload || part.header.number != number {
            return Err(Refused::Foreign(number));
        }
        let begins = part.header.covers.first().map(|[first, _]| *first);
        if self.covered.last().is_some_and(|[_, last]| begins <= Some(*last)) {
            return Err(Refused::Doubled(number));
        }
        self.covered.extend(&part.header.covers);
        part.entries.iter().try_for_each(|entry| self.entry(entry, number))
    }

    fn entry(&mut self, entry: &Entry, number: u32) -> Result<(), Refused> {
        match entry {
            Entry::GoneGroup(_) | Entry::GoneUser(_) if !self.begun.is_delta => return Err(Refused::GoneInSnapshot),
            Entry::GoneGroup(id) => {
                self.known_groups.remove(id);
                self.totals.gone += 1;
            }
            Entry::GoneUser(_) => self.totals.gone += 1,
            Entry::Group(group) => {
                if self.known_groups.len() >= GROUPS_MAX {
                    return Err(Refused::TooManyGroups);
                }
                self.known_groups.insert(group.id.clone());
                self.totals.groups += 1;
            }
            Entry::User(user) => {
                if !user.groups.iter().all(|group| self.known_groups.contains(group)) {
                    return Err(Refused::UnknownGroup(number));
                }
                self.totals.users += 1;
                self.totals.active_users += u64::from(user.active);
                self.totals.users_with_email += u64::from(user.email.is_some());
            }
        }
        Ok(())
    }

    /// The numbers, once all parts were added.
    ///
    /// # Errors
    /// [`Refused::NotCovered`] and [`Refused::Counts`].
    pub fn finish(self) -> Result<Totals, Refused> {
        if joined(&self.covered) != joined(&self.begun.covers) {
            return Err(Refused::NotCovered);
        }
        let (Totals { users, groups, .. }, told_users, told_groups) =
            (self.totals, self.begun.users, self.begun.groups);
        if (users, groups) != (told_users, told_groups) {
            return Err(Refused::Counts { users, groups, told_users, told_groups });
        }
        Ok(self.totals)
    }
}
