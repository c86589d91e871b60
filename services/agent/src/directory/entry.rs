//! An entry of a directory, from a file or from a server.

use std::collections::BTreeMap;

/// The name, and the values of each attribute by its name in lower case, without those in a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) values: BTreeMap<String, Vec<Vec<u8>>>,
    /// Attributes with more values than came, and the number of the first one that is missing.
    pub(super) cut: Vec<(String, u64)>,
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
    ///
    /// # Errors
    /// The range cannot be read.
    pub(super) fn add(&mut self, described: &str, values: Vec<Vec<u8>>) -> Result<(), ()> {
        let described = described.to_ascii_lowercase();
        let (name, option) = described.split_once(';').unwrap_or((&described, ""));
        if let Some(range) = option.strip_prefix("range=") {
            let (first, last) = range.split_once('-').ok_or(())?;
            let first: u64 = first.parse().map_err(|_| ())?;
            if last != "*" {
                let last: u64 = last.parse().map_err(|_| ())?;
                let is_whole = last >= first && last - first + 1 == values.len() as u64;
                let next = last.checked_add(1).filter(|_| is_whole).ok_or(())?;
                self.cut.push((name.to_owned(), next));
            }
        } else if !matches!(option, "" | "binary") {
            return Ok(());
        }
        self.values.entry(name.to_owned()).or_default().extend(values);
        Ok(())
    }
}
