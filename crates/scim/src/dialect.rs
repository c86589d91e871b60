//! Departures of a client from the RFCs, counted. Every reader of this crate takes `&mut Quirks` and notes each departure
//! that it understood. The counts feed the dialect ledger, which shows an admin the dialect of the identity provider and
//! the settings to change.

/// One recognised departure from RFC 7643/7644. The names are stable: they are stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Quirk {
    /// `"active": "False"`, `primary eq "True"`.
    StringBoolean,
    /// `"op": "Replace"`.
    CapitalisedOp,
    /// A name in another case than the schema's: `DisplayName`.
    AttributeCase,
    /// A path as a key of a path-less value: `"name.givenName": "x"`.
    DottedKey,
    /// A full attribute URN as a key: `"urn:…:User:department": "x"`.
    UrnKey,
    /// A filtered add or replace whose filter matched nothing: the element was created.
    CreateOnMiss,
    /// An attribute of an extension named without its URN: `manager`.
    BareExtensionAttribute,
    /// `"manager": "id"`.
    ManagerString,
    /// `"manager": [{ "value": "id" }]`.
    ManagerArray,
    /// `null` where the attribute is meant to be unassigned.
    NullValue,
    /// A member as a bare id instead of an object.
    BareMember,
    /// Another multi-valued attribute's element as a bare string: `"roles": ["admin"]`.
    BareElement,
    /// `remove` with a list of the values to remove.
    RemoveValueList,
    /// One object where a list belongs.
    ReplaceObjectForList,
    /// A value that is a JSON document in a string (Keycloak's `schemas` and whole values).
    JsonInString,
    /// A string without quotes in a filter: `externalId eq jyoung`.
    UnquotedFilterValue,
    /// `emails[type eq "work"].value eq "x"`, outside the RFC's grammar.
    ValuePathSubAttribute,
    /// More than one element with `primary: true`; one was kept.
    TwoPrimaries,
    /// A role whose value is a JSON document.
    RoleJsonString,
    /// A URN in `schemas` that this server does not define, or a mistyped one.
    UnknownSchemaUrn,
    /// An attribute that the schema does not have; it was ignored.
    UnknownAttribute,
    /// A read-only attribute that was ignored in a body or in a path-less patch value.
    ReadOnlyIgnored,
    /// An empty string where the attribute is meant to be unassigned.
    EmptyValue,
    /// `/Users/?filter=…`.
    TrailingSlash,
    /// `+` for a space in the query string.
    PlusForSpace,
    /// `/users` for `/Users`.
    PathCase,
    /// The URN of a schema with a dot for one of its colons: `urn:…:2.0:User.department`.
    MistypedUrn,
    /// A number where a text is wanted: `"externalId": 77`.
    NumberForText,
    /// A single value in a list of one, in an object that has nothing but `value`, or an empty list for none.
    WrappedValue,
    /// An invalid value in a write that ends a person's access: it was left out and the rest was applied.
    ValueLeftOut,
    /// A filter's value in quotes that are not double quotes: `userName eq 'ann'`.
    WrongQuotes,
    /// An id in a filter in capitals, in braces or as `urn:uuid:`.
    IdSpelling,
    /// A bare `+` within an address in a filter, read as a space.
    PlusInAddress,
    /// A PUT without `members` of a group that has some, which leaves them alone.
    PutWithoutMembers,
    /// The same where the tenant's policy reads it as empty.
    PutWithoutMembersAsEmpty,
}

/// Every quirk with its stable name, in the order of the enum.
const NAMES: [(Quirk, &str); 35] = [
    (Quirk::StringBoolean, "string_boolean"),
    (Quirk::CapitalisedOp, "capitalised_op"),
    (Quirk::AttributeCase, "attribute_case"),
    (Quirk::DottedKey, "dotted_key"),
    (Quirk::UrnKey, "urn_key"),
    (Quirk::CreateOnMiss, "create_on_miss"),
    (Quirk::BareExtensionAttribute, "bare_extension_attribute"),
    (Quirk::ManagerString, "manager_string"),
    (Quirk::ManagerArray, "manager_array"),
    (Quirk::NullValue, "null_value"),
    (Quirk::BareMember, "bare_member"),
    (Quirk::BareElement, "bare_element"),
    (Quirk::RemoveValueList, "remove_value_list"),
    (Quirk::ReplaceObjectForList, "replace_object_for_list"),
    (Quirk::JsonInString, "json_in_string"),
    (Quirk::UnquotedFilterValue, "unquoted_filter_value"),
    (Quirk::ValuePathSubAttribute, "value_path_sub_attribute"),
    (Quirk::TwoPrimaries, "two_primaries"),
    (Quirk::RoleJsonString, "role_json_string"),
    (Quirk::UnknownSchemaUrn, "unknown_schema_urn"),
    (Quirk::UnknownAttribute, "unknown_attribute"),
    (Quirk::ReadOnlyIgnored, "read_only_ignored"),
    (Quirk::EmptyValue, "empty_value"),
    (Quirk::TrailingSlash, "trailing_slash"),
    (Quirk::PlusForSpace, "plus_for_space"),
    (Quirk::PathCase, "path_case"),
    (Quirk::MistypedUrn, "mistyped_urn"),
    (Quirk::NumberForText, "number_for_text"),
    (Quirk::WrappedValue, "wrapped_value"),
    (Quirk::ValueLeftOut, "value_left_out"),
    (Quirk::WrongQuotes, "wrong_quotes"),
    (Quirk::IdSpelling, "id_spelling"),
    (Quirk::PlusInAddress, "plus_in_address"),
    (Quirk::PutWithoutMembers, "put_without_members"),
    (Quirk::PutWithoutMembersAsEmpty, "put_without_members_as_empty"),
];

impl Quirk {
    /// All quirks.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(quirk, _)| *quirk)
    }

    /// The stable snake_case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The quirk of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(quirk, _)| *quirk)
    }
}

/// Counts of one request's quirks. Cheap to make: no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    counts: [u32; NAMES.len()],
}

impl Default for Quirks {
    fn default() -> Self {
        Self { counts: [0; NAMES.len()] }
    }
}

impl Quirks {
    /// Nothing noted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one occurrence.
    pub fn note(&mut self, quirk: Quirk) {
        let count = &mut self.counts[quirk as usize];
        *count = count.saturating_add(1);
    }

    /// The count of `quirk`.
    #[must_use]
    pub fn count(&self, quirk: Quirk) -> u32 {
        self.counts[quirk as usize]
    }

    /// The quirks noted at least once, in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = (Quirk, u32)> + '_ {
        Quirk::all().map(|quirk| (quirk, self.count(quirk))).filter(|(_, count)| *count > 0)
    }

    /// True if the request had no quirk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_stands_at_its_place_under_a_unique_name() {
        for (place, (quirk, name)) in NAMES.iter().enumerate() {
            assert_eq!(*quirk as usize, place, "{name} is out of order");
            assert_eq!(Quirk::from_name(name), Some(*quirk), "{name} is not unique");
        }
    }

    #[test]
    fn counts_add_up() {
        let mut quirks = Quirks::new();
        assert!(quirks.is_empty());
        quirks.note(Quirk::NullValue);
        let mut more = Quirks::new();
        more.note(Quirk::NullValue);
        more.note(Quirk::StringBoolean);
        quirks.merge(&more);
        assert_eq!(quirks.iter().collect::<Vec<_>>(), [(Quirk::StringBoolean, 1), (Quirk::NullValue, 2)]);
    }
}
