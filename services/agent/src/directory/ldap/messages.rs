//! Messages of a search as the library hands them over, read without its parsers, which panic on what they do not expect.

use super::super::entry::Entry;
use ldap3::ResultEntry;
use ldap3::asn1::StructureTag;

/// A message of a search.
pub(super) enum Message {
    Entry(Entry),
    /// Addresses where more entries are.
    Referral(Vec<String>),
    /// The value of an intermediate response.
    Intermediate(Vec<u8>),
}

/// Reads a message; None if it is none.
pub(super) fn message_of(item: ResultEntry) -> Option<Message> {
    if item.is_ref() {
        let addresses = item.0.expect_constructed()?.into_iter().map(text_of).collect::<Option<_>>()?;
        return Some(Message::Referral(addresses));
    }
    if item.is_intermediate() {
        let parts = item.0.expect_constructed()?;
        let value = parts.into_iter().find(|part| part.id == 1).and_then(StructureTag::expect_primitive);
        return Some(Message::Intermediate(value.unwrap_or_default()));
    }
    entry_of(item.0).map(Message::Entry)
}

fn entry_of(tag: StructureTag) -> Option<Entry> {
    let mut parts = tag.expect_constructed()?.into_iter();
    let mut entry = Entry { name: text_of(parts.next()?)?, ..Entry::default() };
    for attribute in parts.next()?.expect_constructed()? {
        let mut parts = attribute.expect_constructed()?.into_iter();
        let described = text_of(parts.next()?)?;
        let values = parts.next()?.expect_constructed()?.into_iter().map(StructureTag::expect_primitive);
        entry.add(&described, values.collect::<Option<_>>()?);
    }
    Some(entry)
}

fn text_of(tag: StructureTag) -> Option<String> {
    String::from_utf8(tag.expect_primitive()?).ok()
}
