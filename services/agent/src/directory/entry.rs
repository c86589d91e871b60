//! An entry of a directory, from a file or from a server.

use std::collections::BTreeMap;

/// The name, and the values of each attribute by its name in lower case, without those in a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) values: BTreeMap<String, Vec<Vec<u8>>>,
    /// Attributes with more values than came, and the number of the first one that is missing.
    pub(super) cut: Vec<(String, u64)>,
    /// A range came that is not that of its values, so that some may be missing.
    pub(super) is_flawed: bool,
}

impl Entry {
    pub(super) fn texts<'e>(&'e self, attribute: &str) -> impl Iterator<Item = &'e str> + use<'e> {
        let values = self.values.get(&attribute.to_lowercase());
        values.into_iter().flatten().filter_map(|value| std::str::from_utf8(value).ok())
    }

    pub(super) fn text(&self, attribute: &str) -> Option<&str> {
        self.texts(attribute).next()
    }

    /// Adds values under a name with its options: `mail;lang-de` is another address than `mail`, and `member;range=0-1499` a part.
    pub(super) fn add(&mut self, described: &str, values: Vec<Vec<u8>>) {
        let described = described.to_ascii_lowercase();
        let (name, option) = described.split_once(';').unwrap_or((&described, ""));
        if let Some(range) = option.strip_prefix("range=") {
            match next_of(range, values.len()) {
                Some(next) => self.cut.extend(next.map(|next| (name.to_owned(), next))),
                None => self.is_flawed = true,
            }
        } else if !matches!(option, "" | "binary") {
            return;
        }
        self.values.entry(name.to_owned()).or_default().extend(values);
    }
}

/// The number of the first value after a range, None in it for the last range; None if the range is not that of so many values.
fn next_of(range: &str, count: usize) -> Option<Option<u64>> {
    let (first, last) = range.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    if last == "*" {
        return Some(None);
    }
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    (next.checked_sub(first)? == count as u64).then_some(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parts_and_languages_are_others() {
        let values = |count: usize| vec![b"x".to_vec(); count];
        let mut entry = Entry::default();
        entry.add("Member;Range=0-1", values(2));
        entry.add("member;range=2-*", values(3));
        entry.add("mail;lang-de", values(1));
        entry.add("objectGUID;binary", values(1));
        assert_eq!((entry.values["member"].len(), entry.cut.clone()), (5, vec![("member".to_owned(), 2)]));
        assert!(!entry.values.contains_key("mail") && entry.values.contains_key("objectguid") && !entry.is_flawed);
        // DirSync calls values that were added 1-1, and those that were taken away 0-0, however many they are.
        entry.add("member;range=1-1", values(3));
        assert!(entry.is_flawed);
    }
}
