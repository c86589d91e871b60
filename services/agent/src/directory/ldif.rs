//! LDIF (RFC 2849): entries of lines `name: value`, long lines folded, values in base64 where needed. A file of changes is refused, and
//! so is a value that would be read from elsewhere: neither is a directory.

use super::ldif_records::directory_of;
use super::{Directory, Unreadable};
use crate::config::Attributes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// Longest value, in bytes; a photo is longer and is not asked for.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// An entry: its name, and the values of each attribute by its name in lower case, without those in a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) values: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    pub(super) fn texts<'e>(&'e self, attribute: &str) -> impl Iterator<Item = &'e str> + use<'e> {
        let values = self.values.get(&attribute.to_lowercase());
        values.into_iter().flatten().filter_map(|value| std::str::from_utf8(value).ok())
    }

    pub(super) fn text(&self, attribute: &str) -> Option<&str> {
        self.texts(attribute).next()
    }
}

pub(super) fn read(text: &str, attributes: &Attributes) -> Result<Directory, Unreadable> {
    directory_of(entries(text)?, attributes)
}

/// The entries of a file.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Unreadable> {
    let (mut entries, mut current) = (Vec::new(), None::<Entry>);
    for (line, text) in unfolded(text) {
        let wrong = |why: &str| Err(Unreadable::Line { line, why: why.to_owned() });
        if text.is_empty() {
            entries.extend(current.take());
            continue;
        }
        let (attribute, value) = parsed(&text).ok_or_else(|| Unreadable::Line {
            line,
            why: "it is no `name: value`, `name:: base64` or comment".to_owned(),
        })?;
        if value.len() > VALUE_BYTES_MAX {
            return wrong("its value is too long");
        }
        match (attribute.as_str(), &mut current) {
            ("version", None) => {}
            ("dn", None) => {
                let Ok(name) = String::from_utf8(value) else { return wrong("the name of the entry is no UTF-8") };
                current = Some(Entry { name, ..Entry::default() });
            }
            ("dn", Some(_)) => return wrong("an entry begins inside another one; a blank line is missing"),
            ("changetype", _) => return wrong("the file holds changes; export the directory itself"),
            (_, None) => return wrong("it is of no entry: an entry begins with dn"),
            (_, Some(entry)) => {
                // `mail;lang-de` is another address than `mail`; `member;range=0-1499` is a part of a group.
                match attribute.split_once(';') {
                    Some((_, option)) if option.starts_with("range=") => {
                        return wrong("the export holds a part of the values alone; export all of them");
                    }
                    Some((_, option)) if option != "binary" => {}
                    Some((name, _)) => entry.values.entry(name.to_owned()).or_default().push(value),
                    None => entry.values.entry(attribute).or_default().push(value),
                }
            }
        }
    }
    entries.extend(current);
    Ok(entries)
}

/// The lines with their numbers, folded ones joined, and without comments. The last entry ends with the file.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut comment = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(_), _) if comment => {}
            (Some(rest), Some((_, last))) if !last.is_empty() => last.push_str(rest),
            _ => {
                comment = line.starts_with('#');
                if !comment {
                    lines.push((number + 1, line.to_owned()));
                }
            }
        }
    }
    lines
}

/// The attribute in lower case and the value of a line.
fn parsed(line: &str) -> Option<(String, Vec<u8>)> {
    let (attribute, value) = line.split_once(':')?;
    let is_name = |sign: char| sign.is_ascii_alphanumeric() || "-._;=".contains(sign);
    if attribute.is_empty() || !attribute.chars().all(is_name) {
        return None;
    }
    let value = match value.strip_prefix(':') {
        Some(encoded) => STANDARD.decode(encoded.trim()).ok()?,
        None if value.starts_with('<') => return None,
        None => value.trim().as_bytes().to_vec(),
    };
    Some((attribute.to_ascii_lowercase(), value))
}
