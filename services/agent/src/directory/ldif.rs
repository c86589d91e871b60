//! LDIF (RFC 2849): entries of lines `name: value`, long lines folded, values in base64 where needed. A file of changes is refused, and
//! so is a value that would be read from elsewhere: neither is a directory.

use super::entry::Entry;
use super::gathering::{Gathering, joined};
use super::{Directory, Unreadable};
use crate::config::Attributes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Longest value, in bytes; a photo is longer and is not asked for.
const VALUE_BYTES_MAX: usize = 1 << 20;

pub(super) fn read(text: &str, attributes: &Attributes) -> Result<Directory, Unreadable> {
    let mut gathering = Gathering::of_a_file(attributes);
    entries(text, |entry| gathering.add(&entry))?;
    Ok(joined(vec![gathering]))
}

/// Hands over the entries of a file, one after another.
fn entries(text: &str, mut take: impl FnMut(Entry) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    let mut current = None::<Entry>;
    for (line, text) in unfolded(text) {
        let wrong = |why: &str| Err(Unreadable::Line { line, why: why.to_owned() });
        if text.is_empty() {
            current.take().map_or(Ok(()), &mut take)?;
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
                if attribute.contains(";range=") {
                    return wrong("the export holds a part of the values alone; export all of them");
                }
                entry.add(&attribute, vec![value]);
            }
        }
    }
    current.map_or(Ok(()), take)
}

/// The lines with their numbers, folded ones joined, and without comments. The last entry ends with the file.
fn unfolded(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines = text.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        loop {
            let (number, line) = lines.next()?;
            let mut line = line.strip_suffix('\r').unwrap_or(line).to_owned();
            // A blank line ends an entry and is never gone on with.
            while let Some((_, next)) = lines.next_if(|(_, next)| next.starts_with(' ') && !line.is_empty()) {
                let next = next.strip_suffix('\r').unwrap_or(next);
                line.push_str(&next[1..]);
            }
            if !line.starts_with('#') {
                return Some((number + 1, line));
            }
        }
    })
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
